"""The golden form of a command: what was typed, what it said, and what flatkit reads in it; and what a good answer looks like.

One list is typed on the lab image (tools/capture_commands.py) and on Flatcar (tools/accept.py), and one parser reads both.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flatkit.errors import FlatkitError
from flatkit.untrusted import lines_of
from flatkit.updates.slots import parse_cgpt_show
from flatkit.updates.status import parse_statuses, parse_update_conf


@dataclass(frozen=True, kw_only=True)
class Capture:
    """A command, what every machine's answer must match (`shows`), and what Flatcar's must match besides (`flatcar`).

    `same`: the lines are the lab image's, in any order.
    """

    name: str
    command: str
    shows: str = r"\S"
    flatcar: str = ""
    same: bool = False


# Typed on one machine, in this order. `fresh`: as it came up. The sources of the patterns are docs/fidelity.md's rows.
FRESH = (
    Capture(name="fresh-cgpt-show", command="sudo cgpt show /dev/vda"),
    Capture(name="fresh-cgpt-show-partition", command="sudo cgpt show /dev/vda3"),
    Capture(name="fresh-cgpt-find", command="sudo cgpt find -t flatcar-usr", shows=r"^/dev/vda3\n/dev/vda4\n$"),
    Capture(name="fresh-cgpt-next", command="sudo cgpt next /dev/vda", shows=r"^7130c94a-213a-4e5a-8e26-6cce9662f132\n$"),
    Capture(name="fresh-rootdev", command="rootdev -s /usr", shows=r"^/dev/vda3\n$"),
    Capture(name="fresh-rootdev-disk", command="rootdev -s -d /usr", shows=r"^/dev/vda\n$"),
    Capture(name="fresh-verity-status", command="sudo dmsetup --target verity status usr"),
    Capture(name="fresh-status", command="update_engine_client -status"),
    Capture(name="fresh-update-conf", command="cat /usr/share/flatcar/update.conf", flatcar=r"(?m)^GROUP=\w+"),
    # Flatcar's asks etcd, which these machines do not have: what it says then is kept, and proves nothing.
    Capture(name="fresh-locksmithctl", command="locksmithctl status", shows=""),
    Capture(name="fresh-os-release", command="cat /etc/os-release", shows=r"(?m)^ID=", flatcar=r'(?m)^ID="?flatcar"?$'),
    Capture(
        name="fresh-version", command='. /etc/os-release; echo "$VERSION_ID"', shows=r"^\d+\.[0-3]\.\d+\n$"
    ),
    Capture(
        name="fresh-cmdline", command="cat /proc/cmdline",
        shows=r"(?=.*\bmount\.usr=)(?=.*\bverity\.usr=)(?=.*\bverity\.usrhash=[0-9a-f]{64}\b)",
    ),
    Capture(name="fresh-first-boot", command="grep -o 'flatcar.first_boot=[a-z0-9]*' /proc/cmdline", shows="=detected$"),
    Capture(name="fresh-autologin", command="grep -o flatcar.autologin /proc/cmdline"),
    Capture(
        name="fresh-root-hash",
        command="sudo dd if=/boot/flatcar/vmlinuz-a bs=64 skip=1 count=1 2>/dev/null; echo; "
        "grep -o 'verity.usrhash=[0-9a-f]*' /proc/cmdline",
        shows=r"^([0-9a-f]{64})\nverity\.usrhash=\1\n$",
    ),
    Capture(
        name="fresh-partitions", command="lsblk -rno PARTLABEL,PARTTYPE /dev/vda",
        shows=r"(?s)EFI-SYSTEM .*BIOS-BOOT .*USR-A .*USR-B .*OEM .*OEM-CONFIG .*ROOT ", same=True,
    ),
    Capture(
        name="fresh-usr", command="findmnt -no SOURCE,FSTYPE,OPTIONS /usr",
        shows=r"/dev/mapper/usr +\w+ +ro\b", flatcar=r"/dev/mapper/usr +btrfs +ro\b",
    ),
    Capture(name="fresh-verity-table", command="sudo dmsetup table usr", shows=r" verity .*\bpanic_on_corruption\b"),
    # Whose overlay it is, Flatcar's own or a confext's, depends on the version: the statements etc-overlay and etc-confext ask.
    Capture(name="fresh-etc", command="findmnt -no FSTYPE,OPTIONS /etc", shows=r"^overlay +\S*lowerdir="),
    Capture(
        name="fresh-core", command="id core", shows=r"^uid=500\(core\) gid=500\(core\)(?=.*\(sudo\))(?=.*\(docker\))"
    ),
    Capture(name="fresh-keys", command="ls ~/.ssh/authorized_keys.d", shows=r"(?m)^ignition$"),
    Capture(name="fresh-boot", command="systemctl is-active boot.automount", shows=r"^active\n$"),
    Capture(
        name="fresh-oem", command="grep -h '^set linux_append' /oem/grub.cfg", shows=r'linux_append=".*\bflatcar\.autologin\b'
    ),
    Capture(
        name="fresh-preset", command="grep -h '^disable' /usr/lib/systemd/system-preset/*.preset", shows=r"(?m)^disable \*$"
    ),
    Capture(name="fresh-selinux", command="getenforce 2>&1", shows="", flatcar=r"^Permissive\n$"),
    Capture(name="fresh-user-manager", command="systemctl is-active user@500.service", shows="", flatcar=r"^active\n$"),
    Capture(
        name="fresh-sysext", command="systemd-sysext status",
        shows=r"(?s)HIERARCHY +EXTENSIONS +SINCE\n.*/usr +containerd-flatcar .*\n +docker-flatcar",
    ),
    Capture(name="fresh-docker", command="docker --version", shows=r"^Docker version \d+"),
    Capture(name="fresh-sysupdate", command="/usr/lib/systemd/systemd-sysupdate --version", shows=r"^systemd \d+"),
    Capture(
        name="fresh-ignition", command="sudo journalctl -b -o cat | grep -m 1 -o 'Ignition v\\?[0-9][0-9.]*'",
        shows="", flatcar=r"^Ignition v?2\.\d+",
    ),
    Capture(name="fresh-socat", command="socat -V 2>&1 | head -n 2", shows=r"socat version \d"),
    Capture(
        name="fresh-setgoodroot", command='cat "$(command -v flatcar-setgoodroot)"', shows=r"(?s)\bcgpt\b.*\bprioritize\b"
    ),
)  # fmt: skip
# An update was offered, and is written to the other slot; the machine was not yet rebooted.
STAGED = (
    Capture(name="staged-update", command="update_engine_client -update", shows="NEED_REBOOT"),
    Capture(name="staged-status", command="update_engine_client -status", shows="NEED_REBOOT"),
    Capture(name="staged-cgpt-show", command="sudo cgpt show /dev/vda", shows="tries=1 successful=0"),
    Capture(
        name="staged-flatcar-update", command="sudo flatcar-update --to-version 120.1.0 2>&1", shows="-reset_status"
    ),
)
CAPTURES = (*FRESH, *STAGED)


def read_value(command: str, raw: str) -> Any:
    """Parse an answer with flatkit's parsers; its words where no parser is needed. Raises MachineError."""
    found: Any
    if "cgpt show" in command and "Label:" in raw:
        found = [dataclasses.asdict(slot) for slot in parse_cgpt_show(raw)]
    elif "update_engine_client" in command and "CURRENT_OP" in raw:
        found = [dataclasses.asdict(status) for status in parse_statuses(raw)]
    elif "update.conf" in command:
        found = parse_update_conf(raw).values
    else:
        found = raw.split()
    return found


def as_golden(command: str, raw: str, value: Any) -> str:
    """The text of a golden file."""
    return json.dumps({"command": command, "raw": raw, "value": value}, indent=1, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    """A value of flatkit's own as JSON has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)


def find_faults(capture: Capture, raw: str, *, is_flatcar: bool, lab: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Find what is wrong in an answer; `lab` is the golden form of the lab image's, where there is one."""
    faults = [
        f'said "{_short(raw)}", expected it to match "{pattern}"'
        for pattern in (capture.shows, capture.flatcar if is_flatcar else "")
        if pattern and not re.search(pattern, raw)
    ]
    try:
        value = read_value(capture.command, raw)
    except FlatkitError as error:
        return (*faults, f"flatkit's parser cannot read it: {error.message}")
    if lab is not None and capture.same:
        faults += [f'"{line}" is on one of the two only' for line in sorted(_lines(raw) ^ _lines(lab["raw"]))]
    elif lab is not None:
        faults += _differences(value, lab["value"])
    return tuple(faults)


def _lines(raw: str) -> set[str]:
    return {line.strip() for line in lines_of(raw) if line.strip()}


# What two machines of one form may differ in, and be of one form all the same.
_OF_THE_MACHINE = {"version", "last_checked", "progress", "operation", "new_version", "new_size"}


def _differences(value: Any, lab: Any) -> list[str]:
    """Find where a value that flatkit parsed differs from the lab image's; words are compared by `shows` alone."""
    if isinstance(value, dict) and isinstance(lab, dict):
        missing = sorted(set(lab) - set(value))
        return [f"the lab image's answer has {', '.join(missing)} besides"] if missing else []
    rows = [row for row in value if isinstance(row, dict)]
    others = [row for row in lab if isinstance(row, dict)]
    if not rows and not others:
        return []
    if len(rows) < len(others) and "operation" not in others[0]:
        return [f"flatkit reads {len(rows)} of them, {len(others)} on the lab image"]
    return [
        f'{key} is "{row.get(key)}", on the lab image "{other[key]}"'
        for row, other in zip(rows, others, strict=False)
        for key in other
        if key not in _OF_THE_MACHINE and row.get(key) != other[key]
    ]


def _short(raw: str) -> str:
    text = raw.strip()
    return text if len(text) <= 120 else f"{text[:120]}..."
