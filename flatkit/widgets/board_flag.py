"""The learner's flag for the trainer's board on a card: raise it, lower it, see who comes. Hidden without a board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import unified_diff
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypedDict, cast

from flatkit.board import seat
from flatkit.board.messages import BoardMessage
from flatkit.errors import InputError
from flatkit.lessons.jupyter_server import path_on_server
from flatkit.lessons.places import place_of
from flatkit.lessons.workspace import FolderBench
from flatkit.untrusted import lines_of
from flatkit.widgets import board_asks
from flatkit.widgets.board_asks import AskState

# After so many failed tries in a row a card offers the flag. It never raises it.
OFFER_AFTER = 3
_HINTS = 3  # of the trainer, on one card; all are in the log


class TrainerHintState(TypedDict):
    """A hint of the trainer. `change`: a config of theirs, as a difference to the learner's `file`; nothing is written."""

    number: int
    text: str
    file: str
    change: str


class LinkState(TypedDict):
    """A cell of a notebook in this notebook's folder: its address from here, and the `path` from the server's root."""

    words: str
    address: str
    path: str
    fragment: str


class FlagState(TypedDict):
    """The flag for the page. `said`: what came of it; `room`: what all seats see; `offer`: ask whether help is wanted.

    `link`: the cell that `room` leads to, where that notebook is here.
    `hints` are those for this card, `elsewhere` the task of a newer one for another card.
    `asks` are the trainer's requests.
    """

    flag: Literal["none", "help", "done"]
    word: str
    said: str
    room: str
    link: LinkState | None
    offer: bool
    hints: list[TrainerHintState]
    elsewhere: str
    asks: list[AskState]


class FlaggedState(TypedDict):
    """The part of a card's state that the flag needs; None where no board was joined."""

    flag: FlagState | None


_SAID = {"none": "", "help": "the trainer sees that you want help", "done": "the trainer sees that you are done"}


def state_of(card: Any, task: str = "") -> FlagState | None:
    """Return the flag for a card of a task, which offers help if its `failures` are many; None where no board was joined."""
    talk = seat.talk()
    if talk is None:
        return None
    return {
        "flag": cast('Literal["none", "help", "done"]', talk.flag),
        "word": talk.word,
        "said": f"a helper saw it: {talk.coming}" if talk.coming else _SAID[talk.flag],
        "room": talk.room,
        "link": _link(talk.link),
        "hints": [_hint(hint) for hint in talk.hints if not hint.task or hint.task == task][-_HINTS:],
        "elsewhere": talk.hints[-1].task if talk.hints and talk.hints[-1].task != task else "",
        "asks": board_asks.states_of(talk),
        "offer": talk.flag == "none" and not talk.coming and getattr(card, "failures", 0) >= OFFER_AFTER,
    }


def _link(message: BoardMessage | None) -> LinkState | None:
    """Return the link of a message to all seats; None without one, or where that notebook is not in this folder."""
    if message is None or not message.notebook:
        return None
    file = Path(f"{message.notebook}.ipynb")
    if not file.is_file():
        return None
    return {
        "words": place_of(message.notebook, message.cell),
        "address": message.link,
        "path": path_on_server(file),
        "fragment": message.link.removeprefix(file.name),
    }


def _hint(hint: BoardMessage) -> TrainerHintState:
    change = ""
    if hint.file:
        try:
            own = FolderBench(Path.cwd()).read(hint.file) or ""
        except InputError:
            own = ""
        change = _difference(own, hint.config)
    return {"number": hint.number, "text": hint.text, "file": hint.file, "change": change}


@lru_cache(maxsize=32)
def _difference(own: str, config: str) -> str:
    lines = list(unified_diff(lines_of(own), lines_of(config), lineterm="", n=2))[2:]
    return "\n".join(lines) or "your file is the same"


def verbs_of(card: Any) -> Mapping[str, Callable[..., object]]:
    """Return what the flag's buttons do: raise a flag, take an offer back, answer a request. `shown`: a hint is in view."""

    def decline() -> None:
        card.failures = 0

    return {
        "flag": lambda flag="", word="": seat.raise_flag(str(flag), str(word)),
        "shown": lambda number=0: seat.confirm_hint(number),
        "decline": decline,
        **board_asks.verbs(),
    }
