"""Exercises, quizzes and predictions as plain data: the task, and its setup, check, hints, solution and cleanup.

A check looks at the result, in the learner's config or on the machine, never at clicks. Setup, solve and cleanup are
tuples of acts, so that every action can be shown. They run on a Bench: the notebook's folder and machine, a fake one in
the tests, a real one in the prover (prover.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from flatkit.lessons.hints import Hint
from flatkit.steps import Boot


class State(str, Enum):
    """A learner's state in an exercise or a quiz; SHOWN: the result is there, and flatkit made it."""

    NOT_TRIED = "not tried"
    WAITING = "waiting"
    WRONG = "wrong"
    SHOWN = "shown"
    PASSED = "passed"

    def __str__(self) -> str:
        return self.value

    @property
    def mark(self) -> str:
        """The state as one character; the word is always shown beside it."""
        return {"passed": "✓", "shown": "◐", "wrong": "✗", "waiting": "…"}.get(self.value, "○")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Result of a check: what was found, what was expected, and the command or cell to look closer.

    `is_waiting`: the check cannot decide yet (no file, a machine that boots). `is_blocked`: it could not even look.
    """

    ok: bool
    found: str
    expected: str = ""
    look: str = ""
    is_waiting: bool = False
    is_blocked: bool = False

    def __str__(self) -> str:
        """Return the finding as a learner reads it, in at most three lines."""
        if self.ok:
            return self.found
        lines = [self.found, f"expected: {self.expected}" if self.expected else ""]
        return "\n".join([*filter(None, lines), *([f"look closer: {self.look}"] if self.look else [])])


class Answer(Protocol):
    """Output of a command on a machine: its text by `str`, and its status (0 means success)."""

    @property
    def status(self) -> int:
        """The command's own status."""


class Bench(Protocol):
    """The place of an exercise: a folder with the learner's files, and perhaps a machine."""

    @property
    def folder(self) -> Path:
        """The folder with the learner's files."""

    def read(self, file: str) -> str | None:
        """Return a file's text, or None when there is no file."""

    def write(self, file: str, text: str) -> None:
        """Write a file; a backup of a text written by the learner is made first."""

    def remove(self, file: str) -> None:
        """Remove a file, after the same backup; a missing file is fine."""

    def run(self, command: str) -> Answer:
        """Type a command on the machine. Raises MachineError when no machine answers."""


@dataclass(frozen=True, kw_only=True)
class Write:
    """Writes a file of the learner's folder."""

    file: str
    text: str

    @property
    def line(self) -> str:
        """The line that shows the act."""
        return f"%%butane {self.file}" if self.file.endswith(".bu") else f"write {self.file}"

    def do(self, bench: Bench) -> str:
        """Do it; return the text to show below the line."""
        bench.write(self.file, self.text)
        return self.text


@dataclass(frozen=True, kw_only=True)
class Remove:
    """Removes a file of the learner's folder."""

    file: str

    @property
    def line(self) -> str:
        """The line that shows the act."""
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
        """The line that shows the act."""
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
    """One task for the learner.

    `task` describes it in a few sentences. `setup` creates the start (an existing file stays unchanged), `solve` really
    solves it, `cleanup` removes every trace. `machine` is the machine to boot for it, if any; `traces` are commands for
    that machine whose answers show what the exercise leaves there. `wait`: how many seconds the check may take to pass.
    `folder` contains its configs, for a lesson that is not part of flatkit.
    """

    name: str
    title: str
    task: str
    check: Check
    hints: tuple[Hint, ...]
    solve: tuple[Act, ...]
    setup: tuple[Act, ...] = ()
    cleanup: tuple[Act, ...] = ()
    machine: Boot | None = None
    traces: tuple[str, ...] = ()
    wait: float = 0.0
    folder: Path | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The learner's files that its acts write or remove."""
        acts = (*self.setup, *self.solve, *self.cleanup)
        return tuple(dict.fromkeys(act.file for act in acts if isinstance(act, Write | Remove)))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One answer to choose: `why` explains why it is right or wrong."""

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
        """Index of the right choice, counted from 0; -1 in a faulty question without one."""
        return next((number for number, choice in enumerate(self.choices) if choice.is_right), -1)


@dataclass(frozen=True, kw_only=True)
class Quiz:
    """A few questions; every answer is explained, the wrong ones too."""

    name: str
    title: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A question to commit to before a cell shows the answer; nothing is graded. A choice's `why` is shown afterwards.

    `cell` is a line of the cell that shows the answer, and `happened` is the answer in a sentence. `fails`: the cell ends
    with an error of flatkit, on purpose.
    """

    name: str
    ask: str
    choices: tuple[Choice, ...]
    cell: str
    happened: str
    fails: bool = False


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """The tasks of one notebook: `name` is the notebook's, without its file extension."""

    name: str
    title: str
    exercises: tuple[Exercise, ...] = ()
    quizzes: tuple[Quiz, ...] = ()
    predictions: tuple[Prediction, ...] = ()

    @property
    def tasks(self) -> tuple[Exercise | Quiz, ...]:
        """The exercises and quizzes: what can be passed."""
        return (*self.exercises, *self.quizzes)
