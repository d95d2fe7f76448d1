"""A JSON Schema of each version, for editors: VS Code's YAML extension and check-jsonschema read it.

Stricter than Butane on purpose: Butane only warns of an unknown key, an editor should mark it.
"""

from __future__ import annotations

from typing import Any

from flatkit.butane.schema import Field, FieldType, Shape, Struct, get_schema

_REQUIRED = {
    "Config": ("variant", "version"),
    "File": ("path",),
    "Directory": ("path",),
    "Link": ("path", "target"),
    "Disk": ("device",),
    "Filesystem": ("device",),
    "Luks": ("name", "device"),
    "Raid": ("name", "level", "devices"),
    "Tree": ("local",),
    "Unit": ("name",),
    "Dropin": ("name",),
    "PasswdUser": ("name",),
    "PasswdGroup": ("name",),
    "HTTPHeader": ("name",),
}
_EXCLUSIVE = {"Resource": ("inline", "local", "source"), "Unit": ("contents", "contents_local")}
_EXCLUSIVE["Dropin"] = _EXCLUSIVE["Unit"]
_ABSOLUTE = frozenset(("File.path", "Directory.path", "Link.path", "Disk.device", "Filesystem.device", "Luks.device"))


def json_schema(version: str = "1.1.0") -> dict[str, Any]:
    """The schema as JSON-ready values (draft 7). Raises KeyError for an unknown version."""
    schema = get_schema(version)
    structs = {name: _struct(struct, schema.reference) for name, struct in schema.structs.items()}
    root = structs.pop("Config")
    root["properties"]["variant"]["const"] = "flatcar"
    root["properties"]["version"]["const"] = version
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"Butane config, variant flatcar, version {version}",
        **root,
        "definitions": structs,
    }


def _struct(struct: Struct, reference: str) -> dict[str, Any]:
    out: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _property(struct, field, reference) for name, field in struct.fields.items()},
    }
    if struct.name in _REQUIRED:
        out["required"] = list(_REQUIRED[struct.name])
    names = [name for name in _EXCLUSIVE.get(struct.name, ()) if name in struct.fields]
    pairs = [(one, other) for at, one in enumerate(names) for other in names[at + 1 :]]
    if pairs:
        out["allOf"] = [{"not": {"required": list(pair)}} for pair in pairs]
    return out


def _property(struct: Struct, field: Field, reference: str) -> dict[str, Any]:
    out = _type(field.type)
    text = field.doc + (f" Default: {field.default}." if field.default else "")
    if "$ref" in out:
        # Draft 7 ignores everything next to a $ref.
        out = {"allOf": [out]}
    out["description"] = f"{text}\n{reference}"
    if field.choices and struct.name != "Raid":
        out["enum"] = [*field.choices, *([""] if field.optional else [])]
    if f"{struct.name}.{field.name}" in _ABSOLUTE:
        out["pattern"] = "^/"
    if field.name == "mode":
        # YAML 1.2 editors read 0644 as 644: the bound must hold for both readings.
        out.update(minimum=0, maximum=7777)
    return out


def _type(kind: FieldType) -> dict[str, Any]:
    if kind.shape is Shape.STRUCT and kind.struct is not None:
        return {"$ref": f"#/definitions/{kind.struct.name}"}
    if kind.shape is Shape.LIST and kind.item is not None:
        return {"type": "array", "items": _type(kind.item)}
    return {"type": kind.shape.value}
