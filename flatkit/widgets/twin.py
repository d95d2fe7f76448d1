"""The text twin of a display: what a terminal, a log, a test and a screen reader are given."""

from __future__ import annotations

from flatkit.untrusted import printable_lines

# Of a twin: a page that a machine served may be one long line, and a console has many.
_LONGEST_LINE = 4000
_LINES = 5000


class Twin:
    """Something that shows itself as text: machines and servers are quoted in it, so it is escaped and bounded here alone."""

    def as_text(self) -> str:
        """Return the text, as it comes."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return printable_lines(self.as_text(), limit=_LONGEST_LINE, lines=_LINES)

    __str__ = __repr__
