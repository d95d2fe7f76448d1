"""The course in a learner's folder: updates arrive, nothing of theirs is overwritten, Jupyter trusts it, its terms are marked."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from flatkit.lessons import LESSONS, marks
from flatkit.lessons.exercise import Write
from flatkit.lessons.glossary import get_term
from flatkit.lessons.layout import lay_out

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    folder = tmp_path / "origin"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "a.svg").write_text("<svg/>")
    (folder / ".ipynb_checkpoints").mkdir()
    for name in ("00-start.ipynb", "01-user.ipynb"):
        (folder / name).write_text(f"first {name}")
    return folder


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {
        ".flatkit-course.json"
    }


def test_an_update_replaces_what_was_not_changed_and_is_laid_beside_what_was(origin: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    first = lay_out(origin, folder)
    assert set(first.new) == names(folder) == {"00-start.ipynb", "01-user.ipynb", "pictures/a.svg"}
    assert first.lines == ()
    assert lay_out(origin, folder).lines == ()

    (folder / "01-user.ipynb").write_text("my work")
    assert lay_out(origin, folder).lines == ()
    for name in ("00-start.ipynb", "01-user.ipynb"):
        (origin / name).write_text(f"second {name}")
    second = lay_out(origin, folder)
    assert second.lines == (
        "updated, since you had not changed them: 00-start.ipynb",
        "you have changed 01-user.ipynb: it stays; the new one is 01-user.new.ipynb",
    )
    assert (folder / "00-start.ipynb").read_text() == "second 00-start.ipynb"
    assert (folder / "01-user.ipynb").read_text() == "my work"
    assert (folder / "01-user.new.ipynb").read_text() == "second 01-user.ipynb"
    assert lay_out(origin, folder).lines == ()

    (folder / "01-user.new.ipynb").unlink()  # read, and no longer wanted
    assert lay_out(origin, folder).lines == ()
    assert not (folder / "01-user.new.ipynb").exists()


def test_no_work_is_lost_in_any_order(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every order of: the learner writes, the kit is updated, the newer one is changed too, the record is lost."""

    monkeypatch.setattr("os.fsync", lambda _: None)  # half of the time

    def write(name: str, text: str) -> None:
        target = folder / name
        if target.exists() or not name.count("new"):
            target.write_text(text)
            mine.add(text)

    steps = {
        "write": lambda: write("00-start.ipynb", "mine 1"),
        "write new": lambda: write("00-start.new.ipynb", "mine 2"),
        "update": lambda: (origin / "00-start.ipynb").write_text("second"),
        "update again": lambda: (origin / "00-start.ipynb").write_text("third"),
        "lose": lambda: (folder / ".flatkit-course.json").write_text("{"),
    }
    for number, order in enumerate(itertools.permutations(steps)):
        folder = tmp_path / f"mine-{number}"
        folder.mkdir()
        mine: set[str] = set()
        (origin / "00-start.ipynb").write_text("first")
        lay_out(origin, folder)
        for step in order:
            steps[step]()
            lay_out(origin, folder)
            if step.startswith("update"):
                assert (origin / "00-start.ipynb").read_text() in {path.read_text() for path in folder.glob("*.ipynb")}
        there = {path.read_text() for path in folder.glob("*.ipynb")}
        assert mine <= there, order


def test_it_opens_without_a_question(origin: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    lay_out(ROOT / "notebooks", folder)
    notary = NotebookNotary()
    for path in folder.glob("*.ipynb"):
        assert notary.check_signature(nbformat.read(path, as_version=4)), path.name
    stranger = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    assert not notary.check_signature(stranger)
    notary.store.close()


def cells_of(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return cells


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_first_use_is_marked_and_nothing_else_changes(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    marked = marks.mark_terms(notebook)
    text, plain = ("".join("".join(cell["source"]) + "\n" for cell in each["cells"]) for each in (marked, notebook))
    found = re.findall(r'<abbr title="([^"]*)">([^<]*)</abbr>', text)
    terms = [get_term(word.strip("*")) for _, word in found]
    assert len({term.term for term in terms}) == len(terms)
    folds = re.findall(r"\n\n<details><summary>Words: (.*)</summary><dl>.*</dl></details>", text)
    assert ", ".join(folds) == ", ".join(term.term for term in terms)
    bold = {word.lower() for word in re.findall(r"\*\*([^*]+)\*\*", plain)}
    assert {term.term for term in terms} >= {get_term(word).term for word in bold if word in marks._by_name()}
    again = re.sub(r"\n\n<details><summary>Words: .*</details>", "", text)
    assert re.sub(r'<abbr title="[^"]*">|</abbr>', "", again) == plain


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A slot, two slots", ["slot"]),
        ("Two **slots** here", ["**slots**"]),
        ("`slot` and [a slot](slot.md) and ![slot](slot.svg)", []),
        ("```\nslot\n```\nA slot", ["slot"]),
        ("# A slot\ntext", []),
        ("<details><summary>slot</summary>slot</details> slot", ["slot"]),
        ("the lab image", ["lab image"]),
        ("a web.slot, /slot, slot-a, slotted", []),
        ("merge and **merge**", ["**merge**"]),
        ("A/B update", ["A/B update"]),
        ("a slot.", ["slot"]),
    ],
)
def test_what_is_marked(text: str, wanted: list[str]) -> None:
    marked, terms = marks.mark_text(text)
    assert re.findall(r"<abbr[^>]*>([^<]*)</abbr>", marked) == wanted
    assert len(terms) == len(wanted)


def test_no_two_notebooks_share_a_file() -> None:
    """A config is written by `%%butane`, by an editor, or by an exercise's start and solution."""
    owners: dict[str, set[str]] = {}
    for path in NOTEBOOKS:
        for cell in cells_of(path):
            source = "".join(cell["source"])
            if cell["cell_type"] == "code":
                for file in re.findall(r"^%%butane (\S+)|fk\.editor\(\"([^\"]+)\"", source, re.MULTILINE):
                    owners.setdefault("".join(file), set()).add(path.stem)
        for exercise in LESSONS[path.stem].exercises:
            for act in (*exercise.setup, *exercise.solve):
                if isinstance(act, Write):
                    owners.setdefault(act.file, set()).add(path.stem)
    assert len(owners) > 20
    assert {file: each for file, each in owners.items() if len(each) > 1} == {}
