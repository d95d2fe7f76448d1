"""One key a step on a real terminal: a live step that hangs is left by `r`, and the same step comes from the recording."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.demos.recording import get_recording
from flatkit.events import StepStarted

# A demo of the shipped one's name, so that it has a recording; its second step never ends by itself.
LESSON = """\
from flatkit.steps import Demo, Step, Where, says

STEPS = [("Quick", "echo quick"), ("Hangs", "echo began >&2; sleep 600"), ("Never", "echo never")]
DEMO = Demo(name="provision", title="A demo that hangs", steps=tuple(
    Step(title=title, why="w", command=command, where=Where.HOST, check=says("quick"), hint="h") for title, command in STEPS))
"""


class Terminal:
    """`flatkit` on a pseudo terminal."""

    def __init__(self, *arguments: str, folder: Path, program: tuple[str, ...] = ("-m", "flatkit")) -> None:
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        command = [sys.executable, *program, *arguments]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=folder)
        self.text = ""

    def wait_for(self, *words: str, since: int = 0) -> int:
        """Wait until all of the words were shown; returns how much was."""
        until = time.monotonic() + 120
        while not all(word in self.text[since:] for word in words):
            assert time.monotonic() < until, f"{words} in: {self.text}"
            if select.select([self.master], [], [], 0.2)[0]:
                self.text += os.read(self.master, 4096).decode(errors="replace")
        return len(self.text)

    def press(self, key: str) -> None:
        os.write(self.master, key.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(120)
        os.close(self.master)
        os.close(self._slave)

    @property
    def is_as_before(self) -> bool:
        return termios.tcgetattr(self._slave) == self.before


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "lesson.py").write_text(LESSON)
    made = Terminal("demo", "run", str(tmp_path), "--step", "--speed", "50", folder=tmp_path)
    yield made
    made.close()


def test_r_leaves_a_step_that_hangs_and_goes_on_recorded_at_the_same_step(terminal: Terminal) -> None:
    second = [event for _, event in get_recording("provision").events if isinstance(event, StepStarted)][1]
    at = terminal.wait_for("1/3  Quick", "r: go on with the recording")
    terminal.press("\n")
    at = terminal.wait_for("2/3  Hangs", "r: go on with the recording", since=at)
    terminal.press(" ")  # any key runs it
    until = time.monotonic() + 120
    while not hangs(terminal.process.pid):
        assert time.monotonic() < until
    terminal.press("r")
    at = terminal.wait_for("recorded on", f"2/{second.total}  {second.title}", "Enter: run, q: stop", since=at)
    assert "3/3  Never" not in terminal.text
    terminal.press("q")
    assert terminal.process.wait(120) != 0
    assert terminal.is_as_before


def hangs(pid: int) -> bool:
    """Whether the step's own command runs below that process."""
    found = subprocess.run(["ps", "-ww", "-o", "args", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return "sleep 600" in found.stdout


def test_where_there_is_no_terminal_a_line_is_read_before_each_step(tmp_path: Path) -> None:
    (tmp_path / "lesson.py").write_text(LESSON)
    command = [sys.executable, "-m", "flatkit", "demo", "run", str(tmp_path), "--step"]
    done = subprocess.run(command, input="\nr\n\nq\n", capture_output=True, text=True, timeout=120, check=False)
    assert "found" in done.stdout
    assert "recorded on" in done.stdout
    assert "stopped before this step" in done.stderr
