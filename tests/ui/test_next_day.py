"""The next day: a notebook is saved, its kernel ends, and it is opened again. Each card says what it showed, what wakes it."""

from __future__ import annotations

import nbformat
import pytest
from browser import keep_screenshot, serious_faults
from lab import Lab
from learner_days import KEPT
from playwright.sync_api import BrowserContext, expect

CELLS = [
    'import flatkit as fk\nfk.check("00-recap")',
    'fk.check("00-predict")',
    'fk.check("02-script")',
    'fk.play("provision", recorded=True)',
    'fk.editor("next-day.bu")',
    "from flatkit.widgets import live_machine\nlive_machine.get('next-day')",
    "fk.channels()",
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cards_whose_kernel_is_gone(lab: Lab, context: BrowserContext, axe: str, theme: str) -> None:
    with lab.open(context, CELLS, name="next-day.ipynb", theme=theme) as notebook:  # type: ignore[arg-type]
        page = notebook.page
        for number in range(len(CELLS)):
            output = notebook.run(number)
            expect(output.locator(".fk-widget")).to_be_visible()
            expect(output.locator(KEPT)).to_be_hidden()
            notebook.wait_until_run(number)  # the open prediction ends as an error, which drops a cell that waits
        notebook.wait_until_idle()
        quiz = notebook.cells.nth(0).locator(".jp-OutputArea")
        quiz.get_by_role("group", name="1. ").get_by_role("radio").nth(1).click()
        expect(quiz).to_contain_text("✓ right: ")
        guess = notebook.cells.nth(1).locator(".jp-OutputArea")
        guess.get_by_role("button", name="2  ").click()
        expect(guess).to_contain_text("Your guess is kept")
        notebook.wait_until_idle()
        expect(guess.locator(KEPT)).to_contain_text("> b  It is gone until the next restart")
        notebook.save()
        stored = nbformat.read(lab.root / "next-day.ipynb", as_version=4)
        assert "&gt; b  One image" in str(stored.cells[0].outputs)

        notebook.open_again("next-day.ipynb")
        for number in range(len(CELLS)):
            output = notebook.cells.nth(number).locator(".jp-OutputArea").first
            expect(output.locator(KEPT)).to_be_visible()
            expect(output.locator(KEPT)).to_contain_text("Run this cell to wake it.")
            expect(output.get_by_text("Error displaying widget")).to_be_hidden()
        expect(quiz.locator(KEPT)).to_contain_text("Your answers are kept.")
        expect(quiz.locator(KEPT)).to_contain_text("✓ right: ")
        page.set_viewport_size({"width": 1280, "height": 3000})
        keep_screenshot(page, f"next-day-{theme}")
        assert serious_faults(page, axe, ".jp-OutputArea-output") == []

        notebook.wait_until_ready()
        quiz = notebook.run(0)
        expect(quiz.get_by_role("group", name="1. ").get_by_role("radio").nth(1)).to_be_checked()
        expect(quiz.locator(KEPT)).to_be_hidden()
        guess = notebook.run(1)
        expect(guess.get_by_role("button", name="2  ")).to_have_attribute("aria-pressed", "true")


TERMINAL = (
    "from flatkit.widgets.card import page_type\n"
    "state = {'machine': 'm', 'session': 'flatkit_trusted', 'argv': ['sh'], 'consoleArgv': ['sh'], 'gone': False}\n"
    "page_type('terminal')(state, print)"
)


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_trusted_notebook_opens_a_terminal_without_a_question(
    lab: Lab, context: BrowserContext, is_trusted: bool
) -> None:
    # A cell that was not run yet is what JupyterLab does not trust.
    with lab.open(context, [TERMINAL, "1 + 1"], name="trusted.ipynb", is_trusted=is_trusted) as notebook:
        page = notebook.page
        notebook.run(0).get_by_role("button", name="Open as a tab").click()
        question = page.get_by_role("dialog")
        if not is_trusted:
            expect(question).to_contain_text("This document is not trusted")
            question.get_by_role("button", name="Run Once").click()
        expect(page.get_by_role("tab", name="Terminal")).to_be_visible()
        expect(question).to_have_count(0)
