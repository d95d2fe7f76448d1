"""Sentences about a config's users, files and disks, and the words that they share with those about units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flatkit.butane.access import login_of
from flatkit.butane.advice.storage import mounts_later
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import Plan, StorageNode, data_of
from flatkit.butane.machine.unit_verdict import escape_path
from flatkit.butane.source.node import Path
from flatkit.butane.transpile import Translation
from flatkit.untrusted import is_number

# Ignition masks the others for configs before spec 3.6.0, whatever machine reads them (config/v3_6/translate).
_KEPT = 0o777


@dataclass(frozen=True, kw_only=True)
class Told:
    """A sentence about the item at `path` in the Ignition JSON.

    `failure` is what to say instead where Ignition fails on it, before the reason.
    """

    text: str
    path: Path
    reason: str = ""
    failure: str = ""
    fails: bool = False


def count(number: int, what: str) -> str:
    """Return "1 file" or "2 files"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """Return "a", "a and b", or "a, b and c"."""
    return " and ".join([*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]])


def source_in_words(resource: dict[str, Any]) -> str:
    """Return the origin of contents, in words."""
    source = str(resource.get("source") or "")
    if not source:
        return "empty"
    data = data_of(resource)
    if data is None:
        return f"fetched from {source}" + (", unpacked" if resource.get("compression") == "gzip" else "")
    return f"{count(len(data), 'byte')} from the config itself"


def explain_files(plan: Plan, translation: Translation) -> Iterator[Told]:
    """Yield a sentence for each directory, file and link."""
    for node in plan.nodes:
        if node.kind == "directories":
            subject = f"The directory {node.path}"
            text = f"{subject} is made, with mode {_mode(node.item, 0o755)}{_owner(node.item)}."
            yield Told(text=text, path=node.json_path, failure=f"{subject} cannot be made.")
        elif node.kind == "files":
            subject = f"The file {node.path}"
            reason = _file_reason(node, translation)
            yield Told(
                text=_file(node, subject), path=node.json_path, reason=reason, failure=f"{subject} cannot be written."
            )
        else:
            kind = "hard link" if node.item.get("hard") else "link"
            subject = f"The {kind} {node.path}"
            text = f"{subject} to {node.item.get('target')} is made."
            reason = _tree_reason(node.json_path, translation)
            yield Told(text=text, path=node.json_path, reason=reason, failure=f"{subject} cannot be made.")


def _mode(item: dict[str, Any], default: int) -> str:
    mode = item.get("mode", default)
    dropped = f" (the special bits of {mode:04o} are dropped)" if mode & ~_KEPT else ""
    return f"{mode & _KEPT:04o}{dropped}"


def _owner(item: dict[str, Any]) -> str:
    named = [(words, item.get(key, {})) for words, key in (("owner", "user"), ("group", "group"))]
    found = [
        f"{words} {value.get('name') or value.get('id')}"
        for words, value in named
        if value.get("name") or value.get("id")
    ]
    return f" and {' and '.join(found)}" if found else ""


def _file(node: StorageNode, subject: str) -> str:
    item = node.item
    pieces = item.get("append", ())
    contents = item.get("contents", {})
    if pieces and not contents.get("source"):
        return f"{subject} gets {count(len(pieces), 'piece')} of text added at its end."
    how = f"with mode {_mode(item, 0o644)}{_owner(item)}"
    if not contents.get("source") and not item.get("overwrite"):
        return f"{subject} is made, empty, unless it exists, {how}."
    verb = "replaced" if item.get("overwrite") else "written"
    added = f", and gets {count(len(pieces), 'piece')} of text added at its end" if pieces else ""
    return f"{subject} is {verb} ({source_in_words(contents)}), {how}{added}."


def _file_reason(node: StorageNode, translation: Translation) -> str:
    reason = _tree_reason(node.json_path, translation)
    source = node.item.get("contents", {}).get("source", "")
    origin = translation.provenance.to_yaml((*node.json_path, "contents", "source"))
    if reason or not source.startswith("data:") or origin[-1] == "source":
        return reason
    packed = ", packed with gzip, since that is shorter" if node.item["contents"].get("compression") == "gzip" else ""
    named = "the file's contents travel" if origin[-1] == "local" else "the text travels"
    escaped = ", with odd characters as %XX" if "%" in source else ""
    how = packed or (", in base64" if source.startswith("data:;base64,") else escaped)
    return f"Ignition knows only URLs, so {named} inside the config as a data URL{how}."


def _tree_reason(path: Path, translation: Translation) -> str:
    origin = translation.provenance.to_yaml((*path, "path"))
    return "It is in a local directory that storage.trees embeds." if origin[:2] == ("storage", "trees") else ""


def explain_disks(plan: Plan, _: Translation) -> Iterator[Told]:
    """Yield a sentence for each disk, array, encrypted device and filesystem."""
    storage = plan.storage
    for at, disk in enumerate(storage.get("disks", ())):
        wiped = ", after its partition table is erased" if disk.get("wipeTable") else ""
        text = f"The disk {disk['device']} gets {count(len(disk.get('partitions', ())), 'partition')}{wiped}."
        yield Told(text=text, path=("storage", "disks", at))
    for at, raid in enumerate(storage.get("raid", ())):
        level = str(raid.get("level") or "")
        named = f"raid{level}" if is_number(level) else level
        devices = count(len(raid.get("devices", ())), "device")
        text = f"{devices.capitalize()} become the array /dev/md/{raid['name']} ({named})."
        yield Told(text=text, path=("storage", "raid", at))
    for at, device in enumerate(storage.get("luks", ())):
        yield Told(text=_luks(device), path=("storage", "luks", at))
    for at, filesystem in enumerate(storage.get("filesystems", ())):
        yield Told(text=_filesystem(plan, filesystem), path=("storage", "filesystems", at))


def _luks(device: dict[str, Any]) -> str:
    # Ignition's stage files writes /etc/crypttab, and the key to /etc/luks.
    key = "the key that the config gives" if device.get("keyFile", {}).get("source") else "a random key"
    name = device["name"]
    return (
        f"The device {device.get('device')} is encrypted as /dev/mapper/{name} with {key}; the key is kept in /etc/luks on the "
        "machine, so that every boot can open it."
    )


def _filesystem(plan: Plan, filesystem: dict[str, Any]) -> str:
    kind, device = filesystem.get("format"), filesystem["device"]
    what = "swap area" if kind == "swap" else f"{kind} filesystem"
    if not kind or kind == "none":
        made = f"The device {device} is left as it is"
    elif filesystem.get("wipeFilesystem"):
        made = f"The device {device} gets a new {what}; what was on it is lost"
    else:
        made = f"The device {device} gets {'an' if what[0] in 'aeiox' else 'a'} {what} unless a fitting one is there"
    path = filesystem.get("path")
    if kind == "swap":
        return f"{made}{'' if f'{escape_path(device)}.swap' in plan.unit_texts else ', but no unit here uses it'}."
    if not path:
        return f"{made}."
    later = _later(plan, path, filesystem)
    return f"{made}; files below {path} are written onto it{later}."


def _later(plan: Plan, path: str, filesystem: dict[str, Any]) -> str:
    if mounts_later(plan, path):
        return ""
    if (
        path in ("/", "/usr", "/oem", "/usr/share/oem", "/boot")
        or filesystem.get("label") == "ROOT"
        or not plan.is_whole
    ):
        return ""
    return ", but nothing mounts it there after this boot"


def explain_users(plan: Plan, _: Translation) -> Iterator[Told]:
    """Yield a sentence for each group and user."""
    for at, group in enumerate(plan.groups):
        verb = "deleted" if group.get("shouldExist") is False else "created if it is missing"
        subject = f"The group {group['name']}"
        yield Told(text=f"{subject} is {verb}.", path=("passwd", "groups", at), failure=f"{subject} cannot be created.")
    for at, user in enumerate(plan.users):
        verb = "changed" if user["name"] in image.users() else "created"
        failure = f"The user {user['name']} cannot be {verb}." if user["name"] else ""
        yield Told(text=_user(user, plan), path=("passwd", "users", at), failure=failure)

    if "core" not in {user["name"] for user in plan.users} and login_of({"name": "core"}, plan).possible:
        yield Told(text="The user core, which Flatcar has already, may log in with a key file.", path=("passwd",))


def _user(user: dict[str, Any], plan: Plan) -> str:
    name = str(user["name"])
    if user.get("shouldExist") is False:
        return f"The user {name} is deleted."
    is_old = name in image.users()
    acts = [] if is_old else ["is created"]
    groups = [str(group) for group in user.get("groups", ())]
    if groups and is_old:
        acts.append(
            f"has {listed(groups)} as the only {'group' if len(groups) == 1 else 'groups'} in /etc/group from now on"
        )
    elif groups:
        acts.append(f"joins {listed(groups)}")
    acts.append(_login(user, plan))
    who = f"The user {name}, which Flatcar has already," if is_old else f"The user {name}"
    return f"{who} {', '.join(acts[:-1])}{', and ' if len(acts) > 2 else ' and ' if len(acts) > 1 else ''}{acts[-1]}."


def _login(user: dict[str, Any], plan: Plan) -> str:
    login = login_of(user, plan)
    ways = [count(login.keys, "SSH key")] if login.keys else []
    ways += ["a key file"] if login.key_file else []
    ways += ["a password"] if login.password else []
    if login.obstacle:
        return f"cannot log in: {login.obstacle}"
    if ways:
        return f"may log in with {' or '.join(ways)}"
    given = [words for key, words in (("sshAuthorizedKeys", "key"), ("passwordHash", "password")) if user.get(key)]
    if given:
        return f"cannot log in: the {' and the '.join(given)} given here {'is' if len(given) == 1 else 'are'} not valid"
    return "cannot log in" if plan.is_whole else "cannot log in by this config alone"
