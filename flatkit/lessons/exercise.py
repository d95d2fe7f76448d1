"""Exercises and quizzes as plain data: what to do, how it is set up, checked, hinted at, solved, and cleaned up.

A check looks at the result, in the learner's config or on the machine, never at clicks. What setup, solve and cleanup do is a
tuple of acts, so that everything that is done can be shown; where it is done is a Bench: the notebook's folder and machine, a
pretended one in the tests, a real one in the prover (prover.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from flatkit.steps import Boot


class State(str, Enum):
    """How a learner stands with an exercise or a quiz."""

    NOT_TRIED = "not tried"
    WAITING = "waiting"
    WRONG = "wrong"
    PASSED = "passed"

    def __str__(self) -> str:
        return self.value

    @property
    def mark(self) -> str:
        """The state as one character; the word is always shown beside it."""
        return {"passed": "✓", "wrong": "✗", "waiting": "…"}.get(self.value, "○")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check says: what was found, what was expected, and the command or cell to look closer.

    `is_waiting`: it cannot be judged yet (no file, a machine that boots).
    """

    ok: bool
    found: str
    expected: str = ""
    look: str = ""
    is_waiting: bool = False

    def __str__(self) -> str:
        """As a learner reads it, in at most three lines."""
        if self.ok:
            return self.found
        lines = [self.found, f"expected: {self.expected}" if self.expected else ""]
        return "\n".join([*filter(None, lines), *([f"look closer: {self.look}"] if self.look else [])])


class Answer(Protocol):
    """What a command on a machine said: its text by `str`, and its status (0 means success)."""

    @property
    def status(self) -> int:
        """The command's own status."""


class Bench(Protocol):
    """Where an exercise is done: a folder with the learner's files, and perhaps a machine."""

    @property
    def folder(self) -> Path:
        """The folder with the learner's files."""

    def read(self, file: str) -> str | None:
        """A file's text, or None when there is none."""

    def write(self, file: str, text: str) -> None:
        """Write a file; a text that a person wrote is kept beside it first."""

    def remove(self, file: str) -> None:
        """Remove a file, likewise; one that is not there is fine."""

    def run(self, command: str) -> Answer:
        """Type a command on the machine. Raises MachineError when there is none that answers."""


@dataclass(frozen=True, kw_only=True)
class Write:
    """Writes a file of the learner's folder."""

    file: str
    text: str

    @property
    def line(self) -> str:
        """What is done, as it is shown."""
        return f"%%butane {self.file}" if self.file.endswith(".bu") else f"write {self.file}"

    def do(self, bench: Bench) -> str:
        """Do it; what is returned is shown below the line."""
        bench.write(self.file, self.text)
        return self.text


@dataclass(frozen=True, kw_only=True)
class Remove:
    """Removes a file of the learner's folder."""

    file: str

    @property
    def line(self) -> str:
        """What is done, as it is shown."""
        return f"rm {self.file}"

    def do(self, bench: Bench) -> str:
        """Do it."""
        bench.remove(self.file)
        return ""


@dataclass(frozen=True, kw_only=True)
class Type:
    """Types a command on the machine. It has to succeed, unless `may_fail`."""

    command: str
    may_fail: bool = False

    @property
    def line(self) -> str:
        """What is done, as it is shown."""
        return f"core@machine$ {self.command}"

    def do(self, bench: Bench) -> str:
        """Do it. Raises MachineError when the command fails."""
        from flatkit.errors import MachineError

        answer = bench.run(self.command)
        if answer.status and not self.may_fail:
            raise MachineError(
                f'"{self.command}" ended with status {answer.status}: {str(answer).strip()}',
                hint="look at the machine, then try again",
            )
        return str(answer)


Act = Write | Remove | Type
Check = Callable[[Bench], Finding]


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One thing for the learner to do.

    `task` says what, in a few sentences. `setup` makes the start (a file that is there already stays as it is), `solve` really
    does it, `cleanup` leaves nothing of it. `machine` is what has to be booted for it, if anything; `traces` are commands for
    that machine whose answers show what the exercise leaves there. `wait`: how many seconds the check may take to become true.
    `folder` is where its configs lie, for a lesson that is not flatkit's own.
    """

    name: str
    title: str
    task: str
    check: Check
    hints: tuple[str, ...]
    solve: tuple[Act, ...]
    setup: tuple[Act, ...] = ()
    cleanup: tuple[Act, ...] = ()
    machine: Boot | None = None
    traces: tuple[str, ...] = ()
    wait: float = 0.0
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One answer to choose: `why` says why it is right, or what is wrong about it."""

    text: str
    why: str
    is_right: bool = False


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with its answers, of which one is right."""

    ask: str
    choices: tuple[Choice, ...]

    @property
    def right(self) -> int:
        """Which choice is right, counted from 0; -1 in a faulty question without one."""
        return next((number for number, choice in enumerate(self.choices) if choice.is_right), -1)


@dataclass(frozen=True, kw_only=True)
class Quiz:
    """A few questions; every answer is explained, the wrong ones too."""

    name: str
    title: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """The tasks of one notebook: `name` is the notebook's, without its ending."""

    name: str
    title: str
    exercises: tuple[Exercise, ...] = ()
    quizzes: tuple[Quiz, ...] = ()

    @property
    def tasks(self) -> tuple[Exercise | Quiz, ...]:
        """All of them."""
        return (*self.exercises, *self.quizzes)
