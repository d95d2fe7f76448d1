"""The places of a YAML tree that the schema knows: which field a value is for, and where another field belongs. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from flatkit.butane.schema import FieldType, Schema, Shape, Struct, get_schema, struct_of
from flatkit.butane.source.node import ALIAS, MAPPING, SCALAR, SEQUENCE, Node, Path
from flatkit.report import Entry
from flatkit.untrusted import is_number

# The places that are looked at: an alias may be used very often. The schema itself is less than ten keys deep.
_MOST = 100_000
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A value: its path, the type of its field, and the mapping or list that contains it (None for the root).

    `owner` is the struct that the field belongs to; for the item of a list that of the list. `is_shared`: an alias leads
    here, so that the parent does not contain the text.
    """

    path: Path
    kind: FieldType
    node: Node
    parent: Node | None = None
    owner: Struct | None = None
    is_shared: bool = False

    @property
    def name(self) -> str:
        """The last key of the path."""
        return next((part for part in reversed(self.path) if isinstance(part, str)), "")


def path_of(entry: Entry) -> Path:
    """An entry's path as a tuple."""
    parts = entry.path.split(".")[1:]
    return tuple(int(part) if is_number(part) else part for part in parts)


def struct_at(path: Path) -> Struct | None:
    """Return the schema's struct at a path."""
    field = get_schema().find_field(path)
    return struct_of(field.type) if field else None if path else get_schema().root


def known_places(root: Node, schema: Schema) -> Iterator[Place]:
    """Yield the values that the schema knows, each before those in it, by aliases too, but not by merges (<<)."""
    todo = [Place((), FieldType(shape=Shape.STRUCT, go=f"{schema.package}.Config", struct=schema.root), root)]
    left = _MOST
    while todo and left:
        place = todo.pop()
        left -= 1
        yield place
        node, kind, shared = place.node, place.kind, place.is_shared
        inner: list[Place] = []
        if node.kind == ALIAS and node.target is not None and len(place.path) < _DEEPEST:
            inner = [replace(place, node=node.target, is_shared=True)]
        elif node.kind == MAPPING and kind.struct is not None:
            for name, at in node.positions().items():
                field = kind.struct.fields.get(name)
                if field is not None:
                    path = (*place.path, name)
                    inner.append(Place(path, field.type, node.content[at + 1], node, kind.struct, shared))
        elif node.kind == SEQUENCE and kind.item is not None:
            for number, item in enumerate(node.content):
                inner.append(Place((*place.path, number), kind.item, item, node, place.owner, shared))
        todo.extend(reversed(inner))


def misfits_at(root: Node, schema: Schema, line: int, column: int, go: str) -> list[Place]:
    """The places of a type error: the value there whose field has this type and another shape. Several by aliases."""
    return _misfits(root, schema.version).get((line, column, go), [])


@functools.lru_cache(maxsize=2)
def _misfits(root: Node, version: str) -> dict[tuple[int, int, str], list[Place]]:
    # Looked up for each type error of a text, so the tree is walked once.
    found: dict[tuple[int, int, str], list[Place]] = {}
    for place in known_places(root, get_schema(version)):
        if not _fits(place.node, place.kind):
            found.setdefault((place.node.line, place.node.column, place.kind.go), []).append(place)
    return found


def _fits(node: Node, kind: FieldType) -> bool:
    if node.kind == ALIAS:
        return True
    if kind.shape is Shape.LIST:
        return node.kind == SEQUENCE
    if kind.shape is Shape.STRUCT:
        return node.kind == MAPPING
    # Of the scalars only those of another kind are looked for here; text takes them all.
    return node.kind == SCALAR and kind.shape is Shape.TEXT


def type_named(go: str, schema: Schema) -> FieldType | None:
    """The type that Butane's messages call this."""
    kinds = (field.type for struct in schema.structs.values() for field in struct.fields.values())
    return next((kind for whole in kinds for kind in (whole, whole.item) if kind is not None and kind.go == go), None)


def node_at(root: Node | None, line: int, column: int) -> Node | None:
    """The innermost node that starts at this place."""
    todo = [root] if root is not None else []
    found = None
    while todo:
        node = todo.pop()
        if (node.line, node.column) == (line, column):
            found = node
        todo.extend(node.content)
    return found


@functools.cache
def home_of(name: str) -> Path | None:
    """The one section that has a key of this name: ("passwd",) for "users". None if there are none or several."""
    found: list[Path] = []
    todo: list[tuple[Path, Struct]] = [((), get_schema().root)]
    while todo:
        path, struct = todo.pop()
        if name in struct.fields:
            found.append(path)
        # Only what is one mapping on each machine: what is in a list has no place of its own.
        inner = ((name, field.type.struct) for name, field in struct.fields.items())
        todo += (((*path, name), one) for name, one in inner if one is not None and one.name != "Resource")
    return found[0] if len(found) == 1 else None
