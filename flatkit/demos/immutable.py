"""Immutable: nothing writes to `/usr`, a single hash identifies all of it, and the kernel refuses a changed byte.

Every step is the same on the lab image and on Flatcar. The byte that is changed lies four MiB before the end of the file
system: no boot reads it there (its last blocks are looked at by udev), and any read of it has to be noticed.
Source of the tampering: flatcar/mantle, kola/tests/misc/verity.go (cl.verity/corruption), which changes the first 100 MB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flatkit.demos.facts import SLOTS, USR, is_read_only
from flatkit.steps import Boot, Demo, Fact, Step, Verdict, Where, is_equal, says

_MACHINE = "demo-immutable"
_MANAGERS = "apt-get dpkg dnf yum rpm zypper pacman apk emerge"
# The block's number, and the block as it was.
_BLOCK = "n=$(($(sudo blockdev --getsz /dev/mapper/usr) / 8 - 1024))"
_COPY = "/var/lib/block"
_DEVICE = "$(rootdev -s /usr)"
_READ = "sudo dd if=/dev/mapper/usr bs=4k skip=$n count=1 iflag=direct"


@dataclass(frozen=True, kw_only=True)
class Seal:
    """The root hash that the boot loader gave to the kernel, and the one by which the kernel checks `/usr`."""

    given: str
    used: str
    on_corruption: str

    def __str__(self) -> str:
        return f"given {self.given[:12]}, used {self.used[:12]}, {self.on_corruption or 'no word on corruption'}"


@dataclass(frozen=True, kw_only=True)
class Tampered:
    """The bytes of the block that differ from the copy (-1: not compared), and dm-verity's state: V valid, C corrupted."""

    differ: int
    state: str

    def __str__(self) -> str:
        changed = "not compared" if self.differ < 0 else f"{self.differ} byte{'' if self.differ == 1 else 's'} changed"
        return f"{changed}, dm-verity says {self.state or 'nothing'}"


def parse_seal(text: str) -> Seal:
    """From the kernel's command line and `dmsetup table usr`."""
    given = re.search(r"\bverity\.usrhash=([0-9a-f]{64})\b", text)
    used = re.search(r"\bverity \d+ .*\bsha256 ([0-9a-f]{64}) \S+(.*)", text)
    word = re.search(r"\S+_on_corruption", used[2]) if used else None
    return Seal(given=given[1] if given else "", used=used[1] if used else "", on_corruption=word[0] if word else "")


def parse_tampered(text: str) -> Tampered:
    """From `cmp -l` (a line a byte: its place, both values) and `dmsetup status usr`."""
    state = re.search(r"^\d+ \d+ verity ([A-Z])\b", text, flags=re.MULTILINE)
    differ = len(re.findall(r"^ *\d+ +[0-7]+ +[0-7]+$", text, flags=re.MULTILINE))
    return Tampered(differ=-1 if "cmp: " in text else differ, state=state[1] if state else "")


def _are_none(managers: Any) -> Verdict:
    return Verdict(ok=not managers, found=f"found {', '.join(managers) or 'no package manager'}")


def _is_sealed(seal: Any) -> Verdict:
    ok = bool(seal.given) and seal.given == seal.used and seal.on_corruption == "panic_on_corruption"
    return Verdict(
        ok=ok, found=f"found {seal}" + ("" if ok else "; expected one hash in both places, and panic_on_corruption")
    )


def _panicked(text: Any) -> Verdict:
    block = re.search(r"data block (\d+) is corrupted", str(text))
    panic = "Kernel panic - not syncing: dm-verity device corrupted" in str(text)
    if block and panic:
        return Verdict(ok=True, found=f"found that block {block[1]} was noticed, and a kernel that stopped")
    return Verdict(ok=False, found=f'found "{str(text)[-200:]}", expected a corrupted block and a kernel panic')


def _has_one_slot(slots: Any) -> Verdict:
    bootable = [slot.label for slot in slots if slot.bootable]
    running = [slot.label for slot in slots if slot.running]
    ok = bootable == running and len(running) == 1
    found = f"running {', '.join(running) or 'none'}, bootable {', '.join(bootable) or 'none'}"
    return Verdict(ok=ok, found=found if ok else f"{found}; expected one slot, the same in both")


IMMUTABLE = Demo(
    name="immutable",
    title="Immutable",
    steps=(
        Step(
            title="Boot a machine",
            notes="Next come three attempts as root. Ask before them; the answer follows the third.",
            why="It has nothing but a name, and restarts in a second when its kernel panics. What is shown holds for every "
            "machine of this image.",
            boot=Boot(config="sealed.bu", machine=_MACHINE),
            where=Where.HOST,
            check=says("ready"),
            hint=f"flatkit console {_MACHINE}   shows how far the boot came",
        ),
        Step(
            title="Install something",
            predicts="03-predict-attack",
            notes="Hands up first: which of the three attempts succeeds?",
            why="There is no package manager, so nobody can install or upgrade a part of the system. It is delivered as a whole, "
            "and replaced as a whole.",
            command="sudo apt-get install nginx",
            check=_are_none,
            hint="type -a apt-get   says where it comes from",
            fact=Fact(name="managers", ask=f"command -v {_MANAGERS}", parse=lambda text: tuple(text.split())),
        ),
        Step(
            title="Write to it",
            why="All programs and libraries are in /usr. It is read-only for everybody, root included.",
            command="sudo touch /usr/bin/mine",
            check=says("Read-only file system"),
            hint="findmnt /usr   shows how it is mounted",
        ),
        Step(
            title="Mount it writable",
            predicts="03-predict-attack",
            why="On other systems root would simply allow it. Here the kernel refuses: neither the extensions over /usr nor the "
            "device below it can be written.",
            command="sudo mount -o remount,rw /usr",
            check=is_read_only,
            hint="findmnt /usr   shows how it is mounted",
            fact=USR,
        ),
        Step(
            title="One number for all of it",
            why="Every block of /usr has a hash, the hashes have hashes, and at the top is one: the root hash. The boot loader "
            "gives it to the kernel, which checks each block that is read by it.",
            command="grep -o 'verity.usrhash=.*' /proc/cmdline; sudo veritysetup status usr",
            check=_is_sealed,
            hint="sudo dmsetup table usr   shows the hash that is used",
            fact=Fact(name="seal", ask="cat /proc/cmdline; sudo dmsetup table usr", parse=parse_seal),
        ),
        Step(
            title="Change one byte, from below",
            notes="Give it time: nothing seems to happen, and that is the point.",
            why="Root can write to the partition itself, as a broken disk or an intruder could. A copy of the block is kept; "
            "then its first byte is another one, and nobody has noticed yet.",
            command=f"{_BLOCK}; sudo dd if={_DEVICE} of={_COPY} bs=4k skip=$n count=1 conv=fsync status=none; "
            rf"head -c 1 {_COPY} | tr '\0-\377' '\1-\377\0' | sudo dd of={_DEVICE} bs=4k seek=$n conv=notrunc,fsync",
            check=is_equal(Tampered(differ=1, state="V")),
            hint=f"ls -l {_COPY}   should be 4096 bytes",
            fact=Fact(
                name="tampered",
                ask=f"{_BLOCK}; sudo dd if={_DEVICE} bs=4k skip=$n count=1 status=none | cmp -l - {_COPY}; "
                "sudo dmsetup status usr",
                parse=parse_tampered,
            ),
        ),
        Step(
            title="Read it",
            predicts="03-predict-read",
            notes="Hands up first. The machine is away for some seconds now: that is not a fault.",
            why="The block no longer fits its hash. The kernel stops the machine rather than hand out a system that is not the "
            "one that was built.",
            command=f"{_BLOCK}; {_READ} of=/dev/null",
            reboots=True,
            check=says("has restarted"),
            hint=f"flatkit console {_MACHINE}   shows what the kernel said",
        ),
        Step(
            title="Its last words",
            why="Only the console can tell: a machine that panics writes to no disk any more. On Flatcar the words are the same.",
            command=f"flatkit console {_MACHINE} | grep -E 'is corrupted|Kernel panic'",
            where=Where.HOST,
            check=_panicked,
            hint=f"flatkit console {_MACHINE}   shows all of it",
        ),
        Step(
            title="Back, from the same slot",
            why="An update that is on its one try would have been left for the slot before it. This machine has no other slot "
            "yet, so it booted the same one; that works as long as nobody reads the byte.",
            command='sudo cgpt show "$(rootdev -s -d /usr)" | grep -A 4 USR-',
            check=_has_one_slot,
            hint='sudo cgpt show "$(rootdev -s -d /usr)"   shows both slots and their bits',
            fact=SLOTS,
        ),
        Step(
            title="Put it back",
            notes="In real life nobody repairs it: one makes a fresh machine.",
            why="With its old byte the block fits again, and the read goes through. So the root hash says that a system is "
            "whole; in real life one would make a fresh machine.",
            command=f"{_BLOCK}; sudo dd if={_COPY} of={_DEVICE} bs=4k seek=$n conv=notrunc,fsync status=none; "
            f"{_READ} of=/dev/null",
            check=is_equal(Tampered(differ=0, state="V")),
            hint="sudo dmsetup status usr   ends with V for valid, C for corrupted",
            fact=Fact(
                name="whole",
                ask=f"{_BLOCK}; {_READ} status=none | cmp -l - {_COPY}; sudo dmsetup status usr",
                parse=parse_tampered,
            ),
        ),
    ),
)
