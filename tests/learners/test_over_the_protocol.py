"""A beginner in a real kernel: exercises are opened, the mistakes of mistakes.py typed with %%butane, "Check again" clicked.

Mistakes at a machine are played with a machine's answers, in test_natural_mistakes.py.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from clicking import Clicker
from kernels import make_kernel

from flatkit.lessons import get_task
from flatkit.lessons.exercise import Exercise, Write
from tests.learners.mistakes import MISTAKES
from tests.learners.test_natural_mistakes import NEVER

ROWS = [mistake for mistake in MISTAKES if isinstance(mistake.attempt, str)]


def file_of(name: str) -> str:
    exercise = get_task(name)
    assert isinstance(exercise, Exercise)
    return next(act.file for act in exercise.setup if isinstance(act, Write))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq", "ignore::DeprecationWarning:jupyter_client")
def test_every_mistake_in_a_config_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    exercises = sorted({row.exercise for row in ROWS})
    sources = ["import flatkit as fk", *(f'fk.check("{name}")' for name in exercises)]
    typed = [f"%%butane {file_of(row.exercise)}\n{row.attempt}" for row in ROWS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources + typed])
    client = Clicker(
        notebook, kernel_name=make_kernel(tmp_path, monkeypatch), timeout=120, allow_errors=True,
        resources={"metadata": {"path": str(tmp_path)}},
    )  # fmt: skip
    unhelped: list[tuple[str, str, str]] = []
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells[: len(sources)]):
            client.execute_cell(cell, number)
        card_of = {
            client.widget_state[card]["state"]["name"]: card
            for card in client.find(_anywidget_id="flatkit.widgets.card.TaskPage")
        }
        assert sorted(card_of) == exercises
        for number, row in enumerate(ROWS, start=len(sources)):
            client.execute_cell(notebook.cells[number], number)
            card = card_of[row.exercise]
            client.say(card, verb="check")
            client.wait_for(card, "state", lambda state: not state["working"])
            state = client.widget_state[card]["state"]
            said = "\n".join([state["found"], *state["notes"]])
            is_helped = all(words in said for words in row.says) and not any(
                words in said for words in (*row.never, *NEVER)
            )
            if not is_helped or state["state"] != "wrong":
                unhelped.append((row.exercise, row.what, f"{state['state']}: {said}"))
    assert unhelped == []
    assert not any(output.output_type == "error" for cell in notebook.cells[1:] for output in cell.outputs)
