"""The learner's flag for the trainer's board on a card: raise it, lower it, see who comes. Hidden without a board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict, cast

from flatkit.board import seat

# After so many failed tries in a row a card offers the flag. It never raises it.
OFFER_AFTER = 3


class FlagState(TypedDict):
    """The flag for the page. `said`: what came of it; `room`: what all seats see; `offer`: ask whether help is wanted."""

    flag: Literal["none", "help", "done"]
    word: str
    said: str
    room: str
    offer: bool


class FlaggedState(TypedDict):
    """What the state of a card with the flag has beside its own; None where no board was joined."""

    flag: FlagState | None


_SAID = {"none": "", "help": "the trainer sees that you want help", "done": "the trainer sees that you are done"}


def state_of(card: Any) -> FlagState | None:
    """Return the flag for a card, which offers help if its `failures` are many; None where no board was joined."""
    talk = seat.talk()
    if talk is None:
        return None
    return {
        "flag": cast('Literal["none", "help", "done"]', talk.flag),
        "word": talk.word,
        "said": f"a helper saw it: {talk.coming}" if talk.coming else _SAID[talk.flag],
        "room": talk.room,
        "offer": talk.flag == "none" and not talk.coming and getattr(card, "failures", 0) >= OFFER_AFTER,
    }


def verbs_of(card: Any) -> Mapping[str, Callable[..., object]]:
    """Return what the flag's buttons do: raise a flag, and take an offer back."""

    def decline() -> None:
        card.failures = 0

    return {"flag": lambda flag="", word="": seat.raise_flag(str(flag), str(word)), "decline": decline}
