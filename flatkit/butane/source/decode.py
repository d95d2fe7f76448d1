"""Nodes -> values of a schema, with the type errors of yaml.v3 (decode.go).

A value is a dict (a mapping), a list, a str, an int or a bool; what is absent or null is left out. All type errors are
collected, in document order, before any is raised.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any, Final

from flatkit.butane import messages
from flatkit.butane.schema import FieldType, Shape, Struct
from flatkit.butane.source.node import (
    ALIAS,
    BINARY,
    INT,
    MAPPING,
    MERGE,
    NULL,
    SCALAR,
    SEQUENCE,
    STR,
    Node,
    WrongTag,
    YamlFault,
    resolve,
)
from flatkit.butane.wording import Wording, go_quote

_MISSING: Final = object()
_MAX_FAULTS: Final = 20_000
# Each takes three of Python's frames.
_MAX_MERGES: Final = 100
_YES = frozenset({"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
_NO = frozenset({"n", "N", "no", "No", "NO", "off", "Off", "OFF"})
_TEXT, _NUMBER, _SWITCH, _LIST, _STRUCT = Shape.TEXT, Shape.NUMBER, Shape.SWITCH, Shape.LIST, Shape.STRUCT


class TypeErrors(Exception):
    """The values do not fit the schema: (line, column, message) of each fault. `values` has those that do."""

    def __init__(self, faults: list[tuple[int, int, Wording]], values: dict[str, Any] | None = None) -> None:
        super().__init__("unmarshal errors:\n" + "\n".join(f"  line {line}: {message}" for line, _, message in faults))
        self.faults = faults
        self.values = values or {}


def decode(root: Node | None, kind: FieldType) -> dict[str, Any]:
    """The values under `root`. Raises TypeErrors, or YamlFault where yaml.v3 stops at once."""
    if root is None:
        return {}
    decoder = _Decoder()
    value = decoder.value(root, kind)
    if decoder.faults:
        raise TypeErrors(decoder.faults, value if isinstance(value, dict) else {})
    return value if isinstance(value, dict) else {}


class _Decoder:
    def __init__(self) -> None:
        self.faults: list[tuple[int, int, Wording]] = []
        self.merged: set[str] | None = None
        self.open_aliases: set[int] = set()
        self.count = 0
        self.alias_count = 0
        self.alias_depth = 0
        self.merge_depth = 0

    def value(self, node: Node, kind: FieldType) -> Any:
        """The value, or _MISSING when there is none or it does not fit."""
        self.count += 1
        if self.alias_depth:
            self.alias_count += 1
            self._stop_bombs()
        if node.kind == SCALAR:
            return self._scalar(node, kind)
        if node.kind == MAPPING:
            return self._mapping(node, kind)
        if node.kind == SEQUENCE:
            return self._sequence(node, kind)
        return self._alias(node, kind)

    def _stop_bombs(self) -> None:
        if self.alias_count <= 100 or self.count <= 1000:
            return
        low, high = 400_000, 4_000_000
        allowed = 0.99 - 0.89 * min(max(self.count - low, 0), high - low) / (high - low)
        if self.alias_count / self.count > allowed:
            raise YamlFault(messages.ALIAS_BOMB())

    def _alias(self, node: Node, kind: FieldType) -> Any:
        if id(node) in self.open_aliases:
            raise YamlFault(messages.ANCHOR_LOOP(name=node.value), line=node.line, column=node.column)
        assert node.target is not None
        self.open_aliases.add(id(node))
        self.alias_depth += 1
        value = self.value(node.target, kind)
        self.alias_depth -= 1
        self.open_aliases.discard(id(node))
        return value

    def _wrong(self, node: Node, tag: str, kind: FieldType) -> Any:
        tag = node.tag or tag
        value = ""
        if tag not in ("!!seq", "!!map"):
            raw = node.value.encode("utf-8", "surrogateescape")
            shown = raw[:7].decode("utf-8", "surrogateescape") + "..." if len(raw) > 10 else node.value
            value = f" `{shown}`"
        self.faults.append((node.line, node.column, messages.WRONG_TYPE(found=f"{tag}{value}", type=kind.go)))
        return _MISSING

    def _scalar(self, node: Node, kind: FieldType) -> Any:
        tag: str = node.tag
        shape = kind.shape
        # The common case first: text that is wanted as text, or null.
        if tag == STR:
            resolved: Any = node.value
        elif tag == NULL and node.plain and not node.value:
            return _MISSING
        else:
            tag, resolved = self._resolve(node)
            if resolved is None:
                return _MISSING
        if shape is _TEXT:
            return resolved if tag == BINARY else node.value
        if shape is _NUMBER:
            number = _as_int(tag, resolved)
            if number is not None:
                return number
        elif shape is _SWITCH:
            if isinstance(resolved, bool):
                return resolved
            if isinstance(resolved, str) and resolved in _YES:
                return True
            if isinstance(resolved, str) and resolved in _NO:
                return False
        return self._wrong(node, tag, kind)

    def _resolve(self, node: Node) -> tuple[str, Any]:
        try:
            tag, resolved = resolve(node.tag, node.value)
        except WrongTag as error:
            raise YamlFault(error.message, line=node.line, column=node.column) from None
        if tag == BINARY:
            resolved = _binary(node)
        return tag, resolved

    def _sequence(self, node: Node, kind: FieldType) -> Any:
        if kind.shape is not _LIST or kind.item is None:
            return self._wrong(node, "!!seq", kind)
        item = kind.item
        values = []
        for child in node.content:
            count = len(self.faults)
            value = self.value(child, item)
            if value is not _MISSING:
                values.append(value)
            elif len(self.faults) > count and item.struct is not None:
                values.append({})  # those behind it keep their number
        return values

    def _mapping(self, node: Node, kind: FieldType) -> Any:
        if self._has_duplicates(node):
            return _MISSING
        if kind.shape is not _STRUCT or kind.struct is None:
            return self._wrong(node, "!!map", kind)
        out: dict[str, Any] = {}
        self._fill(node, kind, kind.struct, out)
        return out

    def _has_duplicates(self, node: Node) -> bool:
        if len(node.positions()) * 2 == len(node.content):
            return False
        same: dict[tuple[int, str], list[Node]] = {}
        for key in node.content[::2]:
            same.setdefault((key.kind, key.value), []).append(key)
        pairs = 0
        for first in node.content[::2]:
            later_ones = same[first.kind, first.value]
            del later_ones[0]
            pairs += len(later_ones)
            if pairs > _MAX_FAULTS:
                message = messages.TOO_MANY_DUPLICATES(limit=str(_MAX_FAULTS))
                raise YamlFault(message, line=first.line, column=first.column)
            for later in later_ones:
                message = messages.DUPLICATE_KEY(key=go_quote(later.value), line=str(first.line))
                self.faults.append((later.line, later.column, message))
        return pairs > 0

    def _fill(self, node: Node, kind: FieldType, struct: Struct, out: dict[str, Any]) -> None:
        merged, self.merged = self.merged, None
        merge_node: Node | None = None
        fields = struct.fields
        content = node.content
        for i in range(0, len(content), 2):
            key = content[i]
            if key.kind == SCALAR and key.tag == STR:
                name = key.value
                self.count += 1
                self.alias_count += 1 if self.alias_depth else 0
            else:
                if key.kind == SCALAR and key.value == "<<" and key.tag == MERGE:
                    merge_node = content[i + 1]
                    continue
                name = self.value(key, _KEY)
                if name is _MISSING:
                    continue
            if merged is not None:
                if name in merged:
                    continue
                merged.add(name)
            field = fields.get(name)
            if field is not None:
                value = self.value(content[i + 1], field.type)
                if value is not _MISSING:
                    out[name] = value
        self.merged = merged
        if merge_node is not None:
            self._merge(node, merge_node, kind, struct, out)

    def _merge(self, parent: Node, merge: Node, kind: FieldType, struct: Struct, out: dict[str, Any]) -> None:
        merged = self.merged
        self.merge_depth += 1
        if self.merge_depth > _MAX_MERGES:
            message = messages.TOO_MANY_MERGES(limit=str(_MAX_MERGES))
            raise YamlFault(message, line=merge.line, column=merge.column)
        if merged is None:
            self.merged = {key.value for key in parent.content[::2] if key.kind == SCALAR and key.tag != MERGE}
        sources = merge.content if merge.kind == SEQUENCE else [merge]
        for source in sources:
            target = source.target if source.kind == ALIAS else source
            if target is None or target.kind != MAPPING:
                raise YamlFault(messages.MERGE_VALUE(), line=merge.line, column=merge.column)
            self._merge_one(source, target, kind, struct, out)
        self.merge_depth -= 1
        self.merged = merged

    def _merge_one(self, source: Node, target: Node, kind: FieldType, struct: Struct, out: dict[str, Any]) -> None:
        if source.kind == ALIAS:
            if id(source) in self.open_aliases:
                raise YamlFault(messages.ANCHOR_LOOP(name=source.value))
            self.open_aliases.add(id(source))
            self.alias_depth += 1
        self.count += 1
        self.alias_count += 1 if self.alias_depth else 0
        if not self._has_duplicates(target):
            self._fill(target, kind, struct, out)
        if source.kind == ALIAS:
            self.alias_depth -= 1
            self.open_aliases.discard(id(source))


_KEY = FieldType(shape=Shape.TEXT, go="string")


def _as_int(tag: str, value: Any) -> int | None:
    """A number as Go's int, the conversions of amd64 included: just out of range becomes the smallest."""
    if tag == INT and isinstance(value, int):
        return value if value < 2**63 else None
    if isinstance(value, float):
        if math.isnan(value) or value > 2.0**63:
            return None
        truncated = -(2**63) if math.isinf(value) else int(value)
        return truncated if -(2**63) <= truncated < 2**63 else -(2**63)
    return None


def _binary(node: Node) -> str:
    try:
        # Go's decoder skips line breaks and nothing else.
        raw = base64.b64decode(node.value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise YamlFault(messages.BAD_BINARY(), line=node.line, column=node.column) from None
    return raw.decode("utf-8", "surrogateescape")
