"""Advice on files that nobody reads, by their name or since the image has no such program, and on settings that fail."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.advice.updates import advise_updates
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import Plan, StorageNode, text_of
from flatkit.butane.machine.unit_file import parse, unit_type
from flatkit.report import Kind
from flatkit.untrusted import lines_of

_QUADLETS = (".container", ".volume", ".network", ".kube", ".pod", ".image", ".build")
# Podman has files that end so, too.
_NETWORK = ("/etc/systemd/network", "/etc/containers/systemd")
# /etc/coreos is a link to /etc/flatcar.
_UPDATE_FILES = (("/etc/flatcar", "update.conf"), ("/etc/coreos", "update.conf"))


def advise_readers(plan: Plan) -> Iterator[Hint]:
    """Yield the advice."""
    for node in plan.files():
        folder, name = posixpath.split(node.path)
        reader = image.reader_of(folder)
        if reader is not None and not reader.reads(name):
            yield hint(
                advice_messages.FILE_UNREAD,
                (*node.json_path, "path"),
                reader=reader.name,
                path=node.path,
                fix=reader.fix,
            )
        yield from _misplaced(node, folder, name)
        unread = image.unread_file(node.path)
        if unread is not None and plan.knows_all and not _is_used(plan, node, unread):
            values = {"reader": unread.reader, "path": node.path, "fix": f"Use {unread.instead}."}
            yield hint(advice_messages.FILE_UNREAD, (*node.json_path, "path"), **values)
        if folder == "/etc/containers/systemd" and name.endswith(_QUADLETS) and plan.knows_all:
            yield hint(advice_messages.QUADLET_PODMAN, (*node.json_path, "path"), Kind.INFO, path=node.path)
        if node.item.get("contents", {}).get("source"):
            yield from _json(node)
            if (folder, name) in _UPDATE_FILES:
                yield from advise_updates(node)
            yield from _lines(node, folder)
            yield from _section(node, folder, name)


def _json(node: StorageNode) -> Iterator[Hint]:
    if not (node.path.startswith("/etc/") and node.path.endswith((".json", ".conflist"))):
        return
    text = text_of(node.item["contents"])
    if text is None or not text.strip():
        return
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        fix = "JSON has no comma behind the last entry, no comments, and double quotes only."
        if node.path == "/etc/docker/daemon.json":
            fix = f"Docker does not start with it. {fix}"
        values = {
            "path": node.path,
            "line": str(error.lineno),
            "problem": error.msg[:1].lower() + error.msg[1:],
            "fix": fix,
        }
        yield hint(advice_messages.NOT_JSON, (*node.json_path, "contents"), **values)
    except RecursionError:
        return


def _misplaced(node: StorageNode, folder: str, name: str) -> Iterator[Hint]:
    """Yield files of systemd and systemd-networkd in a folder that they do not read, and drop-ins of a wrong name."""
    suffix, is_dropin = posixpath.splitext(name)[1], folder.endswith(".d")
    is_network = suffix in (".network", ".netdev", ".link") and folder.startswith("/etc/") and not is_dropin
    reader, fix = "", ""
    if (is_network and folder not in _NETWORK) or folder == "/etc/systemd/network.d":
        reader, fix = "systemd-networkd", "Its folder is /etc/systemd/network."
    elif folder == "/etc/systemd" and unit_type(name):
        reader, fix = "systemd", "The folder of units is /etc/systemd/system; better write it below systemd.units."
    elif posixpath.dirname(folder) == "/etc/systemd/system" and is_dropin and suffix != ".conf":
        reader, fix = "systemd", "The name of a drop-in ends in .conf."
    if reader:
        yield hint(advice_messages.FILE_UNREAD, (*node.json_path, "path"), reader=reader, path=node.path, fix=fix)


def _is_used(plan: Plan, node: StorageNode, unread: image.Existing) -> bool:
    """Something of the config may use the file all the same."""
    return plan.mentions(node.path) or bool(unread.unless and unread.unless in plan.unit_texts)


def _lines(node: StorageNode, folder: str) -> Iterator[Hint]:
    """Yield the first line of a file of sysctl that is not an assignment (parse_file in systemd's sysctl.c)."""
    if folder != "/etc/sysctl.d" or not node.path.endswith(".conf"):
        return
    for number, line in enumerate(lines_of(text_of(node.item["contents"]) or ""), start=1):
        bare = line.strip()
        if bare and not bare.startswith(("#", ";", "-")) and "=" not in bare:
            name = bare.partition(":")[0].split()[0]
            values = {"reader": "systemd-sysctl", "path": node.path, "line": str(number)}
            yield hint(advice_messages.FILE_LINE, (*node.json_path, "contents"), **values, fix=f"Write {name} = VALUE.")
            return


def _section(node: StorageNode, folder: str, name: str) -> Iterator[Hint]:
    """Yield a section that one of systemd's daemons does not know."""
    reader = image.reader_of(f"/etc/systemd/{name}.d" if folder == "/etc/systemd" else folder)
    if reader is None or not reader.section or not name.endswith(".conf"):
        return
    for section in dict.fromkeys(item.section for item in parse(text_of(node.item["contents"]) or "").assignments):
        if section != reader.section and not section.startswith("X-"):
            values = {"reader": reader.name, "section": section, "path": node.path, "known": reader.section}
            yield hint(advice_messages.FILE_SECTION, (*node.json_path, "contents"), **values)
