"""A word of the trainer to all seats leads to a cell: a link on each card, which JupyterLab opens as a tab at that cell."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from browser import ROOT, keep_screenshot
from lab import IS_IN_SIGHT, Lab
from playwright.sync_api import BrowserContext, expect

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "board"))
from board_parts import ask, joined, login, opened

from flatkit.lessons.layout import lay_out


def test_the_link_of_a_word_to_all_opens_the_cell(
    lab: Lab, context: BrowserContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = lab.root / "course of today"
    folder.mkdir()
    lay_out(ROOT / "notebooks", folder)
    with opened(tmp_path / "board.sqlite") as board:
        joined(board, "ada", tmp_path / "state" / "board")
        cells = [
            f"import os; os.environ['FLATKIT_STATE'] = {str(tmp_path / 'state')!r}",
            "import flatkit as fk",
            'fk.check("00-name")',
        ]
        with lab.open(context, cells, name=f"{folder.name}/today.ipynb") as notebook:
            notebook.run(0)
            notebook.run(1)
            card = notebook.run(2)
            expect(card.get_by_role("button", name="I need help")).to_be_visible()
            said = {"seat": "", "kind": "room", "text": "look", "notebook": "03-immutable", "cell": "ex-command"}
            assert ask(board, "POST", "/say", said, cookie=login(board))[0] == 200
            link = card.get_by_role("link", name='03-immutable, under "Your turn"')
            expect(link).to_be_visible()
            keep_screenshot(notebook.page, "board-link")
            link.press("Enter")
            expect(notebook.page.get_by_role("tab", name="03-immutable.ipynb")).to_be_visible()
            notebook.page.wait_for_function(IS_IN_SIGHT, arg="ex-command")
