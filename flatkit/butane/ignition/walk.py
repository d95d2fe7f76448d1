"""Visits the mappings of an Ignition config in the order in which Ignition validates: each before what is in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flatkit.butane.schema import Schema, Shape, Struct
from flatkit.butane.source.node import Path

Visit = Callable[[str, dict[str, Any], Path], None]


def walk(ignition: dict[str, Any], *, schema: Schema, visit: Visit) -> None:
    """Call `visit(struct name, mapping, JSON path)` for each mapping."""
    _struct(schema.root, ignition, (), visit)


def _struct(struct: Struct, value: dict[str, Any], path: Path, visit: Visit) -> None:
    visit(struct.name, value, path)
    for field in struct.json_fields:
        kind = field.type
        if kind.shape is Shape.STRUCT:
            item = value.get(field.json)
            if item is not None:
                assert kind.struct is not None
                _struct(kind.struct, item, (*path, field.json), visit)
        elif kind.item is not None and kind.item.struct is not None:
            for at, item in enumerate(value.get(field.json, ())):
                _struct(kind.item.struct, item, (*path, field.json, at), visit)
