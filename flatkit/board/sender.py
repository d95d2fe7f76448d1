"""Posts a seat's journal to its board, from the cursor on, in batches. A board that is away only delays it.

The board answers with the last number that it has stored; only then the cursor moves. So nothing is lost, and what is
sent twice is stored once.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flatkit import web
from flatkit.board.asks import TrainerAsk, parse_ask
from flatkit.board.consent import Consent
from flatkit.board.journal import JoinedSeat, Journal
from flatkit.board.messages import BoardMessage, parse_message
from flatkit.board.talk import TalkLog
from flatkit.errors import FetchError, FlatkitError, InputError, UsageError
from flatkit.seat_env import hub_board
from flatkit.untrusted import parse_json, printable, shell_word

BATCH = 100
_PAUSE, _PAUSE_MAX = 1.0, 60.0
_ANSWER_MAX = 1024 * 1024
_ASKS_MAX = 4


@dataclass(frozen=True, kw_only=True)
class BoardAnswer:
    """The board's answer: `have` is the last number that it stored, `messages` what the trainer said to this seat.

    `asks` are the trainer's open requests to it.
    """

    have: int
    messages: tuple[BoardMessage, ...] = ()
    asks: tuple[TrainerAsk, ...] = ()


def ask_for_seat(url: str, name: str, password: str) -> str:
    """Join the board at this address; return the seat's secret. Raises InputError when it is refused, FetchError."""
    body = json.dumps({"seat": name, "password": password}).encode()
    found = web.post(f"{url}/join", body, headers={"Content-Type": "application/json"}, limit=_ANSWER_MAX)
    values = _object(found.data)
    token, said = values.get("token"), values.get("error")
    if found.ok and isinstance(token, str) and token:
        return token
    if not isinstance(said, str):
        raise web.captive(url, found.final_url)
    raise InputError(f'the board "{printable(url)}" said: {printable(said, limit=200)}', hint="flatkit join --help")


def give_up_seat(seat: JoinedSeat) -> bool:
    """Let the board delete the seat with all that it sent; return False when it does not answer."""
    headers = {"Authorization": f"token {seat.token}"}
    try:
        # A board that does not know the seat has nothing of it.
        return web.post(f"{seat.url}/leave", b"{}", headers=headers, limit=_ANSWER_MAX).status in {200, 403}
    except FetchError:
        return False


def is_known(seat: JoinedSeat) -> bool:
    """Return True if the board still knows this seat. Raises FetchError."""
    try:
        post_events(seat, [])
    except UsageError:
        return False
    return True


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        values = parse_json(data, limit=_ANSWER_MAX)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def post_events(
    seat: JoinedSeat, lines: list[str], *, heard: int = 0, cancel: threading.Event | None = None
) -> BoardAnswer:
    """Post a batch; `heard` is the last message that the seat has. Raises FetchError, UsageError when it is refused."""
    sent = {"journal": seat.journal, "events": [json.loads(line) for line in lines], "heard": heard, "can": ["answer"]}
    body = json.dumps(sent).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"token {seat.token}"}
    found = web.post(f"{seat.url}/events", body, headers=headers, limit=_ANSWER_MAX, cancel=cancel)
    if found.status in {401, 403}:
        raise UsageError(
            f'the board "{printable(seat.url)}" does not know this seat any more',
            hint="flatkit join" if hub_board() else f"flatkit join {seat.url} --seat {shell_word(seat.name)}",
        )
    if not found.ok:
        raise web.refusal(seat.url, found.status)
    values = _object(found.data)
    have, messages = values.get("have"), values.get("messages", [])
    if type(have) is not int or have < 0 or not isinstance(messages, list):
        raise web.captive(seat.url, found.final_url)
    usable = []
    for message in messages:
        with suppress(InputError):
            usable.append(parse_message(message))
    asks, asked = values.get("asks"), []  # older boards ask nothing
    for ask in asks[:_ASKS_MAX] if isinstance(asks, list) else ():
        with suppress(InputError):
            asked.append(parse_ask(ask))
    return BoardAnswer(have=have, messages=tuple(usable), asks=tuple(asked))


class Sender:
    """Sends what the journal has, and keeps what the trainer says in the seat's log; `looked` is called after each round.

    `post` is replaced in tests; `heard` takes each message that is new.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        post: Callable[..., BoardAnswer] = post_events,
        heard: Callable[[BoardMessage], object] = lambda _: None,
        looked: Callable[[], object] = lambda: None,
        pause: float = _PAUSE,
    ) -> None:
        self._journal, self._post, self._heard, self._pause = journal, post, heard, pause
        self._talk, self._looked = TalkLog(journal.folder), looked
        self._consent = Consent(journal)
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        """True while its thread sends."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Send in a thread until `stop`; the thread never keeps a program alive."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="flatkit: board", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Send soon: something was noted."""
        self._wake.set()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def flush(self) -> int:
        """Send all that the board lacks; return how many events. Raises FetchError, UsageError, OSError."""
        seat, sent = self._journal.seat, 0
        while seat is not None:
            cursor = self._journal.cursor
            batch = self._journal.after(cursor, most=BATCH)
            lines, heard = [event.as_json() for event in batch], self._talk.read().last
            answer = self._post(seat, lines, heard=heard, cancel=self._stop)
            now = self._journal.seat
            if now is None or now.journal != seat.journal:
                return sent  # the learner has left, or has joined again: this answer is about another journal
            self._journal.advance(answer.have)
            self._hear(answer)
            self._consent.hear(answer.asks)
            # A board that lost its store, or pretends to have more than this journal, ends the round: the next one continues.
            moved = self._journal.cursor - cursor
            sent += max(0, moved)
            if len(batch) < BATCH or moved <= 0:
                return sent
        return sent

    def _hear(self, answer: BoardAnswer) -> None:
        for message in self._talk.hear(answer.messages) if answer.messages else ():
            if message.kind == "resolved":
                self._journal.note("flag", flag="none", word="")
            self._heard(message)

    def _work(self) -> None:
        pause = self._pause
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self.flush()
                pause = self._pause
            except UsageError:
                return  # the board has refused the seat: only a new `flatkit join` helps
            except (FlatkitError, OSError):
                pause = min(pause * 2, _PAUSE_MAX)
            self._looked()
            # All seats lose the network at once; they should not come back at once.
            wait = pause * random.uniform(0.8, 1.2)  # noqa: S311  (no secret)
            if pause > self._pause:
                self._stop.wait(wait)
            else:
                self._wake.wait(max(wait, self._pause))
                self._stop.wait(min(0.2, self._pause))  # several notes of a moment go in one batch
