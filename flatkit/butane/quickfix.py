"""Quick fixes: each a function from a report's entry to edits of the text. Pure; nothing is applied here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator

from flatkit.butane.check_source import octal_meant
from flatkit.butane.detect import Format, detect_format
from flatkit.butane.localfiles import clean
from flatkit.butane.schema import FieldType, Shape, Struct, get_schema, struct_of
from flatkit.butane.source.node import ALIAS, MAPPING, SCALAR, SEQUENCE, Node, Path, find_node
from flatkit.butane.transpile import Translation
from flatkit.report import Edit, Entry, Span
from flatkit.untrusted import is_number

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
# The anchor and the tag before a value.
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
# What a plain scalar cannot contain inside braces.
_NEEDS_QUOTES = re.compile(r"[,\[\]{}?#]|:(?:\s|$)")


def apply_edit(text: str, edit: Edit) -> str:
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


def quick_fixes(code: str, entry: Entry, translation: Translation) -> tuple[Edit, ...]:
    """Return the edits that fix the entry; () when there is no simple one."""
    suggest = _SUGGESTIONS.get(code)
    edits = suggest(entry, translation) if suggest else ()
    return tuple(edit for edit in edits if not _reaches_elsewhere(edit.span, translation.root))


def _replace(node: Node, text: str, label: str) -> Iterator[Edit]:
    """Replace a value on one line. Its anchor stays, its tag goes; an alias gives way to a value of its own."""
    if node.line == node.end_line:
        anchor = f"&{node.anchor} " if node.anchor else ""
        lead = " " if node.span.column == node.span.end_column else ""
        yield Edit(span=node.span, text=lead + anchor + text, label=label)


def _scalar(node: Node | None) -> Node | None:
    """The scalar itself, or the target of an alias."""
    found = node.target if node is not None and node.kind == ALIAS else node
    return found if found is not None and found.kind == SCALAR else None


def _reaches_elsewhere(span: Span, root: Node | None) -> bool:
    """True if an edit changes anchored text that aliases use in another role, where the new value may be wrong."""
    start, end = (span.line, span.column), (span.end_line, span.end_column)
    anchored: list[Node] = []
    todo = [root] if root is not None else []
    while todo:
        node = todo.pop()
        if (node.line, node.column) <= start and end <= (node.end_line, node.end_column):
            anchored += [node] if node.anchor else []
            todo += node.content
    roles = _roles(root) if anchored and root is not None else {}
    return any(len(roles.get(id(node), ())) > 1 for node in anchored)


def _roles(root: Node) -> dict[int, set[str]]:
    """The fields that each node is used for, directly and through aliases, by the node's id."""
    roles: dict[int, set[str]] = {}
    todo: list[tuple[Node, FieldType | None, str]] = [
        (root, FieldType(shape=Shape.STRUCT, go="", struct=get_schema().root), "")
    ]
    while todo:
        node, kind, role = todo.pop()
        roles.setdefault(id(node.target if node.kind == ALIAS else node), set()).add(role)
        if kind is None or node.kind in (ALIAS, SCALAR):
            continue
        if node.kind == SEQUENCE:
            # A list of mappings to merge keeps the role; the items of other lists have one of their own.
            inner, name = (kind.item, f"{role}[]") if kind.shape is Shape.LIST else (kind, role)
            todo += [(item, inner, name) for item in node.content]
        else:
            fields = kind.struct.fields if kind.struct is not None else {}
            for key, value in zip(node.content[::2], node.content[1::2], strict=True):
                if key.value == "<<":
                    todo.append((value, kind, role))
                elif kind.struct is not None and key.value in fields:
                    todo.append((value, fields[key.value].type, f"{kind.struct.name}.{key.value}"))
    return roles


def path_of(entry: Entry) -> Path:
    """An entry's path as a tuple."""
    parts = entry.path.split(".")[1:]
    return tuple(int(part) if is_number(part) else part for part in parts)


def _mode(entry: Entry, translation: Translation) -> Iterator[Edit]:
    node = find_node(translation.root, path_of(entry))
    scalar = _scalar(node)
    if node is None or scalar is None or not is_number(scalar.value):
        return
    is_directory = entry.path.startswith("$.storage.directories")
    if octal_meant(int(scalar.value), is_directory=is_directory) is not None:
        yield from _replace(node, f"0{scalar.value}", f"write 0{scalar.value}")


def struct_at(path: Path) -> Struct | None:
    """Return the schema's struct at a path."""
    field = get_schema().find_field(path)
    return struct_of(field.type) if field else None if path else get_schema().root


def suggest_key(name: str, struct: Struct) -> str:
    """Return the key that was probably meant, or ""."""
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
    name = entry.values["key"]
    path = path_of(entry)[: -1 - name.count(".")] if entry.path.endswith("." + name) else path_of(entry)[:-1]
    struct, node = struct_at(path), find_node(translation.root, path)
    key = node.key(name) if node is not None and node.kind == MAPPING else None
    if struct is None or node is None or key is None:
        return
    if struct.name == "Unit" and name == "command":
        value = node.child("command")
        if value is None or value.kind != SCALAR or value.anchor or key.anchor:
            return
        if value.value == "start" and "enabled" not in node.positions():
            span = Span(line=key.line, column=key.column, end_line=value.end_line, end_column=value.end_column)
            yield Edit(span=span, text="enabled: true", label="write enabled: true")
        return
    better = suggest_key(name, struct)
    if better and better not in node.positions():
        yield from _replace(key, better, f"write {better}")


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
    wanted = entry.values["type"]
    node = node_at(translation.root, entry.span.line, entry.span.column) if entry.span else None
    if node is None or node.kind != SCALAR or node.line != node.end_line:
        return
    if wanted == "int" and node.tag == "!!str" and is_number(node.value):
        yield from _replace(node, node.value, "take the quotes away")
    elif wanted == "bool" and node.value in ("true", "false", "True", "False", "0", "1"):
        word = "true" if node.value in ("true", "True", "1") else "false"
        yield from _replace(node, word, f"write {word}")
    elif wanted.endswith(".Resource"):
        yield from _replace(node, f"{{inline: {_in_braces(node, translation)}}}", "give it as inline text")
    elif wanted.endswith((".NodeUser", ".NodeGroup")):
        kind = "id" if node.tag == "!!int" else "name"
        yield from _replace(node, f"{{{kind}: {_in_braces(node, translation)}}}", f"give it as {kind}")


def _in_braces(node: Node, translation: Translation) -> str:
    """A scalar as it is written, without its anchor, for use in a flow mapping."""
    written = translation.text.split("\n")[node.line - 1][node.column - 1 : node.end_column - 1]
    properties = _PROPERTIES.match(written)
    assert properties is not None
    tags = [part for part in properties[0].split() if part.startswith("!")]
    text = written[properties.end() :]
    if node.plain and _NEEDS_QUOTES.search(text):
        text = "'" + text.replace("'", "''") + "'"
    return " ".join([*tags, text])


def _header(_: Entry, translation: Translation) -> Iterator[Edit]:
    root, format_ = translation.root, detect_format(translation.document)
    if format_ not in (Format.BUTANE, Format.UNKNOWN) or translation.text.lstrip().startswith("{"):
        return
    if root is not None and root.kind == MAPPING and not root.flow and "version" in root.positions():
        first = root.content[0]
        yield _insert(first.line, first.column, "variant: flatcar\n", "add the variant")
    elif root is None or (root.kind == MAPPING and not root.flow):
        yield _insert(1, 1, _HEADER, "add variant and version")


def _version(_: Entry, translation: Translation) -> Iterator[Edit]:
    root = translation.root
    if root is None or root.kind != MAPPING:
        return
    node, variant = root.child("version"), root.child("variant")
    if node is not None and _scalar(node) is not None:
        yield from _replace(node, "1.1.0", "write 1.1.0")
    elif node is None and variant is not None:
        lead = ", " if root.flow else "\n"
        yield _insert(variant.end_line, variant.end_column, f"{lead}version: 1.1.0", "add the version")


def _translator(_: Entry, translation: Translation) -> Iterator[Edit]:
    root = translation.root
    for key, text in (("variant", "flatcar"), ("version", "1.1.0")):
        node = root.child(key) if root is not None else None
        scalar = _scalar(node)
        if node is not None and scalar is not None and scalar.value != text:
            yield from _replace(node, text, f"write {key}: {text}")


def _tab(entry: Entry, translation: Translation) -> Iterator[Edit]:
    if entry.span is None:
        return
    lines = translation.text.split("\n")
    line = lines[entry.span.line - 1] if entry.span.line <= len(lines) else ""
    lead = line[: len(line) - len(line.lstrip(" \t"))]
    if "\t" in lead:
        span = Span(line=entry.span.line, column=1, end_line=entry.span.line, end_column=len(lead) + 1)
        yield Edit(span=span, text=lead.replace("\t", "  "), label="indent with spaces")


def _path(entry: Entry, translation: Translation) -> Iterator[Edit]:
    node = find_node(translation.root, path_of(entry))
    scalar = _scalar(node)
    if node is not None and scalar is not None and scalar.plain and scalar.value:
        better = clean(scalar.value) if scalar.value.startswith("/") else "/" + scalar.value.removeprefix("./")
        yield from _replace(node, better, f"write {better}")


def _empty(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """`overwrite: true` of a file without contents."""
    path = path_of(entry)[:-1]
    node = find_node(translation.root, path)
    if node is not None and node.kind == MAPPING and not node.flow and "contents" not in node.positions():
        first = node.content[0]
        text = f'contents: {{inline: ""}}\n{" " * (first.column - 1)}'
        yield _insert(first.line, first.column, text, "write an empty file")


_SUGGESTIONS: dict[str, Callable[[Entry, Translation], Iterator[Edit]]] = {
    "mode-not-octal": _mode,
    "unused-key": _key,
    "wrong-type": _type,
    "variant-missing": _header,
    "version-invalid": _version,
    "no-translator": _translator,
    "yaml-tab": _tab,
    "yaml-start": _tab,
    "path-relative": _path,
    "path-not-simple": _path,
    "overwrite-no-source": _empty,
}
