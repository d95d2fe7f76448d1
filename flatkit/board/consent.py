"""A seat's side of the trainer's requests: hears them, keeps the learner's answers, and brings those to the board.

The learner's log is the truth: an answer is written there first, and posted until the board knows it. All kernels of a seat
share the log, and the board takes each answer once. An identifier belongs to one request: a yes is never used for another.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from flatkit import web
from flatkit.board.asks import MINUTES, TrainerAsk
from flatkit.board.heard_asks import HeardAsk
from flatkit.board.journal import JoinedSeat, Journal
from flatkit.board.talk import SeatTalk, TalkLog
from flatkit.errors import HostError, UsageError
from flatkit.untrusted import shell_word

_ANSWER_MAX = 64 * 1024


class Consent:
    """The requests to the seat of this journal."""

    def __init__(
        self, journal: Journal, *, post: Callable[..., web.Response] = web.post, clock: Callable[[], float] = time.time
    ) -> None:
        self._journal, self._post, self._clock = journal, post, clock
        self._log = TalkLog(journal.folder, clock=clock)
        self._missed: set[str] = set()

    def hear(self, asks: Sequence[TrainerAsk]) -> None:
        """Take in what the board asks now, and tell it what it does not know yet. Raises FetchError, UsageError."""
        talk = self._log.read()
        listed = {ask.ident for ask in asks}
        fresh = [one for one in asks if one.ident not in talk.asks.held]
        unlisted = {one.ident for one in talk.asks.open() if one.ident not in listed}
        if fresh or unlisted or any(True for _ in talk.asks.open()):
            # Another kernel may have heard of a request that this answer of the board is too old for: look twice.
            over = unlisted & self._missed
            self._missed = unlisted
            talk = self._close(fresh, over)
        seat = self._journal.seat
        for ask in asks:
            heard = talk.asks.held.get(ask.ident)
            if seat is not None and heard is not None and (answer := _missing(heard, ask.state, self._clock())):
                self._tell(seat, ask.ident, answer)

    def sweep(self) -> None:
        """Note that a look is over whose time is over, also while the board is away."""
        now = self._clock()
        if any(one.is_look and one.state == "yes" and not one.left(now) for one in self._log.read().asks.open()):
            self._close((), set())

    def _close(self, fresh: Sequence[TrainerAsk], over: set[str]) -> SeatTalk:
        now = self._clock()

        def choose(talk: SeatTalk) -> list[dict[str, Any]]:
            rows, busy = [], set()
            for one in talk.asks.open():
                is_past = one.is_look and one.state == "yes" and not one.left(now)
                if is_past or one.ident in over:
                    rows.append({"ask": one.ident, "step": "over"})
                else:
                    busy.add(one.is_look)
            # One look and one verb at a time: a board that asks again and again does not fill the log.
            for ask in fresh:
                if ask.ident not in talk.asks.held and (ask.kind == "look") not in busy:
                    busy.add(ask.kind == "look")
                    rows.append({"ask": ask.ident, "step": "asked", "kind": ask.kind, "machine": ask.machine})
            return rows

        self._log.add(choose)
        return self._log.read()

    def _tell(self, seat: JoinedSeat, ident: str, answer: dict[str, Any]) -> None:
        body = json.dumps({"ask": ident, **answer}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"token {seat.token}"}
        found = self._post(f"{seat.url}/answer", body, headers=headers, limit=_ANSWER_MAX)
        if not found.ok:
            raise web.refusal(seat.url, found.status)

    # The learner's answers

    def allow(self, ident: str, minutes: int = 0) -> HeardAsk:
        """Allow a request; a look for 5 or 15 minutes. Raises UsageError for one that is over, or another time; HostError."""
        ask = self._asked(ident)
        if ask.is_look and minutes not in MINUTES:
            raise UsageError(
                f'a look of "{minutes}" minutes cannot be allowed; expected 5 or 15', hint="flatkit flag yes 5"
            )
        self._answer(ident, step="yes", **({"seconds": 60 * minutes} if ask.is_look else {}))
        return ask

    def refuse(self, ident: str) -> None:
        """Refuse a request. Raises UsageError for one that is over, HostError."""
        self._asked(ident)
        self._answer(ident, step="no")

    def end(self) -> bool:
        """End the look that is allowed; return False without one. Raises HostError."""
        look = next((one for one in self._log.read().asks.open() if one.is_look and one.state == "yes"), None)
        if look is not None and self._step(look.ident, {"yes"}, step="end") is None:
            # A full disk takes no line more, and the yes must not stay.
            self._log.remove()
        return look is not None

    def report(self, ident: str, *, ok: bool, text: str) -> None:
        """Keep the result of a verb that was allowed, even if the board does not ask any more."""
        self._step(ident, {"yes", "over"}, step="done" if ok else "failed", text=text)

    def _asked(self, ident: str) -> HeardAsk:
        found = self._log.read().asks.held.get(ident)
        if found is None or found.state != "asked":
            raise _late()
        return found

    def _answer(self, ident: str, **row: Any) -> None:
        """Add the learner's answer. Only an answer that is in the log counts."""
        is_added = self._step(ident, {"asked"}, **row)
        if is_added is None:
            folder = self._journal.folder
            raise HostError(f'the answer cannot be kept in "{folder}"', hint=f"df -h {shell_word(folder)}")
        if not is_added:
            raise _late()

    def _step(self, ident: str, states: set[str], **row: Any) -> bool | None:
        """Add a step, if the request is still in one of these states: two windows of a learner may answer at once.

        Return False if it is not, None if the log cannot be written.
        """
        new: list[dict[str, Any]] = []

        def choose(talk: SeatTalk) -> list[dict[str, Any]]:
            held = talk.asks.held.get(ident)
            new.extend([{"ask": ident, **row}] if held is not None and held.state in states else [])
            return new

        return bool(new) if self._log.add(choose) else None


def _late() -> UsageError:
    return UsageError("the trainer's request is answered already, or over", hint="flatkit flag")


def _missing(heard: HeardAsk, state: str, now: float) -> dict[str, Any] | None:
    """Return the answer that a board in this state lacks."""
    if heard.state in {"done", "failed"}:
        return {"answer": heard.state, "text": heard.text}
    if state == "allowed":
        return {"answer": "end"} if heard.is_look and not heard.left(now) else None
    if heard.state == "yes":
        if not heard.is_look:
            return {"answer": "yes"}
        return {"answer": "yes", "seconds": left} if (left := heard.left(now)) else {"answer": "no"}
    return {"answer": "no"} if heard.state in {"no", "end", "over"} else None
