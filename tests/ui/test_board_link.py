"""The board in JupyterLab: a word to all seats leads to a cell, opened as a tab; and `fk.board()` is live, and stored as text."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from browser import ROOT, keep_screenshot
from lab import IS_IN_SIGHT, Lab
from playwright.sync_api import BrowserContext, expect

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "board"))
from board_parts import TRAINER, ask, joined, login, opened

from flatkit.lessons.layout import lay_out


def test_a_word_to_all_opens_a_cell_and_the_trainers_table_is_live(
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
            f"fk.board({board.url!r}, {TRAINER!r})",
        ]
        with lab.open(context, cells, name=f"{folder.name}/today.ipynb") as notebook:
            notebook.run(0)
            notebook.run(1)
            card = notebook.run(2)
            expect(card.get_by_role("button", name="I need help")).to_be_visible()
            said = {"seat": "", "kind": "room", "text": "look", "notebook": "03-immutable", "cell": "ex-command"}
            assert ask(board, "POST", "/say", said, cookie=login(board))[0] == 200
            table = notebook.run(3).get_by_role("table", name="Board")
            expect(table.get_by_role("rowheader", name="ada")).to_be_visible()
            card.get_by_role("button", name="I need help").click()
            expect(table).to_contain_text("◆ needs help")
            link = card.get_by_role("link", name='03-immutable, under "Your turn"')
            expect(link).to_be_visible()
            keep_screenshot(notebook.page, "board-link")
            notebook.save()
            outputs = nbformat.read(folder / "today.ipynb", 4).cells[3].outputs
            assert ["help" in one["data"]["text/plain"] for one in outputs] == [True], "stored as text"
            link.press("Enter")
            expect(notebook.page.get_by_role("tab", name="03-immutable.ipynb")).to_be_visible()
            notebook.page.wait_for_function(IS_IN_SIGHT, arg="ex-command")
