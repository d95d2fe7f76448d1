"""Text twins: a notebook goes to Markdown and back with nothing lost; what a text gets wrong is told with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted([*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "docs").glob("*/*.ipynb")])


@pytest.fixture(scope="session")
def tool(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    return load_tool("notebook_text")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_there_and_back_nothing_is_lost(tool: ModuleType, path: Path) -> None:
    notebook = json.loads(path.read_text())
    back = tool.as_notebook(tool.as_text(notebook))
    assert [cell["id"] for cell in back["cells"]] == [cell["id"] for cell in notebook["cells"]]
    assert back == notebook


def test_a_translation_is_a_folder_of_its_own(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["write", str(tmp_path / "text")]) == 0
    text = tmp_path / "text" / "00-start.md"
    text.write_text(text.read_text().replace("# 0. Start here", "# 0. Hier beginnen"))
    assert tool.main(["read", str(text), "--to", str(tmp_path / "de")]) == 0
    assert "00-start.ipynb" in capsys.readouterr().out
    made = json.loads((tmp_path / "de" / "00-start.ipynb").read_text())
    original = json.loads((ROOT / "notebooks" / "00-start.ipynb").read_text())
    assert made["cells"][0]["source"][0] == "# 0. Hier beginnen\n"
    assert made["cells"][1:] == original["cells"][1:]


CODE = [
    pytest.param("", id="empty"),
    pytest.param('print("```")\n\n```x', id="a fence inside"),
    pytest.param("%%on m\ncat <<END\n\n# a\nEND", id="lines that are empty"),
]


@pytest.mark.parametrize("source", CODE)
def test_any_code_survives(tool: ModuleType, source: str) -> None:
    cells = [
        {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {"tags": ["check"]}, "outputs": [],
         "source": source.splitlines(keepends=True)},
        {"cell_type": "markdown", "id": "b", "metadata": {}, "source": ["end"]},
    ]  # fmt: skip
    notebook = {"cells": cells, "metadata": tool.METADATA, "nbformat": 4, "nbformat_minor": 5}
    assert tool.as_notebook(tool.as_text(notebook)) == notebook


BAD = [
    ("Hello\n", "line 1: expected a cell's comment"),
    ("<!-- cell a markdown -->\nx\n\n<!-- cell b code -->\nprint()\n", 'line 4: the code cell "b" has no fence'),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=range(len(BAD)))
def test_a_fault_has_its_line(
    tool: ModuleType, text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.md"
    file.write_text(text)
    assert tool.main(["read", str(file), "--to", str(tmp_path)]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x.ipynb").exists()
    assert tool.main([]) == 2
