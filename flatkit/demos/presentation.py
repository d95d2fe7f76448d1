"""A presentation of a demo: where the machine is, which step is shown, and what each key does. Pure.

A key is answered with a `Move`: the new state, and what is to be done. The terminal (`flatkit present`) and the notebook's
player do it, and report the end of a step with `ended`, of a rewind with `rewound`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Self

from flatkit.steps import Demo
from flatkit.untrusted import is_number


class Mark(str, Enum):
    """State of a step."""

    WAITING = "waiting"
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"

    def __str__(self) -> str:
        return self.value


class Do(str, Enum):
    """The work that a key asks for: nothing but to show the new state, to run a step, to rewind to before one, or to end."""

    SHOW = "show"
    RUN = "run"
    REWIND = "rewind"
    REFUSE = "refuse"
    END = "end"

    def __str__(self) -> str:
        return self.value


# Key -> verb, for the terminal and for lines from a pipe, where the verb itself may be written. "" is Enter.
KEYS = {
    "n": "next", " ": "next", "right": "next", "pagedown": "next",
    "b": "back", "left": "back", "pageup": "back",
    "": "run", "g": "again", "s": "skip", "w": "rewind", "j": "jump", "q": "quit",
    "r": "recorded", "e": "why", "v": "votes",
}  # fmt: skip
HELP = "n next · b back · Enter run · g again · s skip · w rewind · j jump · e explain · r recorded · q quit"
_TAKE_NUMBERS = {"jump", "votes"}
_NUMBERS_MAX = 20


@dataclass(frozen=True, kw_only=True)
class StageWish:
    """A key or a line: the verb, and the numbers that follow it."""

    verb: str
    numbers: tuple[int, ...] = ()


def parse_wish(text: str) -> StageWish | None:
    """Return the wish of a key or a line such as `n`, `next`, `j 5`, `v 12 3 5`; None for another one.

    A digit alone is a raised hand.
    """
    words = text.lower().split() or [text]
    verb = KEYS.get(words[0], words[0] if words[0] in KEYS.values() else "")
    numbers = words[1:]
    if not verb and is_number(words[0], digits=1):
        verb, numbers = "hand", words
    if not verb or len(numbers) > _NUMBERS_MAX or not all(is_number(word, digits=4) for word in numbers):
        return None
    if numbers and verb not in {*_TAKE_NUMBERS, "hand"}:
        return None
    return StageWish(verb=verb, numbers=tuple(map(int, numbers)))


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """A demo being presented. The machine is at step `at`: the one to run next, or the one that ran last.

    The steps before it are done. `shown` is the step in sight, `at` or one before it. `points` are the steps that can be
    rewound to: a checkpoint was saved before them, or nothing was there yet. `lacks` says why another one has none.
    `boots` are the steps that boot a machine. `offered` is the point that the last refusal named.
    """

    marks: tuple[Mark, ...]
    at: int = 1
    shown: int = 1
    points: frozenset[int] = frozenset()
    lacks: Mapping[int, str] = field(default_factory=dict)
    boots: frozenset[int] = frozenset()
    is_recorded: bool = False
    offered: int = 0

    @classmethod
    def of(cls, demo: Demo, *, is_recorded: bool = False) -> Self:
        """Return the presentation of a demo that has not begun."""
        return cls(
            marks=(Mark.WAITING,) * len(demo.steps),
            boots=frozenset(number for number, step in enumerate(demo.steps, start=1) if step.boot),
            is_recorded=is_recorded,
        )

    @property
    def total(self) -> int:
        """The number of steps."""
        return len(self.marks)

    def mark(self, number: int) -> Mark:
        """Return how far a step is."""
        return self.marks[number - 1]

    @property
    def is_looking_back(self) -> bool:
        """True if an earlier step is shown."""
        return self.shown < self.at

    @property
    def is_over(self) -> bool:
        """True after the last step."""
        return self.mark(self.total) is not Mark.WAITING

    @property
    def failed(self) -> tuple[int, ...]:
        """The steps whose check failed."""
        return tuple(number for number, mark in enumerate(self.marks, start=1) if mark is Mark.FAILED)

    # What a key does

    def press(self, wish: StageWish) -> Move:
        """Answer a key of the presentation."""
        if wish.verb == "jump":
            return (
                self.jump(wish.numbers[0]) if len(wish.numbers) == 1 else self._refuse("to which step? j 3 jumps there")
            )
        moves = {
            "next": self.next, "back": self.back, "run": self.run, "again": self.again, "skip": self.skip,
            "rewind": self.rewind, "quit": self.quit,
        }  # fmt: skip
        return moves[wish.verb]()

    def next(self) -> Move:
        """Go on: to the next step when this one is done, else run it."""
        if self.is_looking_back:
            return self._show(self.shown + 1)
        if self.mark(self.at) is Mark.WAITING:
            return Move(to=self._calm(), do=Do.RUN, step=self.at)
        if self.mark(self.at) is Mark.FAILED:
            return self._refuse(f"step {self.at} failed: g runs it again, s skips it")
        if self.at == self.total:
            return self._refuse("that was the last step; q ends the presentation")
        return Move(to=replace(self._calm(), at=self.at + 1, shown=self.at + 1), do=Do.SHOW)

    def back(self) -> Move:
        """Look at the step before; the machine stays as it is."""
        return self._show(self.shown - 1) if self.shown > 1 else self._refuse("this is the first step")

    def run(self) -> Move:
        """Run the step that is shown."""
        if self.is_looking_back:
            return self._refuse(f"step {self.shown} was before; n goes forward, w rewinds to before it")
        if self.mark(self.at) is Mark.WAITING:
            return Move(to=self._calm(), do=Do.RUN, step=self.at)
        return self._refuse(f"step {self.at} has run; g runs it again, n continues")

    def again(self) -> Move:
        """Run the step once more that ran last, on the machine as it is."""
        last = self.last
        if not last or self.shown not in {last, self.at}:
            none = "the step before was left out" if self.at > 1 else "no step has run yet"
            step = f"step {last} ran last" if last else none
            return self._refuse(f"only the step that ran last can run again: {step}; w rewinds to before this one")
        return Move(to=replace(self._calm(), at=last, shown=last), do=Do.RUN, step=last)

    def skip(self) -> Move:
        """Leave the step out."""
        if self.is_looking_back:
            return self._refuse(f"step {self.shown} was before; n goes forward")
        return self._pass_over(self.at + 1)

    def jump(self, number: int) -> Move:
        """Show an earlier step, or go on with a later one; those in between are left out."""
        if not 1 <= number <= self.total:
            return self._refuse(f"there is no step {number}; expected 1 to {self.total}")
        return self._show(number) if number <= self.at else self._pass_over(number)

    def rewind(self) -> Move:
        """Rewind the machines to before the step that is shown; without a checkpoint there, offer the nearest one."""
        if self.offered:
            return Move(to=self._calm(), do=Do.REWIND, step=self.offered)
        number = self.shown
        if not self.is_looking_back and self.mark(number) is Mark.WAITING:
            back = "; b goes to an earlier one" if number > 1 else ""
            return self._refuse(f"step {number} has not run yet, so the machine is as before it{back}")
        if self.is_recorded or number in self.points:
            return Move(to=self._calm(), do=Do.REWIND, step=number)
        why = self.lacks.get(number, "it was left out" if self.mark(number) is Mark.SKIPPED else "")
        what = f"step {number} has no checkpoint" + (f" ({why})" if why else "")
        near = max((point for point in self.points if point < number), default=0)
        if not near:
            return self._refuse(f"{what}, and no step before it has one")
        return self._refuse(f"{what}; the nearest is before step {near}: w again goes there", offered=near)

    def quit(self) -> Move:
        """End the presentation."""
        return Move(to=self._calm(), do=Do.END)

    @property
    def last(self) -> int:
        """The step that ran last, 0 if none did since a skip."""
        for number in (self.at, self.at - 1):
            if number >= 1 and self.mark(number) in {Mark.OK, Mark.FAILED}:
                return number
        return 0

    def _calm(self) -> Self:
        return replace(self, offered=0)

    def _show(self, number: int) -> Move:
        return Move(to=replace(self._calm(), shown=number), do=Do.SHOW)

    def _refuse(self, said: str, *, offered: int = 0) -> Move:
        return Move(to=replace(self, offered=offered), do=Do.REFUSE, said=said)

    def _pass_over(self, number: int) -> Move:
        """Continue with step `number`; the last step stays in sight when it is left out itself."""
        left = [one for one in range(self.at, number) if self.mark(one) in {Mark.WAITING, Mark.FAILED}]
        if not left:
            return self.next() if number == self.at + 1 else self._go_to(number, ())
        needed = [one for one in left if one in self.boots]
        if needed and number <= self.total and not self.is_recorded:
            return self._refuse(
                f"step {needed[0]} boots a machine that later steps need; run it, or go on with the recording: r"
            )
        return self._go_to(min(number, self.total), left)

    def _go_to(self, number: int, left: Iterable[int]) -> Move:
        to = replace(self._calm(), marks=self._marked(dict.fromkeys(left, Mark.SKIPPED)), at=number, shown=number)
        return Move(to=to, do=Do.SHOW)

    def _marked(self, changes: Mapping[int, Mark]) -> tuple[Mark, ...]:
        return tuple(changes.get(number, mark) for number, mark in enumerate(self.marks, start=1))

    # What was done

    def kept(self, number: int, lack: str = "") -> Self:
        """Return the state after a checkpoint was saved before this step, or could not be (`lack` says why)."""
        if lack:
            return replace(self, lacks={**self.lacks, number: lack})
        return replace(self, points=self.points | {number})

    def ended(self, number: int, mark: Mark) -> Self:
        """Return the state after a step has run."""
        return replace(self, marks=self._marked({number: mark}), at=number, shown=number, offered=0)

    def rewound(self, number: int) -> Self:
        """Return the state after a rewind to before this step."""
        undone = dict.fromkeys(range(number, self.total + 1), Mark.WAITING)
        points = frozenset(point for point in self.points if point <= number)
        lacks = {step: why for step, why in self.lacks.items() if step <= number}
        return replace(self, marks=self._marked(undone), at=number, shown=number, points=points, lacks=lacks, offered=0)

    def recorded(self) -> Self:
        """Return the state after a change to the recording: nothing runs now, so every step can be rewound to."""
        return replace(self, is_recorded=True, offered=0)


@dataclass(frozen=True, kw_only=True)
class Move:
    """The answer to a key: the new state, what to do with step `step`, and the reason of a refusal."""

    to: Presentation
    do: Do
    step: int = 0
    said: str = ""


def question_at(demo: Demo, number: int) -> str:
    """Return the name of the prediction that is open at this step: asked at its first step, answered after its last one."""
    named = [(at, step.predicts) for at, step in enumerate(demo.steps, start=1) if step.predicts]
    for name in dict.fromkeys(name for _, name in named):
        places = [at for at, one in named if one == name]
        if places[0] <= number <= places[-1]:
            return name
    return ""


def answering_step(demo: Demo, name: str) -> int:
    """Return the step that answers a prediction: the last one that names it."""
    return max(at for at, step in enumerate(demo.steps, start=1) if step.predicts == name)
