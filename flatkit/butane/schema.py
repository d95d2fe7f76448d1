"""What a Butane config may hold, as data: one Schema a version drives parsing, checks, completion, hover text and JSON Schema.

The tables themselves are in tables.py; the field names, their order and their Go types are those of Butane's own sources,
since its messages name them. The sentences are ours.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from enum import Enum

REFERENCE = "https://coreos.github.io/butane/config-flatcar-v{version}/"


class Shape(Enum):
    """The kinds of value that a field takes."""

    TEXT = "string"
    NUMBER = "integer"
    SWITCH = "boolean"
    LIST = "array"
    STRUCT = "object"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldType:
    """What a value must be. `go` is the name that Butane's own messages use for it."""

    shape: Shape
    go: str
    item: FieldType | None = None
    struct: Struct | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One key of a mapping.

    `optional`: absent and empty differ (a pointer in Go). `json` is the key's name in Ignition, "" for what only Butane
    knows. `always`: the key is written to the JSON even when it is empty.
    """

    name: str
    type: FieldType
    json: str
    optional: bool
    always: bool
    doc: str
    default: str
    choices: tuple[str, ...] = ()

    @property
    def type_name(self) -> str:
        """The type in a reader's words."""
        shape = self.type.shape
        if shape is Shape.LIST and self.type.item is not None:
            return f"list of {self.type.item.shape.value}s"
        return shape.value


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Struct:
    """A mapping with known keys. `json_fields` is the order in which Ignition's JSON has them."""

    name: str
    fields: dict[str, Field]
    json_fields: tuple[Field, ...] = ()
    by_json: dict[str, Field] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Schema:
    """One version of the variant flatcar. `package` is the Go package that its messages name."""

    version: str
    ignition: str
    package: str
    root: Struct
    structs: dict[str, Struct]

    def find_field(self, path: tuple[str | int, ...]) -> Field | None:
        """The field that a path such as ("storage", "files", 0, "mode") leads to, or None."""
        struct: Struct | None = self.root
        found: Field | None = None
        for part in path:
            if isinstance(part, int):
                continue
            found = struct.fields.get(part) if struct else None
            if found is None:
                return None
            struct = struct_of(found.type)
        return found

    @property
    def reference(self) -> str:
        """The page of Butane's reference for this version (it has no anchors for single fields)."""
        return REFERENCE.format(version=self.version.replace(".", "_"))


def struct_of(kind: FieldType) -> Struct | None:
    """The mapping behind a type, through a list if need be."""
    if kind.shape is Shape.LIST and kind.item is not None:
        return kind.item.struct
    return kind.struct


def camel(name: str) -> str:
    """The Ignition name of a Butane key: `size_mib` is sizeMiB, `home_dir` is homeDir."""
    head, *rest = name.split("_")
    return head + "".join("MiB" if part == "mib" else part.capitalize() for part in rest)


@functools.cache
def snake(name: str) -> str:
    """The Butane key of an Ignition name, the way Butane itself guesses it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.replace("MiB", "Mib")).lower()


_SHAPES = {"str": Shape.TEXT, "int": Shape.NUMBER, "bool": Shape.SWITCH}
_GO = {"str": "string", "int": "int", "bool": "bool"}


def _type(text: str, package: str, structs: dict[str, Struct]) -> FieldType:
    """Read a type as tables.py writes it: `str`, `[str]`, `[str:Group]`, `File`, `[File]`, `[HTTPHeader:HTTPHeaders]`."""
    if text.startswith("["):
        inner, _, named = text[1:-1].partition(":")
        if inner in _SHAPES:
            item = FieldType(shape=_SHAPES[inner], go=f"{package}.{named}" if named else _GO[inner])
            return FieldType(shape=Shape.LIST, go=f"[]{item.go}", item=item)
        item = _type(inner, package, structs)
        return FieldType(shape=Shape.LIST, go=f"{package}.{named}" if named else f"[]{item.go}", item=item)
    if text in _SHAPES:
        return FieldType(shape=_SHAPES[text], go=_GO[text])
    return FieldType(shape=Shape.STRUCT, go=f"{package}.{text}", struct=structs[text])


def build(
    *,
    version: str,
    ignition: str,
    package: str,
    tables: dict[str, tuple[tuple[str, ...], ...]],
    json_order: dict[str, tuple[str, ...]],
    butane_only: frozenset[str],
    always: frozenset[str],
) -> Schema:
    """Turn one version's tables into a Schema; structs must come before those that use them."""
    structs: dict[str, Struct] = {}
    for name, rows in tables.items():
        fields = {}
        for key, kind, doc, *more in rows:
            full = f"{name}.{key}"
            fields[key] = Field(
                name=key,
                type=_type(kind.rstrip("?"), package, structs),
                json="" if full in butane_only else camel(key),
                optional=kind.endswith("?"),
                always=full in always,
                doc=doc,
                default=more[0] if more else "",
                choices=tuple(more[1].split()) if len(more) > 1 else (),
            )
        order = json_order.get(name) or tuple(key for key in fields if fields[key].json)
        json_fields = tuple(fields[key] for key in order)
        structs[name] = Struct(
            name=name, fields=fields, json_fields=json_fields, by_json={f.json: f for f in json_fields}
        )
    return Schema(version=version, ignition=ignition, package=package, root=structs["Config"], structs=structs)
