"""The slots USR-A and USR-B in the GPT: the meaning of their bits, and the slot that a boot chooses. Pure.

Sources: Flatcar's GRUB (grub-2.12-add-gpt-partition-scheme.patch, `gptprio.next`), its cgpt (seismograph) and
update_engine's flatcar-postinst and flatcar-setgoodroot. One parser reads Flatcar's `cgpt show` and the lab image's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from flatkit.errors import MachineError
from flatkit.untrusted import lines_of, printable

USR_TYPE = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"
USR_GUIDS = {"USR-A": "7130c94a-213a-4e5a-8e26-6cce9662f132", "USR-B": "e03dd35c-7c2d-4a47-b3fe-27f15780a57c"}
# The command that chooses the other slot: word for word from Flatcar's documentation (manual rollbacks).
PRIORITIZE_OTHER = 'sudo cgpt prioritize "$(sudo cgpt find -t flatcar-usr | grep --invert-match "$(rootdev -s /usr)")"'
# A GPT has 128 entries of a few lines each.
_TEXT_MAX = 256 * 1024
_DETAILS_MAX = 4096
# Older machines print the name of Flatcar's predecessor; `cgpt show -n` prints the type's GUID.
_USR_TYPES = ("alias for flatcar-rootfs", "alias for coreos-rootfs", "flatcar-rootfs", "coreos-rootfs", USR_TYPE)


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A USR partition and its bits. `running`: `/usr` comes from it; `next`: the next boot will choose it."""

    label: str
    number: int = 0
    priority: int = 0
    tries: int = 0
    successful: bool = False
    version: str = ""
    running: bool = False
    next: bool = False

    @property
    def bootable(self) -> bool:
        """True when the boot loader may choose it."""
        return self.priority > 0 and (self.tries > 0 or self.successful)

    @property
    def bits(self) -> tuple[int, int, int]:
        """Priority, tries, successful: the triple to compare."""
        return self.priority, self.tries, int(self.successful)

    def __str__(self) -> str:
        marks = [mark for mark, holds in (("running", self.running), ("next", self.next)) if holds]
        tail = f" ({', '.join(marks)})" if marks else ""
        return f"{self.label} priority={self.priority} tries={self.tries} successful={int(self.successful)}{tail}"


def next_slot(slots: Iterable[Slot]) -> Slot | None:
    """Return Flatcar's choice: the highest priority among the bootable; the first of equals, so partition order matters."""
    chosen: Slot | None = None
    for slot in slots:
        if slot.bootable and (chosen is None or slot.priority > chosen.priority):
            chosen = slot
    return chosen


def marked_next(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    """Return the same slots, each marked whether the next boot will choose it."""
    before = tuple(slots)
    chosen = next_slot(before)
    return tuple(replace(slot, next=slot is chosen) for slot in before)


def parse_cgpt_show(text: str, *, running: str = "") -> tuple[Slot, ...]:
    """Return the USR slots in the output of `cgpt show`, in the order of the disk.

    `running` is the output of `rootdev -s /usr` ("/dev/vda3") or a label. The next slot is marked only for a whole
    table: one partition alone does not tell it. Raises MachineError when there is no USR partition in the text.
    """
    found: list[Slot] = []
    head = re.compile(r'^ *[0-9]+ +[0-9]+ +([0-9]{1,3}) +Label: "(.*)" *\Z')
    text = text[:_TEXT_MAX]
    for block in _blocks(text, head):
        number, label = head.match(block[0]).groups()  # type: ignore[union-attr]
        values = dict(re.split(r":\s*", line.strip(), maxsplit=1) for line in block[1:] if ":" in line)
        bits = re.search(r"priority=([0-9]{1,2}) tries=([0-9]{1,2}) successful=([0-9])\b", values.get("Attr", ""))
        if values.get("Type", "").strip().lower() in _USR_TYPES and bits:
            found.append(
                Slot(
                    label=printable(label),
                    number=int(number),
                    priority=int(bits[1]),
                    tries=int(bits[2]),
                    successful=bits[3] != "0",
                    running=bool(running) and _names(running.strip(), label=label, number=int(number)),
                )
            )
    if not found:
        raise MachineError(
            '"cgpt show" named no USR partition; expected a table with the labels "USR-A" and "USR-B"',
            hint='sudo cgpt show "$(rootdev -s -d /usr)"   (on the machine; it needs root)',
            details=text[:_DETAILS_MAX],
        )
    return marked_next(found) if len(found) > 1 else tuple(found)


def _blocks(text: str, head: re.Pattern[str]) -> list[list[str]]:
    """Return the lines of each partition, its first line first; header and table lines are left out."""
    blocks: list[list[str]] = []
    for line in lines_of(text):
        if head.match(line):
            blocks.append([line])
        elif blocks and not re.match(r" *[0-9]+ +[0-9]+ ", line):
            blocks[-1].append(line)
    return blocks


def _names(device: str, *, label: str, number: int) -> bool:
    """Return whether a device path (or a label) is this partition; `/dev/nvme0n1p3` ends in its number as `/dev/vda3` does."""
    if device.rsplit("/", 1)[-1] == label:
        return True
    ending = re.search(r"[a-z]([0-9]{1,3})\Z", device)
    return bool(ending) and int(ending[1]) == number  # type: ignore[index]
