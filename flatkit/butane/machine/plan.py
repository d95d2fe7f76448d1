"""A config's users, groups, files and units, indexed for questions. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flatkit.butane.dataurl import decode_data_url
from flatkit.butane.machine import image
from flatkit.butane.machine.image import UnitState
from flatkit.butane.machine.unit_commands import UnitRefusal
from flatkit.butane.machine.unit_file import Unit, is_unit_list, template_of, unit_of, unit_type
from flatkit.butane.machine.unit_verdict import refusal
from flatkit.butane.source.node import Path

SYSTEMD_DIR = "/etc/systemd/system/"
EXTENSION_DIRS = ("/etc/extensions", "/var/lib/extensions", "/run/extensions", "/usr/lib/extensions")
# Where nothing of the image is.
EMPTY_FOLDERS = tuple(f"/{name}/" for name in ("opt", "srv", "home", "root", "mnt", "media"))
_TRIGGERS = ("socket", "timer", "path", "automount")
# Targets that every boot reaches.
BOOT_TARGETS = frozenset(
    f"{name}.target"
    for name in (
        "multi-user", "default", "basic", "sysinit", "local-fs", "remote-fs", "sockets", "timers", "paths", "swap",
        "getty", "slices", "network",
    )
)  # fmt: skip
_STARTERS = frozenset(("Requires", "Wants", "BindsTo", "Upholds", "OnFailure", "OnSuccess", "Requisite", "Also"))


def data_of(resource: dict[str, Any]) -> bytes | None:
    """Return the contents of a resource as they are unpacked, None if they have to be fetched."""
    source = resource.get("source") or "data:,"
    return decode_data_url(source, packed=resource.get("compression") == "gzip")


def text_of(resource: dict[str, Any]) -> str | None:
    """Return the text of a resource, None if it has to be fetched."""
    data = data_of(resource)
    return None if data is None else data.decode(errors="replace")


def without_nulls(value: Any) -> Any:
    """Return some JSON without the keys that are null, which Ignition reads as absent; Butane writes none."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, kw_only=True)
class StorageNode:
    """A file, directory or link of the config, and its path in the Ignition JSON."""

    kind: str
    item: dict[str, Any]
    json_path: Path

    @property
    def path(self) -> str:
        """Its path on the machine."""
        return str(self.item.get("path", ""))


class Plan:
    """A config (Ignition JSON), with indexes. `is_whole`: nothing is fetched and merged that is not known here.

    `is_replaced`: another config takes its place.
    """

    def __init__(self, ignition: dict[str, Any]) -> None:
        self.ignition = ignition
        self.storage: dict[str, Any] = ignition.get("storage", {})
        self.users: list[dict[str, Any]] = ignition.get("passwd", {}).get("users", [])
        self.groups: list[dict[str, Any]] = ignition.get("passwd", {}).get("groups", [])
        self.units: list[dict[str, Any]] = ignition.get("systemd", {}).get("units", [])
        config = ignition.get("ignition", {}).get("config", {})
        self._built: dict[str, Unit] = {}
        self._triggered: dict[str, str] = {}
        self.is_replaced = bool(config.get("replace", {}).get("source"))
        self.is_whole = not config.get("merge") and not self.is_replaced

    @cached_property
    def nodes(self) -> tuple[StorageNode, ...]:
        """All directories, files and links, in the order in which Ignition makes them."""
        return tuple(
            StorageNode(kind=kind, item=item, json_path=("storage", kind, at))
            for kind in ("directories", "files", "links")
            for at, item in enumerate(self.storage.get(kind, ()))
        )

    @cached_property
    def by_path(self) -> dict[str, StorageNode]:
        """The nodes by path."""
        return {node.path: node for node in self.nodes}

    @cached_property
    def owners(self) -> dict[str, frozenset[str]]:
        """The users and groups that a file may belong to, by "user" and "group"."""
        users = frozenset(str(user.get("name")) for user in self.users) | image.users()
        groups = frozenset(str(group.get("name")) for group in self.groups) | image.groups() | image.hidden_groups()
        return {"user": users, "group": groups | users}

    def is_off(self, path: str) -> bool:
        """Return True if the config makes the path a link to /dev/null."""
        node = self.by_path.get(path)
        return node is not None and node.item.get("target") == "/dev/null"

    def files(self) -> Iterator[StorageNode]:
        """Yield the files."""
        return (node for node in self.nodes if node.kind == "files")

    @cached_property
    def mounts(self) -> frozenset[str]:
        """Paths at which Ignition mounts filesystems while it works."""
        return frozenset(fs["path"] for fs in self.storage.get("filesystems", ()) if fs.get("path"))

    def is_on_filesystem(self, path: str) -> bool:
        """Return True if the path is on a filesystem that the config mounts."""
        return any(path == mount or path.startswith(mount.rstrip("/") + "/") for mount in self.mounts if mount != "/")

    @cached_property
    def has_extension(self) -> bool:
        """True if the config brings extensions, which may have any program and unit."""
        if any(node.path.startswith(tuple(f"{folder}/" for folder in EXTENSION_DIRS)) for node in self.nodes
               if node.item.get("target") != "/dev/null"):  # fmt: skip
            return True
        return "/etc/flatcar/enabled-sysext.conf" in self.by_path

    @property
    def knows_all(self) -> bool:
        """True if programs and units can come from this config and the image only."""
        return self.is_whole and not self.has_extension

    @cached_property
    def unit_texts(self) -> dict[str, tuple[str, list[tuple[str, str]]]]:
        """Each unit's contents and drop-ins, from systemd.units and from files below /etc/systemd/system."""
        found: dict[str, tuple[str, list[tuple[str, str]]]] = {}
        for unit in self.units:
            dropins = [(str(one.get("name", "")), str(one.get("contents") or "")) for one in unit.get("dropins", ())]
            found[str(unit.get("name", ""))] = (str(unit.get("contents") or ""), dropins)
        for node in self.files():
            if not node.path.startswith(SYSTEMD_DIR):
                continue
            folder, _, name = node.path.removeprefix(SYSTEMD_DIR).rpartition("/")
            text = text_of(node.item.get("contents", {})) or ""
            if folder.endswith(".d") and name.endswith(".conf"):
                contents, dropins = found.get(folder.removesuffix(".d"), ("", []))
                found[folder.removesuffix(".d")] = (contents, [*dropins, (name, text)])
            elif not folder and unit_type(name):
                found[name] = (text, found.get(name, ("", []))[1])
        return found

    def unit(self, name: str) -> Unit:
        """Return a unit as systemd puts it together, as far as the config has it; an instance has its template's text."""
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def _build(self, name: str) -> Unit:
        contents, dropins = self.unit_texts.get(name, ("", []))
        template = template_of(name)
        if template and not contents:
            base, more = self.unit_texts.get(template, ("", []))
            contents, dropins = base, [*more, *dropins]
        return unit_of(name, contents, dropins)

    def is_written(self, name: str) -> bool:
        """Return True if the config has the unit's file, or its template's."""
        return any(self.unit_texts.get(one, ("", []))[0] for one in (name, template_of(name)))

    def knows_unit(self, name: str) -> bool:
        """Return True if the config writes the unit, or the image is known to have it."""
        return self.is_written(name) or image.unit_state(name) is not UnitState.UNKNOWN

    @cached_property
    def _bus_names(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.unit_texts:
            bus = self.unit(name).last("Service", "BusName") if name.endswith(".service") else ""
            if bus and self.is_written(name):
                found.setdefault(bus, []).append(name)
        return found

    def bus_twin(self, name: str) -> str:
        """Return another unit of the config with the same BusName=: systemd refuses one of the two."""
        bus = self.unit(name).last("Service", "BusName") if name.endswith(".service") else ""
        return next((other for other in self._bus_names.get(bus, ()) if other != name), "")

    @cached_property
    def _all_text(self) -> str:
        contents = [str(node.item.get("target") or text_of(node.item.get("contents", {})) or "") for node in self.nodes]
        return "\n".join([*contents, *(f"{text}{dropins}" for text, dropins in self.unit_texts.values())])

    def mentions(self, path: str, often: int = 0) -> bool:
        """Return True if units, files and links of the config name the path more often: something may use it, or write it."""
        return self._all_text.count(path) > often

    def finds(self, pattern: str) -> bool:
        """Return True if one of these texts has what the pattern says."""
        return re.search(pattern, self._all_text) is not None

    def refusal(self, name: str) -> UnitRefusal | None:
        """Return why systemd will refuse a unit that the config writes."""
        return refusal(self.unit(name)) if self.is_written(name) else None

    def triggered(self, name: str) -> str:
        """Return the unit that a socket, timer or path starts, "" for units that start none."""
        if name not in self._triggered:
            self._triggered[name] = self._find_triggered(name)
        return self._triggered[name]

    def _find_triggered(self, name: str) -> str:
        stem, _, kind = name.rpartition(".")
        if kind not in _TRIGGERS:
            return ""
        unit = self.unit(name)
        if kind == "automount":
            return f"{stem}.mount"
        given = unit.last("Socket", "Service") if kind == "socket" else unit.last(kind.capitalize(), "Unit")
        accepts = kind == "socket" and unit.last("Socket", "Accept").lower() in ("1", "yes", "y", "true", "t", "on")
        return given or (f"{stem}@.service" if accepts else f"{stem}.service")

    @cached_property
    def referenced(self) -> frozenset[str]:
        """The units that other units of the config name, or that links enable."""
        found: set[str] = set()
        for name in self.unit_texts:
            found.add(self.triggered(name))
            for text in self.unit(name).texts:
                for item in text.assignments:
                    if item.key in _STARTERS and is_unit_list(item.section, item.key):
                        found.update(item.value.split())
                    elif item.key.startswith("Exec"):
                        found.update(word.strip("\"';") for word in item.value.split() if unit_type(word.strip("\"';")))
        for node in self.nodes:
            if node.kind == "links" and node.path.startswith(SYSTEMD_DIR):
                found.add(posixpath.basename(node.path))
        return frozenset(found)
