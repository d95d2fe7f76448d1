"""Fact and Step: demos and exercises as data.

A fact is a question (a command) and a pure parser of its answer. A step is one action of the user, with the result that
it must show. One runner plays any tuple of steps (demos/runner.py). The notebook, the command line and the tests play
the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from flatkit.errors import WaitTimeout


class Where(str, Enum):
    """The place where a step's command is typed."""

    HOST = "host"
    GUEST = "guest"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Boot:
    """The machine that a step boots: a Butane file of `examples/`, the machine's name in the demo, the guest ports to forward.

    With `again` the existing machine of that name is switched on; otherwise it is re-created. `channel` names the
    channel whose image it boots, if that is not the demo's own (`{beta}` is its placeholder). `after` names a demo:
    this one continues with the machine that it leaves. `cold`: it boots from its firmware on, without a template.
    """

    config: str
    machine: str
    guest_ports: tuple[int, ...] = ()
    again: bool = False
    channel: str = ""
    after: str = ""
    cold: bool = False

    @property
    def command(self) -> str:
        """The command that a user would type for it; host port 0 means: find a free one."""
        if self.again:
            return f"flatkit up --name {self.machine}"
        if self.after:
            return f"flatkit demo run {self.after} --keep"
        image = f" --image {{{self.channel}}}" if self.channel else ""
        forwards = "".join(f" --forward 0:{port}" for port in self.guest_ports)
        return f"flatkit up {self.config} --name {self.machine}{image}{forwards}{' --cold' if self.cold else ''}"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A question to a machine: `ask` is the command text, and `parse`, a pure function, turns its output into a value.

    `where` is HOST for a question to flatkit on this host.
    """

    name: str
    ask: str
    parse: Callable[[str], Any] = str.strip
    where: Where = Where.GUEST

    def look(self, run: Callable[[str], str]) -> Any:
        """Ask, and return the value; `run` returns a command's output. Raises MachineError.

        A WaitTimeout does not show the command: the learner has not typed it.
        """
        try:
            text = run(self.ask)
        except WaitTimeout as error:
            words = f"the machine did not answer in time (asked for: {self.name})"
            raise WaitTimeout(words, hint="wait a moment, and look again", details=error.details) from None
        return self.parse(text)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Result of a check: whether it passed, and what was found, in words for a learner."""

    ok: bool
    found: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One action of the user, and its result.

    `why` is two sentences for a learner. `command` is exactly what a user would type. In it `{port80}` is the host port
    that leads to the guest's port 80, `{server}` the update server as a machine reaches it, and `{extensions}` the
    address of `flatkit sysext serve`. Where a machine is booted, `boot` is given instead.

    `fact` is the question asked afterwards; without one, the command's own output is the answer. `check` checks its
    value; `hint` helps when it fails. `wait` is how many seconds the check may take to pass: steps wait on conditions,
    never on sleeps. `machine` names the machine where a guest's command is typed (default: the one booted last).

    `notes` are for the presenter alone: what to say or to ask while it runs. `predicts` names a prediction of the course.
    The audience is asked before the first step with that name, and the answer follows the last one.

    After a command that `reboots` the machine, the demo continues when it answers again. A machine that restarts
    `by_itself` may do so before the command is typed. `lab_only` gives the reason why a step is skipped on a Flatcar
    image.
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
    notes: str = ""
    predicts: str = ""

    @property
    def line(self) -> str:
        """The command line that is shown and played."""
        return self.boot.command if self.boot else self.command


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A tuple of steps with a name; guest commands are typed on the machine booted last.

    `offers` are pairs of channel and release of the lab image, which the update server `{server}` offers when the demo
    begins. For Flatcar images it is a server with Flatcar's releases, started beforehand. `folder` contains the configs
    of a demo that is not part of flatkit. `draws` are the facts that its picture is drawn from (demos/diagram.py); they are
    asked after each step.
    """

    name: str
    title: str
    steps: tuple[Step, ...]
    offers: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None
    draws: tuple[Fact, ...] = ()

    @property
    def machines(self) -> tuple[str, ...]:
        """The names of the machines that it boots, each once."""
        return tuple(dict.fromkeys(step.boot.machine for step in self.steps if step.boot))


_NEXT = "--flatkit-next--"


def together(facts: tuple[Fact, ...]) -> str:
    """Return one command for several questions: each connection to an emulated machine takes its time."""
    return f"\necho; echo {_NEXT}\n".join(f"{{ {fact.ask}\n}} 2>/dev/null" for fact in facts)


def answers(text: str) -> list[str]:
    """Return the answers to a command of `together`, in the order of its questions."""
    return [part.strip("\n") for part in text.split(_NEXT)]


def says(expected: str) -> Callable[[Any], Verdict]:
    """Return a check that the answer, as text, contains `expected`."""

    def check(value: Any) -> Verdict:
        text = str(value).strip()
        ok = expected in text
        found = f'found "{expected}"' if ok else f'found "{text[-200:]}", expected "{expected}" in it'
        return Verdict(ok=ok, found=found)

    return check


def is_equal(expected: Any) -> Callable[[Any], Verdict]:
    """Return a check that the answer is exactly `expected`."""

    def check(value: Any) -> Verdict:
        ok = value == expected
        found = f'found "{_words(value)}"'
        return Verdict(ok=ok, found=found if ok else f'{found}, expected "{_words(expected)}"')

    return check


def _words(value: Any) -> str:
    """Return a value for a learner: a tuple without its brackets."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
