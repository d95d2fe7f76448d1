"""Ignition's validation of a whole config, rule by rule, in its order (config/v3_x/types/*.go), and its search for duplicates.

One function for each struct; the rules of storage are in storage.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flatkit.butane import messages
from flatkit.butane.diagnostics import Diagnostics
from flatkit.butane.ignition import storage
from flatkit.butane.ignition.units import UnitFault, has_install_option, parse_unit
from flatkit.butane.ignition.urls import headers_fault, is_plain_http, proxy_fault, source_fault
from flatkit.butane.localfiles import clean
from flatkit.butane.schema import Schema, walk
from flatkit.butane.source.node import Path
from flatkit.butane.wording import Wording, go_quote

_UNIT_EXTENSION = re.compile(r"\.(service|socket|device|mount|automount|swap|target|path|timer|snapshot|slice|scope)\Z")
_INSTANCE = re.compile(r"^(.+?)@(.+?)\.service$")
_DIGEST_LENGTHS = {"sha512": 128, "sha256": 64}


def check_values(ignition: dict[str, Any], *, schema: Schema, diagnostics: Diagnostics) -> None:
    """Add every fault that Ignition itself finds."""
    checker = _Checker(schema, diagnostics)
    for name, value, path in walk(ignition, schema):
        if name in storage.CHECKS:
            storage.CHECKS[name](value, path, diagnostics)
        if name in _CHECKS:
            _CHECKS[name](checker, value, path)


class _Checker:
    def __init__(self, schema: Schema, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics
        self.with_arn = schema.ignition != "3.3.0"
        self.has_special_bits = schema.has_special_bits
        self.parsed: dict[str, list[tuple[str, str]] | Wording] = {}

    def root(self, value: dict[str, Any], _path: Path) -> None:
        """No file may lie where a unit or a drop-in is written."""
        taken = set()
        for unit in value.get("systemd", {}).get("units", ()):
            name = unit["name"]
            if unit.get("contents"):
                taken.add(f"/etc/systemd/system/{name}")
            for dropin in unit.get("dropins", ()):
                if dropin.get("contents"):
                    taken.add(f"/etc/systemd/system/{name}.d/{dropin['name']}")
        if not taken:
            return
        nodes = value.get("storage", {})
        for group in ("files", "directories", "links"):
            for at, node in enumerate(nodes.get(group, ())):
                if clean(node["path"]) in taken:
                    self.diagnostics.error(("storage", group, at, "path"), messages.PATH_CONFLICT())

    # Resources.

    def reference(self, resource: dict[str, Any], path: Path) -> None:
        """A merged config or a certificate needs a source; the fault is the entry's."""
        source = resource.get("source")
        fault = self.source_fault(source) if source else messages.SOURCE_REQUIRED()
        if fault:
            self.diagnostics.error(path, fault)

    def source_fault(self, url: str) -> Wording | None:
        """The fault of a URL in this version."""
        return source_fault(url, with_arn=self.with_arn)

    def resource(self, value: dict[str, Any], path: Path) -> None:
        """A resource of any kind."""
        if path[:3] == ("ignition", "config", "merge") or path[-2:-1] == ("certificateAuthorities",):
            self.reference(value, path)
        if value.get("compression") not in (None, "", "gzip"):
            self.diagnostics.error((*path, "compression"), messages.COMPRESSION())
        source = value.get("source")
        if "hash" in value.get("verification", {}) and source is None:
            self.diagnostics.error((*path, "verification", "hash"), messages.HASH_NEEDS_SOURCE())
        if source and (fault := self.source_fault(source)):
            self.diagnostics.error((*path, "source"), fault)
        if value.get("httpHeaders"):
            fault = headers_fault(source or "")
            if fault:
                self.diagnostics.error((*path, "httpHeaders"), fault)

    def header(self, value: dict[str, Any], path: Path) -> None:
        """An HTTP header."""
        if not value["name"]:
            self.diagnostics.error((*path, "name"), messages.HEADER_NAME())
        if value.get("value") == "":
            self.diagnostics.error((*path, "value"), messages.HEADER_VALUE())

    def verification(self, value: dict[str, Any], path: Path) -> None:
        """A checksum."""
        text = value.get("hash")
        if text is None:
            return
        kind, dash, digest = text.partition("-")
        if not dash:
            fault = messages.HASH_MALFORMED()
        elif kind not in _DIGEST_LENGTHS:
            fault = messages.HASH_FUNCTION()
        elif len(digest.encode("utf-8", "surrogateescape")) != _DIGEST_LENGTHS[kind]:
            fault = messages.HASH_SIZE()
        else:
            return
        self.diagnostics.error((*path, "hash"), fault)

    def proxy(self, value: dict[str, Any], path: Path) -> None:
        """Proxies are http(s)."""
        for name in ("httpProxy", "httpsProxy"):
            url = value.get(name)
            if url is None:
                continue
            if fault := proxy_fault(url):
                self.diagnostics.error((*path, name), fault)
            elif name == "httpsProxy" and is_plain_http(url):
                self.diagnostics.warning((*path, name), messages.PROXY_INSECURE())

    # Units.

    def parse(self, text: str) -> list[tuple[str, str]] | Wording:
        """The options of a unit text, or what is wrong with it; each text is read once."""
        if text not in self.parsed:
            try:
                self.parsed[text] = parse_unit(text)
            except UnitFault as fault:
                self.parsed[text] = messages.UNIT_CONTENTS(problem=str(fault))
        return self.parsed[text]

    def systemd(self, value: dict[str, Any], path: Path) -> None:
        """An enabled instance needs a template with an [Install] section."""
        units = value.get("units", ())
        templates = {unit["name"]: unit.get("contents") for unit in units}
        for at, unit in enumerate(units):
            match = _INSTANCE.match(unit["name"]) if unit.get("enabled") else None
            if match is None:
                continue
            template = f"{match.group(1)}@.service"
            contents = templates.get(template)
            if not contents:
                continue
            options = self.parse(contents)
            if isinstance(options, list) and not has_install_option(options):
                message = messages.TEMPLATE_NO_INSTALL(template=go_quote(template), unit=go_quote(unit["name"]))
                self.diagnostics.warning((*path, "units", at, "contents"), message)

    def unit(self, value: dict[str, Any], path: Path) -> None:
        """A unit: its name, its text, and whether enabling it does anything."""
        name = value["name"]
        if not _UNIT_EXTENSION.search(name):
            self.diagnostics.error((*path, "name"), messages.UNIT_EXTENSION())
        contents = value.get("contents")
        if not contents:
            return
        options = self.parse(contents)
        if isinstance(options, Wording):
            self.diagnostics.error((*path, "contents"), options)
        elif value.get("enabled") and not has_install_option(options):
            self.diagnostics.warning((*path, "contents"), messages.UNIT_NO_INSTALL(unit=go_quote(name)))

    def dropin(self, value: dict[str, Any], path: Path) -> None:
        """A drop-in: its text, then its name."""
        contents = value.get("contents")
        options = self.parse(contents) if contents else []
        if isinstance(options, Wording):
            self.diagnostics.error((*path, "contents"), options)
        if not value["name"].rpartition("/")[2].endswith(".conf"):
            self.diagnostics.error((*path, "name"), messages.DROPIN_EXTENSION())

    # Storage, beside the rules in storage.py.

    def node(self, value: dict[str, Any], path: Path) -> None:
        """A file, directory or link."""
        storage.check_node(value, path, self.diagnostics, has_special_bits=self.has_special_bits)

    def owner(self, value: dict[str, Any], path: Path) -> None:
        """An owning user or group."""
        if "id" in value and value.get("name"):
            self.diagnostics.error(path, messages.ID_AND_NAME())

    def luks(self, value: dict[str, Any], path: Path) -> None:
        """The key of an encrypted device."""
        if self.source_fault(value.get("keyFile", {}).get("source", "")):
            self.diagnostics.error((*path, "keys"), messages.LUKS_KEY())


_CHECKS: dict[str, Callable[[_Checker, dict[str, Any], Path], None]] = {
    "Config": _Checker.root,
    "Resource": _Checker.resource,
    "HTTPHeader": _Checker.header,
    "Verification": _Checker.verification,
    "Proxy": _Checker.proxy,
    "Systemd": _Checker.systemd,
    "Unit": _Checker.unit,
    "Dropin": _Checker.dropin,
    "File": _Checker.node,
    "Directory": _Checker.node,
    "Link": _Checker.node,
    "NodeUser": _Checker.owner,
    "NodeGroup": _Checker.owner,
    "Luks": _Checker.luks,
}

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
    "Clevis": (("tang",),),
    "Resource": (("httpHeaders",),),
    "Systemd": (("units",),),
    "Unit": (("dropins",),),
}


def find_duplicates(ignition: dict[str, Any], *, schema: Schema, diagnostics: Diagnostics) -> None:
    """Add an error for each later entry of an equal key, in the order of the JSON."""
    for name, value, path in walk(ignition, schema):
        for group in _KEYS.get(name, ()):
            _check_group(group, value, path, diagnostics)


def _check_group(group: tuple[str, ...], value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
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
    if group == "tang":
        return entry.get("url", "")
    if group in ("merge", "certificateAuthorities"):
        return entry.get("source", "")
    if group == "partitions":
        return entry.get("number", 0) or entry.get("label", "")
    return entry["name"]
