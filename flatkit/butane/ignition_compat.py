"""Ignition configs for a machine: downgraded to the spec version that its Ignition reads, and with SSH keys added.

Pure functions; each returns a new value. The features of each spec are from Ignition's own page on upgrading configs. Special
bits of a mode are one of 3.6.0: for configs of older specs every Ignition masks them (config/v3_6/translate).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from flatkit.butane.dataurl import data_url, decode_data_url
from flatkit.butane.diagnostics import path_text
from flatkit.butane.ignition.config import SEMVER
from flatkit.butane.ignition.go_json import dump
from flatkit.butane.provenance import leaves_of
from flatkit.butane.schema import get_schema
from flatkit.butane.source.node import Path
from flatkit.errors import InputError
from flatkit.ignition_specs import NEWEST_SPEC, find_major
from flatkit.untrusted import parse_json, printable
from flatkit.version_numbers import VersionNumber, dotted, split_version

# The result of variant flatcar 1.2.0-experimental. It may change, so a machine gets a released spec.
_EXPERIMENTAL = get_schema("1.2.0-experimental").ignition


def version_of(ignition: dict[str, Any]) -> VersionNumber:
    """Return the spec version of a config. Raises InputError when it has none that flatkit hands over."""
    text = ignition.get("ignition", {}).get("version", "")
    match = SEMVER.match(text) if isinstance(text, str) else None
    found = split_version(text, digits=18) if match else None
    if match is None or found is None or (match.group(4) and text != _EXPERIMENTAL) or match.group(1) != "3":
        raise InputError(
            f'the Ignition spec version is "{printable(text)}"; expected a released one from "3.0.0" on',
            hint="flatkit butane CONFIG.bu   (it writes a config with a fitting version)",
        )
    return found[0]


def downgrade(ignition: dict[str, Any], limit: VersionNumber = (3, 3, 0)) -> tuple[dict[str, Any], str]:
    """Return the config as spec version `limit`, and a line that says so; unchanged, and "", if it is not newer.

    Configs inside it are downgraded too, whatever its own version is. Raises InputError, naming the field, its JSON path
    and the releases of Flatcar that know it, if the config uses what `limit` does not know.
    """
    version = version_of(ignition)
    if version <= limit:
        lowered = _with_embedded(ignition, limit)
        note = f"a merged config is handed over as Ignition {dotted(limit)} (it uses nothing newer)"
        return (ignition, "") if lowered == ignition else (lowered, note)
    had, gets = ignition["ignition"]["version"], dotted(limit)
    if version > NEWEST_SPEC and had != _EXPERIMENTAL:
        raise InputError(
            f'the config is Ignition spec "{had}", which flatkit does not know; expected at most "{dotted(NEWEST_SPEC)}"',
            hint="set a lower version in the config",
        )
    for since, path, what in _newer_features(ignition):
        if since > limit:
            raise InputError(
                f'"{path_text(path)}" uses {what}, which needs Ignition spec {dotted(since)}; '
                f"the machine's Ignition reads up to {gets}",
                hint=f"take {path[-1] if isinstance(path[-1], str) else path[-2]} out of the config, "
                f"or boot Flatcar {find_major(since)} or newer",
            )
    lowered = _with_embedded({**ignition, "ignition": {**ignition["ignition"], "version": gets}}, limit)
    note = f"handed over as Ignition {gets} (the config says {had}; it uses nothing newer than {gets})"
    return lowered, note


def _newer_features(ignition: dict[str, Any]) -> Iterator[tuple[VersionNumber, Path, str]]:
    """Yield the features newer than 3.3.0: since when, where, what. 3.7.0-experimental has none beyond 3.6.0."""
    storage = ignition.get("storage", {})
    for at, device in enumerate(storage.get("luks", ())):
        where: Path = ("storage", "luks", at)
        if "discard" in device:
            yield (3, 4, 0), (*where, "discard"), "LUKS discard"
        if device.get("openOptions"):
            yield (3, 4, 0), (*where, "openOptions"), "LUKS open options"
        if device.get("cex"):
            yield (3, 5, 0), (*where, "cex"), "LUKS with CEX"
        for number, tang in enumerate(device.get("clevis", {}).get("tang", ())):
            if "advertisement" in tang:
                yield (3, 4, 0), (*where, "clevis", "tang", number, "advertisement"), "offline Tang provisioning"
    for group in ("directories", "files") if version_of(ignition) >= (3, 6, 0) else ():
        for at, node in enumerate(storage.get(group, ())):
            if (node.get("mode") or 0) & 0o7000:
                yield (3, 6, 0), ("storage", group, at, "mode"), "setuid, setgid or sticky bits"
    for path, value in leaves_of(ignition):
        if path[-1:] == ("source",) and str(value).lower().startswith("arn:"):
            yield (3, 4, 0), path, "an arn: source"


def _with_embedded(ignition: dict[str, Any], limit: VersionNumber) -> dict[str, Any]:
    """Configs inside the config, as data URLs, have versions of their own."""
    config = ignition["ignition"].get("config")
    if not config:
        return ignition
    out = dict(config)
    if "merge" in config:
        out["merge"] = [_downgrade_resource(item, limit) for item in config["merge"]]
    if "replace" in config:
        out["replace"] = _downgrade_resource(config["replace"], limit)
    return {**ignition, "ignition": {**ignition["ignition"], "config": out}}


def _downgrade_resource(resource: dict[str, Any], limit: VersionNumber) -> dict[str, Any]:
    inner = _embedded_config(resource)
    # 2.x is left to the machine: Flatcar's Ignition converts it.
    if inner is None or str(inner["ignition"].get("version")).startswith("2.") or version_of(inner) <= limit:
        return resource
    if resource.get("verification", {}).get("hash"):
        raise InputError(
            f"a merged config is newer than Ignition {dotted(limit)} and has a checksum, so it cannot be rewritten",
            hint=f'set "version" of the merged config to "{dotted(limit)}"',
        )
    try:
        lowered, _ = downgrade(inner, limit)
    except InputError as error:
        raise InputError(f"in a merged config, {error.message}", hint=error.hint) from None
    source, compression = data_url(dump(lowered).encode(), None)
    return {**resource, "compression": compression, "source": source}


def _embedded_config(resource: dict[str, Any]) -> dict[str, Any] | None:
    data = decode_data_url(resource.get("source", ""), packed=resource.get("compression") == "gzip")
    try:
        value = parse_json(data) if data else None
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("ignition"), dict) else None


# flatkit's key.


def _same_key(one: str, other: str) -> bool:
    """True if two lines of authorized_keys have the same key; comments do not count."""
    return one.split()[:2] == other.split()[:2]


def add_ssh_keys(ignition: dict[str, Any], public_keys: Iterable[str]) -> dict[str, Any]:
    """Return the config with more SSH keys for the user core; unchanged if the keys are there already."""
    for key in public_keys:
        ignition = _add_key(ignition, key.strip())
    return ignition


def _add_key(ignition: dict[str, Any], key: str) -> dict[str, Any]:
    passwd = ignition.get("passwd", {})
    users = list(passwd.get("users", ()))
    at = next((i for i, entry in enumerate(users) if entry.get("name") == "core"), None)
    if at is None:
        users.append({"name": "core", "sshAuthorizedKeys": [key]})
    else:
        keys = users[at].get("sshAuthorizedKeys", [])
        if any(_same_key(known, key) for known in keys):
            return ignition
        users[at] = get_schema().in_order("PasswdUser", {**users[at], "sshAuthorizedKeys": [*keys, key]})
    return get_schema().in_order(
        "Config", {**ignition, "passwd": get_schema().in_order("Passwd", {**passwd, "users": users})}
    )
