"""The fields of a Butane config as data: one Schema a version drives parsing, checks, the editor and JSON Schema.

schema.json has the fields in Butane's order: their types (`?`: absent and empty differ), and sentences that are ours. The names
of types are those of Butane's own sources, since its messages name them.
"""

from __future__ import annotations

import functools
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from flatkit.butane.source.node import Path
from flatkit.files import read_data
from flatkit.version_numbers import version_key

REFERENCE = "https://coreos.github.io/butane/config-flatcar-v{page}/"


class Shape(Enum):
    """The kinds of value that a field takes."""

    TEXT = "string"
    NUMBER = "integer"
    SWITCH = "boolean"
    LIST = "array"
    STRUCT = "object"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldType:
    """The type of a value. `go` is the name that Butane's own messages use for it."""

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

    @property
    def has_special_bits(self) -> bool:
        """True where setuid, setgid and sticky bits of a mode have an effect; older specs mask them."""
        return self.ignition >= "3.6.0"

    def find_field(self, path: Path) -> Field | None:
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

    def in_order(self, struct: str, value: dict[str, Any]) -> dict[str, Any]:
        """Return a mapping of the JSON with its keys in Ignition's order, unknown keys last."""
        known = self.structs[struct].by_json
        return {key: value[key] for key in (*known, *(key for key in value if key not in known)) if key in value}

    @property
    def reference(self) -> str:
        """The page of Butane's reference for this version (it has no anchors for single fields)."""
        page = self.version.replace(".", "_")
        return REFERENCE.format(page=page.replace("_0-experimental", "-exp"))

    @property
    def is_experimental(self) -> bool:
        """True for a version that may still change."""
        return self.version.endswith("-experimental")


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
    """Read a type as schema.json has it: `str`, `[str]`, `[str:Group]`, `File`, `[File]`, `[HTTPHeader:HTTPHeaders]`."""
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


# Where the order of Ignition's JSON is not that of Butane's fields.
_JSON_ORDER = {
    "PasswdUser": (
        "gecos", "groups", "home_dir", "name", "no_create_home", "no_log_init", "no_user_group", "password_hash",
        "primary_group", "ssh_authorized_keys", "shell", "should_exist", "system", "uid",
    ),
    "Tang": ("advertisement", "thumbprint", "url"),
}  # fmt: skip
# By version: the Ignition spec that it becomes, and the Go package that messages name.
_RELEASES = {
    "1.0.0": ("3.3.0", "v0_4"),
    "1.1.0": ("3.4.0", "v0_5"),
    "1.2.0-experimental": ("3.7.0-experimental", "v0_8_exp"),
}
VERSIONS = tuple(_RELEASES)
_FILE = pathlib.Path(__file__).with_name("schema.json")


@functools.cache
def get_schema(version: str = "1.1.0") -> Schema:
    """Return the schema of a version of variant flatcar. Raises KeyError for an unknown version."""
    ignition, package = _RELEASES[version]
    structs: dict[str, Struct] = {}
    # A struct comes before those that use it.
    for name, rows in read_data(_FILE, dict).items():
        fields = {
            key: _field(key, row, str(row.get(f"type_{version}", row["type"])), package, structs)
            for key, row in rows.items()
            if version_key(row.get("since", "")) <= version_key(version)
        }
        order = [key for key in _JSON_ORDER.get(name, fields) if key in fields and fields[key].json]
        json_fields = tuple(fields[key] for key in order)
        by_json = {field.json: field for field in json_fields}
        structs[name] = Struct(name=name, fields=fields, json_fields=json_fields, by_json=by_json)
    return Schema(version=version, ignition=ignition, package=package, root=structs["Config"], structs=structs)


def _field(key: str, row: dict[str, Any], kind: str, package: str, structs: dict[str, Struct]) -> Field:
    return Field(
        name=key,
        type=_type(kind.rstrip("?"), package, structs),
        json="" if row.get("butane_only") else camel(key),
        optional=kind.endswith("?"),
        always=row.get("always", False),
        doc=row["doc"],
        default=row.get("default", ""),
        choices=tuple(row.get("choices", ())),
    )


def walk(ignition: dict[str, Any], schema: Schema) -> Iterator[tuple[str, dict[str, Any], Path]]:
    """Yield (struct name, mapping, JSON path) in the order in which Ignition validates: each before what it contains."""
    return _walk(schema.root, ignition, ())


def _walk(struct: Struct, value: dict[str, Any], path: Path) -> Iterator[tuple[str, dict[str, Any], Path]]:
    yield struct.name, value, path
    for known in struct.json_fields:
        inner = struct_of(known.type)
        item = value.get(known.json) if inner is not None else None
        if inner is None or item is None:
            continue
        if known.type.shape is Shape.STRUCT:
            yield from _walk(inner, item, (*path, known.json))
        else:
            for at, one in enumerate(item):
                yield from _walk(inner, one, (*path, known.json, at))
