"""Keys of other tools, by Butane's mapping: their names there, and those whose value changes too. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flatkit.butane.check_source import octal_meant
from flatkit.butane.fixes import values
from flatkit.butane.fixes.types import hash_of
from flatkit.butane.fixes.writing import Written, quoted
from flatkit.butane.schema import get_schema
from flatkit.butane.source.node import BOOL, INT, MAPPING, NULL, SCALAR, SEQUENCE, Node
from flatkit.untrusted import is_number

Convert = Callable[[Node], Mapping[str, Written] | None]

# What people write who come from cloud-config, Container Linux Config, Ansible or Ignition, by mapping.
ALIASES: dict[str, dict[str, str]] = {
    "File": {
        "permissions": "mode", "perms": "mode", "chmod": "mode", "content": "contents", "owner": "user", "dest": "path",
        "destination": "path", "filename": "path", "src": "contents",
    },
    "Directory": {"permissions": "mode", "perms": "mode", "owner": "user", "dest": "path"},
    # Ansible's src is what the link leads to, dest is the link itself.
    "Link": {"src": "target", "source": "target", "to": "target", "destination": "path", "dest": "path", "owner": "user"},
    "Resource": {"content": "inline", "text": "inline", "url": "source", "file": "local", "remote": "source"},
    "HTTPHeader": {"key": "name"},
    "Proxy": {"http": "http_proxy", "https": "https_proxy", "noproxy": "no_proxy"},
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


def _id_of(role: str) -> Convert:
    return lambda value: {role: {"id": value.value}} if value.kind == SCALAR and is_number(value.value) else None


def _size(field: str) -> Convert:
    def convert(value: Node) -> Mapping[str, Written] | None:
        size = values.mebibytes(value.value) if value.kind == SCALAR else None
        if value.kind == SCALAR and is_number(value.value):
            size = 0 if int(value.value) == 0 else None  # sectors for some tools, MiB for others
        return None if size is None else {field: str(size)}

    return convert


def _times(field: str, factor: int) -> Convert:
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


def _checksum(function: str) -> Convert:
    def convert(value: Node) -> Mapping[str, Written] | None:
        text = values.hash_text(value.value) if value.kind == SCALAR else ""
        return {"verification": {"hash": text}} if text.startswith(function) and text else None

    return convert


def _mount(value: Node) -> Mapping[str, Written] | None:
    """Container Linux Config's mount: {device, format, ...}; elsewhere a mount point, or a switch."""
    if value.kind == SCALAR:
        if value.tag == BOOL:
            return {"with_mount_unit": value}
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


def _hashed(value: Node) -> Mapping[str, Written] | None:
    """An encrypted password; a plain one would only look right."""
    return {"password_hash": value} if value.kind == SCALAR and value.value.startswith(("$", "*", "!")) else None


def _kernel(value: Node) -> Mapping[str, Written] | None:
    return {"kernel_arguments": {"should_exist": value}} if value.kind == SEQUENCE else None


CONVERSIONS: dict[tuple[str, str], Convert] = {
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
    ("PasswdUser", "password"): _hashed,
    ("PasswdUser", "passwd"): _hashed,
    ("Config", "kargs"): _kernel,
    ("Config", "kernel_args"): _kernel,
    ("Config", "kernelArguments"): _kernel,
}
