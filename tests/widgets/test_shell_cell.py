"""Shell typed into a Python cell is recognised, and the cell that works is shown; Python's own errors stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flatkit.widgets import missing, shell_cell
from flatkit.widgets.live_machine import LiveMachine


@pytest.fixture
def registered(shell: Any) -> Any:
    missing.register()
    missing.register()  # a second time changes nothing
    return shell


SHELL = [
    "sudo touch /etc/x",
    "ls -l",
    "hostname",
    "cat /etc/hostname",
    "echo hello > /home/core/hello",
    "23ab > /home/core/digest",
    "# write the file\necho hello > /home/core/hello",
    "$ sudo systemctl start docker",
    "docker run -d --name web -p 80:80 nginx",
    "update_engine_client -status",
    "/usr/bin/id ada",
    "journalctl -u web.service | tail",
    "test -e /x && echo yes",
    "mkdir -p /home/core/a\ncd /home/core/a",
]


@pytest.mark.parametrize("cell", SHELL)
def test_the_cell_that_works_is_shown(registered: Any, cell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not registered.run_cell(cell).success
    said = capsys.readouterr().out
    assert "this is a command for the machine, and the cell is Python" in " ".join(said.split())
    assert "Traceback" not in said
    shown = [line.strip() for line in said.split("\n")]
    assert shown[shown.index("%%on m") + 1 :][: cell.count("\n") + 1] == cell.removeprefix("$ ").split("\n")


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        ("prnt(1)", "prnt"), ("x = ", "invalid syntax"), ("def f(:\n  pass", "invalid syntax"), ("top = bottom", "bottom"),
        ("date = 3 +", "invalid syntax"), ("for x in", "invalid syntax"), ("test()", "test"), ("print('a", "unterminated"),
        ("%%nothing\nls", "nothing"), ("1/0", "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_pythons_own_errors_stay(registered: Any, cell: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    registered.run_cell(cell)
    captured = capsys.readouterr()
    assert "for the machine" not in captured.out
    assert word in captured.out + captured.err


def test_of_several_machines_each_is_named(registered: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registered.user_ns.update(m=LiveMachine("stable"), canary=LiveMachine("canary"))
    assert not registered.run_cell("sudo touch /x").success
    said = capsys.readouterr().out
    assert "begin a cell with %%on m (or %%on canary), like this" in " ".join(said.split())
    assert "%%on m\n" in said


def test_one_line_of_shell_below_python(registered: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert not registered.run_cell("x = 1\nsudo touch /x").success
    said = capsys.readouterr().out
    assert '"sudo touch /x"' in said
    assert "  %%on m\n  sudo touch /x\n" in said


@pytest.mark.parametrize("cell", ["# a note\n%%on m\nid", "\n\n  %%on m\nid", "x = 1\n%%butane a.bu\nvariant: flatcar"])
def test_a_magic_below_the_first_line(registered: Any, cell: str, capsys: pytest.CaptureFixture[str]) -> None:
    registered.run_cell(cell)
    said = "".join(capsys.readouterr())
    if cell.startswith("\n"):  # IPython itself ignores empty lines in front
        assert "for the machine" not in said
        return
    assert "expected it on the first line of the cell" in " ".join(said.split())
    fixed = [line.strip() for line in said.split("\n") if line.startswith("  %%")]
    assert fixed
    assert shell_cell.is_late_magic(cell)


def test_commands_of_this_host_are_not_run_by_accident(registered: Any, tmp_path: Any) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    registered.run_cell(f"rm {kept}")
    assert kept.exists()
