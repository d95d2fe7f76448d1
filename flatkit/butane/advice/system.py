"""Advice on what has a meaning for a program of the system: users, networks, SSH, extensions, the kernel, other configs."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from flatkit.butane import messages
from flatkit.butane.access import NO_LOGIN_SHELLS, find_unreadable_keys, port_of, ssh_ports
from flatkit.butane.detect import Format, detect_format
from flatkit.butane.diagnostics import Hint, hint
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import EXTENSION_DIRS, Plan, StorageNode, data_of, text_of
from flatkit.butane.machine.unit_file import parse
from flatkit.butane.source.node import Path
from flatkit.report import Kind
from flatkit.untrusted import is_number, lines_of

_NETWORK_DIRS = ("/etc/systemd/network", "/run/systemd/network")
_NEEDED = {".network": "Match", ".link": "Match", ".netdev": "NetDev"}
_VERSIONED = re.compile(r"[-_]v?[0-9]+(\.[0-9]+)+.*$|[-_](x86[-_]64|amd64|arm64|aarch64)$")


def advise_system(plan: Plan) -> Iterator[Hint]:
    """Yield the advice."""
    for node in plan.files():
        yield from _network(node)
    yield from _ssh(plan)
    yield from _extensions(plan)
    for at, argument in enumerate(plan.ignition.get("kernelArguments", {}).get("shouldExist", ())):
        if match := re.match(r"\s*(?:set\s+)?linux_(?:append|console)\s*=\s*(.*)", argument):
            words = re.sub(r"[\"']|\$\{?linux_\w+\}?", "", match[1]).strip() or "nothing else"
            yield hint(messages.KERNEL_GRUB, ("kernelArguments", "shouldExist", at), argument=argument, words=words)
    yield from _merged(plan)


def _network(node: StorageNode) -> Iterator[Hint]:
    folder, name = posixpath.split(node.path)
    if folder not in _NETWORK_DIRS:
        return
    suffix = posixpath.splitext(name)[1]
    section = _NEEDED.get(suffix)
    if section is None:
        yield hint(messages.NETWORK_SUFFIX, (*node.json_path, "path"), path=node.path)
        return
    text = text_of(node.item.get("contents", {})) if node.item.get("contents", {}).get("source") else None
    if text and not any(item.section == section for item in parse(text).assignments):
        fix = (
            "Write for example [Match] and Name=eth0." if section == "Match" else "Write [NetDev] with Name= and Kind=."
        )
        yield hint(messages.NETWORK_SECTION, (*node.json_path, "contents"), suffix=suffix, section=section, fix=fix)


def _ssh(plan: Plan) -> Iterator[Hint]:
    """A port that is added, though a move was probably meant. A moved one is what `flatkit up` warns about."""
    ports = [port_of(one) or one for one in ssh_ports(plan.ignition)]
    others = [port for port in ports if port != "22"]
    at = next((at for at, unit in enumerate(plan.units) if unit.get("name") == "sshd.socket"), None)
    if others and "22" in ports and at is not None:
        yield hint(messages.SSH_PORT_BOTH, ("systemd", "units", at), Kind.INFO, ports=" and ".join(others))


def _extensions(plan: Plan) -> Iterator[Hint]:
    for node in plan.nodes:
        if node.path == "/etc/flatcar/enabled-sysext.conf" and node.kind == "files":
            yield from _enabled(node)
        folder, name = posixpath.split(node.path)
        if folder not in EXTENSION_DIRS or node.kind == "directories":
            continue
        source = str(node.item.get("target") or node.item.get("contents", {}).get("source") or "")
        if source in ("", "/dev/null"):
            continue
        if not name.endswith(".raw"):
            if node.kind == "files":
                yield hint(messages.SYSEXT_FILE, (*node.json_path, "path"), path=node.path)
            continue
        yield from _extension_name(node, name.removesuffix(".raw"), source)


def _extension_name(node: StorageNode, name: str, source: str) -> Iterator[Hint]:
    """The name inside of an image is the file's, as its makers named it, without version and architecture."""
    origin = "" if source.startswith("data:") else posixpath.basename(source.partition("?")[0])
    inside = _bare(origin.removesuffix(".raw")) if origin.endswith(".raw") else _bare(name)
    if inside and name != inside and not (name == origin.removesuffix(".raw") and _bare(name) == name):
        yield hint(messages.SYSEXT_NAME, (*node.json_path, "path"), Kind.INFO, inside=inside, name=name)


def _bare(name: str) -> str:
    before = ""
    while before != name:
        before, name = name, _VERSIONED.sub("", name)
    return name


def _enabled(node: StorageNode) -> Iterator[Hint]:
    text = text_of(node.item.get("contents", {})) or ""
    names = [one.name for one in image.sysexts()]
    for number, line in enumerate(lines_of(text), start=1):
        name = line.partition("#")[0].strip().removeprefix("-")
        if not name or image.is_sysext(name):
            continue
        bare = name.removeprefix("flatcar-")
        close = difflib.get_close_matches(bare, names, n=1, cutoff=0.7)
        fix = f"The extensions are {', '.join(names)}."
        if re.search(r"[,\s]", name):
            fix = "Write one name on each line, without commas."
        elif image.is_sysext(bare):
            fix = f"Write {bare}: flatcar-{bare} is its name on the machine."
        elif close:
            fix = f"Did you mean {close[0]}?"
        yield hint(messages.SYSEXT_UNKNOWN, (*node.json_path, "contents"), name=name, line=str(number), fix=fix)


def _merged(plan: Plan) -> Iterator[Hint]:
    config = plan.ignition.get("ignition", {}).get("config", {})
    resources: list[tuple[Path, dict[str, Any]]] = []
    for at, merged in enumerate(config.get("merge", ())):
        resources.append((("ignition", "config", "merge", at), merged))
    if config.get("replace"):
        resources.append((("ignition", "config", "replace"), config["replace"]))
    for path, resource in resources:
        source = str(resource.get("source") or "")
        data = data_of(resource) if source.startswith("data:") else None
        name = "base.bu" if data is not None else posixpath.basename(source.partition("?")[0])
        found = (
            detect_format(data)
            if data is not None
            else Format.BUTANE
            if name.endswith((".bu", ".yaml", ".yml"))
            else None
        )
        if found is None or found is Format.IGNITION or (found is Format.UNKNOWN and not (data or b"").strip()):
            continue
        words = "not Ignition" if found is Format.UNKNOWN else str(found)
        yield hint(messages.MERGE_NOT_IGNITION, (*path, "source"), format=words, name=name)


def advise_accounts(plan: Plan) -> Iterator[Hint]:
    """Yield the advice on all users and groups. Source of the rules: Ignition's internal/exec/util/passwd.go."""
    defined = {str(group.get("name")) for group in plan.groups if group.get("shouldExist") is not False}
    for at, group in enumerate(plan.groups):
        name = str(group.get("name"))
        if name in image.hidden_groups() and group.get("shouldExist") is not False:
            yield hint(messages.GROUP_EXISTS, ("passwd", "groups", at, "name"), group=name)
    # useradd makes a group for each user, in the order of the list.
    own: set[str] = set()
    for at, user in enumerate(plan.users):
        if user.get("shouldExist") is False:
            continue
        if not user.get("name"):
            yield hint(messages.USER_NAMELESS, ("passwd", "users", at))
            continue
        if _gets_group(user):
            own.add(str(user.get("name")))
        yield from _user(user, ("passwd", "users", at), defined, own)
    for node, owner, mode in find_unreadable_keys(plan):
        yield hint(messages.KEYS_UNREADABLE, (*node.json_path, "path"), user=owner, mode=f"{mode:04o}")


def _gets_group(user: dict[str, Any]) -> bool:
    return user.get("name") not in image.users() and not user.get("primaryGroup") and not user.get("noUserGroup")


def _user(user: dict[str, Any], path: Path, defined: set[str], own: set[str]) -> Iterator[Hint]:
    name = str(user.get("name"))
    if _gets_group(user) and name in defined | image.groups():
        yield hint(messages.USER_GROUP_EXISTS, (*path, "name"), name=name)
    for number, group in enumerate(user.get("groups", ())):
        yield from _group(str(group), name, (*path, "groups", number), defined | own)
    if user.get("primaryGroup"):
        yield from _group(str(user["primaryGroup"]), name, (*path, "primaryGroup"), defined | own)
    if name == "core" and user.get("groups"):
        yield from _replaced(user["groups"], (*path, "groups"))
    yield from _shell(user, name, (*path, "shell"))


def _group(group: str, user: str, path: Path, known: set[str]) -> Iterator[Hint]:
    if not group or group in known or group in image.groups() or is_number(group):
        return
    if group in image.hidden_groups():
        yield hint(messages.GROUP_HIDDEN, path, group=group, user=user)
    else:
        yield hint(messages.GROUP_UNDEFINED, path, group=group)


def _replaced(groups: list[str], path: Path) -> Iterator[Hint]:
    lost = [group for group in image.groups_of_core() if group not in groups]
    if lost:
        found = [str(group) for group in groups if group not in image.hidden_groups()]
        everything = ", ".join(dict.fromkeys((*image.groups_of_core(), *found)))
        yield hint(messages.GROUPS_REPLACED, path, Kind.INFO, lost=" and ".join(lost), all=everything)


def _shell(user: dict[str, Any], name: str, path: Path) -> Iterator[Hint]:
    shell = str(user.get("shell") or "")
    ways = [words for key, words in (("sshAuthorizedKeys", "keys"), ("passwordHash", "password")) if user.get(key)]
    if shell.endswith(NO_LOGIN_SHELLS) and ways:
        yield hint(messages.NO_LOGIN_SHELL, path, shell=shell, user=name, ways=" and ".join(ways))
    elif image.lacks_shell(shell):
        yield hint(messages.SHELL_MISSING, path, shell=shell, user=name)
