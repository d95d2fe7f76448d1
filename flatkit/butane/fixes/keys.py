"""Unused keys: names from other formats, misspelt ones, and keys that are right in another place. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

from flatkit.butane.fixes.foreignkeys import ALIASES, CONVERSIONS, Convert
from flatkit.butane.fixes.moves import elsewhere, removed
from flatkit.butane.fixes.types import fitted
from flatkit.butane.fixes.writing import Unwritable, Writer, combined, replace
from flatkit.butane.places import home_of, path_of, struct_at
from flatkit.butane.schema import Struct, struct_of
from flatkit.butane.source.node import MAPPING, SCALAR, SEQUENCE, Node, Path, find_node
from flatkit.butane.transpile import Translation
from flatkit.report import Edit, Entry

_USELESS: dict[tuple[str, str], Callable[[Node], bool]] = {
    ("File", "filesystem"): lambda value: value.value == "root",
    ("Directory", "filesystem"): lambda value: value.value == "root",
    ("Link", "filesystem"): lambda value: value.value == "root",
    ("File", "defer"): lambda _: True,
    ("Unit", "runtime"): lambda value: value.value == "false",
    ("Ignition", "version"): lambda _: True,
}


def suggest_key(name: str, struct: Struct) -> str:
    """Return the key that was probably meant, or ""."""
    known = struct.fields
    alias = ALIASES.get(struct.name, {}).get(name)
    if alias:
        return alias
    snaked = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("MiB", "Mib")).lower().replace("-", "_")
    if snaked in known and snaked != name:
        return snaked
    # A key that is right elsewhere is not a misspelt one.
    if home_of(name) is not None:
        return ""
    close = difflib.get_close_matches(snaked, known, n=1, cutoff=0.75)
    return close[0] if close else ""


def suggest(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """Yield the candidates for an unused key, the most likely first."""
    name = entry.values["key"]
    path = path_of(entry)[: -1 - name.count(".")] if entry.path.endswith("." + name) else path_of(entry)[:-1]
    struct, node, root = struct_at(path), find_node(translation.root, path), translation.root
    key = node.key(name) if node is not None and node.kind == MAPPING else None
    value = node.child(name) if node is not None else None
    if struct is None or node is None or key is None or value is None or root is None:
        return
    writer = Writer(translation.text)
    for candidates in (
        _useless(writer, root, path, struct, name, value),
        _special(writer, struct, node, name, value),
        _renamed(writer, struct, node, name, key, value),
        elsewhere(writer, root, path, struct, name, value),
    ):
        with suppress(Unwritable):
            yield from candidates


def _useless(writer: Writer, root: Node, path: Path, struct: Struct, name: str, value: Node) -> Iterator[Edit]:
    """Keys that say nothing in Butane: without them the config means the same."""
    if (struct.name, name) in _USELESS and _USELESS[struct.name, name](value):
        edit = removed(writer, root, path, name)
        yield Edit(span=edit.span, text=edit.text, label=f"take out {name}")


def _special(writer: Writer, struct: Struct, node: Node, name: str, value: Node) -> Iterator[Edit]:
    """Keys whose value changes with the name."""
    convert = _conversion(struct, name)
    found = convert(value) if convert is not None else None
    if found is not None and not set(found) & set(node.positions()):
        label = "write " + ", ".join(f"{key}: {item}" if isinstance(item, str) else key for key, item in found.items())
        yield writer.replace_entry(node, name, found, label)


def _conversion(struct: Struct, name: str) -> Convert | None:
    found = CONVERSIONS.get((struct.name, name))
    return found or (CONVERSIONS.get(("Node", name)) if struct.name in ("File", "Directory", "Link") else None)


def _renamed(writer: Writer, struct: Struct, node: Node, name: str, key: Node, value: Node) -> Iterator[Edit]:
    better = suggest_key(name, struct)
    if not better or better in node.positions():
        return
    convert = _conversion(struct, name)
    if convert is not None and value.kind == SCALAR and convert(value) is None:
        return  # the name is known, the value is not
    kind = struct.fields[better].type
    for entries, _ in fitted(struct, better, kind, value):
        if entries != {better: value} and not set(entries) & set(node.positions()):
            yield writer.replace_entry(node, name, entries, "write " + " and ".join(entries))
            return
    label = f"write {better}"
    yield replace(key, better, label)
    inner = list(_nested_names(struct_of(kind), value))
    if inner and not key.anchor:
        yield combined("\n".join(writer.lines), [replace(key, better, label), *inner], label)


def _nested_names(struct: Struct | None, node: Node) -> Iterator[Edit]:
    """The same for the keys below, which Butane did not look at."""
    if node.kind == SEQUENCE:
        for item in node.content:
            yield from _nested_names(struct, item)
    elif node.kind == MAPPING and struct is not None:
        for key, value in zip(node.content[::2], node.content[1::2], strict=True):
            field = struct.fields.get(key.value)
            better = "" if field is not None else suggest_key(key.value, struct)
            if better and better not in node.positions():
                yield replace(key, better, "")
                field = struct.fields[better]
            if field is not None:
                yield from _nested_names(struct_of(field.type), value)
