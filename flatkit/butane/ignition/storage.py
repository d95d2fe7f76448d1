"""Ignition's rules for disks, filesystems, files, directories and links (config/v3_x/types: disk.go, node.go and others)."""

from __future__ import annotations

import re
from typing import Any

from flatkit.butane.findings import Findings
from flatkit.butane.localfiles import clean
from flatkit.butane.source.node import Path

_GUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\Z", re.ASCII)
_BAD_GUID = 'doesn\'t match the form "01234567-89AB-CDEF-EDCB-A98765432101"'
SPECIAL_MODE = "setuid/setgid/sticky bits are not supported or functional in spec versions older than 3.6.0"
_LABEL_LIMITS = {"ext4": 16, "btrfs": 256, "xfs": 12, "swap": 15, "vfat": 11}
_FORMATS = frozenset((*_LABEL_LIMITS, "none"))
_FLAT_RAID = frozenset(("linear", "raid0", "0", "stripe"))
_OTHER_RAID = frozenset(("raid1", "1", "mirror", "raid4", "4", "raid5", "5", "raid6", "6", "raid10", "10"))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def path_fault(path: str) -> str:
    """What is wrong with an absolute path, "" if nothing."""
    if not path:
        return "path not specified"
    if not path.startswith("/"):
        return "path not absolute"
    if "//" in path or "/." in path or path.endswith("/"):
        return "" if clean(path) == path else "path is not fully simplified"
    return ""


def _check_path(text: str, path: Path, findings: Findings) -> None:
    if fault := path_fault(text):
        findings.error(path, fault)


# Files, directories, links.


def check_storage(value: dict[str, Any], path: Path, findings: Findings) -> None:
    """Rules between entries: links on the way of a path, hard links, filesystems on disks."""
    links = value.get("links", ())
    if links:
        parents: dict[str, int] = {}
        for link in links:
            parents[link["path"] + "/"] = parents.get(link["path"] + "/", 0) + 1
        for group, word in (("directories", "directory"), ("files", "file"), ("links", "link")):
            for at, node in enumerate(value.get(group, ())):
                _check_parents(node["path"], parents, (*path, group, at), word, findings)
                if group == "links":
                    _check_link(node, value, (*path, group, at), findings)
    _check_devices(value, path, findings)


def _check_parents(text: str, parents: dict[str, int], path: Path, word: str, findings: Findings) -> None:
    at = text.find("/")
    while at >= 0:
        for _ in range(parents.get(text[: at + 1], 0)):
            findings.error(path, f"{word} path includes link in config")
        at = text.find("/", at + 1)


def _check_link(link: dict[str, Any], value: dict[str, Any], path: Path, findings: Findings) -> None:
    target = link.get("target")
    if not target:
        findings.error((*path, "target"), "link target is required")
        return
    if not link.get("hard"):
        return
    target = clean(target)
    if not target.startswith("/"):
        target = clean(link["path"] + "/" + target)
    if any(directory["path"] == target for directory in value.get("directories", ())):
        findings.error(path, "hard link target is a directory")
    for group in ("user", "group"):
        for key in ("id", "name"):
            given = link.get(group, {}).get(key)
            if given is not None and (key == "id" or given != ""):
                findings.warning((*path, group, key), "user/group ignored for hard link")


def _check_devices(value: dict[str, Any], path: Path, findings: Findings) -> None:
    disks = {disk["device"]: disk for disk in value.get("disks", ())}
    for at, filesystem in enumerate(value.get("filesystems", ())) if disks else ():
        disk = disks.get(filesystem["device"])
        if disk is None:
            continue
        if disk.get("partitions"):
            findings.warning((*path, "filesystems", at, "device"), "filesystem overwrites partitioned device")
        elif disk.get("wipeTable") and not filesystem.get("wipeFilesystem"):
            message = "device matches disk with wipeTable enabled; filesystem will be wiped"
            findings.warning((*path, "filesystems", at, "device"), message)


def check_node(value: dict[str, Any], path: Path, findings: Findings) -> None:
    """A file, directory or link by itself."""
    _check_path(value["path"], (*path, "path"), findings)
    mode = value.get("mode")
    if mode is not None:
        if not 0 <= mode <= 0o7777:
            findings.error((*path, "mode"), "illegal file mode")
        if mode & 0o7000:
            findings.warning((*path, "mode"), SPECIAL_MODE)
    if path[-2] == "files" and value.get("overwrite") and value.get("contents", {}).get("source") is None:
        findings.error((*path, "overwrite"), "overwrite must be false if source is unspecified")


# Disks.


def check_disk(value: dict[str, Any], path: Path, findings: Findings) -> None:
    """A disk: its device, and its partitions among each other."""
    if not value["device"]:
        findings.error((*path, "device"), "disk device is required")
        return
    _check_path(value["device"], (*path, "device"), findings)
    partitions = value.get("partitions", [])
    where = (*path, "partitions")
    seen: set[int] = set()
    for at, partition in enumerate(partitions):
        number = partition.get("number", 0)
        if number and number in seen:
            findings.error((*where, at), "partition numbers collide")
            break
        seen.add(number)
    overlap = _find_overlap(partitions)
    if overlap is not None:
        findings.error((*where, overlap), "partitions overlap")
    if _mixes_zero_and_gone(partitions):
        message = "shouldExist is false for a partition and other partition(s) has start or size 0"
        findings.error(where, message)
    labels: set[str] = set()
    for at, partition in enumerate(partitions):
        label = partition.get("label")
        if label and label in labels:
            findings.error((*where, at), "cannot use the same partition label twice")
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


def check_partition(value: dict[str, Any], path: Path, findings: Findings) -> None:
    """A partition by itself."""
    label = value.get("label")
    if value.get("shouldExist") is False and (
        any(key in value for key in ("label", "sizeMiB", "startMiB")) or value.get("guid") or value.get("typeGuid")
    ):
        findings.error(path, "shouldExist specified false with other options also specified")
    if not value.get("number") and label is None:
        findings.error(path, "a partition number >= 1 or a label must be specified")
    if label is not None:
        if _size(label) > 36:
            findings.error((*path, "label"), "partition labels may not exceed 36 characters")
        elif ":" in label:
            findings.error((*path, "label"), "partition label will be truncated to text before the colon")
    for key in ("guid", "typeGuid"):
        if value.get(key) and not _GUID.match(value[key]):
            findings.error((*path, key), _BAD_GUID)


# What lies on disks.


def check_filesystem(value: dict[str, Any], path: Path, findings: Findings) -> None:
    """A filesystem."""
    if value.get("path"):
        _check_path(value["path"], (*path, "path"), findings)
    _check_path(value["device"], (*path, "device"), findings)
    kind = value.get("format")
    if not kind:
        texts = (value.get(key) for key in ("path", "label", "uuid"))
        lists = (value.get(key) for key in ("mountOptions", "options"))
        if any(texts) or any(lists) or value.get("wipeFilesystem"):
            message = (
                "format cannot be empty when path, label, uuid, wipeFilesystem, options, or mountOptions is specified"
            )
            findings.error((*path, "format"), message)
    elif kind not in _FORMATS:
        findings.error((*path, "format"), "invalid filesystem format")
    label = value.get("label")
    if label is None:
        return
    if not kind:
        findings.error((*path, "label"), "filesystem must specify format if label is specified")
    elif _size(label) > _LABEL_LIMITS.get(kind, _size(label)):
        message = f"filesystem labels cannot be longer than {_LABEL_LIMITS[kind]} characters when using {kind}"
        findings.error((*path, "label"), message)


def check_luks(value: dict[str, Any], path: Path, findings: Findings) -> None:
    """An encrypted device, but for its key."""
    if "/" in value["name"]:
        findings.error((*path, "name"), "device names cannot contain slashes")
    if _size(value.get("label", "")) > 47:
        findings.error((*path, "label"), "luks device labels cannot be longer than 47 characters")
    if not value.get("device"):
        findings.error((*path, "device"), "disk device is required")
    else:
        _check_path(value["device"], (*path, "device"), findings)


def check_raid(value: dict[str, Any], path: Path, findings: Findings) -> None:
    """A RAID array."""
    level = value.get("level")
    if not level:
        findings.error((*path, "level"), "raid level is required")
    elif level in _FLAT_RAID:
        if value.get("spares"):
            findings.error((*path, "level"), "spares unsupported for linear and raid0 arrays")
    elif level not in _OTHER_RAID:
        findings.error((*path, "level"), "unrecognized raid level")
    if not value.get("devices"):
        findings.error((*path, "devices"), "raid devices required")
    for at, device in enumerate(value.get("devices", ())):
        _check_path(device, (*path, "devices", at), findings)
