"""The requests that are open on a board, and what seats show meanwhile. In memory alone, bounded, gone when a look ends.

A seat is asked by a trainer and answers for itself: the handlers take its name from its secret.
Time is that of a clock that does not jump, and is compared on each use: a look ends by itself.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from flatkit.board.asks import SeatAnswer, ShownPiece, check_ask
from flatkit.errors import UsageError

# A request without an answer, and a verb without a result, end after these seconds.
ASK_SECONDS, VERB_SECONDS = 600.0, 900.0
LOOKS_MAX = 20  # at the same time, in the whole room
_TEXT_MAX, _SCREENS_MAX = 128 * 1024, 4  # kept of one seat: characters, and terminals
_PIECES_IN_ANSWER = 200


@dataclass(kw_only=True)
class OpenAsk:
    """A request. `state`: asked, allowed, then one of refused, over, withdrawn, expired, done, failed."""

    ident: str
    kind: str
    machine: str
    until: float
    state: str = "asked"
    text: str = ""
    count: int = 0
    pieces: deque[tuple[int, ShownPiece]] = field(default_factory=deque)
    screens: dict[str, tuple[int, ShownPiece]] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """True while the learner, or the verb, may still answer."""
        return self.state in {"asked", "allowed"}

    def close(self, state: str, text: str = "") -> None:
        """End it; what the seat has shown is forgotten."""
        self.state, self.text = state, text
        self.pieces.clear()
        self.screens.clear()

    def sweep(self, now: float) -> bool:
        """End it if its time is over; return True if that is new."""
        if not self.is_open or now < self.until:
            return False
        self.close("expired" if self.state == "asked" or self.kind != "look" else "over")
        return True

    def take(self, piece: ShownPiece) -> None:
        """Keep a piece; the oldest ones go when there are too many."""
        self.count += 1
        if piece.kind == "screen":
            self.screens.pop(piece.source, None)
            self.screens[piece.source] = (self.count, piece)
            while len(self.screens) > _SCREENS_MAX:
                del self.screens[next(iter(self.screens))]
            return
        self.pieces.append((self.count, piece))
        size = sum(len(one.text) + 100 for _, one in self.pieces)
        while size > _TEXT_MAX:
            size -= len(self.pieces.popleft()[1].text) + 100


class AskRoom:
    """The requests of a room: for each seat at most one look, and one verb for its machine."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asks: dict[str, dict[str, OpenAsk]] = {}
        self._able: set[str] = set()

    def meet(self, seat: str) -> None:
        """Keep that this seat understands requests: an older flatkit would never answer."""
        self._able.add(seat)

    def remove_seat(self, seat: str) -> None:
        """Forget a seat that has left."""
        self._able.discard(seat)
        self._asks.pop(seat, None)

    def ask(self, seat: str, kind: Any, machine: Any = "") -> OpenAsk:
        """Ask a seat; a request that is open already is returned. Raises InputError, UsageError."""
        kind, machine = check_ask(kind, machine)
        self.sweep()
        if seat not in self._able:
            raise UsageError(f'the seat "{seat}" cannot be asked: it is not there now, or has an older flatkit')
        held = self._asks.setdefault(seat, {})
        there = held.get(_slot(kind))
        if there and there.is_open:
            if (there.kind, there.machine) == (kind, machine):
                return there
            raise UsageError(f'the seat "{seat}" has not answered yet: {there.kind}; take that back first')
        if kind == "look" and sum(one.is_open and one.kind == "look" for one in self._all()) >= LOOKS_MAX:
            raise UsageError(f"{LOOKS_MAX} looks are open or asked for; end one first")
        made = OpenAsk(ident=secrets.token_hex(8), kind=kind, machine=machine, until=self._clock() + ASK_SECONDS)
        held[_slot(kind)] = made
        return made

    def withdraw(self, seat: str, kind: Any) -> None:
        """Take a request back, or end the look. A verb that is under way is not stopped. Raises InputError."""
        kind, _ = check_ask(kind)
        ask = self._asks.get(seat, {}).get(_slot(kind))
        if ask and ask.is_open and (ask.kind == "look" or ask.state == "asked"):
            ask.close("withdrawn" if ask.state == "asked" else "over")

    def answer(self, seat: str, answer: SeatAnswer) -> bool:
        """Take a seat's answer in; return True if it changes something. One to an earlier request changes nothing."""
        self.sweep()
        ask = next((one for one in self._asks.get(seat, {}).values() if one.ident == answer.ident), None)
        if ask is None or not ask.is_open:
            return False
        if ask.state == "asked" and answer.answer == "yes":
            if ask.kind == "look" and not answer.seconds:
                return False
            ask.until = self._clock() + (answer.seconds if ask.kind == "look" else VERB_SECONDS)
            ask.state = "allowed"
        elif ask.state == "asked" and answer.answer == "no":
            ask.close("refused")
        elif ask.kind == "look" and answer.answer == "end":
            ask.close("over")
        elif ask.kind != "look" and answer.answer in {"done", "failed"}:
            ask.close(answer.answer, answer.text)
        else:
            return False
        return True

    def is_allowed(self, seat: str, ident: str) -> bool:
        """Return True if this look of the seat is allowed now."""
        self.sweep()
        ask = self._asks.get(seat, {}).get("look")
        return ask is not None and ask.state == "allowed" and ask.ident == ident

    def show(self, seat: str, ident: str, pieces: Iterable[ShownPiece]) -> bool:
        """Keep what a seat shows; return False if its look is not allowed now."""
        if not self.is_allowed(seat, ident):
            return False
        for piece in pieces:
            self._asks[seat]["look"].take(piece)
        return True

    def for_seat(self, seat: str) -> list[dict[str, str]]:
        """Return the open requests, as the seat gets them."""
        self.sweep()
        return [
            {"ask": one.ident, "kind": one.kind, "machine": one.machine, "state": one.state}
            for one in self._asks.get(seat, {}).values()
            if one.is_open
        ]

    def for_page(self, seat: str) -> dict[str, dict[str, Any]]:
        """Return the last look and the last verb of a seat, without what it shows."""
        now = self._clock()
        return {
            slot: {
                "kind": one.kind, "machine": one.machine, "state": one.state, "text": one.text,
                "left": round(max(0.0, one.until - now)) if one.is_open else 0,
            }
            for slot, one in self._asks.get(seat, {}).items()
        }  # fmt: skip

    def look(self, seat: str, after: int = 0) -> dict[str, Any]:
        """Return what a seat shows behind this number, if it is allowed now."""
        self.sweep()
        found: dict[str, Any] = {"look": "", "pieces": [], "screens": [], "last": after}
        ask = self._asks.get(seat, {}).get("look")
        if ask is None or ask.state != "allowed":
            return found
        fresh = [one for one in ask.pieces if one[0] > after][:_PIECES_IN_ANSWER]
        return {
            "look": ask.ident,
            "pieces": [asdict(piece) for _, piece in fresh],
            "screens": [asdict(piece) for _, piece in ask.screens.values()],
            "last": fresh[-1][0] if fresh else after,
        }

    def sweep(self) -> bool:
        """End what is over; return True if there was something."""
        now = self._clock()
        return sum(one.sweep(now) for one in self._all()) > 0

    def _all(self) -> Iterator[OpenAsk]:
        for held in self._asks.values():
            yield from held.values()


def _slot(kind: str) -> str:
    return "look" if kind == "look" else "verb"
