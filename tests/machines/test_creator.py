"""Who made a machine: what is stored, what is shown, and what `flatkit clean --made-by` understands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from flatkit.cli import main
from flatkit.fields import Fields, to_json
from flatkit.machines.cleanup import MachineInfo
from flatkit.machines.creator import Creator, notebook_session, terminal_session
from flatkit.machines.handle import MachineState

NOTEBOOK = Creator(session="notebook:/course/04-updates.ipynb")
IN_NOTEBOOK = Creator(session="notebook:/course/04-updates.ipynb", task="demo update")
DEMO = Creator(session="terminal", task="demo update")
TERMINAL = Creator(session="terminal")
PROGRAM = Creator(session="python:0123456789abcdef")
UNKNOWN = Creator()
ALL = (NOTEBOOK, IN_NOTEBOOK, DEMO, TERMINAL, PROGRAM, UNKNOWN)

MATCHES = [
    ("notebook", {NOTEBOOK, IN_NOTEBOOK}),
    ("04-updates.ipynb", {NOTEBOOK, IN_NOTEBOOK}),
    ("/course/04-updates.ipynb", {NOTEBOOK, IN_NOTEBOOK}),
    ("notebook 04-updates.ipynb", {NOTEBOOK, IN_NOTEBOOK}),
    ("terminal", {TERMINAL, DEMO}),
    ("demo", {DEMO, IN_NOTEBOOK}),
    ("update", {DEMO, IN_NOTEBOOK}),
    ("demo update", {DEMO, IN_NOTEBOOK}),
    ("demo update (terminal)", {DEMO}),
    ("not recorded", {UNKNOWN}),
    ("python", {PROGRAM}),
    ("updates", set()),
    ("04", set()),
    ("", set()),
]


@pytest.mark.parametrize(("words", "found"), MATCHES)
def test_a_creator_is_found_by_its_names(words: str, found: set[Creator]) -> None:
    assert {creator for creator in ALL if creator.matches(words)} == found


@pytest.mark.parametrize("creator", ALL, ids=str)
def test_what_is_shown_names_the_same_creator(creator: Creator) -> None:
    assert creator.matches(str(creator))
    assert Fields(json.loads(json.dumps(to_json(creator)))).build(Creator).cleaned == creator


@pytest.mark.parametrize(
    "path", ["/a/\x1b[31mred.ipynb", "/a/\udcff.ipynb", "x" * 10_000, "/a/line\nbreak.ipynb", "/ä/ö.ipynb"]
)
def test_any_name_of_a_notebook_can_be_stored_and_is_found_again(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    session = notebook_session(path)
    assert session.isprintable()
    text = json.dumps(to_json(Creator(session=session)))
    assert Fields(json.loads(text), limit=len(text)).build(Creator).cleaned.session == session == notebook_session(path)


def test_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert terminal_session() == "terminal"
    assert notebook_session() == notebook_session() != terminal_session()
    assert notebook_session("/vs/code.ipynb") == "notebook:/vs/code.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", "/course/04-updates.ipynb")
    # `!flatkit up` in a cell of that notebook.
    assert terminal_session() == notebook_session() == NOTEBOOK.session


def test_another_program_is_another_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    words = [sys.executable, "-c", "from flatkit.machines import notebook_session; print(notebook_session())"]
    other = subprocess.run(words, capture_output=True, text=True, check=True, env=dict(os.environ)).stdout.strip()
    assert other.startswith("python:")
    assert other != notebook_session()


# flatkit clean


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the machines that were removed; there is one of each creator."""
    infos = [
        MachineInfo(name=f"m{number}", state=MachineState.STOPPED, made_by=creator)
        for number, creator in enumerate(ALL)
    ]
    names: list[str] = []

    def remove(machines: Any) -> list[str]:
        names.extend(info.name for info in machines)
        return []

    monkeypatch.setattr("flatkit.machines.find_machines", lambda: infos)
    monkeypatch.setattr("flatkit.machines.remove_machines", remove)
    return names


@pytest.mark.parametrize(("words", "found"), [(words, found) for words, found in MATCHES if found])
def test_clean_removes_what_one_creator_made(
    removed: list[str], words: str, found: set[Creator], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = [f"m{number}" for number, creator in enumerate(ALL) if creator in found]
    assert main(["clean", "--made-by", words]) == 0
    said = capsys.readouterr().out
    assert f"flatkit clean --made-by {words if words.isalpha() else ''}" in said.replace("'", "")
    assert "--yes removes them" in said
    assert removed == []
    assert main(["clean", "--made-by", words, "--yes"]) == 0
    assert removed == expected
    table = capsys.readouterr().out
    assert all(f"\n{name} " in table for name in expected)
    assert all(f"\nm{number} " not in table for number in range(len(ALL)) if f"m{number}" not in expected)


def test_clean_without_a_creator_removes_all(removed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean", "--yes"]) == 0
    assert removed == [f"m{number}" for number in range(len(ALL))]
    table = capsys.readouterr().out
    assert "MADE BY" in table
    for creator in ALL:
        assert f"  {creator}  " in table


@pytest.mark.parametrize("words", ["", "updates", "\x1b[31mred"])
def test_an_unknown_creator_removes_nothing_and_the_known_ones_are_named(
    removed: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clean", "--yes", "--made-by", words]) == 0
    assert removed == []
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "made no machine that is here" in said
    assert str(DEMO) in said
    assert str(NOTEBOOK) in said
