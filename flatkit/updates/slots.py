"""The slots USR-A and USR-B in the GPT: the meaning of their bits, and the slot that a boot chooses. Pure.

Sources: Flatcar's GRUB (grub-2.12-add-gpt-partition-scheme.patch, `gptprio.next`), its cgpt (seismograph) and
update_engine's flatcar-postinst and flatcar-setgoodroot. One parser reads Flatcar's `cgpt show` and the lab image's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from flatkit.errors import MachineError
from flatkit.untrusted import is_number, lines_of, printable

USR_TYPE = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"
USR_GUIDS = {"USR-A": "7130c94a-213a-4e5a-8e26-6cce9662f132", "USR-B": "e03dd35c-7c2d-4a47-b3fe-27f15780a57c"}
# The command that chooses the other slot: word for word from Flatcar's documentation (manual rollbacks).
PRIORITIZE_OTHER = 'sudo cgpt prioritize "$(sudo cgpt find -t flatcar-usr | grep --invert-match "$(rootdev -s /usr)")"'
# A GPT has 128 entries of a few lines each.
_TEXT_MAX = 256 * 1024
_DETAILS_MAX = 4096
SLOT_MAX = 15  # of priority and of tries: four bits each

_PRIORITY, _TRIES, _SUCCESSFUL = 48, 52, 56
# Older machines print the name of Flatcar's predecessor; `cgpt show -n` prints the type's GUID.
_USR_TYPES = ("alias for flatcar-rootfs", "alias for coreos-rootfs", "flatcar-rootfs", "coreos-rootfs", USR_TYPE)
_SFDISK_NAMES = {"RequiredPartition": 0, "NoBlockIOProtocol": 1, "LegacyBIOSBootable": 2}


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


def attribute_word(*, priority: int, tries: int, successful: bool, other: int = 0) -> int:
    """Return the 64-bit attribute word of a GPT entry; its remaining bits come from `other`.

    Raises ValueError for a number that does not fit in its bits.
    """
    for name, value in (("priority", priority), ("tries", tries)):
        if not 0 <= value <= SLOT_MAX:
            raise ValueError(f'{name} is "{value}", expected 0 to {SLOT_MAX}')
    mask = SLOT_MAX << _PRIORITY | SLOT_MAX << _TRIES | 1 << _SUCCESSFUL
    return other & ~mask | priority << _PRIORITY | tries << _TRIES | int(successful) << _SUCCESSFUL


def slot_of_word(label: str, *, word: int, number: int = 0) -> Slot:
    """Return the slot that an attribute word describes; other bits are ignored."""
    return Slot(
        label=label,
        number=number,
        priority=word >> _PRIORITY & SLOT_MAX,
        tries=word >> _TRIES & SLOT_MAX,
        successful=bool(word >> _SUCCESSFUL & 1),
    )


def sfdisk_attributes(word: int) -> str:
    """Return the word in sfdisk's form: `GUID:48,56`, with names for the three bits that have one."""
    names = [name for name, bit in _SFDISK_NAMES.items() if word >> bit & 1]
    numbers = [str(bit) for bit in range(48, 64) if word >> bit & 1]
    return " ".join([*names, *(["GUID:" + ",".join(numbers)] if numbers else [])])


def parse_sfdisk_attributes(text: str) -> int:
    """Return the word for sfdisk's text, with or without quotes. Raises ValueError for an unknown name."""
    word = 0
    for token in re.split(r"[\s,]+", text.strip().strip('"')):
        bit = token.removeprefix("GUID:")
        if bit in _SFDISK_NAMES:
            word |= 1 << _SFDISK_NAMES[bit]
        elif is_number(bit) and int(bit) < 64:
            word |= 1 << int(bit)
        elif bit:
            raise ValueError(f'"{token}" is not a GPT attribute; expected one such as "GUID:48,56"')
    return word


def next_slot(slots: Iterable[Slot]) -> Slot | None:
    """Return Flatcar's choice: the highest priority among the bootable; the first of equals, so partition order matters."""
    chosen: Slot | None = None
    for slot in slots:
        if slot.bootable and (chosen is None or slot.priority > chosen.priority):
            chosen = slot
    return chosen


def booted(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    """Return the slots after the boot loader ran: its choice is running, with one try less if it had any left.

    With no bootable slot nothing changes and nothing runs.
    """
    before = tuple(slots)
    chosen = next_slot(before)
    after = [
        replace(slot, running=slot is chosen, tries=slot.tries - (slot is chosen and slot.tries > 0)) for slot in before
    ]
    return marked_next(after)


def marked_next(slots: Iterable[Slot]) -> tuple[Slot, ...]:
    """Return the same slots, each marked whether the next boot will choose it."""
    before = tuple(slots)
    chosen = next_slot(before)
    return tuple(replace(slot, next=slot is chosen) for slot in before)


def prioritized(slots: Iterable[Slot], *, label: str) -> tuple[Slot, ...]:
    """Return the effect of `cgpt prioritize`: this slot ranks highest, the others keep their order below, and 0 stays 0."""
    before = tuple(slots)
    ranks = sorted({slot.priority for slot in before if slot.label != label and slot.priority > 0})
    rank = {priority: index for index, priority in enumerate(ranks, start=1)} | {0: 0}
    return marked_next(
        replace(slot, priority=len(ranks) + 1 if slot.label == label else rank[slot.priority]) for slot in before
    )


def staged(slots: Iterable[Slot], *, label: str) -> tuple[Slot, ...]:
    """Return the slots after an update was written to one (flatcar-postinst): one try, not successful, highest priority."""
    return prioritized((replace(s, tries=1, successful=False) if s.label == label else s for s in slots), label=label)


def marked_good(slots: Iterable[Slot], *, label: str) -> tuple[Slot, ...]:
    """Return the slots after a healthy boot (flatcar-setgoodroot): successful, no tries needed, highest priority."""
    return prioritized((replace(s, tries=0, successful=True) if s.label == label else s for s in slots), label=label)


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
