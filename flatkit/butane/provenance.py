"""From a value of the Ignition JSON to the YAML that it comes from, and back.

Two views: `to_yaml` is the truth, for the editor. `report_path` is what Butane's reports use, whose map has gaps when there
are filesystems; it is kept apart so that the quirk stays in one place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from flatkit.butane.diagnostics import path_text
from flatkit.butane.schema import Schema, Struct, snake, struct_of
from flatkit.butane.source.node import ALIAS, NULL, SCALAR, SEQUENCE, Node, Path
from flatkit.report import Span
from flatkit.untrusted import is_number


class Origin(NamedTuple):
    """The YAML path of a JSON value. `whole`: everything below comes from that one place."""

    source: Path
    whole: bool = False


class Provenance:
    """Both directions, by path: `to_yaml(("storage", "files", 0, "contents", "source"))`."""

    def __init__(
        self, ignition: dict[str, Any], origins: dict[Path, Origin], root: Node | None, schema: Schema
    ) -> None:
        self._ignition = ignition
        self._origins = origins
        self._root = root
        self._schema = schema
        # The items of a list that are not null, by the node's id: a list of 500 is asked about 500 times.
        self._kept: dict[int, list[int]] = {}

    def to_yaml(self, json_path: Path) -> Path:
        """The YAML path of a value of the JSON, as the text has it."""
        return self._as_written(self._source(json_path))

    def _as_written(self, path: Path) -> Path:
        """Count the null items of lists, which the decoder drops."""
        out: list[str | int] = []
        node = self._root
        for part in path:
            if node is not None and node.kind == ALIAS:
                node = node.target
            if isinstance(part, int) and node is not None and node.kind == SEQUENCE:
                kept = self._kept.get(id(node))
                if kept is None:
                    kept = self._kept[id(node)] = [at for at, item in enumerate(node.content) if not _is_null(item)]
                part = kept[part] if part < len(kept) else part
            out.append(part)
            node = _child(node, part)
        return tuple(out)

    def _source(self, json_path: Path) -> Path:
        """The same with Butane's indices, which do not count null items of lists."""
        for length in range(len(json_path), 0, -1):
            origin = self._origins.get(json_path[:length])
            if origin is not None:
                return origin.source if origin.whole else (*origin.source, *_snaked(json_path[length:]))
        return _snaked(json_path)

    def span(self, json_path: Path) -> Span | None:
        """The place of a value in the text; behind an alias or a merge, where it is really written."""
        return self.origin(json_path)[1]

    def origin(self, json_path: Path) -> tuple[Path, Span | None]:
        """The YAML path of a value of the JSON, and its place in the text: `to_yaml` and `span` in one go."""
        path = self.to_yaml(json_path)
        node = self._root
        for part in path:
            deeper = _child(node, part)
            if deeper is None:
                break
            node = deeper
        return path, node.span if node is not None else None

    def is_populated(self, json_path: Path) -> bool:
        """True if Go calls the value set: not absent, and not an empty text that is always written."""
        value: Any = self._ignition
        for part in json_path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return False
        return value != "" or self._is_optional(json_path)

    def _is_optional(self, json_path: Path) -> bool:
        struct: Struct | None = self._schema.root
        field = None
        for part in json_path:
            if isinstance(part, int):
                continue
            field = struct.by_json.get(part) if struct else None
            struct = struct_of(field.type) if field else None
        return field is not None and not field.always

    def report_path(self, json_path: Path) -> Path:
        """The path that Butane's reports show for a diagnostic in the JSON."""
        if self._ignition.get("storage", {}).get("filesystems") and not self.is_populated(json_path):
            return _snaked(json_path)
        return self._source(json_path)

    def leaves(self) -> Iterator[Path]:
        """The path of each value in the JSON but mappings and lists with something in them."""
        yield from (path for path, _ in leaves_of(self._ignition))


def _is_null(node: Node | None) -> bool:
    if node is not None and node.kind == ALIAS:
        node = node.target
    return node is not None and node.kind == SCALAR and node.tag == NULL


def _child(node: Node | None, part: str | int) -> Node | None:
    """A value, through aliases and merges (`<<`)."""
    if node is not None and node.kind == ALIAS:
        node = node.target
    if node is None:
        return None
    found = node.child(part)
    merge = node.child("<<") if found is None else None
    if merge is None:
        return found
    for source in merge.content if merge.kind == SEQUENCE else (merge,):
        target = source.target if source.kind == ALIAS else source
        # A mapping that merges itself has been refused; nothing of it is asked for here.
        deeper = target.child(part) if target is not None else None
        if deeper is not None:
            return deeper
    return None


def _snaked(path: Path) -> Path:
    return tuple(snake(part) if isinstance(part, str) else part for part in path)


def leaves_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield each value of some JSON with its path, but for mappings and lists with something in them."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not isinstance(value, (dict, list)) or not value:
        yield path, value
    for key, item in items:
        yield from leaves_of(item, (*path, key))


# Keys whose value names the thing itself, before those that merely mention it.
_NAMING = ("path", "name", "device", "source", "hash")


@dataclass(frozen=True, kw_only=True)
class Location:
    """A place in a config: its path in the Ignition JSON, and its line in the user's text (from 1; 0 when not known)."""

    json_path: str
    line: int = 0
    text: str = ""


def locate(
    ignition: dict[str, Any], clues: Sequence[str], *, provenance: Provenance | None = None, text: str = ""
) -> Location | None:
    """Find one of these values in the config, best first; a clue that begins with "$." is a path of the JSON.

    Without `provenance` (a config that was Ignition from the start) the path alone is found.
    """
    path = next((found for clue in clues if (found := _find_path(ignition, clue)) is not None), None)
    return None if path is None else location_of(path, provenance=provenance, text=text)


def location_of(path: Path, *, provenance: Provenance | None = None, text: str = "") -> Location:
    """The place of a value of the Ignition JSON."""
    span = provenance.span(path) if provenance else None
    lines = text.split("\n")
    line = span.line if span else 0
    shown = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return Location(json_path=path_text(path), line=line, text=shown)


def _find_path(ignition: dict[str, Any], clue: str) -> Path | None:
    if clue.startswith("$."):
        return tuple(int(part) if is_number(part) else part for part in clue[2:].split("."))
    found = [
        path
        for path, value in leaves_of(ignition)
        if isinstance(value, str) and (value == clue or _is_hash(value, clue))
    ]
    return min(found, key=lambda path: (path[-1] not in _NAMING, len(path))) if found else None


def _is_hash(value: str, clue: str) -> bool:
    return len(clue) >= 64 and value.partition("-")[2] == clue
