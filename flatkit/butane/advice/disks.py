"""Advice on disks: what nothing mounts, and devices that nothing makes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import Plan
from flatkit.butane.machine.unit_verdict import escape_path, unescape_path
from flatkit.butane.source.node import Path
from flatkit.report import Kind
from flatkit.untrusted import is_number

# Labels of the image's own partitions (build_library/disk_layout.json in flatcar/scripts).
_OF_FLATCAR = ("EFI-SYSTEM", "BIOS-BOOT", "USR-A", "USR-B", "OEM", "OEM-CONFIG", "ROOT")
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
        place = image.place_of(path) if path not in _MOUNTED else None
        if place is not None and place.kind == "read-only":
            values = {"place": place.path, "path": path, "instead": "a path below /srv, /mnt, /opt or /var"}
            yield hint(advice_messages.PATH_READ_ONLY, ("storage", "filesystems", at, "path"), **values)
    yield from _partitions(plan)
    yield from _arrays(plan)
    yield from _swap_files(plan)
    yield from _devices(plan)


def _partitions(plan: Plan) -> Iterator[Hint]:
    """Yield partitions for which there is no room, and disks whose erased table is Flatcar's own."""
    for at, disk in enumerate(plan.storage.get("disks", ())):
        path: Path = ("storage", "disks", at)
        parts = [part for part in disk.get("partitions", ()) if part.get("shouldExist") is not False]
        own = next((str(part["label"]) for part in parts if part.get("label") in _OF_FLATCAR), "")
        if disk.get("wipeTable") and own:
            values = {"device": str(disk.get("device")), "label": own}
            yield hint(advice_messages.DISK_OF_FLATCAR, (*path, "device"), Kind.INFO, **values)
        # Ignition gives all to one call of sgdisk, those without a number last: a size of 0 is the rest of the free space.
        parts.sort(key=lambda part: not part.get("number"))
        for part, later in pairwise(parts):
            if disk.get("wipeTable") and not (part.get("sizeMiB") or part.get("startMiB") or later.get("startMiB")):
                first, second = (_partition_name(one) for one in (part, later))
                where = (*path, "partitions", disk["partitions"].index(later))
                yield hint(advice_messages.DISK_FULL, where, first=first, second=second)
                break


def _partition_name(part: dict[str, Any]) -> str:
    return str(part.get("label") or part.get("number") or "")


def _arrays(plan: Plan) -> Iterator[Hint]:
    """Yield arrays with fewer devices than mdadm accepts (mdadm's Create.c)."""
    for at, raid in enumerate(plan.storage.get("raid", ())):
        level = str(raid.get("level") or "")
        digits = level.removeprefix("raid")
        least = 4 if digits == "6" else 2 if digits in ("4", "5", "10") else 1
        found = len(raid.get("devices", ())) - int(raid.get("spares") or 0)
        if 0 <= found < least:
            values = {
                "level": f"raid{digits}" if is_number(digits) else level,
                "least": str(least),
                "found": str(found),
            }
            yield hint(advice_messages.RAID_SMALL, ("storage", "raid", at, "devices"), **values)


def _swap_files(plan: Plan) -> Iterator[Hint]:
    """Yield swap files that a service of the config makes, and for which the swap unit does not wait."""
    for at, unit in enumerate(plan.units):
        name = str(unit.get("name", ""))
        if not name.endswith(".swap") or not plan.is_written(name) or plan.refusal(name) is not None:
            continue
        swap = plan.unit(name)
        path = swap.last("Swap", "What") or unescape_path(name.removesuffix(".swap"))
        if path.startswith("/dev/") or path in plan.by_path:
            continue
        for service in plan.unit_texts:
            made = plan.unit(service)
            commands = " ".join(value for key in ("ExecStartPre", "ExecStart") for value in made.values("Service", key))
            if "mkswap" not in commands or path not in commands:
                continue
            if service not in swap.words("Unit", "After") and name not in made.words("Unit", "Before"):
                values = {"service": service, "path": path, "unit": name}
                yield hint(advice_messages.SWAP_EARLY, ("systemd", "units", at, "contents"), **values)


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
    used += [
        (("storage", "disks", at, "device"), str(item.get("device")))
        for at, item in enumerate(storage.get("disks", ()))
    ]
    for path, device in used:
        if not device.startswith("/dev/"):
            kind = storage[str(path[1])][path[2]].get("format")
            fix = "A device is below /dev, for example /dev/disk/by-label/data. A folder is mounted by a unit with Options=bind."
            if kind == "swap":
                fix = "A swap file is made by a service (fallocate, mkswap), before a .swap unit uses it."
            yield hint(advice_messages.NOT_A_DEVICE, path, device=device, fix=fix)
            continue
        family = made if device.startswith(("/dev/md/", "/dev/mapper/")) else labels
        known = [name for name in family if name.rpartition("/")[0] == device.rpartition("/")[0]]
        if device in family or not known or not plan.is_whole:
            continue
        names = {name.rpartition("/")[2]: name for name in known}
        close = difflib.get_close_matches(device.rpartition("/")[2], names, n=1, cutoff=0.75)
        if close or family is made:
            fix = f"Is {names[close[0]]} meant?" if close else f"It makes {' and '.join(sorted(known))}."
            yield hint(advice_messages.DEVICE_UNDEFINED, path, device=device, fix=fix)
