"""By keyboard alone in JupyterLab: the keys inside a card belong to the card, and every answer can be reached."""

from __future__ import annotations

from lab import Lab
from playwright.sync_api import BrowserContext, expect

CELLS = ['import flatkit as fk\nfk.check("00-recap")', 'fk.check("00-name")']


def test_a_quiz_and_an_exercise_by_keys(lab: Lab, context: BrowserContext) -> None:
    with lab.open(context, CELLS, name="keys.ipynb") as notebook:
        page = notebook.page
        quiz = notebook.run(0)
        cells = notebook.cells.count()
        first = quiz.get_by_role("group", name="1. ")
        first.get_by_role("radio").first.focus()
        page.keyboard.press("Space")
        expect(first.get_by_role("radio").first).to_be_checked()
        for number in (1, 2):
            page.keyboard.press("ArrowDown")
            expect(first.get_by_role("radio").nth(number)).to_be_checked()
            expect(first.get_by_role("radio").nth(number)).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(first.get_by_role("radio").nth(1)).to_be_checked()
        for key in ("a", "b", "x", "z", "m"):  # in a notebook these insert, remove and change cells
            page.keyboard.press(key)
        page.keyboard.press("Tab")
        second = quiz.get_by_role("group", name="2. ")
        expect(second.get_by_role("radio").first).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(second.get_by_role("radio").nth(1)).to_be_checked()
        expect(notebook.cells).to_have_count(cells)
        exercise = notebook.run(1)
        hint = exercise.get_by_role("button", name="Hint (2 left)")
        hint.focus()
        page.keyboard.press("Enter")
        expect(exercise.get_by_role("button", name="Hint (1 left)")).to_be_focused()
        page.keyboard.press("Tab")
        expect(exercise.get_by_role("button", name="Show me")).to_be_focused()
        for key in ("b", "d", "d"):
            page.keyboard.press(key)
        expect(notebook.cells).to_have_count(cells)
