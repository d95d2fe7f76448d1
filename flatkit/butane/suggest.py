"""Text changes that would mend a fault: each a function from a report's entry to edits. Pure; nothing is applied here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator

from flatkit.butane.check_source import octal_meant
from flatkit.butane.localfiles import clean
from flatkit.butane.looks import Looks, looks_like
from flatkit.butane.schema import Struct, struct_of
from flatkit.butane.source.node import MAPPING, SCALAR, SEQUENCE, Node, Path, find_node
from flatkit.butane.tables import get_schema
from flatkit.butane.transpile import Translation
from flatkit.report import Edit, Entry, Span

# What people write who come from cloud-config, Container Linux Config, Ansible or Ignition, by mapping.
ALIASES: dict[str, dict[str, str]] = {
    "File": {"permissions": "mode", "content": "contents", "owner": "user", "dest": "path", "destination": "path"},
    "Directory": {"permissions": "mode", "owner": "user"},
    "Link": {"src": "target", "destination": "target", "dest": "target", "owner": "user"},
    "Resource": {"content": "inline", "text": "inline", "url": "source", "file": "local", "remote": "source"},
    "Unit": {"enable": "enabled", "content": "contents", "masked": "mask", "drop-ins": "dropins", "drop_ins": "dropins"},
    "Dropin": {"content": "contents"},
    "PasswdUser": {
        "ssh_keys": "ssh_authorized_keys", "ssh-keys": "ssh_authorized_keys", "authorized_keys": "ssh_authorized_keys",
        "ssh-authorized-keys": "ssh_authorized_keys", "password": "password_hash", "passwd": "password_hash",
        "home": "home_dir", "homedir": "home_dir", "username": "name", "id": "uid", "group": "primary_group",
    },
    "PasswdGroup": {"id": "gid"},
    "Filesystem": {"mount_point": "path", "mountpoint": "path", "type": "format", "mount": "with_mount_unit"},
    "Storage": {"dirs": "directories", "symlinks": "links", "raids": "raid", "file": "files"},
    "Systemd": {"services": "units", "unit": "units"},
    "Passwd": {"user": "users", "group": "groups"},
    "Config": {"kargs": "kernel_arguments", "kernelArguments": "kernel_arguments", "users": "passwd"},
}  # fmt: skip
_HEADER = "variant: flatcar\nversion: 1.1.0\n"


def apply(text: str, edit: Edit) -> str:
    """The text with one edit done."""
    starts = [0]
    for line in text.split("\n")[:-1]:
        starts.append(starts[-1] + len(line) + 1)
    span = edit.span
    at = starts[min(span.line, len(starts)) - 1] + span.column - 1
    end = starts[min(span.end_line, len(starts)) - 1] + span.end_column - 1
    return text[:at] + edit.text + text[end:]


def _insert(line: int, column: int, text: str, label: str) -> Edit:
    return Edit(span=Span(line=line, column=column, end_line=line, end_column=column), text=text, label=label)


def edits_for(code: str, entry: Entry, translation: Translation) -> tuple[Edit, ...]:
    """The edits that would mend the entry; () when there is nothing simple to suggest."""
    suggest = _SUGGESTIONS.get(code)
    return tuple(suggest(entry, translation)) if suggest else ()


def path_of(entry: Entry) -> Path:
    """An entry's path as a tuple."""
    parts = entry.path.split(".")[1:]
    return tuple(int(part) if part.isdecimal() else part for part in parts)


def _mode(entry: Entry, translation: Translation) -> Iterator[Edit]:
    node = find_node(translation.root, path_of(entry))
    if node is None or node.kind != SCALAR or not node.value.isdecimal():
        return
    is_directory = entry.path.startswith("$.storage.directories")
    if octal_meant(int(node.value), is_directory=is_directory) is not None:
        yield Edit(span=node.span, text="0" + node.value, label=f"write 0{node.value}")


def struct_at(path: Path) -> Struct | None:
    """The mapping of the schema at a path."""
    schema = get_schema()
    names = [part for part in path if isinstance(part, str)]
    if not names:
        return schema.root
    field = schema.find_field(path)
    return struct_of(field.type) if field else None


def better_key(name: str, struct: Struct) -> str:
    """The key that was probably meant, or ""."""
    known = struct.fields
    alias = ALIASES.get(struct.name, {}).get(name)
    if alias:
        return alias
    snaked = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")
    if snaked in known and snaked != name:
        return snaked
    close = difflib.get_close_matches(snaked, known, n=1, cutoff=0.75)
    return close[0] if close else ""


def _key(entry: Entry, translation: Translation) -> Iterator[Edit]:
    name = entry.message.removeprefix("unused key ")
    path = path_of(entry)[: -1 - name.count(".")] if entry.path.endswith("." + name) else path_of(entry)[:-1]
    struct, node = struct_at(path), find_node(translation.root, path)
    key = node.key(name) if node is not None and node.kind == MAPPING else None
    if struct is None or node is None or key is None:
        return
    if struct.name == "Unit" and name == "command":
        value = node.child("command")
        if value is not None and value.value == "start" and "enabled" not in node.positions():
            span = Span(line=key.line, column=key.column, end_line=value.end_line, end_column=value.end_column)
            yield Edit(span=span, text="enabled: true", label="write enabled: true")
        return
    better = better_key(name, struct)
    if better and better not in node.positions():
        yield Edit(span=key.span, text=better, label=f"write {better}")


def node_at(root: Node | None, line: int, column: int) -> Node | None:
    """The innermost node that starts at this place."""
    todo = [root] if root is not None else []
    found = None
    while todo:
        node = todo.pop()
        if (node.line, node.column) == (line, column):
            found = node
        todo.extend(node.content)
    return found


def _type(entry: Entry, translation: Translation) -> Iterator[Edit]:
    node = node_at(translation.root, entry.span.line, entry.span.column) if entry.span else None
    if node is None or node.kind != SCALAR or node.line != node.end_line:
        return
    if entry.message.endswith("into int") and node.tag == "!!str" and node.value.isdecimal():
        yield Edit(span=node.span, text=node.value, label="take the quotes away")
    elif entry.message.endswith("into bool") and node.value in ("true", "false", "True", "False", "0", "1"):
        word = "true" if node.value in ("true", "True", "1") else "false"
        yield Edit(span=node.span, text=word, label=f"write {word}")
    elif entry.message.endswith(".Resource"):
        yield _insert(node.line, node.column, "{inline: ", "give it as inline text")
    elif entry.message.endswith((".NodeUser", ".NodeGroup")):
        kind = "id" if node.tag == "!!int" else "name"
        yield _insert(node.line, node.column, f"{{{kind}: ", f"give it as {kind}")


def _close_brace(edits: Iterator[Edit], translation: Translation) -> Iterator[Edit]:
    """An edit that opens a brace replaces the whole value, so that the brace is closed as well."""
    for edit in edits:
        node = node_at(translation.root, edit.span.line, edit.span.column)
        if edit.text.startswith("{") and node is not None:
            written = apply_slice(translation.text, node.span)
            yield Edit(span=node.span, text=f"{edit.text}{written}}}", label=edit.label)
        else:
            yield edit


def apply_slice(text: str, span: Span) -> str:
    """What stands at a span of one line."""
    return text.split("\n")[span.line - 1][span.column - 1 : span.end_column - 1]


def _braced_type(entry: Entry, translation: Translation) -> Iterator[Edit]:
    return _close_brace(_type(entry, translation), translation)


def _header(_: Entry, translation: Translation) -> Iterator[Edit]:
    if looks_like(translation.document) in (Looks.BUTANE, Looks.UNKNOWN) and not translation.text.lstrip().startswith(
        "{"
    ):
        root = translation.root
        if root is not None and root.kind == MAPPING and "version" in root.positions():
            yield _insert(root.line, root.column, "variant: flatcar\n", "add the variant")
        elif root is None or root.kind == MAPPING:
            yield _insert(1, 1, _HEADER, "add variant and version")


def _version(_: Entry, translation: Translation) -> Iterator[Edit]:
    root = translation.root
    if root is None or root.kind != MAPPING:
        return
    node, variant = root.child("version"), root.child("variant")
    if node is not None and node.kind == SCALAR and node.line == node.end_line:
        lead = "" if node.value else " "
        yield Edit(span=node.span, text=f"{lead}1.1.0", label="write 1.1.0")
    elif node is None and variant is not None:
        yield _insert(variant.end_line, variant.end_column, "\nversion: 1.1.0", "add the version")


def _translator(_: Entry, translation: Translation) -> Iterator[Edit]:
    root = translation.root
    for key, text in (("variant", "flatcar"), ("version", "1.1.0")):
        node = root.child(key) if root is not None else None
        if node is not None and node.kind == SCALAR and node.value != text:
            yield Edit(span=node.span, text=text, label=f"write {key}: {text}")


def _tab(entry: Entry, translation: Translation) -> Iterator[Edit]:
    if entry.span is None:
        return
    lines = translation.text.split("\n")
    line = lines[entry.span.line - 1] if entry.span.line <= len(lines) else ""
    lead = line[: len(line) - len(line.lstrip(" \t"))]
    if "\t" in lead:
        span = Span(line=entry.span.line, column=1, end_line=entry.span.line, end_column=len(lead) + 1)
        yield Edit(span=span, text=lead.replace("\t", "  "), label="indent with spaces")


def _absolute(entry: Entry, translation: Translation) -> Iterator[Edit]:
    node = find_node(translation.root, path_of(entry))
    if node is not None and node.kind == SCALAR and node.plain and node.value:
        yield Edit(span=node.span, text="/" + node.value.removeprefix("./"), label="write an absolute path")


def _simple(entry: Entry, translation: Translation) -> Iterator[Edit]:
    node = find_node(translation.root, path_of(entry))
    if node is not None and node.kind == SCALAR and node.plain:
        yield Edit(span=node.span, text=clean(node.value), label=f"write {clean(node.value)}")


def _empty(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """`overwrite: true` of a file without contents."""
    path = path_of(entry)[:-1]
    node = find_node(translation.root, path)
    if node is not None and node.kind == MAPPING and not node.flow and "contents" not in node.positions():
        text = f'contents: {{inline: ""}}\n{" " * (node.column - 1)}'
        yield _insert(node.line, node.column, text, "write an empty file")


_SUGGESTIONS: dict[str, Callable[[Entry, Translation], Iterator[Edit]]] = {
    "mode-not-octal": _mode,
    "unused-key": _key,
    "wrong-type": _braced_type,
    "variant-missing": _header,
    "version-invalid": _version,
    "no-translator": _translator,
    "yaml-tab": _tab,
    "yaml-start": _tab,
    "path-relative": _absolute,
    "path-not-simple": _simple,
    "overwrite-no-source": _empty,
}


def sequence_values(node: Node | None) -> Iterator[Node]:
    """The scalars of a list, through nothing."""
    if node is not None and node.kind == SEQUENCE:
        yield from (item for item in node.content if item.kind == SCALAR)
