"""Butane's own rules about the YAML: unused keys, sugar that excludes other sugar, modes that look decimal.

Source: butane's base/v0_5/validate.go and config/util. Each walk visits a mapping before what is in it.
"""

from __future__ import annotations

from typing import Any

from flatkit.butane import messages
from flatkit.butane.diagnostics import Diagnostics, path_text
from flatkit.butane.ignition.config import check_embedded
from flatkit.butane.quadlets import EXTENSIONS, template_of
from flatkit.butane.schema import Schema, Shape, Struct
from flatkit.butane.source.node import MAPPING, Node, Path

_RESOURCE_KEYS = ("local", "inline", "source")


def find_unused_keys(config: dict[str, Any], root: Node | None, *, schema: Schema, diagnostics: Diagnostics) -> None:
    """Warn of every key that the schema does not know, where a mapping is written out in the text."""
    _unused(schema.root, config, root, (), diagnostics)


def _unused(struct: Struct, value: dict[str, Any], node: Node | None, path: Path, diagnostics: Diagnostics) -> None:
    if node is not None:
        if node.kind != MAPPING:
            diagnostics.warning(path, messages.NULL_MAPPING(path=path_text(path)))
            node = None
        else:
            for key in node.positions():
                if key not in struct.fields:
                    diagnostics.warning((*path, key), messages.UNUSED_KEY(key=key), on_key=True)
    for field in struct.fields.values():
        kind = field.type
        if kind.shape is Shape.STRUCT:
            child = node.child(field.name) if node is not None else None
            inner = value.get(field.name, {})
            if child is not None or inner:
                assert kind.struct is not None
                _unused(kind.struct, inner, child, (*path, field.name), diagnostics)
        elif kind.item is not None and kind.item.struct is not None:
            items = node.child(field.name) if node is not None else None
            for at, inner in enumerate(value.get(field.name, ())):
                child = items.child(at) if items is not None else None
                _unused(kind.item.struct, inner, child, (*path, field.name, at), diagnostics)


def check_source(config: dict[str, Any], *, schema: Schema, diagnostics: Diagnostics) -> None:
    """Add what Butane itself has to say about the values."""
    _check(schema.root, config, (), schema, diagnostics)


def _check(struct: Struct, value: dict[str, Any], path: Path, schema: Schema, diagnostics: Diagnostics) -> None:
    name = struct.name
    if name == "Resource":
        _check_resource(value, path, schema, diagnostics)
    elif name in ("File", "Directory"):
        _check_mode(value, path, is_directory=name == "Directory", diagnostics=diagnostics)
    elif name == "Filesystem":
        _check_filesystem(value, path, diagnostics)
    elif name == "Tree":
        if not value.get("local"):
            diagnostics.error(path, messages.LOCAL_REQUIRED())
    elif name == "Quadlet":
        _check_quadlet(value, path, diagnostics)
    elif name in ("Unit", "Dropin"):
        _check_contents(value, path, diagnostics)
    for field in struct.fields.values():
        inner = value.get(field.name)
        if not inner:
            continue
        kind = field.type
        if kind.struct is not None:
            _check(kind.struct, inner, (*path, field.name), schema, diagnostics)
        elif kind.item is not None and kind.item.struct is not None:
            for at, item in enumerate(inner):
                _check(kind.item.struct, item, (*path, field.name, at), schema, diagnostics)


def _check_resource(value: dict[str, Any], path: Path, schema: Schema, diagnostics: Diagnostics) -> None:
    given = [key for key in _RESOURCE_KEYS if key in value]
    if len(given) > 1:
        diagnostics.error((*path, given[-1]), messages.ONE_RESOURCE())
    if path[:2] == ("ignition", "config") and given == ["inline"]:
        check_embedded(value["inline"], path, schema=schema, diagnostics=diagnostics)


def _check_contents(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    if "contents" in value and "contents_local" in value:
        diagnostics.error((*path, "contents_local"), messages.ONE_CONTENTS())


def _check_quadlet(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    name = value.get("name", "")
    if not name.endswith(EXTENSIONS):
        diagnostics.error((*path, "name"), messages.QUADLET_EXTENSION())
    elif not template_of(name):
        _check_contents(value, path, diagnostics)
    else:
        for key in ("contents", "contents_local"):
            if key in value:
                diagnostics.error((*path, key), messages.QUADLET_INSTANCE())


def _check_filesystem(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    if not value.get("with_mount_unit"):
        return
    if not value.get("format"):
        diagnostics.error((*path, "format"), messages.MOUNT_NEEDS_FORMAT())
    elif value["format"] != "swap" and not value.get("path"):
        diagnostics.error((*path, "path"), messages.MOUNT_NEEDS_PATH())


def _check_mode(value: dict[str, Any], path: Path, *, is_directory: bool, diagnostics: Diagnostics) -> None:
    mode = value.get("mode")
    if mode is None or octal_meant(mode, is_directory=is_directory) is None:
        return
    diagnostics.warning((*path, "mode"), messages.MODE_NOT_OCTAL())


def octal_meant(mode: int, *, is_directory: bool) -> int | None:
    """The mode that was meant when its digits are octal but lack the leading zero (644 for 0644), else None."""
    if not 0 <= mode <= 7777 or set(str(mode)) & {"8", "9"}:
        return None
    meant = int(str(mode), 8)
    odd = not _is_typical(mode, is_directory) and _is_typical(meant, is_directory)
    return meant if odd else None


def _is_typical(mode: int, is_directory: bool) -> bool:
    if mode == 0:
        return True
    classes = (mode & 7, mode >> 3 & 7, mode >> 6 & 7)
    for less, more in ((classes[0], classes[1]), (classes[1], classes[2])):
        if less & ~more:
            return False
    somebody_reads = somebody_runs = False
    for bits in classes:
        reads, writes, runs = bool(bits & 4), bool(bits & 2), bool(bits & 1)
        if (writes or runs) and not reads:
            return False
        if runs and somebody_reads and not somebody_runs:
            return False
        somebody_reads = somebody_reads or reads
        somebody_runs = somebody_runs or runs
    if not somebody_reads:
        return False
    special = mode >> 9 & 7
    return _special_typical(special, classes, somebody_runs, is_directory)


def _special_typical(special: int, classes: tuple[int, int, int], somebody_runs: bool, is_directory: bool) -> bool:
    somebody_writes = any(bits & 2 for bits in classes)
    if is_directory:
        return somebody_runs and not special & 4 and (not special & 3 or somebody_writes)
    if special & 1:
        return False
    return not special & 6 or (somebody_runs and not classes[0] & 2)
