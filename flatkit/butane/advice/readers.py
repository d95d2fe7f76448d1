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
from flatkit.butane.machine.unit_file import parse
from flatkit.report import Kind
from flatkit.untrusted import lines_of

_QUADLETS = (".container", ".volume", ".network", ".kube", ".pod", ".image", ".build")
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
