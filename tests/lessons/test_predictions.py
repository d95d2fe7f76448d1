"""Predictions: stored, changed until they are seen, and each of the course asked before the cell that shows its answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flatkit.errors import UsageError
from flatkit.lessons import LESSONS, get_task
from flatkit.lessons.exercise import Choice, Prediction
from flatkit.lessons.prediction import Guessing
from flatkit.lessons.progress import Progress
from flatkit.lessons.prover import prediction_faults

ROOT = Path(__file__).resolve().parents[2]
PREDICTIONS = [(lesson.name, one) for lesson in LESSONS.values() for one in lesson.predictions]
READ = get_task("03-predict-read")
assert isinstance(READ, Prediction)


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(tmp_path / "progress.json")


def test_a_guess_is_kept_over_a_restart(progress: Progress) -> None:
    guessing = Guessing(READ, progress)
    assert (guessing.guess.at, guessing.guess.comparison, guessing.see().is_seen) == (None, (), False)
    assert guessing.choose("b").at == 1
    assert guessing.choose(0).at == 0, "it may be changed"
    again = Guessing(READ, Progress(progress.file))
    assert again.see().is_seen
    assert again.choose("c").at == 0, "but not once the answer was seen"
    thought, happens, why = again.guess.comparison
    assert thought == f"You thought: {READ.choices[0].text}"
    assert happens == f"What happens: {READ.happened}"
    assert why == f"→ {READ.choices[0].why}"
    assert again.forget().at is None


@pytest.mark.parametrize("choice", ["", "d", "aa", 3, -1, True, 0.5, None])
def test_a_choice_that_is_none_is_refused(progress: Progress, choice: object) -> None:
    with pytest.raises(UsageError, match="expected a to c"):
        Guessing(READ, progress).choose(choice)  # type: ignore[arg-type]


def test_a_guess_for_a_choice_that_is_gone_is_dropped(progress: Progress) -> None:
    Guessing(READ, progress).choose("c")
    assert Guessing(replace(READ, choices=READ.choices[:2]), progress).guess.at is None


@pytest.mark.parametrize(("lesson", "prediction"), PREDICTIONS, ids=lambda value: getattr(value, "name", ""))
def test_it_is_asked_before_the_cell_that_shows_the_answer(lesson: str, prediction: Prediction) -> None:
    assert prediction_faults(prediction) == ()
    assert prediction.name.startswith(lesson[:2])
    cells = json.loads((ROOT / "notebooks" / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    at = sources.index(f'fk.check("{prediction.name}")')
    assert "predict" in cells[at]["metadata"]["tags"]
    assert "**Predict**" in sources[at - 1]
    answer = next(number for number in range(at, at + 8) if prediction.cell in sources[number])
    assert cells[answer]["cell_type"] == "code"
    assert prediction.fails == ("raises-exception" in cells[answer]["metadata"].get("tags", []))


def test_every_question_of_a_notebook_can_be_answered() -> None:
    for lesson in LESSONS:
        cells = json.loads((ROOT / "notebooks" / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]
        asked = sum("**Predict**" in "".join(cell["source"]) for cell in cells)
        assert asked == len(LESSONS[lesson].predictions) > 0


def test_faults_of_a_prediction_are_found() -> None:
    right = Choice(text="a", why="b", is_right=True)
    for choices in (
        (right,),
        (right, right),
        (right, Choice(text="c", why="")),
        (right, *[Choice(text="c", why="d")] * 4),
    ):
        assert prediction_faults(replace(READ, choices=choices))
    assert prediction_faults(replace(READ, cell=""))
