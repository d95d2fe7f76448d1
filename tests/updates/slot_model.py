"""A model of the slots' bits, by Flatcar's sources (see flatkit/updates/slots.py): words, boots, and what changes priorities."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from flatkit.untrusted import is_number
from flatkit.updates.slots import Slot, marked_next, next_slot

SLOT_MAX = 15  # of priority and of tries: four bits each
_PRIORITY, _TRIES, _SUCCESSFUL = 48, 52, 56
_SFDISK_NAMES = {"RequiredPartition": 0, "NoBlockIOProtocol": 1, "LegacyBIOSBootable": 2}


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
