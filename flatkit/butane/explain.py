"""The effect of a config on a machine, in order and in plain words, with the reason for what Butane added.

The order is Ignition's own: configs are fetched and merged, kernel arguments, disks, then users, files and units; only
then does the machine start for real.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flatkit.butane.dataurl import decode_data_url
from flatkit.butane.source.node import Path
from flatkit.butane.transpile import Translation
from flatkit.report import Span


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One thing that happens. `reason` says why Butane or Ignition does it that way; `json_path` and `span` say where."""

    phase: str
    text: str
    reason: str = ""
    json_path: Path = ()
    span: Span | None = None


PHASES = ("configs", "kernel", "disks", "users", "files", "units")
TITLES = {
    "configs": "First, Ignition fetches",
    "kernel": "Then it looks at the kernel command line",
    "disks": "Then it prepares the disks",
    "users": "Then it creates users and groups",
    "files": "Then it writes directories, files and links",
    "units": "Then it hands units to systemd",
}


def explain(translation: Translation) -> tuple[Sentence, ...]:
    """The sentences, in the order in which things happen; () for a config that does not translate."""
    config = translation.ignition
    if config is None:
        return ()
    parts = (_configs, _kernel, _disks, _users, _files, _units)
    found = (sentence for part in parts for sentence in part(config, translation))
    spans = translation.provenance
    return tuple(
        Sentence(phase=s.phase, text=s.text, reason=s.reason, json_path=s.json_path, span=spans.span(s.json_path))
        for s in found
    )


def explain_text(translation: Translation) -> str:
    """The same as text for a terminal."""
    sentences = explain(translation)
    out = ["On the first boot, before anything else starts:"]
    for phase in PHASES:
        mine = [sentence for sentence in sentences if sentence.phase == phase]
        if mine:
            out += ["", TITLES[phase] + ":"]
            for sentence in mine:
                out.append(f"  - {sentence.text}")
                if sentence.reason:
                    out.append(f"      Why: {sentence.reason}")
    if not sentences:
        out.append("  nothing: the config is empty. The machine starts, but nobody can log in.")
    out += ["", "Ignition never runs again on this machine: to change the config, make a new machine."]
    return "\n".join(out) + "\n"


def _of(phase: str, text: str, path: Path, reason: str = "") -> Sentence:
    return Sentence(phase=phase, text=text, reason=reason, json_path=path)


def _source(resource: dict[str, Any]) -> str:
    """The origin of contents, in words."""
    source = resource.get("source")
    if not source:
        return "empty"
    data = decode_data_url(source, packed=resource.get("compression") == "gzip")
    if data is None:
        return f"fetched from {source}" + (", unpacked" if resource.get("compression") == "gzip" else "")
    return f"{len(data)} bytes from the config itself"


def _configs(config: dict[str, Any], _: Translation) -> Iterator[Sentence]:
    ignition = config["ignition"]
    inner = ignition.get("config", {})
    for at, resource in enumerate(inner.get("merge", ())):
        text = f"another config is merged into this one: {_source(resource)}"
        yield _of("configs", text, ("ignition", "config", "merge", at))
    if "replace" in inner:
        text = f"another config takes the place of this one: {_source(inner['replace'])}"
        reason = "replace throws everything else in this config away"
        yield _of("configs", text, ("ignition", "config", "replace"), reason)
    for at, _authority in enumerate(ignition.get("security", {}).get("tls", {}).get("certificateAuthorities", ())):
        path = ("ignition", "security", "tls", "certificateAuthorities", at)
        yield _of("configs", "one more certificate authority is trusted while fetching", path)
    for name, value in ignition.get("proxy", {}).items():
        if isinstance(value, str):
            yield _of("configs", f"{name} {value} is used while fetching", ("ignition", "proxy", name))


def _kernel(config: dict[str, Any], _: Translation) -> Iterator[Sentence]:
    arguments = config.get("kernelArguments", {})
    for name, verb in (("shouldExist", "added"), ("shouldNotExist", "removed")):
        for at, argument in enumerate(arguments.get(name, ())):
            reason = "the machine reboots once, so that the kernel sees it" if at == 0 else ""
            text = f'the kernel argument "{argument}" is {verb} if need be'
            yield _of("kernel", text, ("kernelArguments", name, at), reason)


def _disks(config: dict[str, Any], _: Translation) -> Iterator[Sentence]:
    storage = config.get("storage", {})
    for at, disk in enumerate(storage.get("disks", ())):
        wiped = ", after its partition table is erased" if disk.get("wipeTable") else ""
        count = len(disk.get("partitions", ()))
        text = f"the disk {disk['device']} gets {count} partition{'' if count == 1 else 's'}{wiped}"
        yield _of("disks", text, ("storage", "disks", at))
    for at, raid in enumerate(storage.get("raid", ())):
        text = f"{len(raid.get('devices', ()))} devices become the array {raid['name']} ({raid.get('level')})"
        yield _of("disks", text, ("storage", "raid", at))
    for at, device in enumerate(storage.get("luks", ())):
        key = "a key file" if device.get("keyFile") else "a random key that stays on the machine"
        text = f"{device.get('device')} is encrypted as /dev/mapper/{device['name']}, with {key}"
        yield _of("disks", text, ("storage", "luks", at))
    for at, filesystem in enumerate(storage.get("filesystems", ())):
        yield _of("disks", _filesystem(filesystem), ("storage", "filesystems", at))


def _filesystem(filesystem: dict[str, Any]) -> str:
    kind = filesystem.get("format")
    device = filesystem["device"]
    if not kind or kind == "none":
        made = f"{device} is left as it is"
    elif filesystem.get("wipeFilesystem"):
        made = f"{device} gets a new {kind} filesystem; what was on it is lost"
    else:
        made = f"{device} gets {_an(kind)} filesystem unless a fitting one is there"
    path = filesystem.get("path")
    return made + (f"; files below {path} are written onto it" if path else "")


def _an(word: str) -> str:
    return f"{'an' if word[0] in 'aeiox' else 'a'} {word}"


def _users(config: dict[str, Any], _: Translation) -> Iterator[Sentence]:
    passwd = config.get("passwd", {})
    for at, group in enumerate(passwd.get("groups", ())):
        verb = "deleted" if group.get("shouldExist") is False else "created if it is missing"
        yield _of("users", f"the group {group['name']} is {verb}", ("passwd", "groups", at))
    for at, user in enumerate(passwd.get("users", ())):
        yield _of("users", _user(user), ("passwd", "users", at))


def _user(user: dict[str, Any]) -> str:
    name = user["name"]
    if user.get("shouldExist") is False:
        return f"the user {name} is deleted"
    out = f"the user {name} is {'set up (Flatcar has it already)' if name == 'core' else 'created'}"
    if user.get("groups"):
        out += f", joins {', '.join(user['groups'])}"
    count = len(user.get("sshAuthorizedKeys", ()))
    ways = [f"{count} SSH key{'' if count == 1 else 's'}"] if count else []
    ways += ["a password"] if user.get("passwordHash") else []
    return out + (f", and may log in with {' or '.join(ways)}" if ways else ", and cannot log in")


def _files(config: dict[str, Any], translation: Translation) -> Iterator[Sentence]:
    storage = config.get("storage", {})
    for at, node in enumerate(storage.get("directories", ())):
        text = f"the directory {node['path']} is made, mode {_mode(node, 0o755)}{_owner(node)}"
        yield _of("files", text, ("storage", "directories", at))
    for at, node in enumerate(storage.get("files", ())):
        path: Path = ("storage", "files", at)
        yield _of("files", _file(node), path, _file_reason(node, path, translation))
    for at, node in enumerate(storage.get("links", ())):
        kind = "hard link" if node.get("hard") else "link"
        text = f"{node['path']} becomes a {kind} to {node.get('target')}"
        yield _of("files", text, ("storage", "links", at), _tree_reason(("storage", "links", at), translation))


def _mode(node: dict[str, Any], default: int) -> str:
    return f"{node.get('mode', default):04o}"


def _owner(node: dict[str, Any]) -> str:
    user = node.get("user", {})
    owner = user.get("name") or user.get("id")
    return f", owned by {owner}" if owner is not None else ""


def _file(node: dict[str, Any]) -> str:
    pieces = node.get("append", ())
    verb = "replaced" if node.get("overwrite") else "written"
    if pieces and "contents" not in node:
        return f"{node['path']} is added to, in {len(pieces)} piece{'' if len(pieces) == 1 else 's'}"
    text = f"{node['path']} is {verb} ({_source(node.get('contents', {}))}), mode {_mode(node, 0o644)}{_owner(node)}"
    return text + (f", and added to {len(pieces)} times" if pieces else "")


def _file_reason(node: dict[str, Any], path: Path, translation: Translation) -> str:
    reason = _tree_reason(path, translation)
    source = node.get("contents", {}).get("source", "")
    origin = translation.provenance.to_yaml((*path, "contents", "source"))
    if reason or not source.startswith("data:") or origin[-1] == "source":
        return reason
    packed = ", packed with gzip, since that is shorter" if node["contents"].get("compression") == "gzip" else ""
    named = "the file's contents travel" if origin[-1] == "local" else "the text travels"
    escaped = ", with odd characters as %XX" if "%" in source else ""
    how = packed or (", in base64" if source.startswith("data:;base64,") else escaped)
    return f"Ignition knows only URLs, so {named} inside the config as a data URL{how}"


def _tree_reason(path: Path, translation: Translation) -> str:
    origin = translation.provenance.to_yaml((*path, "path"))
    return "it is in a local directory that storage.trees embeds" if origin[:2] == ("storage", "trees") else ""


def _units(config: dict[str, Any], translation: Translation) -> Iterator[Sentence]:
    for at, unit in enumerate(config.get("systemd", {}).get("units", ())):
        path: Path = ("systemd", "units", at)
        origin = translation.provenance.to_yaml((*path, "contents"))
        made = origin[-1:] == ("with_mount_unit",)
        yield _of("units", _unit(unit, made), path, _unit_reason(unit, made))


def _unit(unit: dict[str, Any], made: bool) -> str:
    acts = ["written by Butane" if made else "written"] if unit.get("contents") else []
    count = len(unit.get("dropins", ()))
    acts += [f"changed by {count} drop-in{'' if count == 1 else 's'}"] if count else []
    acts += ["masked, so that nothing can start it"] if unit.get("mask") else []
    if "enabled" in unit:
        acts.append("enabled: it starts at every boot" if unit["enabled"] else "disabled")
    return f"{unit['name']} is {', '.join(acts) if acts else 'left as it is'}"


def _unit_reason(unit: dict[str, Any], made: bool) -> str:
    if made:
        return "Ignition mounts the filesystem only while it works; this unit mounts it at every boot (with_mount_unit)"
    if unit.get("enabled"):
        return "Ignition writes a preset (enable) to /etc/systemd/system-preset; systemd acts on it at the first boot"
    return ""
