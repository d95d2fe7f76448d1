"""A verb without its brackets says how it is called, instead of `<function ...>`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from notebook_parts import CONFIG

import flatkit as fk
from flatkit.widgets import missing

CELLS = [
    ("fk.doctor", "write fk.doctor()"),
    ("fk.play", "write fk.play(name)"),
    ("m.run", "write m.run(command)"),
    ("m.restart", "write m.restart()"),
    ("fk.channels().promote", "write .promote(channel, to=...)"),
    ("fk.channels().serve", "write .serve()"),
]


@pytest.fixture
def registered(shell: Any, backend: object, folder: Path) -> Any:
    del backend
    (folder / "web.bu").write_text(CONFIG)
    missing.register()
    missing.register()
    shell.user_ns["fk"] = fk
    shell.user_ns["m"] = fk.up("web.bu").wait(120)
    return shell


@pytest.mark.parametrize(("cell", "words"), CELLS)
def test_it_says_how_it_is_called(registered: Any, cell: str, words: str) -> None:
    value = registered.run_cell(cell).result
    shown, _ = registered.display_formatter.format(value)
    assert words in shown["text/plain"]
    assert "<" not in shown["text/plain"]


def test_every_name_of_fk_does(registered: Any) -> None:
    for name in fk.__all__:
        shown, _ = registered.display_formatter.format(getattr(fk, name))
        assert f"write fk.{name}(" in shown["text/plain"]


def test_what_is_not_flatkits_is_shown_as_before(registered: Any) -> None:
    for cell in ("def own(): ...\nown", "print", "'x'.join", "import json; json.JSONEncoder().encode"):
        done = registered.run_cell(cell)
        shown, _ = registered.display_formatter.format(done.result)
        assert "brackets" not in shown["text/plain"]
