"""The demos of updates: what each check makes of what machines really said, and what is said when it does not hold."""

from __future__ import annotations

from typing import Any

import pytest

from flatkit.demos import DEMOS, slots
from flatkit.demos.channels import parse_channels
from flatkit.demos.facts import SLOTS, UPDATE
from flatkit.demos.powercut import _verifies
from flatkit.steps import Demo

# Lab machines said this in the runs that are shipped as recordings; only the lines of other partitions are left out.
CGPT = """\
/dev/vda{running}
--flatkit-cut--
       start        size    part  contents
           0           1          Hybrid MBR
           1           1          Pri GPT header
           2          32          Pri GPT table
      270336     1048576       3  Label: "USR-A"
                                  Type: Alias for flatcar-rootfs
                                  UUID: 7130C94A-213A-4E5A-8E26-6CCE9662F132
                                  Attr: priority={a[0]} tries={a[1]} successful={a[2]}
     1318912     1048576       4  Label: "USR-B"
                                  Type: Alias for flatcar-rootfs
                                  UUID: E03DD35C-7C2D-4A47-B3FE-27F15780A57C
                                  Attr: priority={b[0]} tries={b[1]} successful={b[2]}
    13119455          32          Sec GPT table
"""
STATUS = """\
LAST_CHECKED_TIME={asked}
PROGRESS={progress}
CURRENT_OP=UPDATE_STATUS_{operation}
NEW_VERSION={version}
NEW_SIZE=239689984
"""
# How the slots stand: which one runs, and the bits of A and B.
FRESH = CGPT.format(running=3, a=(1, 0, 1), b=(0, 0, 0))
STAGED = CGPT.format(running=3, a=(1, 0, 1), b=(2, 1, 0))
ON_TRIAL = CGPT.format(running=4, a=(1, 0, 1), b=(2, 0, 0))
GOOD = CGPT.format(running=4, a=(1, 0, 1), b=(2, 0, 1))
CHOSEN_BACK = CGPT.format(running=4, a=(2, 0, 1), b=(1, 0, 1))
GIVEN_UP = CGPT.format(running=3, a=(1, 0, 1), b=(2, 0, 0))

SLOT_CHECKS = [
    (slots.has_two_slots, {"fresh", "staged", "on trial", "good", "chosen back", "given up"}),
    (slots.is_staged, {"staged"}),
    (slots.is_on_new_slot, {"on trial", "good"}),
    (slots.is_good_with_way_back, {"good", "chosen back"}),
    (slots.is_good, {"fresh", "staged", "good", "chosen back", "given up"}),
    (slots.goes_back_next, {"on trial", "chosen back"}),
    (slots.other_is_given_up, {"given up"}),
]
STATES = {
    "fresh": FRESH, "staged": STAGED, "on trial": ON_TRIAL, "good": GOOD, "chosen back": CHOSEN_BACK, "given up": GIVEN_UP,
}  # fmt: skip


@pytest.mark.parametrize(("check", "holds"), SLOT_CHECKS, ids=[check.__name__ for check, _ in SLOT_CHECKS])
@pytest.mark.parametrize("state", STATES)
def test_what_a_check_makes_of_the_slots(check: Any, holds: set[str], state: str) -> None:
    verdict = check(SLOTS.parse(STATES[state]))
    assert verdict.ok == (state in holds)
    assert verdict.found.startswith("found USR-A priority=")
    assert ("; expected " in verdict.found) is not verdict.ok


def status(operation: str, *, version: str = "120.1.0", asked: int = 1795722497, progress: str = "0.121107") -> str:
    return STATUS.format(operation=operation, version=version, asked=asked, progress=progress)


STATUS_CHECKS = [
    (slots.waits_for_reboot, status("UPDATED_NEED_REBOOT"), True),
    (slots.waits_for_reboot, status("IDLE", version="0.0.0"), False),
    (slots.is_under_way, status("DOWNLOADING"), True),
    (slots.is_under_way, status("CHECKING_FOR_UPDATE", version="0.0.0"), False),
    (slots.is_being_written, status("FINALIZING"), True),
    (slots.is_being_written, status("DOWNLOADING"), False),
    (slots.has_nothing_new, status("IDLE", version="0.0.0"), True),
    (slots.has_nothing_new, status("IDLE", version="0.0.0", asked=0), False),
    (slots.has_nothing_new, status("UPDATED_NEED_REBOOT"), False),
    (slots.has_nothing_new, "E1126 update_engine_client] update-engine.service does not run", False),
]


@pytest.mark.parametrize(("check", "text", "ok"), STATUS_CHECKS)
def test_what_a_check_makes_of_the_update_client(check: Any, text: str, ok: bool) -> None:
    assert check(UPDATE.parse(text)).ok is ok


VERSIONS = [
    ("120.1.0\n110.2.0\n", True, False),
    ("110.2.0\n110.2.0\n", False, True),
    ("110.2.0\n", False, False),
    ("4593.2.5\n4593.2.4\n", True, False),
]


@pytest.mark.parametrize(("text", "newer", "old"), VERSIONS)
def test_versions_are_compared_with_what_the_machine_remembers(text: str, newer: bool, old: bool) -> None:
    versions = slots.parse_versions(text)
    assert (slots.is_newer(versions).ok, slots.is_the_old_one(versions).ok) == (newer, old)


BEFORE = """\
channel  offers
alpha    131.0.0
beta     120.1.0
stable   110.2.0

machine  group   runs     state    seen
stable   stable  110.2.0  current  4 s ago
canary   beta    120.1.0  current  1 s ago
"""
CAUGHT = """\
channel  offers
alpha    131.0.0
beta     120.1.0
stable   120.1.0

machine  group   runs     state                          seen
stable   stable  110.2.0  installed, waits for a reboot  54 s ago
canary   beta    120.1.0  rolled back                    1 s ago
"""


def test_the_table_of_channels_is_read() -> None:
    table = parse_channels(CAUGHT)
    assert table.offers == {"alpha": "131.0.0", "beta": "120.1.0", "stable": "120.1.0"}
    assert table.machines["canary"].state == "rolled back"
    assert table.machines["stable"].version == "110.2.0"
    assert parse_channels("channel  offers\n\nno machine has asked yet").machines == {}
    assert parse_channels("channel  offers\nbeta     120.1.0 for lab machines\n").offers == {"beta": "120.1.0"}


@pytest.mark.parametrize(("title", "text"), [("Who runs what", BEFORE), ("The server knows it", CAUGHT)])
def test_each_look_at_the_table_holds_at_its_time_alone(title: str, text: str) -> None:
    check = next(step.check for step in DEMOS["channels"].steps if step.title == title)
    assert check(text).ok
    assert not check("channel  offers\n\nno machine has asked yet").ok
    assert not check(text.replace("canary", "another")).ok
    assert check(BEFORE).ok is (text is BEFORE) or title == "Who runs what"


def test_verity_is_believed_only_when_every_block_matched() -> None:
    root = "b47cf1816c0a9387ade3b773c249319834d26c5fe6b5a4162a92ac0415652d74"
    assert _verifies(f"every block matches {root}\n").ok
    assert not _verifies("Verification of data area failed.\nVerification of root hash failed.\n").ok


CONFS = [
    ("GROUP=stable\nSERVER=http://10.0.2.2:46773/v1/update/\nREBOOT_STRATEGY=off\n", True),
    ("GROUP=stable\nSERVER=disabled\nREBOOT_STRATEGY=off\n", False),
    ("GROUP=stable\nSERVER=http://10.0.2.2:46773/v1/update/\n", False),  # it would restart by itself
    ("", False),
]


@pytest.mark.parametrize(("text", "ok"), CONFS)
def test_a_machine_must_ask_this_server(text: str, ok: bool) -> None:
    step = slots.points_at_server(group="stable")
    assert step.fact
    assert step.check(step.fact.parse(text)).ok is ok


OURS = [DEMOS[name] for name in ("update", "rollback", "powercut", "channels")]


@pytest.mark.parametrize("demo", OURS, ids=lambda demo: demo.name)
def test_every_step_says_why_and_has_a_check_that_can_fail(demo: Demo) -> None:
    for step in demo.steps:
        assert step.title
        assert step.why.endswith(".")
        assert step.hint
        assert step.command or step.boot
        if step.fact is None:
            assert not step.check("nothing of the kind").ok, step.title
        elif step.fact is not SLOTS:
            empty, other = step.fact.parse(""), step.fact.parse("nothing of the kind")
            assert not (step.check(empty).ok and step.check(other).ok), step.title
