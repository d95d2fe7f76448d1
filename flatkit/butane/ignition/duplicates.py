"""Entries that name the same thing twice: two files of one path, two units of one name."""

from __future__ import annotations

from typing import Any

from flatkit.butane import messages
from flatkit.butane.diagnostics import Diagnostics
from flatkit.butane.ignition.walk import walk
from flatkit.butane.schema import Schema
from flatkit.butane.source.node import Path

# By struct: the lists in which an entry's key must be unique. Names in a tuple share
# their keys. Source: Key() and MergedKeys() of Ignition's types.
_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "IgnitionConfig": (("merge",),),
    "TLS": (("certificateAuthorities",),),
    "Proxy": (("noProxy",),),
    "KernelArguments": (("shouldExist", "shouldNotExist"),),
    "Passwd": (("groups",), ("users",)),
    "PasswdUser": (("groups",), ("sshAuthorizedKeys",)),
    "Storage": (("directories", "files", "links"), ("disks",), ("filesystems",), ("luks",), ("raid",)),
    "Disk": (("partitions",),),
    "Raid": (("devices",),),
    "Luks": (("openOptions",),),
    "Resource": (("httpHeaders",),),
    "Systemd": (("units",),),
    "Unit": (("dropins",),),
}


def find_duplicates(ignition: dict[str, Any], *, schema: Schema, diagnostics: Diagnostics) -> None:
    """Add an error for each later entry of an equal key, in the order of the JSON."""

    def visit(name: str, value: dict[str, Any], path: Path) -> None:
        for group in _KEYS.get(name, ()):
            _check(group, value, path, diagnostics)

    walk(ignition, schema=schema, visit=visit)


def _check(group: tuple[str, ...], value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    seen: set[Any] = set()
    for name in group:
        for at, entry in enumerate(value.get(name, ())):
            key = _key(name, entry)
            if key in seen:
                diagnostics.error((*path, name, at), messages.DUPLICATE())
            seen.add(key)


def _key(group: str, entry: Any) -> Any:
    if isinstance(entry, str):
        return entry
    if group in ("directories", "files", "links"):
        return entry["path"]
    if group in ("disks", "filesystems"):
        return entry["device"]
    if group in ("merge", "certificateAuthorities"):
        return entry.get("source", "")
    if group == "partitions":
        return entry.get("number", 0) or entry.get("label", "")
    return entry["name"]
