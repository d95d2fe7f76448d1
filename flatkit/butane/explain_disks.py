"""Sentences about disks, and about their state after a reboot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flatkit.butane.advice.disks import mounts_later
from flatkit.butane.machine.plan import Plan
from flatkit.butane.machine.told import Told, count, listed
from flatkit.butane.machine.unit_verdict import escape_path
from flatkit.butane.transpile import Translation
from flatkit.untrusted import is_number

# Ignition's partitionDisk (partitions.go), createLuks (luks.go) and createFilesystem (filesystems.go).
_SAME = "Without wipe_partition_entry Ignition changes no partition that exists: where it differs, the boot fails."
_OPENED = "Without wipe_volume Ignition overwrites nothing: where the key does not open what is on the device, the boot fails."
_REUSED = "Without wipe_filesystem Ignition replaces no filesystem: where another one is on the device, the boot fails."


def explain_disks(plan: Plan, _: Translation) -> Iterator[Told]:
    """Yield a sentence for each disk, array, encrypted device and filesystem."""
    storage = plan.storage
    for at, disk in enumerate(storage.get("disks", ())):
        yield Told(text=_disk(disk), path=("storage", "disks", at), reason=_SAME if _may_differ(disk) else "")
    for at, raid in enumerate(storage.get("raid", ())):
        level = str(raid.get("level") or "")
        named = f"raid{level}" if is_number(level) else level
        devices = count(len(raid.get("devices", ())), "device")
        text = f"{devices.capitalize()} become the array /dev/md/{raid['name']} ({named})."
        yield Told(text=text, path=("storage", "raid", at))
    for at, device in enumerate(storage.get("luks", ())):
        yield Told(text=_luks(device), path=("storage", "luks", at), reason="" if device.get("wipeVolume") else _OPENED)
    for at, filesystem in enumerate(storage.get("filesystems", ())):
        reuses = filesystem.get("format") not in (None, "", "none") and not filesystem.get("wipeFilesystem")
        text = _filesystem(plan, filesystem)
        yield Told(text=text, path=("storage", "filesystems", at), reason=_REUSED if reuses else "")


def _disk(disk: dict[str, Any]) -> str:
    gone = [part for part in disk.get("partitions", ()) if part.get("shouldExist") is False]
    made = len(disk.get("partitions", ())) - len(gone)
    # Ignition deletes one only where it may wipe the entry, and fails where it finds one that it may not (partitionDisk).
    kept = sum(1 for part in gone if not part.get("wipePartitionEntry"))
    acts = [f"gets {count(made, 'partition')}"] if made or not gone else []
    acts += [f"loses {count(len(gone) - kept, 'partition')}"] if len(gone) > kept else []
    acts += [f"must not have {count(kept, 'partition')}"] if kept else []
    wiped = ", after its partition table is erased" if disk.get("wipeTable") else ""
    return f"The disk {disk['device']} {listed(acts)}{wiped}."


def _may_differ(disk: dict[str, Any]) -> bool:
    """True if a partition may be there already, and may not be wiped."""
    return not disk.get("wipeTable") and any(
        part.get("number") and part.get("shouldExist") is not False and not part.get("wipePartitionEntry")
        for part in disk.get("partitions", ())
    )


def _luks(device: dict[str, Any]) -> str:
    begin = f"The device {device.get('device')} is encrypted as /dev/mapper/{device['name']}"
    key = "the key that the config gives" if device.get("keyFile", {}).get("source") else "a random key"
    # Ignition's stage files writes /etc/crypttab, and the key to /etc/luks. With Clevis it keeps none there.
    if any(device.get("clevis", {}).values()):
        return f"{begin}; Clevis opens it at every boot, and the machine keeps no key of it."
    return f"{begin} with {key}; the key is kept in /etc/luks on the machine, so that every boot can open it."


def _filesystem(plan: Plan, filesystem: dict[str, Any]) -> str:
    kind, device = filesystem.get("format"), filesystem["device"]
    what = "swap area" if kind == "swap" else f"{kind} filesystem"
    # createFilesystem in Ignition's filesystems.go; mountFs in mount.go mounts none of these two kinds.
    if not kind:
        return f"The device {device} is left as it is."
    if kind == "none" and filesystem.get("wipeFilesystem"):
        return f"The device {device} gets no filesystem; the one that was on it is lost."
    if kind == "none":
        return f"The device {device} is left as it is; if a filesystem is on it, the boot fails."
    if filesystem.get("wipeFilesystem"):
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
