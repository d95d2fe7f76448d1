"""Ignition configs as text: those written inside a Butane config (merge, replace), and .ign files.

Reads the JSON into the shape that the checks expect, as Go's encoding/json does: names match in any case, null is absent, and
its words report a value that does not fit.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from flatkit.butane import messages
from flatkit.butane.detect import Format, detect_format
from flatkit.butane.diagnostics import Diagnostic, Diagnostics, entry_of, to_report
from flatkit.butane.encodings import encoding_of, encoding_words
from flatkit.butane.ignition.go_json import JsonFault, load
from flatkit.butane.ignition.validate import check_values, find_duplicates
from flatkit.butane.schema import Field, Schema, Shape, Struct, get_schema
from flatkit.butane.source.document import Document
from flatkit.butane.source.node import Path
from flatkit.report import Report, Span
from flatkit.version_numbers import split_version

SEMVER = re.compile(r"(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]*)?(\+[0-9A-Za-z.-]*)?\Z", re.ASCII)
# Far more than Ignition's own fields need: what is deeper cannot be written out again.
_MAX_DEPTH = 200

# The structs of Ignition's Go types that are made of two; their names show in type errors.
_PARTS = {"File": "FileEmbedded1", "Directory": "DirectoryEmbedded1", "Link": "LinkEmbedded1"}
_NODE_FIELDS = frozenset(("group", "overwrite", "path", "user"))


class Misfit(Exception):
    """A value of the wrong kind; the message is Go's."""


def check_embedded(text: str, path: Path, *, schema: Schema, diagnostics: Diagnostics) -> None:
    """Validate the Ignition config in `inline` of a merge or replace resource at `path`."""
    try:
        value = load(text)
        version = version_of(value)
        if not SEMVER.match(version):
            diagnostics.error(("ignition", "version"), messages.IGNITION_VERSION())
        elif version != schema.ignition:
            diagnostics.warning((*path, "version"), messages.MERGE_VERSION())
        else:
            diagnostics.extend(validate_config(value, schema))
    except (JsonFault, Misfit) as fault:
        diagnostics.error(None, messages.IGNITION_JSON(problem=str(fault)))
        diagnostics.error((*path, "inline"), messages.IGNITION_INVALID())


def validate_config(value: dict[str, Any], schema: Schema) -> list[Diagnostic]:
    """Return Ignition's diagnostics: validation, duplicates, then unused keys. Raises Misfit."""
    config = fit(value, schema)
    found = Diagnostics()
    check_values(config, schema=schema, diagnostics=found)
    find_duplicates(config, schema=schema, diagnostics=found)
    _find_unused(schema.root, value, (), found)
    return found


def version_of(value: Any) -> str:
    """ignition.version as text, "" if absent. Raises Misfit."""
    where = "Go value of type types.Config"
    for key, then in (
        ("ignition", "Go struct field Config.ignition of type types.Ignition"),
        ("version", "Go struct field Ignition.ignition.version of type string"),
    ):
        if value is None:
            return ""
        if not isinstance(value, dict):
            raise Misfit(f"json: cannot unmarshal {_kind(value)} into {where}")
        value, where = _get(value, key), then
    if value is not None and not isinstance(value, str):
        raise Misfit(f"json: cannot unmarshal {_kind(value)} into {where}")
    return value or ""


def _get(value: dict[str, Any], name: str) -> Any:
    if name in value:
        return value[name]
    return next((item for key, item in value.items() if key.casefold() == name.casefold()), None)


def fit(value: Any, schema: Schema) -> dict[str, Any]:
    """The config with Ignition's names and without what is null or unknown. Raises Misfit at the first that does not fit."""
    out = _struct(schema.root, value, "", "Config")
    out.setdefault("ignition", {})["version"] = version_of(value)
    return out


def _struct(struct: Struct, value: Any, where: str, go: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Misfit(f"json: cannot unmarshal {_kind(value)} into Go {go} of type types.{struct.name}")
    folded = {field.json.casefold(): field for field in struct.json_fields}
    out: dict[str, Any] = {}
    for key, item in value.items():
        field = struct.by_json.get(key) or folded.get(key.casefold())
        if field is not None and item is not None:
            out[field.json] = _value(field, item, struct, where)
    for field in struct.json_fields:
        if field.always:
            out.setdefault(field.json, "")
    return {field.json: out[field.json] for field in struct.json_fields if field.json in out}


def _value(field: Field, item: Any, struct: Struct, where: str) -> Any:
    part = "Node." if struct.name in _PARTS and field.json in _NODE_FIELDS else ""
    if struct.name in _PARTS and not part:
        part = f"{_PARTS[struct.name]}."
    name = f"{where}{part}{field.json}"
    go = f"struct field {struct.name}.{name}"
    kind = field.type
    if kind.shape is Shape.LIST:
        if not isinstance(item, list):
            inner = f"types.{kind.item.struct.name}" if kind.item and kind.item.struct else "string"
            raise Misfit(f"json: cannot unmarshal {_kind(item)} into Go {go} of type []{inner}")
        assert kind.item is not None
        element = kind.item
        if element.struct is not None:
            return [_struct(element.struct, one, f"{name}.", go) for one in item if one is not None]
        return [_scalar(one, element.shape, go) for one in item if one is not None]
    if kind.struct is not None:
        return _struct(kind.struct, item, f"{name}.", go)
    return _scalar(item, kind.shape, go)


def _scalar(item: Any, shape: Shape, go: str) -> Any:
    if shape is Shape.TEXT and isinstance(item, str):
        return item
    if shape is Shape.SWITCH and isinstance(item, bool):
        return item
    if shape is Shape.NUMBER and isinstance(item, int) and not isinstance(item, bool) and -(2**63) <= item < 2**63:
        return item
    wanted = {Shape.TEXT: "string", Shape.SWITCH: "bool", Shape.NUMBER: "int"}[shape]
    raise Misfit(f"json: cannot unmarshal {_kind(item, wanted)} into Go {go} of type {wanted}")


def _kind(item: Any, wanted: str = "") -> str:
    if isinstance(item, bool):
        return "bool"
    if isinstance(item, (int, float)):
        return f"number {item}" if wanted == "int" else "number"
    return "string" if isinstance(item, str) else "array" if isinstance(item, list) else "object"


def _find_unused(struct: Struct, value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    known = {field.json.casefold(): field for field in struct.json_fields}
    for key in value:
        if key.casefold() not in known and not (struct.name == "Ignition" and key == "version"):
            diagnostics.warning((*path, key), messages.UNUSED_KEY(key=key), on_key=True)
    for key, item in value.items():
        field = known.get(key.casefold())
        if field is None:
            continue
        if field.type.struct is not None and isinstance(item, dict):
            _find_unused(field.type.struct, item, (*path, field.json), diagnostics)
        elif field.type.item is not None and field.type.item.struct is not None and isinstance(item, list):
            for at, one in enumerate(item):
                if isinstance(one, dict):
                    _find_unused(field.type.item.struct, one, (*path, field.json, at), diagnostics)


def check_ignition(source: str | bytes | Document) -> tuple[dict[str, Any] | None, Report]:
    """Validate an .ign file: return the config, None if a machine cannot use it, and the report.

    The version must be of spec 3; what flatkit knows (3.3.0 and 3.4.0) is validated as Ignition does it.
    """
    document = Document.of(source)
    shown = document.data.decode("utf-8", "replace")
    kind = detect_format(document)
    if kind not in (Format.IGNITION, Format.UNKNOWN) and not shown.lstrip().startswith("{"):
        return None, Report(entries=(entry_of(messages.NOT_IGNITION(format=str(kind))),))
    diagnostics = Diagnostics()
    try:
        value = load(shown, max_depth=_MAX_DEPTH)
        version = version_of(value)
        match = SEMVER.match(version)
        if match is None or match.group(1) != "3" or match.group(4):
            diagnostics.error(("ignition", "version"), messages.IGNITION_RELEASED(version=version))
        else:
            found = split_version(version, digits=18)
            schema = get_schema("1.0.0" if found and found[0][:2] <= (3, 3) else "1.1.0")
            diagnostics.extend(validate_config(value, schema))
    except JsonFault as fault:
        line, column = shown.count("\n", 0, fault.at) + 1, fault.at - shown.rfind("\n", 0, fault.at)
        span = Span(line=line, column=column, end_line=line, end_column=column + 1)
        if encoding := encoding_of(document.data):
            entry = entry_of(messages.IGNITION_ENCODING(encoding=encoding))
            return None, Report(entries=(replace(entry, teach=encoding_words(document.data)),))
        return None, Report(entries=(entry_of(messages.IGNITION_JSON(problem=str(fault)), span=span),))
    except Misfit as fault:
        diagnostics.error(None, messages.IGNITION_JSON(problem=str(fault)))
    # The positions: JSON is YAML, near enough. Go takes broken UTF-8 in JSON, YAML does not.
    report = to_report(diagnostics, (Document(shown) if "\ufffd" in shown else document).tree)
    return (None if report.is_fatal else value), report
