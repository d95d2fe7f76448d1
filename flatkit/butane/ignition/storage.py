"""Ignition's rules for disks, filesystems, files, directories and links (config/v3_x/types: disk.go, node.go and others)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flatkit.butane import messages
from flatkit.butane.diagnostics import Diagnostics
from flatkit.butane.ignition.go_json import JsonFault, load
from flatkit.butane.ignition.urls import tang_fault
from flatkit.butane.localfiles import clean
from flatkit.butane.source.node import Path
from flatkit.butane.wording import Wording

_GUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\Z", re.ASCII)
_LABEL_LIMITS = {"ext4": 16, "btrfs": 256, "xfs": 12, "swap": 15, "vfat": 11}
_FORMATS = frozenset((*_LABEL_LIMITS, "none"))
_FLAT_RAID = frozenset(("linear", "raid0", "0", "stripe"))
_OTHER_RAID = frozenset(("raid1", "1", "mirror", "raid4", "4", "raid5", "5", "raid6", "6", "raid10", "10"))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def path_fault(path: str) -> Wording | None:
    """Return the fault of an absolute path."""
    if not path:
        return messages.PATH_MISSING()
    if not path.startswith("/"):
        return messages.PATH_RELATIVE()
    if "//" in path or "/." in path or path.endswith("/"):
        return None if clean(path) == path else messages.PATH_NOT_SIMPLE()
    return None


def _check_path(text: str, path: Path, diagnostics: Diagnostics) -> None:
    if fault := path_fault(text):
        diagnostics.error(path, fault)


# Files, directories, links.


def _check_storage(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    """Rules between entries: links on the way of a path, hard links, filesystems on disks."""
    links = value.get("links", ())
    if links:
        parents: dict[str, int] = {}
        for link in links:
            parents[link["path"] + "/"] = parents.get(link["path"] + "/", 0) + 1
        for group, word in (("directories", "directory"), ("files", "file"), ("links", "link")):
            for at, node in enumerate(value.get(group, ())):
                _check_parents(node["path"], parents, (*path, group, at), word, diagnostics)
                if group == "links":
                    _check_link(node, value, (*path, group, at), diagnostics)
    _check_devices(value, path, diagnostics)


def _check_parents(text: str, parents: dict[str, int], path: Path, word: str, diagnostics: Diagnostics) -> None:
    at = text.find("/")
    while at >= 0:
        for _ in range(parents.get(text[: at + 1], 0)):
            diagnostics.error(path, messages.PATH_THROUGH_LINK(kind=word))
        at = text.find("/", at + 1)


def _check_link(link: dict[str, Any], value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    target = link.get("target")
    if not target:
        diagnostics.error((*path, "target"), messages.LINK_TARGET())
        return
    if not link.get("hard"):
        return
    target = clean(target)
    if not target.startswith("/"):
        target = clean(link["path"] + "/" + target)
    if any(directory["path"] == target for directory in value.get("directories", ())):
        diagnostics.error(path, messages.HARD_LINK_DIRECTORY())
    for group in ("user", "group"):
        for key in ("id", "name"):
            given = link.get(group, {}).get(key)
            if given is not None and (key == "id" or given != ""):
                diagnostics.warning((*path, group, key), messages.HARD_LINK_OWNER())


def _check_devices(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    disks = {disk["device"]: disk for disk in value.get("disks", ())}
    for at, filesystem in enumerate(value.get("filesystems", ())) if disks else ():
        disk = disks.get(filesystem["device"])
        if disk is None:
            continue
        if disk.get("partitions"):
            diagnostics.warning((*path, "filesystems", at, "device"), messages.FILESYSTEM_ON_PARTITIONS())
        elif disk.get("wipeTable") and not filesystem.get("wipeFilesystem"):
            diagnostics.warning((*path, "filesystems", at, "device"), messages.FILESYSTEM_WIPED())


def check_node(value: dict[str, Any], path: Path, diagnostics: Diagnostics, *, has_special_bits: bool) -> None:
    """A file, directory or link by itself."""
    _check_path(value["path"], (*path, "path"), diagnostics)
    mode = value.get("mode")
    if mode is not None:
        if not 0 <= mode <= 0o7777:
            diagnostics.error((*path, "mode"), messages.MODE_ILLEGAL())
        if mode & 0o7000 and not has_special_bits:
            diagnostics.warning((*path, "mode"), messages.MODE_SPECIAL())
    if path[-2] == "files" and value.get("overwrite") and value.get("contents", {}).get("source") is None:
        diagnostics.error((*path, "overwrite"), messages.OVERWRITE_NO_SOURCE())


# Disks.


def _check_disk(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    """A disk: its device, and its partitions among each other."""
    if not value["device"]:
        diagnostics.error((*path, "device"), messages.DEVICE_MISSING())
        return
    _check_path(value["device"], (*path, "device"), diagnostics)
    partitions = value.get("partitions", [])
    where = (*path, "partitions")
    seen: set[int] = set()
    for at, partition in enumerate(partitions):
        number = partition.get("number", 0)
        if number and number in seen:
            diagnostics.error((*where, at), messages.PARTITION_NUMBERS())
            break
        seen.add(number)
    overlap = _find_overlap(partitions)
    if overlap is not None:
        diagnostics.error((*where, overlap), messages.PARTITION_OVERLAP())
    if _mixes_zero_and_gone(partitions):
        diagnostics.error(where, messages.PARTITION_ZERO())
    labels: set[str] = set()
    for at, partition in enumerate(partitions):
        label = partition.get("label")
        if label and label in labels:
            diagnostics.error((*where, at), messages.PARTITION_LABELS())
        labels.add(label or "")


def _find_overlap(partitions: list[dict[str, Any]]) -> int | None:
    placed = [
        (at, part["startMiB"], part["startMiB"] + part["sizeMiB"] - (1 if part["sizeMiB"] else 0))
        for at, part in enumerate(partitions)
        if part.get("startMiB") and "sizeMiB" in part
    ]
    for at, start, end in placed:
        for other, other_start, other_end in placed:
            if at != other and start <= other_end and other_start <= end:
                return other
    return None


def _mixes_zero_and_gone(partitions: list[dict[str, Any]]) -> bool:
    gone = any(part.get("shouldExist") is False for part in partitions)
    return gone and any(not part.get("number") for part in partitions)


def _check_partition(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    """A partition by itself."""
    label = value.get("label")
    if value.get("shouldExist") is False and (
        any(key in value for key in ("label", "sizeMiB", "startMiB")) or value.get("guid") or value.get("typeGuid")
    ):
        diagnostics.error(path, messages.PARTITION_GONE())
    if not value.get("number") and label is None:
        diagnostics.error(path, messages.PARTITION_NAMELESS())
    if label is not None:
        if _size(label) > 36:
            diagnostics.error((*path, "label"), messages.PARTITION_LABEL_SIZE())
        elif ":" in label:
            diagnostics.error((*path, "label"), messages.PARTITION_LABEL_COLON())
    for key in ("guid", "typeGuid"):
        if value.get(key) and not _GUID.match(value[key]):
            diagnostics.error((*path, key), messages.PARTITION_GUID())


# Contents of disks.


def _check_filesystem(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    """A filesystem."""
    if value.get("path"):
        _check_path(value["path"], (*path, "path"), diagnostics)
    _check_path(value["device"], (*path, "device"), diagnostics)
    kind = value.get("format")
    if not kind:
        texts = (value.get(key) for key in ("path", "label", "uuid"))
        lists = (value.get(key) for key in ("mountOptions", "options"))
        if any(texts) or any(lists) or value.get("wipeFilesystem"):
            diagnostics.error((*path, "format"), messages.FILESYSTEM_NO_FORMAT())
    elif kind not in _FORMATS:
        diagnostics.error((*path, "format"), messages.FILESYSTEM_FORMAT())
    label = value.get("label")
    if label is None:
        return
    if not kind:
        diagnostics.error((*path, "label"), messages.FILESYSTEM_LABEL())
    elif _size(label) > _LABEL_LIMITS.get(kind, _size(label)):
        message = messages.FILESYSTEM_LABEL_SIZE(limit=str(_LABEL_LIMITS[kind]), format=kind)
        diagnostics.error((*path, "label"), message)


def _check_luks(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    """An encrypted device, but for its key."""
    if "/" in value["name"]:
        diagnostics.error((*path, "name"), messages.LUKS_NAME())
    if _size(value.get("label", "")) > 47:
        diagnostics.error((*path, "label"), messages.LUKS_LABEL_SIZE())
    if not value.get("device"):
        diagnostics.error((*path, "device"), messages.DEVICE_MISSING())
    else:
        _check_path(value["device"], (*path, "device"), diagnostics)
    clevis = value.get("clevis", {})
    pins = clevis.get("tang") or clevis.get("tpm2") or clevis.get("threshold")
    if clevis.get("custom", {}).get("pin") and pins:
        diagnostics.error((*path, "clevis"), messages.CLEVIS_CUSTOM())


def _check_clevis_custom(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    """A Clevis pin with its own config."""
    if not any(value.values()):
        return
    if not value.get("pin"):
        diagnostics.error((*path, "pin"), messages.CLEVIS_PIN())
    if not value.get("config"):
        diagnostics.error((*path, "config"), messages.CLEVIS_CONFIG())


def _check_tang(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    """A Tang server."""
    if fault := tang_fault(value.get("url", "")):
        diagnostics.error((*path, "url"), fault)
    if not value.get("thumbprint"):
        diagnostics.error((*path, "thumbprint"), messages.TANG_THUMBPRINT())
    if value.get("advertisement"):
        try:
            load(value["advertisement"])
        except JsonFault:
            diagnostics.error((*path, "advertisement"), messages.TANG_ADVERTISEMENT())


def _check_raid(value: dict[str, Any], path: Path, diagnostics: Diagnostics) -> None:
    """A RAID array."""
    level = value.get("level")
    if not level:
        diagnostics.error((*path, "level"), messages.RAID_LEVEL())
    elif level in _FLAT_RAID:
        if value.get("spares"):
            diagnostics.error((*path, "level"), messages.RAID_SPARES())
    elif level not in _OTHER_RAID:
        diagnostics.error((*path, "level"), messages.RAID_LEVEL_UNKNOWN())
    if not value.get("devices"):
        diagnostics.error((*path, "devices"), messages.RAID_DEVICES())
    for at, device in enumerate(value.get("devices", ())):
        _check_path(device, (*path, "devices", at), diagnostics)


CHECKS: dict[str, Callable[[dict[str, Any], Path, Diagnostics], None]] = {
    "Storage": _check_storage,
    "Disk": _check_disk,
    "Partition": _check_partition,
    "Filesystem": _check_filesystem,
    "Luks": _check_luks,
    "ClevisCustom": _check_clevis_custom,
    "Tang": _check_tang,
    "Raid": _check_raid,
}
