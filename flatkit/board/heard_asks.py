"""The trainer's requests in the learner's log: what was asked, what the learner said, how it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flatkit.board.asks import ASK_TEXT_MAX, LOOK_SECONDS_MAX, check_ask, words_of
from flatkit.errors import InputError
from flatkit.untrusted import printable

_KEPT = 20
# over: its time is over, or the board does not ask any more; the others are the learner's, or a verb's result.
STEPS = ("asked", "yes", "no", "end", "over", "done", "failed")


@dataclass(kw_only=True)
class HeardAsk:
    """A request. `state` is its last step. An allowed look began at `began`, and lasts `seconds`, by the seat's clock."""

    ident: str
    kind: str
    machine: str
    state: str = "asked"
    began: float = 0.0
    seconds: int = 0
    text: str = ""

    @property
    def is_open(self) -> bool:
        """True until it is refused, or has come to its end."""
        return self.state in {"asked", "yes"}

    @property
    def is_look(self) -> bool:
        """True for a look, False for a verb."""
        return self.kind == "look"

    def left(self, now: float) -> int:
        """Return the seconds that a look is still allowed; 0 if it is not, or the clock was set back."""
        gone = now - self.began
        return int(self.seconds - gone) if self.is_look and self.state == "yes" and 0 <= gone < self.seconds else 0

    def take(self, step: str, at: float, row: Mapping[str, Any]) -> str:
        """Take a step; return it in words."""
        self.state = step
        if step == "yes" and self.is_look:
            seconds = row["seconds"]
            if type(seconds) is not int or not 0 < seconds <= LOOK_SECONDS_MAX:
                raise InputError("a look has no usable time")
            self.began, self.seconds = at, seconds
            return f"you allowed it: the trainer sees what your cells and terminals show, for {seconds // 60} min"
        if step == "yes":
            return f"you allowed it: {self.kind}"
        if step in {"done", "failed"}:
            self.text = printable(row["text"], limit=ASK_TEXT_MAX)
            return f"{self.kind} {'is done' if step == 'done' else 'failed'}: {self.text}"
        if step == "over":
            return "the look is over" if self.seconds else "the request is over"
        return "you refused it" if step == "no" else "you ended the look"


@dataclass(kw_only=True)
class HeardAsks:
    """All requests of a log, the last few of them."""

    held: dict[str, HeardAsk] = field(default_factory=dict)

    def take(self, at: float, row: Mapping[str, Any]) -> str:
        """Take a row of the log; return it in words. Raises InputError, KeyError for a row that is not usable."""
        ident, step = row["ask"], row["step"]
        if not isinstance(ident, str) or step not in STEPS:
            raise InputError("a request in the log is not usable")
        if step != "asked":
            return self.held[ident].take(step, at, row)
        kind, machine = check_ask(row["kind"], row["machine"])
        self.held[ident] = HeardAsk(ident=ident, kind=kind, machine=machine)
        over = [one.ident for one in self.held.values() if not one.is_open]
        for old in over[: max(0, len(self.held) - _KEPT)]:
            del self.held[old]
        return f"the trainer asks to {words_of(kind, machine)}"

    def open(self) -> Iterator[HeardAsk]:
        """Return those that are open."""
        return (one for one in self.held.values() if one.is_open)

    def find_look(self, now: float) -> HeardAsk | None:
        """Return the look that is allowed now."""
        return next((one for one in self.held.values() if one.left(now)), None)
