"""The trainer's requests on a card: allow, refuse or end a look; allow or refuse a verb for this seat's machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypedDict

from flatkit.board import machine_verbs, seat
from flatkit.board.asks import MINUTES, words_of
from flatkit.board.heard_asks import HeardAsk
from flatkit.board.talk import SeatTalk
from flatkit.errors import FlatkitError

# The verb's runner: a notebook's own machine replaces it, so that its panel shows the work (live_machine.py).
run_verb: Callable[[str, str], str] = machine_verbs.run_verb


class AskState(TypedDict):
    """A request. `answer`: yes or no is wanted; `minutes`: the times of a look to choose from; `end`: it can be ended."""

    ident: str
    text: str
    minutes: list[int]
    answer: bool
    end: bool


def states_of(talk: SeatTalk) -> list[AskState]:
    """Return the open requests."""
    return [_state(ask) for ask in talk.asks.open()]


def _state(ask: HeardAsk) -> AskState:
    left = ask.left(time.time())
    about = words_of(ask.kind, ask.machine)
    if ask.state == "asked":
        text = f"The trainer asks to {about}. Nothing is shown or done without your yes."
    elif ask.is_look:
        until = time.strftime("%H:%M", time.localtime(ask.began + ask.seconds))
        text = f"The trainer sees what your cells and terminals show, until {until}." if left else "The look is over."
    else:
        text = f"The trainer's request is under way: {about}."
    is_asked = ask.state == "asked"
    return {
        "ident": ask.ident,
        "text": text,
        "minutes": list(MINUTES) if is_asked and ask.is_look else [],
        "answer": is_asked,
        "end": ask.is_look and ask.state == "yes" and left > 0,
    }


def verbs() -> Mapping[str, Callable[..., object]]:
    """Return what the buttons do."""
    return {
        "allow": lambda ident="", minutes=0: _allow(str(ident), minutes if type(minutes) is int else 0),
        "refuse": lambda ident="": seat.answer(lambda consent: consent.refuse(str(ident))),
        "endlook": lambda: seat.answer(lambda consent: consent.end()),
    }


def _allow(ident: str, minutes: int) -> None:
    allowed: list[HeardAsk] = []
    seat.answer(lambda consent: allowed.append(consent.allow(ident, minutes)))
    for ask in allowed:
        if not ask.is_look:
            threading.Thread(target=_work, args=(ask,), name="flatkit: asked verb", daemon=True).start()


def _work(ask: HeardAsk) -> None:
    """Do what was allowed, and tell the trainer the result."""
    ok, text = True, ""
    try:
        text = run_verb(ask.kind, ask.machine)
    except FlatkitError as error:
        ok, text = False, error.message
    except Exception as error:  # noqa: BLE001  (the trainer must not wait for a result that never comes)
        ok, text = False, str(error)
    with suppress(FlatkitError, OSError):  # of a disk that is full: nobody waits for this thread
        seat.answer(lambda consent: consent.report(ask.ident, ok=ok, text=text))
