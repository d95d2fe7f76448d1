"""What was found about a config, before it has lines and columns: paths and messages, gathered in butane's order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from flatkit.butane.messages import Wording
from flatkit.butane.source.node import Node, Path, nearest_node
from flatkit.report import Entry, Kind, Report, Span


class Finding(NamedTuple):
    """A message about a path. `on_key`: it is about the key, not the value. `path` None: about no place (Butane says line 1)."""

    kind: Kind
    path: Path | None
    message: Wording
    on_key: bool = False


class Findings(list[Finding]):
    """A list that knows the kinds."""

    def error(self, path: Path | None, message: Wording) -> None:
        """Something that stops the translation."""
        self.append(Finding(Kind.ERROR, path, message))

    def warning(self, path: Path, message: Wording, *, on_key: bool = False) -> None:
        """Something that does not."""
        self.append(Finding(Kind.WARNING, path, message, on_key))

    @property
    def is_fatal(self) -> bool:
        """Whether an error is among them."""
        return any(finding.kind is Kind.ERROR for finding in self)


def path_text(path: Path | None) -> str:
    """A path as reports show it: $.storage.files.0.mode."""
    if path is None:
        return ""
    return "$" + "".join(f".{part}" for part in path)


def correlate(findings: Iterable[Finding], root: Node | None) -> Report:
    """Give each finding its place: the deepest node that exists on its path."""
    return Report(entries=tuple(_entry(finding, root) for finding in findings))


def _entry(finding: Finding, root: Node | None) -> Entry:
    node = _node(finding, root)
    span = node.span if node is not None else None
    if finding.path is None and root is not None:
        span = Span(line=root.line, column=root.column, end_line=root.line, end_column=root.column + 1)
    return entry_of(finding.message, kind=finding.kind, path=path_text(finding.path), span=span)


def entry_of(message: Wording, *, kind: Kind = Kind.ERROR, path: str = "", span: Span | None = None) -> Entry:
    """Return the report's entry for a message, with its code and values."""
    return Entry(kind=kind, path=path, message=str(message), span=span, code=message.code, values=message.values)


def _node(finding: Finding, root: Node | None) -> Node | None:
    if finding.path is None:
        return root
    if finding.on_key and finding.path:
        parent = nearest_node(root, finding.path[:-1])
        key = parent.key(str(finding.path[-1])) if parent is not None else None
        if key is not None:
            return key
    return nearest_node(root, finding.path)
