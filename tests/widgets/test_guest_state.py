"""What is told of two looks into a machine, one after the other: an update's course and its end, good or bad."""

from __future__ import annotations

import pytest

from flatkit.updates.slots import Slot
from flatkit.updates.status import Operation, UpdateStatus
from flatkit.widgets.guest_state import Inside, as_text, followed

GOOD = Slot(label="USR-A", priority=1, successful=True, running=True, next=True)
EMPTY = Slot(label="USR-B")
# What is seen of an update, a look each: (the running slot, the other one, words of the story).
UPDATE = [
    (GOOD, EMPTY, "USR-A runs, and the next boot takes it again."),
    (
        Slot(label="USR-A", priority=1, successful=True, running=True),
        Slot(label="USR-B", priority=2, tries=1, next=True),
        "the next boot takes USR-B, with one try",
    ),
    (
        Slot(label="USR-B", priority=2, running=True),
        Slot(label="USR-A", priority=1, successful=True, next=True),
        "USR-B runs on trial",
    ),
]
GIVEN_UP = Slot(label="USR-B", priority=2)
ENDS = [
    (
        "marked good",
        (
            Slot(label="USR-B", priority=2, successful=True, running=True, next=True),
            Slot(label="USR-A", priority=1, successful=True),
        ),
        "USR-B runs, and the next boot takes it again.",
    ),
    ("rolled back", (GOOD, GIVEN_UP), "↩ Rolled back: the trial of USR-B did not become good."),
]


def course(*looks: tuple[Slot, Slot]) -> list[Inside]:
    found: list[Inside] = []
    for slots in looks:
        found.append(followed(Inside(version="1", slots=slots), found[-1] if found else None))
    return found


@pytest.mark.parametrize("number", range(len(UPDATE)))
def test_each_state_of_an_update_has_its_words(number: int) -> None:
    *_, last = course(*((here, other) for here, other, _ in UPDATE[: number + 1]))
    assert UPDATE[number][2] in last.story
    assert UPDATE[number][2] in as_text(last)


@pytest.mark.parametrize(("end", "slots", "words"), ENDS, ids=[end for end, _, _ in ENDS])
@pytest.mark.parametrize("seen", [1, 2, 3], ids=["before", "staged", "trial"])
def test_its_end_is_told_whatever_was_seen_of_it(seen: int, end: str, slots: tuple[Slot, Slot], words: str) -> None:
    looks = course(*((here, other) for here, other, _ in UPDATE[:seen]), slots, slots)
    # Who saw nothing of the trial is told what is now, and nothing that was not seen.
    wanted = "USR-A runs, and the next boot takes it again." if (end, seen) == ("rolled back", 1) else words
    assert looks[-1].story.startswith(wanted), "also at the look after"
    assert bool(looks[-1].rolled_back) == (end == "rolled back" and seen > 1)


def test_the_next_update_is_another_story() -> None:
    looks = course((UPDATE[1][0], UPDATE[1][1]), (GOOD, GIVEN_UP), (UPDATE[1][0], UPDATE[1][1]))
    assert [look.rolled_back for look in looks] == ["", "USR-B", ""]


def status(operation: Operation, version: str = "0.0.0") -> UpdateStatus:
    return UpdateStatus(last_checked=0, progress=0.5, operation=operation, new_version=version, new_size=0)


def one(version: str, a: Slot, b: Slot, update: UpdateStatus | None = None) -> Inside:
    return Inside(version=version, slots=(a, b), update=update)


A_RUNS = Slot(label="USR-A", priority=1, successful=True, running=True, next=True)
A_WAY_BACK = Slot(label="USR-A", priority=1, successful=True)
B_RUNS = Slot(label="USR-B", priority=2, successful=True, running=True, next=True)
B_STAGED = Slot(label="USR-B", priority=2, tries=1, next=True)
B_EMPTY = Slot(label="USR-B")
STAGED = status(Operation.NEED_REBOOT, "2")


@pytest.mark.parametrize(
    ("looks", "versions"),
    [
        ([one("1", A_RUNS, B_EMPTY)], {"USR-A": "1"}),
        ([one("1", A_RUNS, B_EMPTY), one("2", A_WAY_BACK, B_RUNS)], {"USR-A": "1", "USR-B": "2"}),
        ([one("1", A_RUNS, B_EMPTY), one("1", A_RUNS, B_STAGED, STAGED)], {"USR-A": "1", "USR-B": "2"}),
        ([one("1", A_RUNS, B_STAGED, STAGED), one("1", A_RUNS, GIVEN_UP)], {"USR-A": "1", "USR-B": "2"}),
        # Written again: what was there is gone.
        ([one("2", A_WAY_BACK, B_RUNS), one("2", A_WAY_BACK, B_RUNS, status(Operation.DOWNLOADING))], {"USR-B": "2"}),
        ([one("1", A_RUNS, B_STAGED, STAGED), one("1", A_RUNS, GIVEN_UP), one("1", A_RUNS, B_STAGED)], {"USR-A": "1"}),
        ([one("1", A_RUNS, B_STAGED, STAGED), Inside(trouble="no answer")], {"USR-A": "1", "USR-B": "2"}),
    ],
)  # fmt: skip
def test_a_version_that_was_known_is_kept_while_its_slot_is_not_written(
    looks: list[Inside], versions: dict[str, str]
) -> None:
    found: Inside | None = None
    for each in looks:
        found = followed(each, found)
    assert found
    assert found.versions == versions
