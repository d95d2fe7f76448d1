"""Diagnostics of a config before they have lines and columns: paths and messages, in butane's order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from flatkit.butane.source.node import Node, Path, nearest_node
from flatkit.butane.wording import Wording
from flatkit.report import Entry, Kind, Report, Span


class Diagnostic(NamedTuple):
    """A message about a path. `on_key`: it is about the key, not the value. `path` None: about no place (Butane says line 1)."""

    kind: Kind
    path: Path | None
    message: Wording
    on_key: bool = False


class Diagnostics(list[Diagnostic]):
    """A list that knows the kinds."""

    def error(self, path: Path | None, message: Wording) -> None:
        """Something that stops the translation."""
        self.append(Diagnostic(Kind.ERROR, path, message))

    def warning(self, path: Path, message: Wording, *, on_key: bool = False) -> None:
        """Something that does not."""
        self.append(Diagnostic(Kind.WARNING, path, message, on_key))

    @property
    def is_fatal(self) -> bool:
        """True if an error is among them."""
        return any(diagnostic.kind is Kind.ERROR for diagnostic in self)


def path_text(path: Path | None) -> str:
    """A path as reports show it: $.storage.files.0.mode."""
    if path is None:
        return ""
    return "$" + "".join(f".{part}" for part in path)


def to_report(diagnostics: Iterable[Diagnostic], root: Node | None) -> Report:
    """Give each diagnostic its place: the deepest node that exists on its path."""
    return Report(entries=tuple(_entry(diagnostic, root) for diagnostic in diagnostics))


def _entry(diagnostic: Diagnostic, root: Node | None) -> Entry:
    node = _node(diagnostic, root)
    span = node.span if node is not None else None
    if diagnostic.path is None and root is not None:
        span = Span(line=root.line, column=root.column, end_line=root.line, end_column=root.column + 1)
    return entry_of(diagnostic.message, kind=diagnostic.kind, path=path_text(diagnostic.path), span=span)


def entry_of(message: Wording, *, kind: Kind = Kind.ERROR, path: str = "", span: Span | None = None) -> Entry:
    """Return the report's entry for a message, with its code and values."""
    return Entry(kind=kind, path=path, message=str(message), span=span, code=message.code, values=message.values)


def _node(diagnostic: Diagnostic, root: Node | None) -> Node | None:
    if diagnostic.path is None:
        return root
    if diagnostic.on_key and diagnostic.path:
        parent = nearest_node(root, diagnostic.path[:-1])
        key = parent.key(str(diagnostic.path[-1])) if parent is not None else None
        if key is not None:
            return key
    return nearest_node(root, diagnostic.path)
