"""The pure model of a presentation: what each key does from each state."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from flatkit import widgets
from flatkit.demos import DEMOS
from flatkit.demos.presentation import (
    HELP,
    KEYS,
    Do,
    Mark,
    Presentation,
    StageWish,
    answering_step,
    parse_wish,
    question_at,
)
from flatkit.lessons.prediction import find_prediction

_MARKS = {"o": Mark.OK, "x": Mark.FAILED, "s": Mark.SKIPPED, ".": Mark.WAITING}


def wish(verb: str, *numbers: int) -> StageWish:
    return StageWish(verb=verb, numbers=numbers)


def show(marks: str, at: int = 1, shown: int = 0, **more: object) -> Presentation:
    made = Presentation(marks=tuple(_MARKS[one] for one in marks), at=at, shown=shown or at, boots=frozenset({1}))
    return replace(made, **more)  # type: ignore[arg-type]


def marks_of(made: Presentation) -> str:
    return "".join(letter for mark in made.marks for letter, one in _MARKS.items() if one is mark)


# The state, the line, what is done at which step, and the state then: marks, at, shown.
CASES = [
    ("...", 1, 1, "n", Do.RUN, 1, ("...", 1, 1)),
    ("o..", 1, 1, "n", Do.SHOW, 0, ("o..", 2, 2)),
    ("o..", 2, 2, "", Do.RUN, 2, ("o..", 2, 2)),
    ("o..", 2, 2, " ", Do.RUN, 2, ("o..", 2, 2)),
    ("o..", 2, 2, "b", Do.SHOW, 0, ("o..", 2, 1)),
    ("o..", 2, 1, "n", Do.SHOW, 0, ("o..", 2, 2)),
    ("oo.", 3, 1, "right", Do.SHOW, 0, ("oo.", 3, 2)),
    ("ox.", 2, 2, "g", Do.RUN, 2, ("ox.", 2, 2)),
    ("oo.", 3, 3, "g", Do.RUN, 2, ("oo.", 2, 2)),
    ("oo.", 3, 2, "g", Do.RUN, 2, ("oo.", 2, 2)),
    ("ox.", 2, 2, "s", Do.SHOW, 0, ("os.", 3, 3)),
    ("oo.", 3, 3, "s", Do.SHOW, 0, ("oos", 3, 3)),
    ("o..", 1, 1, "s", Do.SHOW, 0, ("o..", 2, 2)),
    ("o....", 2, 2, "j 5", Do.SHOW, 0, ("osss.", 5, 5)),
    ("oo.", 3, 3, "j 1", Do.SHOW, 0, ("oo.", 3, 1)),
    ("oo.", 3, 1, "w", Do.REWIND, 1, ("oo.", 3, 1)),
    ("oo.", 3, 2, "w", Do.REWIND, 2, ("oo.", 3, 2)),
    ("oox", 3, 3, "w", Do.REWIND, 3, ("oox", 3, 3)),
    ("oo.", 3, 2, "q", Do.END, 0, ("oo.", 3, 2)),
    ("ooo", 3, 3, "quit", Do.END, 0, ("ooo", 3, 3)),
]


@pytest.mark.parametrize(("marks", "at", "shown", "line", "do", "step", "then"), CASES)
def test_a_key_moves(marks: str, at: int, shown: int, line: str, do: Do, step: int, then: tuple[str, int, int]) -> None:
    asked = parse_wish(line)
    assert asked is not None
    move = show(marks, at, shown, points=frozenset({1, 2, 3}), offered=0).press(asked)
    assert (move.do, move.step) == (do, step), move.said
    assert (marks_of(move.to), move.to.at, move.to.shown) == then


@pytest.mark.parametrize("text", ["\t", "  ", "\x0b", "\x7f", "x", "n 5", "v 1 x", "hand", "12345"])
def test_a_key_that_means_nothing(text: str) -> None:
    assert parse_wish(text) is None


REFUSED = [
    ("...", 1, 1, "b", "first step"),
    ("o..", 1, 1, "", "step 1 has run; g runs it again"),
    ("oo.", 3, 1, "", "step 1 was before; n goes forward, w rewinds"),
    ("ox.", 2, 2, "n", "step 2 failed: g runs it again, s skips it"),
    ("ooo", 3, 3, "n", "last step; q ends"),
    ("ooo", 3, 3, "s", "last step; q ends"),
    ("...", 1, 1, "g", "no step has run yet"),
    ("os.", 3, 3, "g", "the step before was left out"),
    ("oo.", 3, 1, "g", "step 2 ran last"),
    ("oo.", 3, 1, "s", "step 1 was before"),
    ("...", 1, 1, "s", "step 1 boots a machine that later steps need"),
    ("...", 1, 1, "j 3", "step 1 boots a machine that later steps need"),
    ("...", 1, 1, "j 4", "there is no step 4; expected 1 to 3"),
    ("...", 1, 1, "j 0", "there is no step 0"),
    ("...", 1, 1, "j", "to which step"),
    ("o..", 2, 2, "w", "step 2 has not run yet, so the machine is as before it; b goes"),
    ("...", 1, 1, "w", "step 1 has not run yet"),
]


@pytest.mark.parametrize(("marks", "at", "shown", "line", "why"), REFUSED)
def test_a_key_is_refused_with_what_helps(marks: str, at: int, shown: int, line: str, why: str) -> None:
    before, asked = show(marks, at, shown), parse_wish(line)
    assert asked is not None
    move = before.press(asked)
    assert move.do is Do.REFUSE
    assert why in move.said
    assert move.to == before


def test_without_a_checkpoint_the_nearest_is_offered_and_taken_by_the_same_key() -> None:
    off = show("oooo", 4, points=frozenset({1, 3}), lacks={4: "the machine is stopped"})
    first = off.rewind()
    assert first.do is Do.REFUSE
    assert first.said == (
        "step 4 has no checkpoint (the machine is stopped); the nearest is before step 3: w again goes there"
    )
    second = first.to.rewind()
    assert (second.do, second.step) == (Do.REWIND, 3)
    assert second.to.rewound(3).offered == 0
    # Any other key takes the offer back.
    assert first.to.back().to.offered == 0
    left_out = show("os.", 3, 2, points=frozenset({1})).rewind()
    assert "step 2 has no checkpoint (it was left out)" in left_out.said
    nowhere = show("oo.", 3, 2).rewind()
    assert "no step before it has one" in nowhere.said
    assert nowhere.to.offered == 0


def test_a_recording_can_be_rewound_to_and_jumped_over_anywhere() -> None:
    recorded = show("oo.", 3, 2).recorded()
    assert recorded.rewind().do is Do.REWIND
    assert show("...", 1).recorded().jump(3).do is Do.SHOW


def test_the_state_follows_what_was_done() -> None:
    made = show("...").kept(1).ended(1, Mark.OK).next().to.kept(2, "no room").ended(2, Mark.FAILED)
    assert (marks_of(made), made.at, made.points, made.lacks) == ("ox.", 2, {1}, {2: "no room"})
    assert made.failed == (2,)
    assert not made.is_over
    back = made.rewound(1)
    assert (marks_of(back), back.at, back.shown, back.points, back.lacks) == ("...", 1, 1, {1}, {})
    assert made.skip().to.ended(3, Mark.OK).is_over


@pytest.mark.parametrize(("line", "expected"), [
    ("n", wish("next")), ("N", wish("next")), ("next", wish("next")), ("pagedown", wish("next")),
    ("", wish("run")), ("run", wish("run")), ("j 12", wish("jump", 12)),
    ("jump 2", wish("jump", 2)), ("3", wish("hand", 3)),
    ("v 12 3 5", wish("votes", 12, 3, 5)), ("x", None), ("n 2", None), ("j x", None), ("j ²", None),
    ("12", None), ("j 99999", None), ("escape", None), ("v " + "1 " * 21, None),
])  # fmt: skip
def test_lines_and_keys_are_read(line: str, expected: StageWish | None) -> None:
    assert parse_wish(line) == expected


def test_help_names_the_keys_and_the_notebook_has_the_same_ones() -> None:
    for key, verb in KEYS.items():
        if len(key) == 1 and key.isalpha() and verb != "votes":
            assert re.search(rf"\b{key} ", HELP), key
    page = Path(widgets.__file__).parent / "js" / "src" / "player" / "index.js"
    keys = dict(re.findall(r'(\w+): "(next|again|skip|recorded)"', page.read_text()))
    for key in ("n", "g", "s", "r"):
        assert keys[key] == KEYS[key]
    assert 'event.key === "w") moveHere("rewind")' in page.read_text()


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_has_notes_and_its_predictions_are_the_courses(name: str) -> None:
    demo = DEMOS[name]
    assert any(step.notes for step in demo.steps)
    for step in demo.steps:
        assert len(step.notes) <= 120
        assert not step.predicts or find_prediction(step.predicts) is not None


def test_a_prediction_is_open_from_its_first_step_to_its_last() -> None:
    demo = DEMOS["immutable"]
    asked = [question_at(demo, number) for number in range(1, 8)]
    assert asked == ["", *["03-predict-attack"] * 3, "", "", "03-predict-read"]
    assert answering_step(demo, "03-predict-attack") == 4
