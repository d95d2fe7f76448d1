from __future__ import annotations

import pytest
import slot_model
from hypothesis import given
from hypothesis import strategies as st

from flatkit.errors import MachineError
from flatkit.images.lab import recipe
from flatkit.updates import slots
from flatkit.updates.slots import Slot

SHOW = """\
       start        size    part  contents
           0           1          Hybrid MBR
           1           1          Pri GPT header
           2          32          Pri GPT table
        4096      262144       1  Label: "EFI-SYSTEM"
                                  Type: EFI System Partition
                                  UUID: 596FF08E-5617-4497-B10B-27A23F658B73
                                  Attr: Legacy BIOS Bootable
      266240        4096       2  Label: "BIOS-BOOT"
                                  Type: BIOS Boot Partition
                                  UUID: EACCC3D5-E7E9-461D-A6E2-1DCDAE4671EC
      270336     2097152       3  Label: "USR-A"
                                  Type: Alias for flatcar-rootfs
                                  UUID: 7130C94A-213A-4E5A-8E26-6CCE9662F132
                                  Attr: priority=2 tries=0 successful=1
     2367488     2097152       4  Label: "USR-B"
                                  Type: Alias for flatcar-rootfs
                                  UUID: E03DD35C-7C2D-4A47-B3FE-27F15780A57C
                                  Attr: priority=1 tries=0 successful=0
     4464640      262144       6  Label: "OEM"
                                  Type: Alias for linux-data
                                  UUID: 726E33FA-DFE9-45B2-B215-FB35CD9C2388
     4857856    12943360       9  Label: "ROOT"
                                  Type: Alias for flatcar-resize
                                  UUID: 8F39CE8B-1FB3-4E7E-A784-0C53C8F40442
    17801216          32          Sec GPT table
    17801248           1          Sec GPT header
"""

fours = st.integers(min_value=0, max_value=15)
words = st.integers(min_value=0, max_value=2**64 - 1)
some_slots = st.builds(Slot, label=st.just("X"), priority=fours, tries=fours, successful=st.booleans())
two_slots = st.tuples(fours, fours, st.booleans(), fours, fours, st.booleans()).map(
    lambda t: (
        Slot(label="USR-A", number=3, priority=t[0], tries=t[1], successful=t[2]),
        Slot(label="USR-B", number=4, priority=t[3], tries=t[4], successful=t[5]),
    )
)


def pair(a: tuple[int, int, int], b: tuple[int, int, int]) -> tuple[Slot, Slot]:
    def one(label: str, bits: tuple[int, int, int]) -> Slot:
        return Slot(label=label, priority=bits[0], tries=bits[1], successful=bool(bits[2]))

    return one("USR-A", a), one("USR-B", b)


def test_the_state_walk_of_an_update() -> None:
    """Fresh, staged, booted, good: the triples that Flatcar's machines show."""
    now = slot_model.booted(pair((1, 0, 1), (0, 0, 0)))
    assert [(s.bits, s.running, s.next) for s in now] == [((1, 0, 1), True, True), ((0, 0, 0), False, False)]
    now = slot_model.staged(now, label="USR-B")
    assert [(s.bits, s.running, s.next) for s in now] == [((1, 0, 1), True, False), ((2, 1, 0), False, True)]
    now = slot_model.booted(now)
    assert [(s.bits, s.running, s.next) for s in now] == [((1, 0, 1), False, True), ((2, 0, 0), True, False)]
    good = slot_model.marked_good(now, label="USR-B")
    assert [(s.bits, s.running, s.next) for s in good] == [((1, 0, 1), False, False), ((2, 0, 1), True, True)]
    back = slot_model.booted(now)  # never marked good: the next boot is the rollback
    assert [(s.bits, s.running, s.next) for s in back] == [((1, 0, 1), True, True), ((2, 0, 0), False, False)]


def test_an_update_after_an_update_goes_to_the_other_slot_and_ranks_highest() -> None:
    now = slot_model.staged(pair((1, 0, 1), (2, 0, 1)), label="USR-A")
    assert [s.bits for s in now] == [(2, 1, 0), (1, 0, 1)]


def test_a_rollback_by_hand_is_one_change_of_priority() -> None:
    assert [s.bits for s in slot_model.prioritized(pair((1, 0, 1), (2, 0, 1)), label="USR-A")] == [(2, 0, 1), (1, 0, 1)]


@pytest.mark.parametrize(
    ("a", "b", "chosen"),
    [
        ((1, 0, 1), (0, 0, 0), "USR-A"),
        ((1, 0, 1), (2, 1, 0), "USR-B"),
        ((1, 0, 1), (2, 0, 0), "USR-A"),  # no try left, never good
        ((1, 0, 1), (1, 0, 1), "USR-A"),  # a tie: the first wins
        ((1, 1, 0), (1, 0, 1), "USR-A"),
        ((0, 1, 1), (1, 0, 1), "USR-B"),
        ((0, 15, 1), (0, 15, 1), None),  # priority 0 is never chosen
        ((15, 0, 0), (14, 0, 0), None),
    ],
)
def test_the_choice(a: tuple[int, int, int], b: tuple[int, int, int], chosen: str | None) -> None:
    found = slots.next_slot(pair(a, b))
    assert (found.label if found else None) == chosen


@given(two_slots)
def test_a_boot_takes_one_try_of_its_choice_and_nothing_else(before: tuple[Slot, Slot]) -> None:
    chosen, after = slots.next_slot(before), slot_model.booted(before)
    for old, new in zip(before, after, strict=True):
        took = old is chosen and old.tries > 0
        assert new.bits == (old.priority, old.tries - took, int(old.successful))
        assert new.running == (old is chosen)


@given(two_slots)
def test_booting_again_and_again_comes_to_rest_on_a_good_slot_or_on_none(before: tuple[Slot, Slot]) -> None:
    now: tuple[Slot, ...] = before
    for _ in range(31):  # at most 15 tries each
        now = slot_model.booted(now)
    chosen = slots.next_slot(now)
    assert slot_model.booted(now) == now
    assert (chosen is None) == (not any(s.successful and s.priority > 0 for s in before))
    assert chosen is None or chosen.successful


@given(two_slots)
def test_a_staged_slot_is_the_next_one_once(before: tuple[Slot, Slot]) -> None:
    first = slot_model.staged(before, label="USR-B")
    assert first[1].bits[1:] == (1, 0)
    assert first[1].next
    after = slot_model.booted(first)
    assert after[1].running
    assert not after[1].bootable
    assert slot_model.staged(after, label="USR-B")[1].bits == first[1].bits


@given(two_slots, st.sampled_from(["USR-A", "USR-B"]))
def test_prioritize_changes_priorities_only_and_keeps_zero(before: tuple[Slot, Slot], label: str) -> None:
    after = slot_model.prioritized(before, label=label)
    top = next(s for s in after if s.label == label)
    for old, new in zip(before, after, strict=True):
        assert (old.tries, old.successful) == (new.tries, new.successful)
        if new is not top:
            assert new.priority < top.priority <= 2
            assert (new.priority == 0) == (old.priority == 0)
    assert [s.bits for s in slot_model.prioritized(after, label=label)] == [s.bits for s in after]


@given(some_slots, words)
def test_a_word_holds_a_slot_and_keeps_its_other_bits(slot: Slot, other: int) -> None:
    word = slot_model.attribute_word(priority=slot.priority, tries=slot.tries, successful=slot.successful, other=other)
    assert slot_model.slot_of_word("X", word=word) == slot
    untouched = ~(0x1FF << 48)
    assert word & untouched == other & untouched
    assert 0 <= word < 2**64


@given(words)
def test_sfdisk_text_and_word_say_the_same(word: int) -> None:
    word &= 0xFFFF << 48 | 0b111
    assert slot_model.parse_sfdisk_attributes(slot_model.sfdisk_attributes(word)) == word


def test_known_words_and_texts() -> None:
    assert slot_model.attribute_word(priority=1, tries=0, successful=True) == 0x0101_0000_0000_0000
    assert slot_model.attribute_word(priority=2, tries=1, successful=False) == 0x0012_0000_0000_0000
    assert slot_model.sfdisk_attributes(0x0101_0000_0000_0000) == "GUID:48,56"
    assert slot_model.sfdisk_attributes(0b100) == "LegacyBIOSBootable"
    assert slot_model.sfdisk_attributes(0) == ""
    assert slot_model.parse_sfdisk_attributes('"RequiredPartition GUID:49,52"') == 0x0012_0000_0000_0001
    assert slot_model.parse_sfdisk_attributes("") == 0
    for row in recipe.PARTITIONS:
        if row.label == "USR-A":
            word = slot_model.parse_sfdisk_attributes(row.attributes)
            assert slot_model.slot_of_word(row.label, word=word).bits == (1, 0, 1)
        if row.label in slots.USR_GUIDS:
            assert (row.type_guid, row.guid) == (slots.USR_TYPE, slots.USR_GUIDS[row.label])


@pytest.mark.parametrize("text", ["GUID:64", "GUID:x", "Bootable", "GUID:²", "-1"])
def test_attributes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a GPT attribute"):
        slot_model.parse_sfdisk_attributes(text)


@pytest.mark.parametrize("value", [-1, 16])
def test_numbers_that_do_not_fit_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match=f'priority is "{value}", expected 0 to 15'):
        slot_model.attribute_word(priority=value, tries=0, successful=False)
    with pytest.raises(ValueError, match=f'tries is "{value}", expected 0 to 15'):
        slot_model.attribute_word(priority=0, tries=value, successful=False)


@pytest.mark.parametrize(
    "running", ["/dev/vda3", "/dev/nvme0n1p3", "USR-A", "/dev/disk/by-partlabel/USR-A", "/dev/sda3\n"]
)
def test_cgpt_show_of_a_disk(running: str) -> None:
    a, b = slots.parse_cgpt_show(SHOW, running=running)
    assert a == Slot(label="USR-A", number=3, priority=2, successful=True, running=True, next=True)
    assert b == Slot(label="USR-B", number=4, priority=1)
    assert str(a) == "USR-A priority=2 tries=0 successful=1 (running, next)"
    assert str(b) == "USR-B priority=1 tries=0 successful=0"


def test_cgpt_show_of_an_older_machine_and_of_numbers() -> None:
    older = slots.parse_cgpt_show(SHOW.replace("flatcar-rootfs", "coreos-rootfs"))
    numeric = slots.parse_cgpt_show(SHOW.replace("Alias for flatcar-rootfs", slots.USR_TYPE.upper()))
    assert older == numeric == slots.parse_cgpt_show(SHOW)
    assert not any(slot.running for slot in older)


def test_cgpt_show_of_one_partition_does_not_tell_which_is_next() -> None:
    lines = SHOW.splitlines()
    (slot,) = slots.parse_cgpt_show("\n".join([lines[0], *lines[11:15]]), running="/dev/vda3")
    assert slot == Slot(label="USR-A", number=3, priority=2, successful=True, running=True)


@pytest.mark.parametrize(
    "text", ["", "cgpt: permission denied", SHOW.replace("Alias for flatcar-rootfs", "Alias for linux-data")]
)
def test_no_slots_is_an_error_with_the_raw_output(text: str) -> None:
    with pytest.raises(MachineError, match="named no USR partition") as caught:
        slots.parse_cgpt_show(text)
    assert caught.value.details == text


@given(st.text(alphabet=st.sampled_from('0123456789 \nLabel:"USRABType=priosucf-.\t'), max_size=400))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        found = slots.parse_cgpt_show(text)
    except MachineError:
        return
    assert found
