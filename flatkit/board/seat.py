"""This process at a seat: notes what happens, raises the learner's flag, hears the trainer. Does nothing without a board."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flatkit.board.consent import Consent
from flatkit.board.events import make_event
from flatkit.board.feed import LookFeed
from flatkit.board.journal import Journal
from flatkit.board.sender import Sender
from flatkit.board.talk import SeatTalk, TalkLog, confirm_hints
from flatkit.errors import FlatkitError

# Reentrant, as the lock of the feed: a look shows what this thread prints.
_guard = threading.RLock()
# Reads the log and lets the feed follow it in one: a thread that read the log before an end must not open the feed again.
_following = threading.Lock()
_sender: Sender | None = None
_watchers: weakref.WeakSet[Any] = weakref.WeakSet()
_read: tuple[object, SeatTalk | None] = (None, None)
# A cell that prints faster than the network takes it must not keep the sender from all else.
_POSTS_IN_A_ROUND = 20
# What this process shows during a look that the learner allowed.
feed = LookFeed()
# A child by fork has a copy of all this: no sender, and locks that a thread of its parent may have held.
_process = os.getpid()


def note(kind: str, **data: Any) -> None:
    """Note what happened at this seat, and send it soon."""
    with suppress(FlatkitError, OSError):
        journal = Journal()
        if journal.note(kind, **data) is not None:
            _send(journal)


def raise_flag(flag: str, word: str = "") -> None:
    """Raise a flag (none, help, done) with the learner's word, once. Raises InputError for another one."""
    data = make_event(1, 0.0, "flag", {"flag": flag, "word": word}).data
    journal = Journal()
    if journal.seat is None:
        return
    log = TalkLog(journal.folder)
    if not log.has_flag(flag, word):
        log.add_flag(data["flag"], data["word"])
        note("flag", **data)
        _changed()


def confirm_hint(number: object) -> None:
    """Tell the board that the page of a card shows this hint."""
    with suppress(FlatkitError, OSError):
        journal = Journal()
        if journal.seat is not None and confirm_hints(journal, [number]):
            _send(journal)


def answer(act: Callable[[Consent], object]) -> None:
    """Answer a request of the trainer, and send that soon. Raises UsageError for a request that is over, HostError."""
    journal = Journal()
    if journal.seat is not None:
        act(Consent(journal))
        _send(journal)
        _changed()


def show(kind: str, source: str, text: str) -> None:
    """Show text to the trainer, if the learner allows a look now (docs/board.md). A child by fork shows nothing."""
    with suppress(FlatkitError, OSError):
        if os.getpid() == _process and feed.take(kind, source, text):
            _send(Journal())


def talk() -> SeatTalk | None:
    """Return the learner's flag and what the trainer said; None where no board was joined."""
    global _read  # noqa: PLW0603  (cards ask several times a second; the log is read when it has changed)
    with suppress(FlatkitError, OSError):
        journal = Journal()
        sign = _signature(journal)
        if sign is None:
            return None
        known = _read
        if known[0] != sign:
            known = _read = (sign, TalkLog(journal.folder).read())
        return known[1]  # not `_read`, where another thread may have put an older one meanwhile
    return None


def watch(watcher: Any) -> None:
    """Call `watcher.draw()` when the flag or what the trainer said changes, as long as the watcher lives."""
    attend(watcher)
    with suppress(FlatkitError, OSError):
        journal = Journal()
        if journal.seat is not None:
            _send(journal)


def attend(watcher: Any) -> None:
    """As `watch`, without beginning to send: something else does, once there is something to say."""
    with _guard:
        _watchers.add(watcher)


def _signature(journal: Journal) -> object:
    """Return what changes with the log: also another kernel writes it. None without a seat."""
    if journal.seat is None:
        return None
    try:
        about = TalkLog(journal.folder).file.stat()
    except OSError:
        return (journal.folder, 0)
    return (journal.folder, about.st_mtime_ns, about.st_size, about.st_ino)


def _send(journal: Journal) -> None:
    global _sender  # noqa: PLW0603  (one sender a process)
    if os.getpid() != _process:
        return
    with _guard:
        if _sender is None or not _sender.is_alive:
            _sender = Sender(journal, looked=_look)
            _sender.start()
    _sender.wake()


_drawn: object = None


def _look() -> None:
    """Draw the watchers if the log has changed since the last round, and send what an allowed look shows."""
    with suppress(FlatkitError, OSError):
        journal = Journal()
        said = talk()
        if said and any(said.asks.open()):
            Consent(journal).sweep()
        if _signature(journal) != _drawn:
            _changed()
        _follow()
        seat = journal.seat
        for _ in range(_POSTS_IN_A_ROUND):
            if seat is None or not feed.send(seat):
                break
            _follow()


def _follow() -> None:
    """Let the feed begin or end with the look that the log has now: another kernel may have ended it."""
    with _following:
        said = talk()
        feed.follow(said.asks.find_look(time.time()) if said else None)


def _changed() -> None:
    global _drawn  # noqa: PLW0603
    _drawn = _signature(Journal())
    _follow()
    with _guard:  # the set must not grow while it is copied
        watchers = list(_watchers)
    for watcher in watchers:
        with suppress(Exception):  # a card whose page is gone must not hold up the others
            watcher.draw()
