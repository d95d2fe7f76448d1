"""Fact and Step: the vocabulary in which demos and exercises are written as data.

A fact is a question (a command) and a pure parser of its answer; a step is something a person does, with what it must show.
One runner plays any tuple of steps (demos/runner.py); the notebook, the command line and the tests play the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any


class Where(str, Enum):
    """Where a step's command is typed."""

    HOST = "host"
    GUEST = "guest"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Boot:
    """What a step boots: a Butane file of `examples/`, the machine's name in the demo, the guest ports to reach it by.

    With `again` the machine of that name is switched on as it is; without, it is made anew. `channel` names the one whose
    image it boots, where that is not the demo's own (`{beta}` stands for it). `after` names a demo: this one goes on with
    the machine that it leaves.
    """

    config: str
    machine: str
    guest_ports: tuple[int, ...] = ()
    again: bool = False
    channel: str = ""
    after: str = ""

    @property
    def command(self) -> str:
        """What a person would type for it; host port 0 means: find a free one."""
        if self.again:
            return f"flatkit up --name {self.machine}"
        if self.after:
            return f"flatkit demo run {self.after} --keep"
        image = f" --image {{{self.channel}}}" if self.channel else ""
        forwards = "".join(f" --forward 0:{port}" for port in self.guest_ports)
        return f"flatkit up {self.config} --name {self.machine}{image}{forwards}"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A question to a machine: `ask` is the command text, `parse` turns its output into a value and does nothing else."""

    name: str
    ask: str
    parse: Callable[[str], Any] = str.strip


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check says: whether it holds, and what was found, in words for a learner."""

    ok: bool
    found: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that a person does and sees.

    `why` is two sentences for a learner; `command` is exactly what a person would type (`{port80}` stands for the host port
    that leads to the guest's port 80, `{server}` for the update server as a machine reaches it, `{extensions}` for what
    `flatkit sysext serve` offers there); `boot` is given instead where a machine is booted. `fact` is what is asked
    afterwards (without one, the command's own output is the answer); `check` judges its value; `hint` helps when it fails.
    `wait` is how many seconds the check may take to become true: steps wait on conditions, never on sleeps. `machine` names
    the one where a guest's command is typed (without one, the machine that was booted last). After a command that `reboots`
    the machine, the step goes on when it answers again; one that restarts `by_itself` may do so before the command is typed.
    `lab_only` says why a step is left out on a Flatcar image.
    """

    title: str
    why: str
    check: Callable[[Any], Verdict]
    hint: str
    command: str = ""
    boot: Boot | None = None
    where: Where = Where.GUEST
    fact: Fact | None = None
    wait: float = 0.0
    machine: str = ""
    reboots: bool = False
    by_itself: bool = False
    lab_only: str = ""

    @property
    def line(self) -> str:
        """The command line that is shown and played."""
        return self.boot.command if self.boot else self.command


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A tuple of steps with a name; the last machine that was booted is where guest commands are typed.

    `offers` are pairs of channel and release of the lab image: what the update server `{server}` offers when the demo begins
    (for Flatcar images it is a server with Flatcar's releases, which was started beforehand).
    `folder` is where its configs lie, for a demo that is not flatkit's own.
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    offers: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None

    @property
    def machines(self) -> tuple[str, ...]:
        """The names of the machines that it boots, each once."""
        return tuple(dict.fromkeys(step.boot.machine for step in self.steps if step.boot))


def says(expected: str) -> Callable[[Any], Verdict]:
    """A check: the answer, as text, contains `expected`."""

    def check(value: Any) -> Verdict:
        text = str(value).strip()
        ok = expected in text
        found = f'found "{expected}"' if ok else f'found "{text[-200:]}", expected "{expected}" in it'
        return Verdict(ok=ok, found=found)

    return check


def is_equal(expected: Any) -> Callable[[Any], Verdict]:
    """A check: the answer is exactly `expected`."""

    def check(value: Any) -> Verdict:
        ok = value == expected
        found = f'found "{_words(value)}"'
        return Verdict(ok=ok, found=found if ok else f'{found}, expected "{_words(expected)}"')

    return check


def _words(value: Any) -> str:
    """A value as a learner reads it: a tuple without its brackets."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
