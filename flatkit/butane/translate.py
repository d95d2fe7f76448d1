"""Butane values -> Ignition: copies what both know, and writes out Butane's sugar.

Expects values that check_source.py has passed. Where a value of the JSON does not come from the same place of the YAML,
`origins` says where it does come from; provenance.py reads that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from flatkit.butane.dataurl import data_url
from flatkit.butane.diagnostics import Diagnostics
from flatkit.butane.localfiles import LocalFault, LocalFiles
from flatkit.butane.provenance import Origin
from flatkit.butane.quadlets import QuadletWriter
from flatkit.butane.schema import Schema, Shape, Struct, camel
from flatkit.butane.source.node import Path
from flatkit.butane.trees import TreeCopier

_STRUCT, _LIST = Shape.STRUCT, Shape.LIST


class Translated(NamedTuple):
    """Ignition as JSON-ready values in Ignition's order, and the origins by JSON path."""

    ignition: dict[str, Any]
    origins: dict[Path, Origin]


def translate_values(
    config: dict[str, Any], *, schema: Schema, files: LocalFiles, diagnostics: Diagnostics
) -> Translated:
    """Turn decoded values into Ignition; what goes wrong with local files is added to `diagnostics`."""
    translator = _Translator(schema, files, diagnostics)
    out = translator.struct(schema.root, config, ())
    version = {"version": schema.ignition}
    out = {"ignition": {**out.pop("ignition", {}), **version}, **out}
    translator.origins["ignition", "version"] = Origin(("version",))
    add_mount_units(config, out, translator.origins)
    trees = config.get("storage", {}).get("trees", [])
    if trees:
        TreeCopier(files, diagnostics, translator.origins).copy(trees, out, schema)
    quadlets = config.get("systemd", {}).get("quadlets", [])
    if quadlets:
        QuadletWriter(files, diagnostics, translator.origins).write(quadlets, out, schema)
    return Translated(out, translator.origins)


class _Translator:
    def __init__(self, schema: Schema, files: LocalFiles, diagnostics: Diagnostics) -> None:
        self.schema = schema
        self.files = files
        self.diagnostics = diagnostics
        self.origins: dict[Path, Origin] = {}

    def struct(self, struct: Struct, value: dict[str, Any], path: Path) -> dict[str, Any]:
        """A mapping; `path` is its place in the YAML, which is also its place in the JSON, but for the names."""
        name = struct.name
        if name in _SUGAR:
            value = _SUGAR[name](self, value, path)
        out: dict[str, Any] = {}
        for field in struct.json_fields:
            item = value.get(field.name)
            if item is None:
                if field.always:
                    out[field.json] = ""
                continue
            shape = field.type.shape
            if shape is _STRUCT:
                assert field.type.struct is not None
                item = self.struct(field.type.struct, item, (*path, field.name))
                if item:
                    out[field.json] = item
            elif shape is _LIST:
                if item:
                    out[field.json] = self.items(field.type.item, item, (*path, field.name))
            elif item or field.optional or field.always:
                out[field.json] = item
        return out

    def items(self, kind: Any, values: list[Any], path: Path) -> list[Any]:
        """A list; mappings in it are translated, other values taken as they are."""
        if kind.struct is None:
            return list(values)
        return [self.struct(kind.struct, value, (*path, at)) for at, value in enumerate(values)]

    # Sugar: each gives the mapping without it.

    def resource(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        """`inline` and `local` become a data URL."""
        sugar = "local" if "local" in value else "inline" if "inline" in value else ""
        if not sugar:
            return value
        text = value[sugar]
        if sugar == "local":
            try:
                data = self.files.read(text)
            except LocalFault as fault:
                self.diagnostics.error((*path, sugar), fault.message)
                return value
        else:
            data = text.encode("utf-8", "surrogateescape")
        source, compression = data_url(data, value.get("compression"))
        target = _json_path(path)
        self.origins[*target, "source"] = Origin((*path, sugar))
        if not value.get("compression"):
            self.origins[*target, "compression"] = Origin((*path, sugar))
        return {**value, "source": source, "compression": compression}

    def unit(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        """`contents_local` becomes the contents, in drop-ins first."""
        dropins = value.get("dropins")
        if dropins:
            # Drop-ins first, since Butane reports their faults first; the generic walk then copies the result.
            value = {**value, "dropins": [self.contents(v, (*path, "dropins", i)) for i, v in enumerate(dropins)]}
        return self.contents(value, path)

    def contents(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        """`contents_local` of a unit or a drop-in."""
        local = value.get("contents_local")
        if not local:
            return value
        try:
            data = self.files.read(local)
        except LocalFault as fault:
            self.diagnostics.error((*path, "contents_local"), fault.message)
            return value
        self.origins[*_json_path(path), "contents"] = Origin((*path, "contents_local"))
        return {**value, "contents": data.decode("utf-8", "surrogateescape")}

    def user(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        """`ssh_authorized_keys_local` files are split into keys."""
        locals_ = value.get("ssh_authorized_keys_local")
        if not locals_:
            return value
        where = (*path, "ssh_authorized_keys_local")
        if not self.files.base:
            try:
                self.files.locate("")
            except LocalFault as fault:
                self.diagnostics.error(where, fault.message)
            return value
        keys = list(value.get("ssh_authorized_keys", []))
        target = (*_json_path(path), "sshAuthorizedKeys")
        if not keys:
            self.origins[target] = Origin(where)
        for at, local in enumerate(locals_):
            try:
                data = self.files.read(local)
            except LocalFault as fault:
                self.diagnostics.error((*where, at), fault.message)
                continue
            for line in data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n"):
                if line:
                    self.origins[*target, len(keys)] = Origin((*where, at))
                    keys.append(line)
        return {**value, "ssh_authorized_keys": keys}


_SUGAR = {"Resource": _Translator.resource, "Unit": _Translator.unit, "PasswdUser": _Translator.user}


def _json_path(path: Path) -> Path:
    return tuple(camel(part) if isinstance(part, str) else part for part in path)


_UNIT_KEYS = ("contents", "dropins", "enabled", "mask", "name")
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.")


def escape_path(path: str) -> str:
    """A path as systemd-escape writes it in unit names; Butane leaves the hex digits without a leading zero."""
    raw = path.encode("utf-8", "surrogateescape")
    parts = [part for part in raw.split(b"/") if part]
    if not parts:
        return "-"
    joined = b"/".join(parts)
    out = []
    for at, byte in enumerate(joined):
        if byte == 0x2F:
            out.append("-")
        elif byte in _PLAIN and not (at == 0 and byte == 0x2E):
            out.append(chr(byte))
        else:
            out.append(f"\\x{byte:x}")
    return "".join(out)


def mount_unit(filesystem: dict[str, Any], *, is_remote: bool = False) -> dict[str, Any]:
    """The unit for a filesystem of the YAML, as Ignition's JSON has units. `is_remote`: its disk is unlocked over the network."""
    device = filesystem.get("device", "")
    options = [*filesystem.get("mount_options", ()), *["_netdev"] * is_remote]
    option_line = f"\nOptions={','.join(options)}" if options else ""
    if filesystem.get("format") == "swap":
        name = escape_path(device) + ".swap"
        body = f"[Swap]\nWhat={device}{option_line}\n\n[Install]\nRequiredBy=swap.target"
    else:
        path = filesystem.get("path", "")
        name = escape_path(path) + ".mount"
        check = f"systemd-fsck@{escape_path(device)}.service"
        body = (
            f"[Unit]\nRequires={check}\nAfter={check}\n\n"
            f"[Mount]\nWhere={path}\nWhat={device}\nType={filesystem.get('format', '')}{option_line}\n\n"
            f"[Install]\nRequiredBy={'remote' if is_remote else 'local'}-fs.target"
        )
    return {"contents": f"# Generated by Butane\n{body}", "enabled": True, "name": name}


def add_mount_units(config: dict[str, Any], out: dict[str, Any], origins: dict[Path, Origin]) -> None:
    """Generated units come first; a unit of the user's of the same name is merged into its generated one."""
    filesystems = config.get("storage", {}).get("filesystems", [])
    remote = {
        prefix + luks.get("name", "")
        for luks in config.get("storage", {}).get("luks", ())
        if luks.get("clevis", {}).get("tang")
        for prefix in ("/dev/mapper/", "/dev/disk/by-id/dm-name-")
    }
    made = [
        (at, mount_unit(fs, is_remote=fs.get("device", "") in remote))
        for at, fs in enumerate(filesystems)
        if fs.get("with_mount_unit")
    ]
    if not made:
        return
    own = out.get("systemd", {}).get("units", [])
    last = {unit["name"]: at for at, unit in enumerate(own)}
    names = {unit["name"] for _, unit in made}
    units: list[dict[str, Any]] = []
    old = {path: origins.pop(path) for path in list(origins) if path[:2] == ("systemd", "units")}

    def keep_origins(at: int, target: Path) -> None:
        origins.update({(*target, *path[3:]): origin for path, origin in old.items() if path[2] == at})

    for at, unit in made:
        target: Path = ("systemd", "units", len(units))
        origins[target] = Origin(("storage", "filesystems", at, "with_mount_unit"), whole=True)
        user_at = last.get(unit["name"])
        if user_at is not None:
            user = own[user_at]
            origins.update({(*target, name): Origin(("systemd", "units", user_at, name)) for name in user})
            keep_origins(user_at, target)
            unit = {name: {**unit, **user}[name] for name in _UNIT_KEYS if name in unit or name in user}
        units.append(unit)
    for at, unit in enumerate(own):
        if unit["name"] not in names:
            target = ("systemd", "units", len(units))
            origins[target] = Origin(("systemd", "units", at))
            keep_origins(at, target)
            units.append(unit)
    out["systemd"] = {"units": units}
