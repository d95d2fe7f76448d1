"""Sentences about disks, and about their state after a reboot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flatkit.butane.advice.disks import mounts_later
from flatkit.butane.machine.plan import Plan
from flatkit.butane.machine.told import Told, count
from flatkit.butane.machine.unit_verdict import escape_path
from flatkit.butane.transpile import Translation
from flatkit.untrusted import is_number


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
