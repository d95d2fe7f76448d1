"""The state of each seat, from its events. Pure: the status is computed when somebody looks, with the time given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from flatkit.board.ledger import Received
from flatkit.board.messages import BoardMessage

# Seconds without an event after which a seat counts as away, then silent.
AWAY, SILENT = 180.0, 900.0
_RESULTS = 5
_STUCK_AFTER = 3
# More than the course has. A seat that invents others must neither fill the memory nor the trainers' page: of a seat the
# newest ones are kept, of the room those that most seats share.
_NOTEBOOKS, _QUESTIONS = 60, 300
_LETTERS = 26  # the page names choices a to z

_Key = TypeVar("_Key", str, tuple[str, int])


@dataclass
class SentHint:
    """A hint to a seat: when it was sent, and when the seat showed it (0.0: not known), by the board's clock."""

    sent: float
    shown: float = 0.0


@dataclass
class SeatRow:
    """A seat at one moment. `results` are the last checks as (task, verdict); `failures` counts failed tries in a row."""

    name: str
    notebook: str = ""
    step: int = 0
    steps: int = 0
    since: float = 0.0
    seen: float = 0.0
    results: list[tuple[str, str]] = field(default_factory=list)
    failing: str = ""
    failures: int = 0
    machine: str = ""
    flag: str = "none"
    word: str = ""
    flag_since: float = 0.0
    coming: str = ""
    task: str = ""
    hints: dict[int, SentHint] = field(default_factory=dict)
    furthest: dict[str, int] = field(default_factory=dict)
    choices: dict[tuple[str, int], int] = field(default_factory=dict)

    def take(self, received: Received) -> None:
        """Take the seat's next event in."""
        event, data = received.event, received.event.data
        if event.kind == "shown":  # a page sends it by itself: that says nothing about the learner
            self._take_shown(data["number"], received.received)
            return
        self.seen = max(self.seen, received.received)
        if event.kind in {"opened", "step"}:
            if data["notebook"] != self.notebook:
                self.notebook, self.step, self.steps, self.since = data["notebook"], 0, 0, received.received
            if event.kind == "step":
                if data["step"] != self.step:
                    self.since = received.received
                self.step, self.steps = data["step"], data["steps"]
                _keep(self.furthest, self.notebook, max(self.furthest.get(self.notebook, 0), self.step), _NOTEBOOKS)
        elif event.kind in {"prediction", "quiz"}:
            if 0 <= data["choice"] < _LETTERS:
                _keep(self.choices, (data["task"], data["question"]), data["choice"], _QUESTIONS)
        elif event.kind == "check":
            self._take_check(data["task"], data["verdict"])
        elif event.kind == "machine":
            self.machine = f"{data['machine']}: {data['state']}" + (f" ({data['image']})" if data["image"] else "")
        elif event.kind == "boot":
            self.machine = f"{data['machine']}: {data['result'] or data['phase']}"
        elif event.kind == "flag":
            self.flag, self.word, self.flag_since, self.coming = data["flag"], data["word"], received.received, ""
        self.task = data.get("task", self.task)

    def _take_shown(self, number: int, at: float) -> None:
        hint = self.hints.get(number)
        if hint is not None and not hint.shown:
            hint.shown = at

    def take_hint(self, number: int, at: float) -> None:
        """Take in that a hint was sent to the seat. The last few are kept."""
        self.hints[number] = SentHint(sent=at)
        self.hints = dict(list(self.hints.items())[-_RESULTS:])

    def _take_check(self, task: str, verdict: str) -> None:
        self.results = [*self.results, (task, verdict)][-_RESULTS:]
        if verdict == "passed":
            self.failing, self.failures = "", 0
        elif verdict == "wrong":
            self.failures = self.failures + 1 if task == self.failing else 1
            self.failing = task

    @property
    def is_stuck(self) -> bool:
        """True if the same check failed three times in a row."""
        return self.failures >= _STUCK_AFTER

    def status(self, now: float) -> str:
        """Return help, stuck, done, silent, away or active."""
        if self.flag == "help":
            return "help"
        if self.is_stuck:
            return "stuck"
        if self.flag == "done":
            return "done"
        quiet = now - self.seen
        return "silent" if quiet >= SILENT else "away" if quiet >= AWAY else "active"

    def as_dict(self, now: float) -> dict[str, Any]:
        """Return the row for the page and for `flatkit board`; times are in seconds before now.

        `raised` is the board's time of the last flag, which tells one flag from another.
        """
        return {
            "seat": self.name,
            "status": self.status(now),
            "where": f"{self.notebook} {self.step}/{self.steps}" if self.steps else self.notebook,
            "here": round(max(0.0, now - self.since)) if self.since else 0,
            "seen": round(max(0.0, now - self.seen)) if self.seen else 0,
            "results": [{"task": task, "verdict": verdict} for task, verdict in self.results],
            "failing": f"{self.failing} ×{self.failures}" if self.is_stuck else "",
            "machine": self.machine,
            "flag": self.flag,
            "raised": self.flag_since,
            "word": self.word,
            "coming": self.coming,
            "task": self.task,
            "hint": self._last_hint(now),
            "waiting": round(max(0.0, now - self.flag_since)) if self.flag == "help" else 0,
        }

    def _last_hint(self, now: float) -> dict[str, Any]:
        if not self.hints:
            return {}
        last = list(self.hints.values())[-1]
        return {"shown": bool(last.shown), "ago": round(max(0.0, now - (last.shown or last.sent)))}


def _keep(values: dict[_Key, int], key: _Key, value: int, most: int) -> None:
    """Set a value, and drop the oldest key beyond so many."""
    values[key] = value
    if len(values) > most:
        del values[next(iter(values))]


def _most_shared(found: Mapping[_Key, Sized], most: int) -> list[_Key]:
    """Return the keys with most seats, at most so many, in their own order."""
    return sorted(sorted(found, key=lambda key: -len(found[key]))[:most])


_ORDER = {"help": 0, "stuck": 1, "silent": 2, "away": 3, "active": 4, "done": 5}


class RoomOverview:
    """The room: a row a seat, and the answers to predictions and quizzes. Its memory does not grow with the events."""

    def __init__(self, seats: Iterable[str] = ()) -> None:
        self.rows: dict[str, SeatRow] = {name: SeatRow(name=name) for name in seats}
        self.room = ""

    @classmethod
    def replay(
        cls,
        seats: Iterable[str],
        events: Iterable[Received],
        said: Iterable[tuple[str, float, BoardMessage]],
    ) -> Self:
        """Return the room of a store. Receipts need their hints first; what was said about a flag needs the flag."""
        room, said = cls(seats), list(said)
        for one in said:
            if one[2].kind == "hint":
                room.take_message(*one)
        room.take(events)
        for one in said:
            if one[2].kind != "hint":
                room.take_message(*one)
        return room

    def add_seat(self, name: str) -> None:
        """Add a seat that has sent nothing yet."""
        self.rows.setdefault(name, SeatRow(name=name))

    def remove_seat(self, name: str) -> None:
        """Remove a seat, and what it chose."""
        self.rows.pop(name, None)

    def take(self, received: Iterable[Received]) -> None:
        """Take events in, each seat's in their order."""
        for one in received:
            self.add_seat(one.seat)
            self.rows[one.seat].take(one)

    def take_message(self, seat: str, at: float, message: BoardMessage) -> None:
        """Take in what a trainer said to a seat ("" for all), and when."""
        if message.kind in {"room", "pause"}:
            self.room = message.room_and_place
        row = self.rows.get(seat)
        if row is not None and message.kind == "hint":
            row.take_hint(message.number, at)
        if row is None or at < row.flag_since:
            return
        if message.kind == "coming":
            row.coming = message.text
        elif message.kind == "resolved":
            row.flag, row.word, row.coming = "none", "", ""

    def sorted_rows(self, now: float) -> list[dict[str, Any]]:
        """Return the rows: who needs help first, the longest first; then who is stuck, then who is silent."""
        rows = [row.as_dict(now) for row in self.rows.values()]
        return sorted(rows, key=lambda row: (_ORDER[row["status"]], -row["waiting"], -row["here"], row["seat"]))

    def as_dict(self, now: float) -> dict[str, Any]:
        """Return all that a page draws."""
        rows = self.sorted_rows(now)
        return {
            "rows": rows,
            "counts": dict(Counter(row["status"] for row in rows)),
            "notebooks": self.heat,
            "questions": self.histograms,
            "middle": self.middle,
            "room": self.room,
        }

    @property
    def heat(self) -> list[dict[str, Any]]:
        """For each notebook the furthest step of each seat that opened it."""
        found: dict[str, dict[str, int]] = {}
        for row in self.rows.values():
            for name, step in row.furthest.items():
                found.setdefault(name, {})[row.name] = step
        return [{"notebook": name, "seats": found[name]} for name in _most_shared(found, _NOTEBOOKS)]

    @property
    def histograms(self) -> list[dict[str, Any]]:
        """For each question how many seats chose which answer."""
        found: dict[tuple[str, int], list[int]] = {}
        for row in self.rows.values():
            for question, choice in row.choices.items():
                found.setdefault(question, []).append(choice)
        return [
            {"task": task, "question": number, "choices": dict(sorted(Counter(found[task, number]).items()))}
            for task, number in _most_shared(found, _QUESTIONS)
        ]

    @property
    def middle(self) -> dict[str, Any]:
        """The place that half of the room has reached: its notebook, and its step there."""
        places = sorted((row.notebook, row.step) for row in self.rows.values() if row.notebook)
        if not places:
            return {}
        notebook, step = places[len(places) // 2 if len(places) % 2 else len(places) // 2 - 1]
        return {"notebook": notebook, "step": step, "seats": len(places)}
