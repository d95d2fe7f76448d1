"""Advice on disks: what nothing mounts, and devices that nothing makes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine.plan import Plan
from flatkit.butane.machine.unit_verdict import escape_path
from flatkit.butane.source.node import Path

# The image mounts these by itself.
_MOUNTED = ("/", "/usr", "/oem", "/usr/share/oem", "/boot")


def advise_disks(plan: Plan) -> Iterator[Hint]:
    """Yield the advice."""
    for at, filesystem in enumerate(plan.storage.get("filesystems", ())):
        path, unit = str(filesystem.get("path") or ""), f"{escape_path(str(filesystem.get('path') or ''))}.mount"
        skipped = filesystem.get("label") == "ROOT" or filesystem.get("format") == "swap"
        if path and path not in _MOUNTED and not skipped and not mounts_later(plan, path) and plan.is_whole:
            values = {"device": str(filesystem.get("device", "")), "path": path, "unit": unit}
            yield hint(advice_messages.NOT_MOUNTED, ("storage", "filesystems", at, "path"), **values)
    yield from _devices(plan)


def mounts_later(plan: Plan, path: str) -> bool:
    """Return True if something of the config may mount a path at every boot: a unit, fstab, or a script that names it."""
    stem = escape_path(path)
    if any(name in plan.unit_texts for name in (f"{stem}.mount", f"{stem}.automount")) or "/etc/fstab" in plan.by_path:
        return True
    texts = (f"{contents} {dropins}" for contents, dropins in plan.unit_texts.values())
    return any("mount" in text and path in text for text in texts)


def _devices(plan: Plan) -> Iterator[Hint]:
    """Arrays and encrypted devices exist only by the config, or from before; a name that is nearly one of its own is not."""
    storage = plan.storage
    made = {f"/dev/md/{raid.get('name')}" for raid in storage.get("raid", ())}
    made |= {f"/dev/mapper/{luks.get('name')}" for luks in storage.get("luks", ())}
    labels = {
        f"/dev/disk/by-partlabel/{part.get('label')}"
        for disk in storage.get("disks", ())
        for part in disk.get("partitions", ())
    }
    used: list[tuple[Path, str]] = [
        (("storage", kind, at, "device"), str(item.get("device") or ""))
        for kind in ("filesystems", "luks")
        for at, item in enumerate(storage.get(kind, ()))
    ]
    used += [
        (("storage", "raid", at, "devices", number), str(device))
        for at, raid in enumerate(storage.get("raid", ()))
        for number, device in enumerate(raid.get("devices", ()))
    ]
    for path, device in used:
        family = made if device.startswith(("/dev/md/", "/dev/mapper/")) else labels
        known = [name for name in family if name.rpartition("/")[0] == device.rpartition("/")[0]]
        if device in family or not known or not plan.is_whole:
            continue
        names = {name.rpartition("/")[2]: name for name in known}
        close = difflib.get_close_matches(device.rpartition("/")[2], names, n=1, cutoff=0.75)
        if close or family is made:
            fix = f"Is {names[close[0]]} meant?" if close else f"It makes {' and '.join(sorted(known))}."
            yield hint(advice_messages.DEVICE_UNDEFINED, path, device=device, fix=fix)
