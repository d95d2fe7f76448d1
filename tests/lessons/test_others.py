"""Lessons of others: found by path and by entry point; by the command line, the notebook and here."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import flatkit as fk
from flatkit import plugins
from flatkit.butane import translate
from flatkit.cli import main
from flatkit.demos import DEMOS, get_demo
from flatkit.errors import InputError, UsageError
from flatkit.lessons import find_lessons, get_task
from flatkit.lessons.exercise import Exercise
from flatkit.widgets.player import Player

ROOT = Path(__file__).resolve().parents[2]
MOTD = ROOT / "examples" / "lesson-motd"
TEMPLATE = ROOT / "docs" / "lesson-template"


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example, and in it."""
    folder = tmp_path / "lesson"
    shutil.copytree(MOTD, folder)
    monkeypatch.chdir(folder)
    return folder


def test_the_example_is_short_and_transpiles() -> None:
    assert len((MOTD / "lesson.py").read_text().splitlines()) <= 40
    for config in (*MOTD.glob("*.bu"), *TEMPLATE.glob("*.bu")):
        done = translate(config.read_bytes(), strict=True)
        assert done.ok
        assert len(done.report) == 0


def test_by_its_path_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lesson", "prove", str(MOTD)]) == 0
    assert "1 of 1 exercises keep the contract" in capsys.readouterr().out
    assert main(["lesson", "list", str(MOTD), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0]["name"] == "motd-door"
    demo = get_demo(str(MOTD))
    assert (demo.name, demo.folder) == ("motd", MOTD)
    assert get_demo(str(MOTD / "lesson.py")).folder == MOTD


def test_in_its_own_folder(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lesson", "list", "."]) == 0
    assert "motd-door" in capsys.readouterr().out
    assert main(["lesson", "check", "./motd-door"]) == 1
    assert (inside / "door.bu").is_file()
    assert main(["lesson", "hint", "./motd-door"]) == 0
    assert "hint 1" in capsys.readouterr().out
    assert main(["lesson", "solve", f"{inside}/motd-door"]) == 0
    assert "◐ motd-door" in capsys.readouterr().out
    assert main(["lesson", "start-over", "./motd-door"]) == 0
    assert "not tried" in capsys.readouterr().out
    assert main(["lesson", "prove", "./motd-door"]) == 0
    assert get_demo(".").title == "A greeting at the door"


def test_in_a_notebook(inside: Path) -> None:
    card = fk.check("./motd-door")
    assert "motd-door" in repr(card)
    player = fk.play(".")
    assert isinstance(player, Player)
    assert player.demo.folder == inside
    player.stop()


MARK = "from pathlib import Path\nPath(__file__).with_name('it-ran').touch()\n"
BY_NAME = [
    ["demo", "list"], ["demo", "list", "--json"], ["demo", "run", "motd"], ["demo", "run", "unknown"], ["lesson", "list"],
    ["lesson", "check", "motd-door"], ["lesson", "hint", "unknown"], ["lesson", "prove", "motd-door"], ["lesson", "list", "motd"],
    ["lesson", "prove", "unknown"], ["lesson", "prove", "02-script"],
]  # fmt: skip


@pytest.mark.parametrize("words", BY_NAME, ids=" ".join)
def test_a_lesson_in_the_current_folder_does_not_run_by_itself(
    inside: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (inside / "lesson.py").write_text(MARK + (inside / "lesson.py").read_text())
    status = main(words)
    assert not (inside / "it-ran").exists()
    said = capsys.readouterr().err
    assert (status == 2) == ("runs only when you name its path" in said), "who named it is told how"


def test_a_notebook_does_not_run_it_by_a_name_either(inside: Path) -> None:
    (inside / "lesson.py").write_text(MARK + (inside / "lesson.py").read_text())
    for ask in (fk.check, fk.play, lambda name: fk.editor(f"{name}.bu")):
        try:
            ask("door")
        except UsageError as error:
            assert "runs only when you name its path" in error.hint  # noqa: PT017  (the editor makes a file)
    assert not (inside / "it-ran").exists()


@pytest.mark.parametrize("ask", [get_demo, find_lessons, lambda folder: get_task(f"{folder}/motd-door")])
def test_it_is_said_before_it_runs(inside: Path, caplog: pytest.LogCaptureFixture, ask: Callable[[str], Any]) -> None:
    (inside / "lesson.py").write_text("import logging\nlogging.getLogger('lesson').warning('it runs')\n")
    with suppress(InputError, UsageError):
        ask(str(inside))
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"running the lesson {inside}/lesson.py: it is a program and can do what you can", "it runs"]


def test_what_lies_in_the_current_folder_is_not_installed(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel has its folder on sys.path; a .dist-info that lies there would name code to run."""
    (inside / "evil-1.dist-info").mkdir()
    (inside / "evil-1.dist-info" / "entry_points.txt").write_text("[flatkit.lessons]\nevil = evil\n")
    (inside / "evil-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
    for entry in ("", str(inside)):
        with monkeypatch.context() as patch:
            patch.syspath_prepend(entry)
            assert list(plugins.installed()) == []


def test_the_program_imports_nothing_from_the_current_folder(tmp_path: Path) -> None:
    for name in ("yaml", "argparse", "json", "libvirt", "paramiko", "filelock"):
        (tmp_path / f"{name}.py").write_text(MARK.replace("it-ran", f"{name}-ran"))
    (tmp_path / "a.bu").write_text("variant: flatcar\nversion: 1.1.0\n")
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("PYTHONSAFEPATH", None)
    for words in (["butane", "a.bu"], ["lesson", "list"], ["demo", "list"], ["list"]):
        subprocess.run(
            [sys.executable, "-m", "flatkit", *words], cwd=tmp_path, env=env, capture_output=True, check=False
        )
    # json is imported by `python -m` itself in no version that flatkit supports.
    assert sorted(path.name for path in tmp_path.glob("*-ran")) == []


def test_the_course_is_found_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lesson", "list"]) == 0
    out = capsys.readouterr().out
    assert "00-start  Start" in out
    assert "02-script" in out
    assert main(["lesson", "list", "02-butane"]) == 0
    assert main(["lesson", "prove", "02-butane"]) == 0
    assert main(["lesson", "prove", "02-script"]) == 0
    assert main(["lesson", "prove", "02-recap"]) == 0
    assert main(["lesson", "check", "02-recap"]) == 0
    assert main(["lesson", "solve", "02-recap"]) == 2


def test_by_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "installed" / "door_lesson"
    shutil.copytree(MOTD, package)
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(package.parent))
    entries = [EntryPoint(name="door", value="door_lesson", group=plugins.GROUP)]
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: entries if group == plugins.GROUP else [])
    assert get_demo("door").folder == package
    assert get_demo("motd").folder == package
    assert isinstance(get_task("motd-door"), Exercise)
    assert find_lessons("motd")[0].exercises[0].folder == package
    entries[0] = EntryPoint(name="door", value="json", group=plugins.GROUP)
    with pytest.raises(InputError, match=r"has no lesson\.py"):
        get_demo("door")
    entries[0] = EntryPoint(name="door", value="not_there.at_all", group=plugins.GROUP)
    with pytest.raises(InputError, match="cannot be loaded"):
        get_demo("door")


def test_a_folder_takes_no_installed_lessons_place(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = inside / "installed" / "door_lesson"
    shutil.copytree(MOTD, package)
    (package / "__init__.py").write_text("")
    (inside / "door").mkdir()
    (inside / "door" / "lesson.py").write_text(MARK)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: [EntryPoint("door", "door_lesson", group)])
    assert get_demo("door").folder == package
    assert not (inside / "it-ran").exists()


BROKEN = [
    ("1/0\n", "ZeroDivisionError: division by zero, line 1"),
    ("\n\nx = (\n", "SyntaxError"),
    ("import no_such_thing\n", "No module named 'no_such_thing', line 1"),
    ("DEMO = 3\nLESSON = 3\n", "is not a "),
]


@pytest.mark.parametrize(("text", "said"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_lesson_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "lesson.py").write_text(text)
    for look in (get_demo, find_lessons):
        with pytest.raises(InputError, match=said) as caught:
            look(str(tmp_path))
        assert "write-a-lesson" in caught.value.hint


def test_what_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lesson.py").write_text("")
    with pytest.raises(InputError, match="has no demo"):
        get_demo(str(tmp_path))
    with pytest.raises(UsageError, match="there is no lesson"):
        find_lessons(str(tmp_path))
    with pytest.raises(UsageError, match="expected one of provision, "):
        get_demo(str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    assert set(DEMOS) >= {"provision"}
    assert list(plugins.installed()) == []


def test_the_template_is_whole() -> None:
    spec = importlib.util.spec_from_file_location("check_notebooks", ROOT / "tools" / "check_notebooks.py")
    assert spec
    assert spec.loader
    checker: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    assert checker.check(TEMPLATE) == []
    demo, (lesson,) = get_demo(str(TEMPLATE)), find_lessons(str(TEMPLATE))
    assert len(demo.steps) == 2
    assert [task.name for task in lesson.tasks] == ["my-config", "my-note", "my-recap"]
    assert main(["lesson", "prove", "my-config"]) == 2, "its name is known in its folder only"
    guide = (ROOT / "docs" / "write-a-lesson.md").read_text()
    for word in ("setup", "check", "hints", "solve", "cleanup", "machine", "traces"):
        assert f"`{word}`" in guide
