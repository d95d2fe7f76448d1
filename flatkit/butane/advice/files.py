"""Advice on files, directories and links: where they cannot be, and what they hold."""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Iterator
from typing import Any

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import EMPTY_FOLDERS, Plan, StorageNode, data_of
from flatkit.report import Kind
from flatkit.untrusted import is_number

_MESSAGES = {
    "read-only": advice_messages.PATH_READ_ONLY,
    "kernel": advice_messages.PATH_KERNEL,
    "volatile": advice_messages.PATH_VOLATILE,
    "partition": advice_messages.PATH_PARTITION,
}
_BIG = 256 * 1024
_PRIVATE = re.compile(rb"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----")
_WIREGUARD = re.compile(rb"^[ \t]*PrivateKey[ \t]*=[ \t]*[A-Za-z0-9+/]{42}", re.MULTILINE)
# Modes as people write them in decimal: `stat` in some languages, and Ignition's JSON.
_DECIMAL = (0o644, 0o755, 0o600, 0o700, 0o640, 0o750, 0o400, 0o440, 0o444, 0o664, 0o660, 0o775, 0o777, 0o500, 0o555)


def advise_files(plan: Plan) -> Iterator[Hint]:
    """Yield the advice on all nodes of the config."""
    for node in plan.nodes:
        yield from _place(plan, node)
        if node.kind != "links":
            yield from _mode(node)
        if node.kind == "files":
            yield from _existing(node)
            yield from _contents(node)
        yield from _parents_and_owners(plan, node)
    yield from _homes(plan)
    yield from _dangling(plan)


def _place(plan: Plan, node: StorageNode) -> Iterator[Hint]:
    place = image.place_of(node.path)
    if place is None or plan.is_on_filesystem(node.path):
        return
    if place.kind == "partition" and not (plan.is_whole and node.kind == "files"):
        return
    values = {"place": place.path, "path": node.path, "instead": place.instead}
    yield hint(_MESSAGES[place.kind], (*node.json_path, "path"), **values)


def _existing(node: StorageNode) -> Iterator[Hint]:
    known = image.existing_file(node.path)
    if known is None or "contents" not in node.item or not node.item["contents"].get("source"):
        return
    better = f", or better, write {known.instead}" if known.instead else ""
    if not node.item.get("overwrite"):
        yield hint(advice_messages.OVERWRITE_NEEDED, (*node.json_path, "path"), path=node.path, better=better)
    elif known.instead:
        yield hint(
            advice_messages.DROPIN_BETTER, (*node.json_path, "path"), Kind.INFO, path=node.path, instead=known.instead
        )


def _parents_and_owners(plan: Plan, node: StorageNode) -> Iterator[Hint]:
    """Yield what is to be below a file, and owners that Ignition does not find (internal/exec/util/file.go)."""
    parent = posixpath.dirname(node.path)
    while len(parent) > 1:
        above = plan.by_path.get(parent)
        if above is not None and above.kind == "files":
            yield hint(advice_messages.PARENT_FILE, (*node.json_path, "path"), parent=parent, path=node.path)
        parent = posixpath.dirname(parent)
    if not plan.is_whole or node.kind == "links":
        return
    for kind, names in plan.owners.items():
        name = str(node.item.get(kind, {}).get("name") or "")
        if name and name not in names:
            fix = f"Define it below passwd.{kind}s, or correct the name."
            if is_number(name):
                fix = f"Write id: {name} for the number."
            yield hint(advice_messages.OWNER_UNDEFINED, (*node.json_path, kind), kind=kind, name=name, fix=fix)


def _mode(node: StorageNode) -> Iterator[Hint]:
    mode = node.item.get("mode")
    if mode is None:
        return
    owner, others = mode >> 6 & 7, (mode >> 3 | mode) & 7
    if node.kind == "directories" and mode & 0o444 and not mode & 0o111:
        better = f"{mode | (mode & 0o444) >> 2:04o}"
        yield hint(advice_messages.DIRECTORY_CLOSED, (*node.json_path, "mode"), mode=f"{mode:04o}", better=better)
        return
    if node.path.startswith("/etc/sudoers.d/") and mode & 0o002:
        yield hint(advice_messages.SUDOERS_WRITABLE, (*node.json_path, "mode"), path=node.path, mode=f"{mode:04o}")
        return
    if not others & ~owner:
        return
    meant = next((one for one in _DECIMAL if f"{mode:o}" == str(one)), None)
    fix = (
        f"{mode:o} is the decimal of {meant:04o}: write mode: {meant:04o}."
        if meant
        else "Check the digits: owner, group, others."
    )
    kind = stat.S_IFDIR if node.kind == "directories" else stat.S_IFREG
    letters = stat.filemode(kind | mode)
    yield hint(advice_messages.MODE_ODD, (*node.json_path, "mode"), mode=f"{mode:04o}", letters=letters, fix=fix)


def _contents(node: StorageNode) -> Iterator[Hint]:
    contents: dict[str, Any] = node.item.get("contents", {})
    source = str(contents.get("source") or "")
    if not source.startswith("data:") or len(source) > _BIG:
        return
    data = data_of(contents) or b""
    first = data.split(b"\n", 1)[0]
    if first.startswith(b"#!") and first.endswith(b"\r"):
        program = (first[2:].split() or [b""])[-1].decode(errors="replace")
        yield hint(advice_messages.SCRIPT_CRLF, (*node.json_path, "contents"), program=program)
    if first.startswith(b"#!") and rb"\n" in first and not data.strip(b"\n").count(b"\n"):
        yield hint(advice_messages.SCRIPT_ESCAPED, (*node.json_path, "contents"))
    mode = node.item.get("mode", 0o644)
    is_key = _PRIVATE.search(data) is not None
    if (is_key or _WIREGUARD.search(data)) and mode & 0o004:
        owner = (
            ""
            if is_key
            else ", or mode: 0640 and group: {name: systemd-network}"
            if node.path.endswith(".netdev")
            else ""
        )
        where = "mode" if "mode" in node.item else "path"
        yield hint(advice_messages.KEY_READABLE, (*node.json_path, where), mode=f"{mode:04o}", owner=owner)


def _homes(plan: Plan) -> Iterator[Hint]:
    """Yield what will belong to root in somebody's home."""
    homes = {"/home/core": "core"}
    for user in plan.users:
        name = str(user.get("name"))
        if user.get("shouldExist") is not False and name != "root":
            homes[str(user.get("homeDir") or f"/home/{name}")] = name
    made: set[str] = set()
    for node in plan.nodes:
        home = next((home for home in homes if node.path.startswith(home + "/")), None)
        if home is None:
            continue
        owner = homes[home]
        folder = posixpath.dirname(node.path)
        while folder != home and folder not in made:
            made.add(folder)
            # .ssh is made by Ignition as the user if there are keys; sshd reads it if it is root's, too.
            if (
                folder not in plan.by_path
                and posixpath.basename(folder) != ".ssh"
                and not plan.is_on_filesystem(folder)
            ):
                yield hint(advice_messages.HOME_PARENTS, (*node.json_path, "path"), path=folder, user=owner)
            folder = posixpath.dirname(folder)
        if node.kind != "links" and not node.item.get("user") and "/.ssh/" not in node.path + "/":
            yield hint(advice_messages.HOME_OWNER, (*node.json_path, "path"), Kind.INFO, user=owner)


def _dangling(plan: Plan) -> Iterator[Hint]:
    """Yield links to what nothing in the config writes, where only the config could have written it."""
    text = " ".join(f"{contents} {dropins}" for contents, dropins in plan.unit_texts.values())
    for node in plan.nodes:
        target = str(node.item.get("target") or "")
        if node.kind != "links" or not plan.is_whole:
            continue
        whole = posixpath.normpath(posixpath.join(posixpath.dirname(node.path), target))
        if f"/{target}" in plan.by_path and whole not in plan.by_path:
            fix = f"Write /{target}: a target without the first / begins at the link's own folder."
            yield hint(advice_messages.LINK_DANGLING, (*node.json_path, "target"), target=whole, fix=fix)
            continue
        if not whole.startswith(EMPTY_FOLDERS) or whole in plan.by_path or plan.is_on_filesystem(whole):
            continue
        folder = posixpath.dirname(whole)
        if (
            any(other.path.startswith(whole + "/") for other in plan.nodes)
            or whole in text
            or f"{folder} " in text + " "
        ):
            continue
        siblings = [one.path for one in plan.nodes if one.path != node.path and posixpath.dirname(one.path) == folder]
        if not siblings and plan.has_extension and whole.startswith("/opt/") and not whole.endswith(".raw"):
            continue
        fix = f"Is {siblings[0]} meant?" if siblings else "Write the file, too, or correct the target."
        message = advice_messages.HARD_DANGLING if node.item.get("hard") else advice_messages.LINK_DANGLING
        yield hint(message, (*node.json_path, "target"), target=whole, fix=fix)
