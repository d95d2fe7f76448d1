"""Advice on files that nobody reads, by their name or since the image has no such program, and on settings that fail."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import Plan, StorageNode, text_of
from flatkit.report import Kind
from flatkit.untrusted import lines_of

_QUADLETS = (".container", ".volume", ".network", ".kube", ".pod", ".image", ".build")
# locksmith's pkg/config: any other strategy ends it with an error.
_STRATEGIES = ("reboot", "etcd-lock", "best-effort", "off")


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
        if unread is not None and plan.knows_all:
            fix = f"Use {unread.instead}."
            yield hint(
                advice_messages.FILE_UNREAD, (*node.json_path, "path"), reader="Flatcar", path=node.path, fix=fix
            )
        if folder == "/etc/containers/systemd" and name.endswith(_QUADLETS) and plan.knows_all:
            yield hint(advice_messages.QUADLET_PODMAN, (*node.json_path, "path"), Kind.INFO, path=node.path)
        if node.item.get("contents", {}).get("source"):
            yield from _json(node)
            yield from _updates(node)


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


def _updates(node: StorageNode) -> Iterator[Hint]:
    if node.path != "/etc/flatcar/update.conf":
        return
    for line in lines_of(text_of(node.item["contents"]) or ""):
        key, _, value = line.partition("=")
        value = value.strip().strip("\"'")
        if key.strip() == "REBOOT_STRATEGY" and value and value not in _STRATEGIES:
            fix = f"It is one of {', '.join(_STRATEGIES)}; off never reboots by itself."
            yield hint(
                advice_messages.SETTING_ODD, (*node.json_path, "contents"), program="locksmithd", key=key.strip(),
                value=value, fix=fix,
            )  # fmt: skip
