"""Unused keys: names from other formats, misspelt ones, and keys that are right in another place. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from flatkit.butane.check_source import octal_meant
from flatkit.butane.fixes import values
from flatkit.butane.places import home_of, path_of, struct_at
from flatkit.butane.fixes.types import fitted, hash_of
from flatkit.butane.fixes.writing import Unwritable, Writer, Written, combined, insert, quoted, replace
from flatkit.butane.schema import Struct, get_schema
from flatkit.butane.source.node import INT, MAPPING, NULL, SCALAR, SEQUENCE, Node, Path, find_node
from flatkit.butane.transpile import Translation
from flatkit.report import Edit, Entry, Span
from flatkit.untrusted import is_number

# What people write who come from cloud-config, Container Linux Config, Ansible or Ignition, by mapping.
ALIASES: dict[str, dict[str, str]] = {
    "File": {
        "permissions": "mode", "perms": "mode", "chmod": "mode", "content": "contents", "owner": "user", "dest": "path",
        "destination": "path", "filename": "path", "src": "contents",
    },
    "Directory": {"permissions": "mode", "perms": "mode", "owner": "user", "dest": "path"},
    "Link": {"src": "target", "destination": "target", "dest": "target", "owner": "user"},
    "Resource": {"content": "inline", "text": "inline", "url": "source", "file": "local", "remote": "source"},
    "HTTPHeader": {"key": "name"},
    "Unit": {"enable": "enabled", "content": "contents", "masked": "mask", "drop-ins": "dropins", "drop_ins": "dropins"},
    "Dropin": {"content": "contents"},
    "PasswdUser": {
        "ssh_keys": "ssh_authorized_keys", "ssh-keys": "ssh_authorized_keys", "authorized_keys": "ssh_authorized_keys",
        "ssh-authorized-keys": "ssh_authorized_keys", "password": "password_hash", "passwd": "password_hash",
        "hashed_passwd": "password_hash", "home": "home_dir", "homedir": "home_dir", "username": "name", "id": "uid",
        "group": "primary_group", "primary-group": "primary_group", "comment": "gecos",
    },
    "PasswdGroup": {"id": "gid"},
    "Disk": {"path": "device", "wipe": "wipe_table"},
    "Partition": {"name": "label", "size": "size_mib", "start": "start_mib", "num": "number", "id": "number"},
    "Filesystem": {
        "mount_point": "path", "mountpoint": "path", "type": "format", "fstype": "format", "mount": "with_mount_unit",
        "wipe": "wipe_filesystem", "force": "wipe_filesystem",
    },
    "Storage": {"dirs": "directories", "symlinks": "links", "raids": "raid", "file": "files"},
    "Systemd": {"services": "units", "unit": "units"},
    "Passwd": {"user": "users", "group": "groups"},
    "Config": {"kargs": "kernel_arguments", "kernelArguments": "kernel_arguments", "kernel_args": "kernel_arguments"},
}  # fmt: skip
_CONTENTS = ("Resource", "Verification")


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
    for candidates in (_special(writer, struct, node, name, value), _renamed(writer, struct, node, name, key, value),
                       _elsewhere(writer, root, path, struct, name, value)):  # fmt: skip
        found = False
        with suppress(Unwritable):
            for edit in candidates:
                found = True
                yield edit
        if found:
            return


def _special(writer: Writer, struct: Struct, node: Node, name: str, value: Node) -> Iterator[Edit]:
    """Keys whose value changes with the name."""
    convert = _SPECIAL.get((struct.name, name))
    if convert is None and struct.name in ("File", "Directory", "Link"):
        convert = _SPECIAL.get(("Node", name))
    found = convert(value) if convert is not None else None
    if found is not None and not set(found) & set(node.positions()):
        label = "write " + ", ".join(f"{key}: {item}" if isinstance(item, str) else key for key, item in found.items())
        yield writer.replace_entry(node, name, found, label)


def _renamed(writer: Writer, struct: Struct, node: Node, name: str, key: Node, value: Node) -> Iterator[Edit]:
    better = suggest_key(name, struct)
    if not better or better in node.positions():
        return
    kind = struct.fields[better].type
    for entries, _ in fitted(struct, better, kind, value):
        if entries != {better: value} and not set(entries) & set(node.positions()):
            yield writer.replace_entry(node, name, entries, "write " + " and ".join(entries))
            return
    yield replace(key, better, f"write {better}")


def _octal(value: Node) -> Mapping[str, Written] | None:
    if value.kind != SCALAR:
        return None
    # A plain 420 is a number, and 0644 all the same.
    if value.tag == INT and not value.value.startswith("0") and is_number(value.value):
        meant = octal_meant(int(value.value), is_directory=False) or octal_meant(int(value.value), is_directory=True)
        return {"mode": f"0{value.value}" if meant is not None else value.value}
    mode = values.octal_mode(value.value)
    return {"mode": mode} if mode else None


def _owner(value: Node) -> Mapping[str, Written] | None:
    found = values.owner(value.value) if value.kind == SCALAR else None
    return found and {role: {kind: text if kind == "id" else quoted(text)} for role, (kind, text) in found.items()}


def _id_of(role: str) -> Callable[[Node], Mapping[str, Written] | None]:
    return lambda value: {role: {"id": value.value}} if value.kind == SCALAR and is_number(value.value) else None


def _size(field: str) -> Callable[[Node], Mapping[str, Written] | None]:
    def convert(value: Node) -> Mapping[str, Written] | None:
        size = values.mebibytes(value.value) if value.kind == SCALAR else None
        if value.kind == SCALAR and is_number(value.value):
            size = 0 if int(value.value) == 0 else None  # sectors for some tools, MiB for others
        return None if size is None else {field: str(size)}

    return convert


def _times(field: str, factor: int) -> Callable[[Node], Mapping[str, Written] | None]:
    def convert(value: Node) -> Mapping[str, Written] | None:
        return {field: str(int(value.value) * factor)} if value.kind == SCALAR and is_number(value.value) else None

    return convert


def _start(value: Node) -> Mapping[str, Written] | None:
    return {"enabled": "true"} if value.kind == SCALAR and value.value in ("start", "restart") else None


def _remote(value: Node) -> Mapping[str, Written] | None:
    """Container Linux Config's remote: {url, compression, verification: {hash: {function, sum}}}."""
    if value.kind == SCALAR and value.tag != NULL:
        return {"source": value}
    url = value.child("url") or value.child("source")
    if value.kind != MAPPING or url is None or url.kind != SCALAR:
        return None
    out: dict[str, Written] = {"source": url}
    for key, item in zip((key.value for key in value.content[::2]), value.content[1::2], strict=True):
        if key == "verification":
            inner = item.child("hash")
            text = hash_of(inner) if inner is not None and inner.kind == MAPPING else ""
            out[key] = {"hash": text} if text else item
        elif key in ("compression", "http_headers"):
            out[key] = item
        elif key not in ("url", "source"):
            return None
    return out


def _checksum(function: str) -> Callable[[Node], Mapping[str, Written] | None]:
    def convert(value: Node) -> Mapping[str, Written] | None:
        text = values.hash_text(value.value) if value.kind == SCALAR else ""
        return {"verification": {"hash": text}} if text.startswith(function) and text else None

    return convert


def _mount(value: Node) -> Mapping[str, Written] | None:
    """Container Linux Config's mount: {device, format, ...}; elsewhere a mount point, or a switch."""
    if value.kind == SCALAR:
        if value.value.startswith("/"):
            return {"path": value, "with_mount_unit": "true"}
        return None
    fields, aliases = get_schema().structs["Filesystem"].fields, ALIASES["Filesystem"]
    out: dict[str, Written] = {}
    for key, item in zip((key.value for key in value.content[::2]), value.content[1::2], strict=True):
        if key == "create" and item.kind == MAPPING and set(item.positions()) <= {"force", "options"}:
            out |= {
                {"force": "wipe_filesystem"}.get(inner.value, inner.value): what
                for inner, what in zip(item.content[::2], item.content[1::2], strict=True)
            }
            continue
        name = key if key in fields else aliases.get(key, "")
        if not name or name in out:
            return None
        out[name] = item
    return out or None


def _src(value: Node) -> Mapping[str, Written] | None:
    if value.kind != SCALAR:
        return None
    key = values.origin_key(value.value, is_config=True)
    return {"contents": {key: value}} if key in ("source", "local") else None


def _kernel(value: Node) -> Mapping[str, Written] | None:
    return {"kernel_arguments": {"should_exist": value}} if value.kind == SEQUENCE else None


_SPECIAL: dict[tuple[str, str], Callable[[Node], Mapping[str, Written] | None]] = {
    ("Node", "owner"): _owner,
    ("Node", "uid"): _id_of("user"),
    ("Node", "gid"): _id_of("group"),
    ("Node", "permissions"): _octal,
    ("Node", "perms"): _octal,
    ("Node", "chmod"): _octal,
    ("File", "src"): _src,
    ("File", "remote"): lambda value: {"contents": found} if (found := _remote(value)) else None,
    ("File", "url"): lambda value: {"contents": {"source": value}} if value.kind == SCALAR else None,
    ("Resource", "remote"): _remote,
    ("Resource", "checksum"): _checksum("sha"),
    ("Resource", "sha256"): _checksum("sha256"),
    ("Resource", "sha512"): _checksum("sha512"),
    ("Resource", "hash"): _checksum("sha"),
    ("Unit", "command"): _start,
    ("Partition", "size"): _size("size_mib"),
    ("Partition", "start"): _size("start_mib"),
    ("Partition", "size_mb"): _times("size_mib", 1),
    ("Partition", "size_gib"): _times("size_mib", 1024),
    ("Partition", "size_gb"): _times("size_mib", 1024),
    ("Filesystem", "mount"): _mount,
    ("Config", "kargs"): _kernel,
    ("Config", "kernel_args"): _kernel,
    ("Config", "kernelArguments"): _kernel,
}


# Keys that are right in another place.


def _elsewhere(writer: Writer, root: Node, path: Path, struct: Struct, name: str, value: Node) -> Iterator[Edit]:
    node = find_node(root, path)
    assert node is not None
    home = home_of(name)
    if home is not None and not any(isinstance(part, int) for part in path):
        if path == home[: len(path)] and len(path) < len(home) and home[len(path)] not in node.positions():
            yield writer.replace_entry(node, name, _nested(home[len(path) :], {name: value}), f"put it below {home[-1]}")
        else:
            yield _moved(writer, root, path, home, name, value)
        return
    # One level too high: `inline` beside `path` instead of below `contents`.
    inner = [field for field in struct.fields.values() if field.type.struct and name in field.type.struct.fields]
    if len(inner) == 1 and path:
        below = node.child(inner[0].name)
        label = f"put it below {inner[0].name}"
        if below is None:
            yield writer.replace_entry(node, name, {inner[0].name: {name: value}}, label)
        elif below.kind == MAPPING and name not in below.positions():
            edits = (writer.remove_entry(node, name), writer.add_entry(below, name, value))
            yield combined("\n".join(writer.lines), edits, label)
        return
    yield from _too_deep(writer, root, path, name, value)


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
    label = f"move it below {home[-1]}" if home else "move it to the top level"
    at = 0
    while at < len(home) and find_node(root, home[: at + 1]) is not None:
        at += 1
    section = find_node(root, home[:at])
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
    if holder is None or holder is section is root and len(holder.content) == 2:
        raise Unwritable
    return combined(text, (writer.remove_entry(holder, name), added), label)


def _joined(writer: Writer, present: Node, value: Node) -> Edit:
    """Append the items of one list to another. Raises Unwritable."""
    if SEQUENCE != present.kind or present.kind != value.kind or not present.content or not value.content:
        raise Unwritable
    if present.flow:
        items = ", ".join(writer.flow(item) for item in value.content)
        return insert(present.end_line, present.end_column - 1, f", {items}", "")
    line, column = writer.end_of(present)
    indent = present.column - 1
    lead = "\n" + " " * indent + "- "
    return insert(line, column, lead + lead.join(writer.item(item, indent) for item in value.content), "")


