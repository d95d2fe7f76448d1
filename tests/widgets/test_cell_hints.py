"""An error of a machine names cells in a notebook: `m.console`, and not `flatkit console web`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from notebook_parts import CONFIG

import flatkit as fk
from flatkit.errors import MachineError
from flatkit.widgets import missing
from flatkit.widgets.cell_hints import in_cells
from flatkit.widgets.live_machine import LiveMachine

# As flatkit/machines writes them, for the machine "web" in the variable m.
HINTS = [
    ("flatkit list, or look at the machine: flatkit console web", "m, or look at the machine: m.console"),
    ("flatkit console web, then: flatkit down web", "m.console, then: m.down()"),
    ("flatkit console web   shows its console; flatkit rewind web   tries again",
     "m.console   shows its console; m.rewind()   tries again"),
    ("flatkit up --name web   (it then continues, with its clock set)", "m.start()   (it then continues, with its clock set)"),
    ("flatkit down web   removes it; or take another name: flatkit up --name web-2",
     "m.down()   removes it; or take another name: flatkit up --name web-2"),
    ("flatkit console web-2", "flatkit console web-2"),
    ("flatkit doctor", "flatkit doctor"),
    ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "cells"), HINTS)
def test_a_hint_names_cells(hint: str, cells: str) -> None:
    assert in_cells(hint, "m", "web") == cells


@pytest.fixture
def site(shell: Any, backend: object, folder: Path) -> Iterator[LiveMachine]:
    """A machine that runs, in the variable `site`."""
    del backend
    missing.register()
    (folder / "web.bu").write_text(CONFIG)
    machine = fk.up("web.bu").wait(120)
    shell.user_ns["site"] = machine
    yield machine
    del shell.user_ns["site"]


@pytest.mark.parametrize("cell", ['site.run("uptime")', "%%on site\nuptime"])
def test_a_lost_connection_names_a_cell(
    site: LiveMachine, shell: Any, cell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise MachineError('the connection to "web" was lost', hint="flatkit list, or look at it: flatkit console web")

    monkeypatch.setattr(site.machine, "run", lost)
    capsys.readouterr()
    assert not shell.run_cell(cell).success
    said = capsys.readouterr().out
    assert "look at it: site.console" in said
    assert "flatkit console" not in said


def test_a_failed_wait_and_its_panel_name_a_cell(site: LiveMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise MachineError("it did not shut down", hint="flatkit console web")

    monkeypatch.setattr(site.machine, "stop", fails)
    with pytest.raises(MachineError) as caught:
        site.stop().wait(120)
    assert caught.value.hint == "site.console"
    assert "Next: site.console" in site.as_text()
