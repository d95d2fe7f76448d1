"""The only way to the terminal: while a command runs, all output passes through here.

Names, versions, server answers and the output of machines come from outside. Hidden characters are escaped in all text,
and characters that the terminal's encoding lacks become ASCII. flatkit's own colors and cursor moves are `Code` values,
never part of a text.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from flatkit.untrusted import escape_hidden

# ASCII for flatkit's own marks, and for the quotes and dashes of texts from outside; other characters that the encoding
# lacks become escapes (`\u2713`).
_MARKS = {
    "✓": "ok", "✗": "X", "…": "...", "·": "-", "•": "*", "○": "o", "●": "*", "▶": ">", "▸": ">", "→": "->", "←": "<-",
    "─": "-", "│": "|", "├": "+", "└": "+", "█": "#", "×": "x", "≤": "<=", "≥": ">=", "–": "-", "—": "-", "‘": "'", "’": "'",
    "“": '"', "”": '"', "\u00a0": " ",
}  # fmt: skip


@dataclass(frozen=True)
class Code:
    """A control sequence that flatkit itself sends."""

    sequence: str


GREEN, RED, DIM, BOLD = Code("\x1b[32m"), Code("\x1b[31m"), Code("\x1b[2m"), Code("\x1b[1m")
OFF = Code("\x1b[0m")
CLEAR_LINE = Code("\r\x1b[K")
# The whole screen with what has scrolled away; the first column of the first line; the rest of a line, of the screen.
CLEAR, HOME = Code("\x1b[2J\x1b[3J\x1b[H"), Code("\x1b[H")
REST_OF_LINE, REST_OF_SCREEN = Code("\x1b[K"), Code("\x1b[J")
Piece = str | Code


class OutputLost(BaseException):
    """Standard output accepts no more data. No handler for a command's own errors may catch this."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.is_closed_pipe = error.errno == errno.EPIPE
        self.reason = error.strerror or str(error)


class Screen(io.TextIOBase):
    """A text stream that escapes everything written. It drops unwritable text, or raises OutputLost where it `must_arrive`."""

    def __init__(self, stream: Any, *, must_arrive: bool = False) -> None:
        self._stream: Any = stream if stream is not None else _Closed()
        self._must_arrive = must_arrive

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the underlying stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Tell whether the underlying stream is a terminal."""
        return bool(self._stream.isatty())

    def fileno(self) -> int:
        """Return the descriptor of the underlying stream."""
        return int(self._stream.fileno())

    @property
    def has_color(self) -> bool:
        """True on a terminal, unless NO_COLOR is set."""
        return self.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def write(self, text: str) -> int:
        """Write text, escaped."""
        self._send(self._fitted(escape_hidden(text)))
        return len(text)

    def put(self, *pieces: Piece) -> None:
        """Write text, escaped, and codes as they are."""
        whole = (piece.sequence if isinstance(piece, Code) else escape_hidden(piece) for piece in pieces)
        self._send(self._fitted("".join(whole)))

    def put_bytes(self, data: bytes) -> None:
        """Write the bytes of a data format, which nobody reads as text. A stream without bytes gets text."""
        buffer = getattr(self._stream, "buffer", None)
        if buffer is None:
            self._send(data.decode("utf-8", "replace"))
            return
        with self._arriving():
            self._stream.flush()
            buffer.write(data)
            buffer.flush()

    def flush(self) -> None:
        """Flush the buffer."""
        with self._arriving():
            self._stream.flush()

    def _send(self, text: str) -> None:
        with self._arriving():
            self._stream.write(text)

    def _fitted(self, text: str) -> str:
        """Return the text with what the stream's encoding lacks written in ASCII; "?" for ASCII that it lacks (cp864: "%")."""
        with suppress(LookupError):
            try:
                text.encode(self.encoding)
            except UnicodeEncodeError:
                return "".join(map(self._fitted_one, text))
        return text

    def _fitted_one(self, character: str) -> str:
        try:
            character.encode(self.encoding)
        except UnicodeEncodeError:
            plain = _MARKS.get(character, ascii(character)[1:-1])
            return "?" if plain == character else self._fitted(plain)
        return character

    @contextmanager
    def _arriving(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._must_arrive:
                raise OutputLost(error) from None


class _Closed(io.TextIOBase):
    """A substitute for a stream that was closed before the program began."""

    def write(self, text: str) -> int:
        if text:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return 0


def screen_of(stream: Any) -> Screen:
    """Return the stream if it is a Screen, else one in front of it."""
    return stream if isinstance(stream, Screen) else Screen(stream)


def paint(text: str, color: Code, screen: Screen) -> tuple[Piece, ...]:
    """Return the text in a color, if the screen has colors."""
    return (color, text, OFF) if screen.has_color else (text,)


@contextmanager
def screens() -> Iterator[None]:
    """Send all output through a Screen while the block runs. Standard input that is not in its encoding has "?" there."""
    _open_standard_descriptors()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    before, colors = (sys.stdout, sys.stderr), os.environ.get("PYTHON_COLORS")
    sys.stdout, sys.stderr = Screen(before[0], must_arrive=True), Screen(before[1])
    # From 3.14 on, argparse colors its help with plain text, which would be escaped.
    os.environ["PYTHON_COLORS"] = "0"
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        if colors is None:
            del os.environ["PYTHON_COLORS"]
        else:
            os.environ["PYTHON_COLORS"] = colors


def forget_output() -> None:
    """Redirect standard output to nothing, so that Python does not complain at exit about buffered data."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _open_standard_descriptors() -> None:
    """Open closed standard descriptors; else the next opened file or socket becomes "standard output"."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
