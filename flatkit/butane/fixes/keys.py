"""Unused keys: names from other formats, misspelt ones, and keys that belong to another place, which are moved there. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

from flatkit.butane.fixes.foreignkeys import ALIASES, CONVERSIONS, Convert
from flatkit.butane.fixes.types import fitted
from flatkit.butane.fixes.writing import Unwritable, Writer, Written, combined, insert, replace
from flatkit.butane.places import home_of, path_of, struct_at
from flatkit.butane.schema import Field, Struct, struct_of
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


def elsewhere(writer: Writer, root: Node, path: Path, struct: Struct, name: str, value: Node) -> Iterator[Edit]:
    """Yield the edit that puts an unused key where the schema has one of this name. Raises Unwritable."""
    node = find_node(root, path)
    assert node is not None
    home = home_of(name)
    if home is not None and not any(isinstance(part, int) for part in path):
        if path == home[: len(path)] and len(path) < len(home) and home[len(path)] not in node.positions():
            yield writer.replace_entry(
                node, name, _nested(home[len(path) :], {name: value}), f"put it below {'.'.join(map(str, home))}"
            )
        else:
            yield _moved(writer, root, path, home, name, value)
        return
    # One level too high: `inline` beside `path` instead of below `contents`.
    inner = [field for field in struct.fields.values() if field.type.struct and name in field.type.struct.fields]
    if len(inner) == 1 and path:
        below = node.child(inner[0].name)
        label = f"put it below {inner[0].name}"
        if below is None:
            yield _together(writer, node, struct, inner[0], label)
        elif below.kind == MAPPING and name not in below.positions():
            edits = (writer.remove_entry(node, name), writer.add_entry(below, name, value))
            yield combined("\n".join(writer.lines), edits, label)
        return
    yield from _too_deep(writer, root, path, name, value)


def _together(writer: Writer, node: Node, struct: Struct, field: Field, label: str) -> Edit:
    """Put all keys of a mapping that belong one level deeper there: source and verification. Raises Unwritable."""
    known = field.type.struct.fields if field.type.struct is not None else {}
    names = [name for name in node.positions() if name in known and name not in struct.fields]
    values_ = {name: value for name in names if (value := node.child(name)) is not None}
    edits = [writer.replace_entry(node, names[0], {field.name: values_}, label)]
    edits += (writer.remove_entry(node, name) for name in names[1:])
    return combined("\n".join(writer.lines), edits, label)


def _too_deep(writer: Writer, root: Node, path: Path, name: str, value: Node) -> Iterator[Edit]:
    """One level too deep: `mode` below `contents` instead of beside it."""
    if len(path) < 2 or not isinstance(path[-1], str):
        return
    node, parent, struct = find_node(root, path), find_node(root, path[:-1]), struct_at(path[:-1])
    if node is None or parent is None or struct is None or parent.kind != MAPPING:
        return
    if name in struct.fields and name not in parent.positions():
        label = f"put it beside {path[-1]}"
        if len(node.content) > 2:
            edits = (writer.remove_entry(node, name), writer.add_entry(parent, name, value))
            yield combined("\n".join(writer.lines), edits, label)
        else:
            yield writer.replace_entry(parent, str(path[-1]), {name: value}, label)


def _nested(path: Path, value: Written) -> dict[str, Written]:
    for part in reversed(path):
        value = {str(part): value}
    assert isinstance(value, dict)
    return value


def _moved(writer: Writer, root: Node, path: Path, home: Path, name: str, value: Node) -> Edit:
    """Move a key to the section where it belongs. Raises Unwritable."""
    text = "\n".join(writer.lines)
    label = f"move it below {'.'.join(map(str, home))}" if home else "move it to the top level"
    at = 0
    while at < len(home) and find_node(root, home[: at + 1]) is not None:
        at += 1
    section, holder = find_node(root, home[:at]), find_node(root, path)
    key_node = holder.key(name) if holder is not None else None
    if key_node is not None:
        writer.refuse_comment(key_node, value)
    assert section is not None
    present = section.child(name) if at == len(home) else None
    if present is not None:
        added = _joined(writer, present, value)
    else:
        [(key, item)] = _nested((*home[at:], name), value).items()
        added = writer.add_entry(section, key, item)
    # A section that would be empty goes, too.
    while path and (parent := find_node(root, path)) is not None and len(parent.content) == 2:
        path, name = path[:-1], str(path[-1])
    holder = find_node(root, path)
    if holder is None or (holder is section is root and len(holder.content) == 2):
        raise Unwritable
    return combined(text, (writer.remove_entry(holder, name), added), label)


def _joined(writer: Writer, present: Node, value: Node) -> Edit:
    """Append the items of one list to another. Raises Unwritable."""
    if present.kind != SEQUENCE or present.kind != value.kind or not present.content or not value.content:
        raise Unwritable
    if present.flow:
        items = ", ".join(writer.flow(item) for item in value.content)
        return insert(present.end_line, present.end_column - 1, f", {items}", "")
    line, column = writer.end_of(present)
    indent = present.column - 1
    lead = "\n" + " " * indent + "- "
    return insert(line, column, lead + lead.join(writer.item(item, indent) for item in value.content), "")


def removed(writer: Writer, root: Node, path: Path, name: str) -> Edit:
    """Take a key out, and the sections that would be empty then. Raises Unwritable."""
    holder = find_node(root, path)
    while path and holder is not None and len(holder.content) == 2:
        last = path[-1]
        if isinstance(last, int):
            raise Unwritable
        path, name = path[:-1], last
        holder = find_node(root, path)
    if holder is None or holder.kind != MAPPING:
        raise Unwritable
    return writer.remove_entry(holder, name)
