"""Wrong types in a learner's words: what the field takes, and how to write it. Pure."""

from __future__ import annotations

from flatkit.butane.fixes.values import split_entries
from flatkit.butane.places import Place, misfits_at, node_at, type_named
from flatkit.butane.schema import FieldType, Shape, Struct, get_schema
from flatkit.butane.source.node import MAPPING, SCALAR, SEQUENCE, Node
from flatkit.butane.templates import template_in, template_words
from flatkit.butane.transpile import Translation
from flatkit.report import Entry

_FOUND = {MAPPING: "a mapping (key: value)", SEQUENCE: "a list", SCALAR: "a single value"}
_STRUCTS = {
    "Resource": "inline: (the text itself), local: (a file of yours) or source: (a URL)",
    "NodeUser": "name: or id:",
    "NodeGroup": "name: or id:",
    "Verification": "hash:",
    "HTTPHeader": "name: and value:",
    "Tree": "local: and path:",
}
_NUMBERS = {
    "mode": 'An octal number is wanted here, with a leading zero and without quotes: 0644, not "0644" and not rw-r--r--.',
    "size_mib": "A number of MiB is wanted here, without a unit: 1024 is 1 GiB, and 0 is the rest of the disk.",
    "start_mib": "A number of MiB is wanted here, without a unit: 1024 is 1 GiB, and 0 is the start of the largest free block.",
    "uid": "A number is wanted here; the user's name goes below name:.",
    "gid": "A number is wanted here; the group's name goes below name:.",
    "id": "A number is wanted here; a name goes below name:.",
    "number": "A number is wanted here: the partition's, from 1 on; its name goes below label:.",
    "http_total": "A number of seconds is wanted here, without a unit.",
    "http_response_headers": "A number of seconds is wanted here, without a unit.",
}


def type_words(entry: Entry, translation: Translation) -> str:
    """Say what is wanted at a type error, and what is there."""
    root, schema = translation.root, translation.schema or get_schema()
    if root is None or entry.span is None:
        return ""
    go, line, column = entry.values["type"], entry.span.line, entry.span.column
    place = next(iter(misfits_at(root, schema, line, column, go)), None)
    node = place.node if place is not None else node_at(root, line, column)
    kind = place.kind if place is not None else type_named(go, schema)
    if node is None or kind is None:
        return ""
    lines = translation.text.split("\n")
    written = lines[node.line - 1] if 0 < node.line <= len(lines) else ""
    if node.kind == MAPPING and node.flow and template_in(written):
        return template_words(written) + ' In YAML "{" starts a mapping; a text that begins with it needs quotes.'
    if node.kind == SCALAR and (template := template_words(node.value, whole=True)):
        return f"{template} {_wanted(place, kind, node)}"
    return _wanted(place, kind, node)


def _wanted(place: Place | None, kind: FieldType, node: Node) -> str:
    name = place.name if place is not None else ""
    if kind.shape is Shape.LIST:
        return _list_words(name, kind, node)
    if kind.struct is not None:
        return _mapping_words(name, place, kind.struct, node)
    if kind.shape is Shape.TEXT:
        return _text_words(name, place, node)
    if kind.shape is Shape.NUMBER:
        return _NUMBERS.get(name, "A whole number is wanted here, without quotes.")
    return "true or false is wanted here, without quotes."


def _list_words(name: str, kind: FieldType, node: Node) -> str:
    found = _FOUND.get(node.kind, "something else")
    words = f'A list is wanted here, and this is {found}: begin each entry with "- ".'
    item = kind.item
    if item is not None and item.struct is not None:
        keys = [key for key in ("name", "path", "device", "local", "source", "inline") if key in item.struct.fields]
        if item.struct.name == "Resource":
            keys = ["inline"] if name == "append" else ["source"]
        example = f"{name}:\n  - {keys[0] if keys else next(iter(item.struct.fields))}: ..."
        if item.struct.name == "HTTPHeader":
            example = f"{name}:\n  - name: Authorization\n    value: Bearer ..."
        return f"{words}\n{example}"
    value = node.value if node.kind == SCALAR and len(node.value) < 60 else "..."
    parts = split_entries(name, value) or ["..."]
    return "\n".join([words, f"{name}:", *(f"  - {part}" for part in parts)]) if name else words


def _mapping_words(name: str, place: Place | None, wanted: Struct, node: Node) -> str:
    struct = wanted.name
    keys = _STRUCTS.get(struct) or ", ".join(f"{key}:" for key in list(wanted.fields)[:4])
    found = _FOUND.get(node.kind, "something else")
    words = f"Keys are wanted here: {keys}."
    if name:
        words = f"Keys are wanted here, and this is {found}: write {keys} below it."
    if place is not None and isinstance(place.path[-1], int) and struct == "Resource":
        words = (
            "Each entry has a key: write - source: (a URL), - local: (a file of yours) or - inline: (the text itself)."
        )
    elif place is not None and isinstance(place.path[-1], int):
        key = next((key for key in ("name", "path", "device", "local", "number") if key in wanted.fields), "")
        words = f"Each entry has keys, and this is {found}: begin it with - {key}: and write its other keys below."
    elif node.kind == SEQUENCE and struct == "Resource":
        words = f"No list is wanted here: take the dash away, and write {keys} below it."
    if node.kind == SCALAR and node.value.strip().startswith("file:"):
        words += " Ignition does not fetch file: URLs; local: embeds a file of your computer."
    return words


def _text_words(name: str, place: Place | None, node: Node) -> str:
    owner = place.owner.name if place is not None and place.owner is not None else ""
    if name == "contents" and owner in ("Unit", "Dropin"):
        return (
            "The text itself is wanted here: write contents: | and its lines indented below, without inline: or local:."
        )
    if name == "hash":
        return "One text is wanted here, of the function and the digest: hash: sha512-... (128 digits)."
    if name == "source":
        return "The URL itself is wanted here: source: https://..."
    if node.kind == SEQUENCE:
        return "One text is wanted here, and this is a list: take the dash away."
    if place is not None and isinstance(place.path[-1], int):
        return 'A text is wanted here, and this is a mapping (key: value): a text with ": " in it needs quotes.'
    return "A text is wanted here, and this is a mapping (key: value). Quote a text that has a colon or a brace in it."
