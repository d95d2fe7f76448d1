"""The nodes of a YAML document, with their places: what yaml.v3 calls yaml.Node.

Plain slotted classes and no dataclasses: a config of 2,000 lines has thousands of them and must be read in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flatkit.butane.messages import Wording
from flatkit.report import Span

SCALAR: Final = 1
SEQUENCE: Final = 2
MAPPING: Final = 3
ALIAS: Final = 4

Path = tuple[str | int, ...]


class YamlFault(Exception):
    """The document cannot be read; the place counts from 1 (0: unknown), `told` is the line that yaml.v3 prints."""

    def __init__(self, message: Wording, *, line: int = 0, column: int = 0, told: int = 0) -> None:
        super().__init__(f"line {told}: {message}" if told else message)
        self.message = message
        self.line = line
        self.column = column


class Node:
    """A scalar, a list, a mapping (`content` is key, value, key, value ...) or an alias (`target` is what it stands for).

    `line` and `column` count from 1, columns in characters; `end_line` and `end_column` are exclusive.
    """

    __slots__ = (
        "_index", "anchor", "column", "content", "end_column", "end_line", "flow", "kind", "line", "plain", "tag",
        "target", "value",
    )  # fmt: skip

    def __init__(self, kind: int, tag: str, value: str, line: int, column: int) -> None:
        self.kind = kind
        self.tag = tag
        self.value = value
        self.line = line
        self.column = column
        self.end_line = line
        self.end_column = column
        self.content: list[Node] = []
        self.target: Node | None = None
        self.plain = False
        self.flow = False
        self.anchor = ""
        self._index: dict[str, int] | None = None

    @property
    def span(self) -> Span:
        """Where the node is written."""
        return Span(line=self.line, column=self.column, end_line=self.end_line, end_column=self.end_column)

    def positions(self) -> dict[str, int]:
        """The position in `content` of each key of a mapping; as in Go, a later key of the same text wins."""
        if self._index is None:
            content = self.content
            self._index = {content[i].value: i for i in range(0, len(content), 2)}
        return self._index

    def child(self, part: str | int) -> Node | None:
        """The value under a key or at an index, or None. Aliases are opaque, as they are to Butane's reports."""
        if self.kind == MAPPING:
            at = self.positions().get(part) if isinstance(part, str) else None
            return None if at is None else self.content[at + 1]
        if self.kind == SEQUENCE and isinstance(part, int) and 0 <= part < len(self.content):
            return self.content[part]
        return None

    def key(self, name: str) -> Node | None:
        """The key node itself."""
        at = self.positions().get(name) if self.kind == MAPPING else None
        return None if at is None else self.content[at]


def find_node(root: Node | None, path: Sequence[str | int]) -> Node | None:
    """The node at exactly this path, or None."""
    for part in path:
        if root is None:
            return None
        root = root.child(part)
    return root


def nearest_node(root: Node | None, path: Sequence[str | int]) -> Node | None:
    """The deepest node that exists on the path."""
    for part in path:
        deeper = root.child(part) if root is not None else None
        if deeper is None:
            return root
        root = deeper
    return root
