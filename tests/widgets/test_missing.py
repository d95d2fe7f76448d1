"""A cell that is run too early, twice, out of order or after a restart says which cell brings what it misses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flatkit.errors import UsageError
from flatkit.widgets import kernel_start, missing

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def opened(shell: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A shell whose notebook is lesson 1, opened by a server whose root is elsewhere."""
    (folder / "01-provision.ipynb").write_bytes((ROOT / "notebooks" / "01-provision.ipynb").read_bytes())
    monkeypatch.setenv("JPY_SESSION_NAME", "course/01-provision.ipynb")
    return shell


def said_by(shell: Any, cell: str, capsys: pytest.CaptureFixture[str]) -> str:
    done = shell.run_cell(cell)
    assert not done.success
    said = " ".join(capsys.readouterr().out.split())
    assert "Traceback" not in said
    return said


EARLY = [
    ('m.run("hostname")', '"m" is not there yet', 'm = fk.up("web.bu", ports=80)'),
    ("await m", '"m" is not there yet', 'm = fk.up("web.bu", ports=80)'),
    ("%%on m\nid ada", '"m" is not there yet', 'm = fk.up("web.bu", ports=80)'),
    ('fk.check("01-note", m)', '"m" is not there yet', 'm = fk.up("web.bu", ports=80)'),
]


@pytest.mark.parametrize(("cell", "what", "line"), EARLY, ids=[cell for cell, _, _ in EARLY])
def test_the_cell_that_brings_it_is_named(
    opened: Any, cell: str, what: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = said_by(opened, cell, capsys)
    assert what in said
    assert f"run the cell with this line, then this one again: {line}" in said


def test_after_a_restart_even_flatkit_is_missing(opened: Any, capsys: pytest.CaptureFixture[str]) -> None:
    del opened.user_ns["fk"]
    assert "again: import flatkit as fk" in said_by(opened, "fk.doctor()", capsys)


def test_a_slip_of_the_fingers_keeps_pythons_own_words(opened: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert not opened.run_cell("prnt(1)").success
    assert "name 'prnt' is not defined" in capsys.readouterr().out
    assert not opened.run_cell("def f():\n    return q\nf()").success
    assert "name 'q' is not defined" in capsys.readouterr().out


NO_MACHINE = [
    ("ls", 'a command for a terminal, and the cell is Python: "ls"', "File > New > Terminal"),
    ("cat ~/.ssh/id_ed25519.pub", "a command for a terminal", "this notebook has no machine"),
    ("%%on m\nls", 'there is no machine "m"', 'm = fk.up("web.bu")'),
    ('m.run("ls")', "no cell of this notebook makes one", "File > New > Terminal"),
    ("flatcar-install -d /dev/sdb -C stable", "this command erases a disk", "%%writefile install.sh"),
    ("sudo flatcar-install -d /dev/sdb", "this command erases a disk", "sudo flatcar-install -d /dev/sdb"),
]


@pytest.mark.parametrize(("cell", "what", "hint"), NO_MACHINE, ids=[cell for cell, _, _ in NO_MACHINE])
def test_a_notebook_without_a_machine_names_the_terminal(
    opened: Any, folder: Path, cell: str, what: str, hint: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (folder / "10-take-home.ipynb").write_bytes((ROOT / "notebooks" / "10-take-home.ipynb").read_bytes())
    monkeypatch.setenv("JPY_SESSION_NAME", "course/10-take-home.ipynb")
    said = said_by(opened, cell, capsys)
    assert what in said
    assert hint in said
    assert "the cell that makes it" not in said


STOPPED = """from flatkit.widgets.job import Job
import os, signal
Job("waiting", lambda cancel: (os.kill(os.getpid(), signal.SIGINT), cancel.wait(60))).wait(60)"""


def test_a_cell_that_is_stopped_while_it_waits(opened: Any, capsys: pytest.CaptureFixture[str]) -> None:
    missing.register()
    said = said_by(opened, STOPPED, capsys)
    assert "you stopped this cell while it waited" in said
    assert "run the cell again to wait on" in said


def test_where_the_notebook_is_not_known(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert missing.find_line("fk") == "import flatkit as fk"
    assert missing.find_line("m") == 'm = fk.up("...")'
    assert missing.find_line("everywhere") == ""
    monkeypatch.setenv("JPY_SESSION_NAME", "not-there.ipynb")
    assert missing.find_line("m") == 'm = fk.up("...")'


def test_every_name_that_a_lesson_uses_is_brought_by_one_of_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        monkeypatch.setenv("JPY_SESSION_NAME", str(path))
        text = "".join("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])
        assert missing.find_line("fk") == "import flatkit as fk", path.name
        if "m = fk.up" in text:
            assert missing.find_line("m").startswith("m = fk.up("), path.name


def test_a_kernel_knows_before_its_first_cell(tmp_path: Path) -> None:
    """A real kernel, started as `flatkit course` starts it."""
    client = pytest.importorskip("jupyter_client")
    environment = {**os.environ, "PYTHONSTARTUP": str(kernel_start.__file__), "IPYTHONDIR": str(tmp_path)}
    manager = client.KernelManager()
    manager.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager.start_kernel(env=environment, cwd=str(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    talk = manager.client()
    talk.start_channels()
    try:
        talk.wait_for_ready(timeout=120)
        answer = talk.execute_interactive("fk.doctor()", timeout=120, output_hook=lambda _: None)
        assert answer["content"]["traceback"][-1] == "    import flatkit as fk"
    finally:
        talk.stop_channels()
        manager.shutdown_kernel(now=True)


NOTEBOOKS = [
    "[" * 100_000, '{"cells": ' * 50_000, "{",
    "3", "null", "[]", '{"cells": 3}', '{"cells": {"a": 1}}', '{"cells": [3, null, []]}',
    '{"cells": [{"cell_type": "code"}, {"cell_type": "code", "source": 3}, {"cell_type": "code", "source": [1, null, {}]}]}',
    '{"cells": [{"cell_type": "code", "source": "\\u0000"}]}', '"\\ud800"',
    json.dumps({"cells": [{"cell_type": "code", "source": "x = " + "(" * 10_000}]}),
    json.dumps({"cells": [{"cell_type": "code", "source": "x = " + "-" * 200_000 + "1"}]}),
]  # fmt: skip


@pytest.mark.parametrize("text", NOTEBOOKS, ids=range(len(NOTEBOOKS)))
def test_a_notebook_that_is_none_brings_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "odd.ipynb").write_text(text)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "odd.ipynb"))
    assert missing.find_line("zebra") == ""


def test_a_pipe_is_no_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "odd.ipynb")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "odd.ipynb"))
    assert missing.find_line("zebra") == ""


def test_an_error_fits_a_cell_and_keeps_what_is_typed_on_one_line() -> None:
    line = 'm = fk.up("web.bu", ports=80, fresh=True)'
    error = UsageError(
        '"m" is not there yet: the cell that makes it was not run', hint=f"run this cell first:   {line}"
    )
    shown = error._render_traceback_()
    assert max(map(len, shown)) <= 54
    assert f"    {line}" in shown


def test_a_command_of_any_length_stays_on_one_line() -> None:
    command = f"flatkit up {'/long' * 20}/web.bu --name another"
    shown = UsageError("short", hint=f"{command}   (or, without a config, for which flatkit makes one: flatkit up)")
    _, first, *more = shown._render_traceback_()
    assert first == f"  Next: {command}"
    assert len(more) == 2
    assert max(map(len, more)) <= 54


def test_an_explanation_that_goes_wrong_is_not_the_last_one(opened: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """IPython never again calls a handler that has raised."""
    odd = "class Odd:\n    __class__ = property(lambda self: 1 / 0)\nodd = Odd()"
    opened.run_cell(odd).raise_error()
    assert not opened.run_cell("ls -l /tmp").success
    assert "name 'ls' is not defined" in capsys.readouterr().out
    assert '"m" is not there yet' in said_by(opened, 'm.run("hostname")', capsys)
