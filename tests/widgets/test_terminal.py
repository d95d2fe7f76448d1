"""The terminal's Python half: one a machine, its session's name and command, and keys that go over the kernel."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notebook_parts import CONFIG, join_threads

import flatkit as fk
from flatkit.errors import MachineError
from flatkit.machines import Machine
from flatkit.machines.store import folder_of
from flatkit.testing.front import FakeFront
from flatkit.waiting import wait_until
from flatkit.widgets.live_machine import LiveMachine
from flatkit.widgets.terminal import TerminalCard, console_argv, session_argv, session_name

pytestmark = pytest.mark.usefixtures("backend")


@pytest.fixture
def machine(folder: Path) -> LiveMachine:
    (folder / "web.bu").write_text(CONFIG)
    return fk.up("web.bu").wait(120)


class Page:
    """What came to the page, waited for."""

    def __init__(self, terminal: TerminalCard) -> None:
        self.front = FakeFront(terminal.page)
        self.text = b""
        self.ended = ""

    def wait_for(self, word: bytes) -> None:
        self._until(lambda: word in self.text)

    def wait_for_end(self) -> str:
        self._until(lambda: bool(self.ended))
        return self.ended

    def _until(self, is_true: object) -> None:
        until = time.monotonic() + 120
        while not is_true():  # type: ignore[operator]
            assert time.monotonic() < until, (self.text, self.ended)
            for sent in self.front.take():
                self.text += b"".join(sent.buffers)
                if sent.content and sent.content["kind"] == "ended":
                    self.ended = sent.content["why"]
            threading.Event().wait(0.01)


@pytest.fixture
def console(folder: Path) -> Path:
    """What a machine named web has said: as long as the file is there, so is the machine."""
    console = folder_of("web").console
    console.parent.mkdir(parents=True)
    console.write_text("Linux version 6.1\n")
    return console


def test_a_session_is_named_so_that_the_server_takes_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert session_name("my-web").startswith("flatkit_my_web_")
    assert session_name("my-web").replace("_", "").isalnum()
    assert session_name("my-web") != session_name("my-other")
    before = session_name("web")
    monkeypatch.setenv("FLATKIT_STATE", str(folder / "other"))
    assert session_name("web") != before


def test_a_session_runs_in_the_world_of_its_kernel(folder: Path) -> None:
    argv = session_argv("web")
    assert argv[0] == "env"
    assert any(word.startswith("FLATKIT_STATE=") for word in argv)
    assert argv[-2] == "web"


@pytest.mark.parametrize("make", [session_argv, console_argv], ids=["session", "console"])
def test_a_session_of_the_server_ends_with_its_machine(console: Path, make: Callable[[str], list[str]]) -> None:
    """Also where no page is open that would end it."""
    with subprocess.Popen(
        make("web"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        assert running.stdout
        assert running.stdout.readline()
        assert running.poll() is None
        console.unlink()
        running.wait(120)


@pytest.mark.parametrize("make", [session_argv, console_argv], ids=["session", "console"])
def test_nothing_of_a_session_stays_where_hang_ups_are_ignored(console: Path, make: Callable[[str], list[str]]) -> None:
    """As below nohup: the page's end of the session comes down to killing its first process, with the machine gone."""
    with subprocess.Popen(
        ["nohup", *make("web")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        assert running.stdout
        while not running.stdout.readline().startswith((b"Linux", b"flatkit")):
            pass
        console.unlink()
        running.kill()
        # At its end every process that held the session has ended.
        running.communicate(timeout=120)


def test_keys_go_over_the_kernel_and_back(machine: LiveMachine) -> None:
    terminal = machine.terminal()
    assert "flatkit ssh web" in repr(terminal)
    page = Page(terminal)
    page.front.send({"verb": "open", "columns": 90, "rows": 20})
    page.wait_for(b"welcome")
    page.front.send({"verb": "input", "text": "ls\r"})
    page.wait_for(b"typed:ls")
    page.front.send({"verb": "size", "columns": 100, "rows": 30})
    page.wait_for(b"<100x30>")
    page.front.send({"verb": "drawn", "count": len(page.text)})
    page.front.send({"verb": "input", "text": "exit\r"})
    assert page.wait_for_end() == "The session has ended."


def test_there_is_one_terminal_a_machine_and_it_goes_with_it(machine: LiveMachine) -> None:
    first = machine.terminal()
    assert machine.terminal() is first
    assert first.page in machine.card.widget.children
    page = Page(first)
    page.front.send({"verb": "open", "columns": 90, "rows": 20})
    page.wait_for(b"welcome")
    machine.down()
    assert first.page.state["gone"]
    assert first.page not in machine.card.widget.children
    with pytest.raises(MachineError):
        machine.terminal()


def test_a_machine_that_does_not_answer_is_said_on_the_page(machine: LiveMachine) -> None:
    page = Page(machine.terminal())
    Machine("web").down()
    page.front.send({"verb": "open", "columns": 90, "rows": 20})
    assert '"web"' in page.wait_for_end()


def test_what_an_earlier_session_said_does_not_come_into_the_next_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page had not drawn it yet: its thread waited."""

    class FakeShell:
        def __init__(self, said: list[bytes]) -> None:
            self.said, self.closed = said, threading.Event()

        def receive(self) -> bytes:
            return self.said.pop(0) if self.said else b""

        def close(self) -> None:
            self.closed.set()

    monkeypatch.setattr("flatkit.widgets.terminal._WINDOW", 4)
    monkeypatch.setattr("flatkit.widgets.terminal._DRAW_PATIENCE", 300.0)
    first = FakeShell([b"1111", b"late"])
    shells: list[Any] = [first, FakeShell([b"2"])]
    terminal = TerminalCard("web", lambda *_: shells.pop(0), lambda _: [])
    page = Page(terminal)
    page.front.send({"verb": "open", "columns": 90, "rows": 20})
    page.wait_for(b"1111")
    assert wait_until(lambda: not first.said, seconds=120)
    page.front.send({"verb": "open", "columns": 90, "rows": 20})
    assert first.closed.wait(120)
    page.wait_for(b"2")
    page.front.send({"verb": "drawn", "count": 5})
    join_threads("terminal")
    assert b"late" not in page.text + b"".join(one for sent in page.front.take() for one in sent.buffers)
