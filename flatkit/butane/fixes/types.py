"""Values of the wrong shape: a text where a list is wanted, a mapping where a text is, a size with its unit. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from flatkit.butane.fixes import values
from flatkit.butane.fixes.writing import Unwritable, Writer, Written, quoted, replace
from flatkit.butane.places import Place, misfits_at, node_at, type_named
from flatkit.butane.schema import FieldType, Shape, Struct, get_schema
from flatkit.butane.source.node import ALIAS, BOOL, INT, MAPPING, NULL, SCALAR, SEQUENCE, Node
from flatkit.butane.transpile import Translation
from flatkit.report import Edit, Entry
from flatkit.untrusted import is_number

Choice = tuple[dict[str, Written], str]
# The key that names an item of a list, where the name alone is enough, or where people write it as the key.
IDENTITY = {
    "PasswdUser": "name", "PasswdGroup": "name", "Directory": "path", "File": "path", "Link": "path", "Unit": "name",
    "Dropin": "name", "Disk": "device", "Filesystem": "device", "Raid": "name", "Luks": "name",
}  # fmt: skip
_NAME_IS_ENOUGH = ("PasswdUser", "PasswdGroup", "Directory")
_SWITCHES = {
    "true": "true", "enabled": "true", "enable": "true", "started": "true", "present": "true", "1": "true",
    "false": "false", "disabled": "false", "disable": "false", "stopped": "false", "absent": "false", "0": "false",
}  # fmt: skip
_TAGS = {Shape.NUMBER: INT, Shape.SWITCH: BOOL}
_SECONDS = frozenset(("http_response_headers", "http_total"))


def fitted(struct: Struct | None, name: str, kind: FieldType, node: Node) -> Iterator[Choice]:
    """Yield what to write in place of `name: node`, so that the field takes it: new keys and values, and a label."""
    if node.kind == SCALAR and node.tag in (NULL, _TAGS.get(kind.shape)):
        return
    if kind.shape is Shape.LIST:
        yield from _as_list(name, kind, node)
    elif kind.struct is not None:
        yield from _as_mapping(struct, name, kind.struct, node)
    elif kind.shape is Shape.TEXT:
        yield from _as_text(struct, name, node)
    elif node.kind == SCALAR:
        found = _as_number(name, node) if kind.shape is Shape.NUMBER else _as_switch(node)
        if found:
            label = "take the quotes away" if found == node.value else f"write {found}"
            yield {name: found}, label


def _as_list(name: str, kind: FieldType, node: Node) -> Iterator[Choice]:
    item = kind.item
    assert item is not None
    if node.kind == SCALAR and item.struct is None:
        if item.shape is Shape.TEXT:
            parts = _parts(name, node)
            if parts is not None:
                yield {name: parts}, "make it a list"
    elif node.kind == SCALAR:
        for written, _ in fitted(None, name, item, node):
            yield {name: [written[name]]}, "make it a list with this entry"
    elif node.kind == MAPPING and item.struct is not None and node.content:
        listed = _mapping_as_list(item.struct, node)
        if listed:
            yield {name: listed}, "make it a list" if len(listed) > 1 else "make it a list with one entry"


def _parts(name: str, node: Node) -> list[Written] | None:
    """The entries of a text where a list of texts is wanted; None if it is not certain where one ends."""
    parts = values.split_entries(name, node.value)
    if not parts:
        return None
    if len(parts) > 1 or node.line != node.end_line:
        return [quoted(part) for part in parts]
    return [node]


def _mapping_as_list(struct: Struct, node: Node) -> list[Written]:
    keys = [key.value for key in node.content[::2]]
    if any(key in struct.fields for key in keys):
        return [node]
    items = node.content[1::2]
    if struct.name == "HTTPHeader" and all(item.kind == SCALAR for item in items):
        return [{"name": quoted(key), "value": item} for key, item in zip(keys, items, strict=True)]
    if struct.name in ("Unit", "Dropin") and all(item.kind == SCALAR and "\n" in item.value for item in items):
        return [{"name": quoted(key), "contents": item} for key, item in zip(keys, items, strict=True)]
    identity = IDENTITY.get(struct.name)
    if identity is None or not all(item.kind == MAPPING and item.content and not item.anchor for item in items):
        return []
    if any(identity in item.positions() or not set(item.positions()) & set(struct.fields) for item in items):
        return []
    return [
        {identity: quoted(key)} | dict(zip((one.value for one in item.content[::2]), item.content[1::2], strict=True))
        for key, item in zip(keys, items, strict=True)
    ]


def _as_mapping(owner: Struct | None, name: str, struct: Struct, node: Node) -> Iterator[Choice]:
    if node.kind == SEQUENCE:
        yield from _list_as_mapping(name, struct, node)
    elif node.kind != SCALAR:
        return
    elif struct.name == "Resource":
        yield from _resource(name, node)
    elif struct.name in ("NodeUser", "NodeGroup"):
        yield from _owner(owner, name, node)
    elif struct.name == "Verification":
        text = values.hash_text(node.value)
        yield {name: {"hash": text or node}}, "give it as the hash"
    elif struct.name == "Tree":
        yield {name: {"local": node}}, "give it as local"
    elif struct.name in _NAME_IS_ENOUGH and re.fullmatch(r"[\w./-]+\$?", node.value, re.ASCII):
        yield {name: {IDENTITY[struct.name]: node}}, f"give it as {IDENTITY[struct.name]}"


def _resource(name: str, node: Node) -> Iterator[Choice]:
    is_config = name in ("merge", "replace")
    key = values.origin_key(node.value, is_config=is_config)
    labels = {"source": "fetch it from this URL", "local": "embed this local file", "inline": "give it as inline text"}
    if key:
        yield {name: {key: node}}, labels[key]
    if key == "local" and not is_config and not node.value.startswith("."):
        yield {name: {"inline": node}}, labels["inline"]


def _owner(owner: Struct | None, name: str, node: Node) -> Iterator[Choice]:
    found = values.owner(node.value)
    if found is None:
        return
    role = name if name in ("user", "group") else "user"
    if len(found) == 1:
        kind, _ = found["user"]
        text: Written = node.value if kind == "id" else node
        yield {role: {kind: text}}, f"give it as {kind}"
    elif owner is not None and role == "user":
        yield {role: {kind: quoted(value)} for role, (kind, value) in found.items()}, "write user and group"


def _list_as_mapping(name: str, struct: Struct, node: Node) -> Iterator[Choice]:
    items = node.content
    if struct.name == "KernelArguments":
        if all(item.kind == SCALAR for item in items):
            yield {name: {"should_exist": node}}, "put the list below should_exist"
        return
    if not items or any(item.kind != MAPPING or not item.content for item in items):
        return
    keys = {key.value for item in items for key in item.content[::2]}
    if len(items) == 1 and keys <= set(struct.fields):
        yield {name: items[0]}, "take the dash away"
        return
    fits = [
        field.name
        for field in struct.fields.values()
        if field.type.item is not None
        and field.type.item.struct is not None
        and keys <= set(field.type.item.struct.fields)
    ]
    # What fits several is the most common of them: users before groups, files before directories.
    for best in ("users", "files", *fits):
        if best in fits:
            yield {name: {best: node}}, f"put the list below {best}"
            return


def _as_text(owner: Struct | None, name: str, node: Node) -> Iterator[Choice]:
    if node.kind == SEQUENCE:
        if len(node.content) == 1 and node.content[0].kind == SCALAR:
            yield {name: node.content[0]}, "take it out of the list"
        return
    if node.kind != MAPPING:
        return
    children = dict(zip((key.value for key in node.content[::2]), node.content[1::2], strict=True))
    if len(children) == 1 and owner is not None and name == "contents":
        [(key, inner)] = children.items()
        if key == "inline" and inner.kind == SCALAR:
            yield {name: inner}, "write the text itself"
        elif key == "local" and "contents_local" in owner.fields and inner.kind == SCALAR:
            yield {"contents_local": inner}, "write contents_local"
    elif name == "source" and set(children) == {"url"} and children["url"].kind == SCALAR:
        yield {name: children["url"]}, "write the URL itself"
    elif name == "hash":
        text = hash_of(node)
        if text:
            yield {name: text}, "write function and sum in one"


def hash_of(node: Node) -> str:
    """The hash of Container Linux Config's {function: sha512, sum: ...}, as it is even if its length is wrong."""
    function, digest = node.child("function"), node.child("sum")
    if function is None or digest is None or len(node.content) != 4:
        return ""
    known = function.value if function.value in ("sha256", "sha512") else ""
    return f"{known}-{digest.value}" if known and re.fullmatch("[0-9a-fA-F]+", digest.value) else ""


def _as_number(name: str, node: Node) -> str:
    text = node.value.strip()
    if name == "mode" and (mode := values.octal_mode(text)):
        return mode
    if is_number(text):
        return text
    if name in ("size_mib", "start_mib"):
        size = values.mebibytes(text)
        return "" if size is None else str(size)
    if name in _SECONDS:
        time = values.seconds(text)
        return "" if time is None else str(time)
    return ""


def _as_switch(node: Node) -> str:
    return _SWITCHES.get(node.value.strip().lower(), "")


def suggest(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """Yield the candidates for a type error."""
    root, schema = translation.root, translation.schema or get_schema()
    if root is None or entry.span is None:
        return
    writer, line, column = Writer(translation.text), entry.span.line, entry.span.column
    place = next(iter(misfits_at(root, schema, line, column, entry.values["type"])), None)
    node = place.node if place is not None else node_at(root, line, column)
    kind = place.kind if place is not None else type_named(entry.values["type"], schema)
    if node is None or kind is None or node.kind == ALIAS:
        return
    name = place.name if place is not None else ""
    for entries, label in fitted(place.owner if place is not None else None, name, kind, node):
        with suppress(Unwritable):
            yield _edit(writer, place, node, name, entries, label)


def _edit(writer: Writer, place: Place | None, node: Node, name: str, entries: dict[str, Written], label: str) -> Edit:
    if (
        place is not None
        and not place.is_shared
        and place.parent is not None
        and place.parent.kind == MAPPING
        and not (set(entries) - {name}) & set(place.parent.positions())
        and not node.anchor
        and (len(entries) > 1 or node.line != node.end_line or not place.parent.flow)
    ):
        return writer.replace_entry(place.parent, name, entries, label)
    if set(entries) != {name}:
        raise Unwritable
    if node.line == node.end_line:
        return replace(node, writer.flow(entries[name]), label)
    if place is None or place.parent is None or place.parent.flow or node.anchor:
        raise Unwritable
    return Edit(span=writer.span(node, node), text=writer.item(entries[name], node.column - 3), label=label)
