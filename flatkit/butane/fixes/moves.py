"""Keys that are right in another place: a section at the top level, a key one level too high or too deep. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from flatkit.butane.fixes.writing import Unwritable, Writer, Written, combined, insert
from flatkit.butane.places import home_of, struct_at
from flatkit.butane.schema import Field, Struct
from flatkit.butane.source.node import MAPPING, SEQUENCE, Node, Path, find_node
from flatkit.report import Edit


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
