"""`flatkit flag yes|no|end`: a learner's answer to the trainer's request, in a terminal."""

from __future__ import annotations

import time
from contextlib import suppress

from flatkit.board.asks import ASK_KINDS, MINUTES, words_of
from flatkit.board.consent import Consent
from flatkit.board.feed import LookFeed
from flatkit.board.heard_asks import HeardAsk
from flatkit.board.journal import Journal
from flatkit.board.machine_verbs import run_verb
from flatkit.board.sender import Sender
from flatkit.board.talk import SeatTalk, TalkLog
from flatkit.board.tmux_view import find_pane, screen_of
from flatkit.errors import FetchError, FlatkitError, UsageError
from flatkit.untrusted import printable

WORDS = ("yes", "no", "end")
_EVERY = 1.0


def request_lines(talk: SeatTalk) -> list[str]:
    """Return the open requests, each with what answers it."""
    lines = []
    for ask in talk.asks.open():
        if ask.state == "asked":
            yes = f"{_yes(ask)}   (or 15: minutes)" if ask.is_look else _yes(ask)
            lines.append(f"the trainer asks to {words_of(ask.kind, ask.machine)}: {yes}, or flatkit flag no {ask.kind}")
        elif left := ask.left(time.time()):
            lines.append(
                f"the trainer sees what your cells and terminals show, {-(-left // 60)} min more: flatkit flag end"
            )
    return lines


def _yes(ask: HeardAsk) -> str:
    return "flatkit flag yes 5" if ask.is_look else f"flatkit flag yes {ask.kind} {ask.machine}".rstrip()


def run(journal: Journal, word: str, more: list[str]) -> int:
    """Answer. Raises UsageError when there is nothing to answer."""
    consent, log = Consent(journal), TalkLog(journal.folder)
    if word == "end":  # before the board is asked for anything: it may answer late, or refuse the seat
        said = "the look is over" if consent.end() else "no look is allowed now"
        return _finish(journal, said)
    with suppress(FetchError):
        Sender(journal).flush()
    ask = _find(log.read(), more)
    if word == "no":
        consent.refuse(ask.ident)
        return _finish(journal, f"you refused it: {words_of(ask.kind, ask.machine)}")
    if ask.is_look:
        consent.allow(ask.ident, _minutes(more))
        return _look(journal, consent, log)
    _refuse_other_yes(ask, more)
    consent.allow(ask.ident)
    _send(journal)
    return _verb(journal, consent, ask)


def _find(talk: SeatTalk, more: list[str]) -> HeardAsk:
    kinds = [one for one in more if one in ASK_KINDS]
    asked = [one for one in talk.asks.open() if one.state == "asked" and (not kinds or one.kind in kinds)]
    if not asked:
        raise UsageError("the trainer asks for nothing now", hint="flatkit flag")
    if len(asked) > 1:
        kinds = [one.kind for one in asked]
        raise UsageError(
            f"the trainer asks for {' and '.join(kinds)}; expected which one", hint=f"flatkit flag yes {kinds[0]}"
        )
    return asked[0]


def _refuse_other_yes(ask: HeardAsk, more: list[str]) -> None:
    """Raise UsageError for a yes that does not name this verb, or names another machine.

    The trainer may have taken back what the learner has read, and asked for this.
    """
    if ask.kind not in more or any(one not in {ask.kind, ask.machine} for one in more):
        raise UsageError(
            f"the trainer asks to {words_of(ask.kind, ask.machine)}; expected a yes that names this", hint=_yes(ask)
        )


def _minutes(more: list[str]) -> int:
    given = [one for one in more if one not in ASK_KINDS]
    if not given:
        return MINUTES[0]
    if given[0] not in map(str, MINUTES):
        raise UsageError(
            f'a look for "{printable(given[0])}" minutes cannot be allowed; expected 5 or 15', hint="flatkit flag yes 5"
        )
    return int(given[0])


def _verb(journal: Journal, consent: Consent, ask: HeardAsk) -> int:
    ok, text = True, ""
    try:
        text = run_verb(ask.kind, ask.machine)
    except FlatkitError as error:
        ok, text = False, error.message
    consent.report(ask.ident, ok=ok, text=text)
    _finish(journal, text)
    return 0 if ok else 1


def _look(journal: Journal, consent: Consent, log: TalkLog) -> int:
    """Show the pane beside this one, in tmux; elsewhere the kernels of this seat show their cells by themselves."""
    look = log.read().asks.find_look(time.time())
    minutes = look.seconds // 60 if look else 0
    print(f"the trainer sees what your cells show, for {minutes} min; flatkit flag end ends it at once")
    pane = find_pane()
    if pane is None:
        return _finish(journal, "this terminal is not shown: for that, allow it in a second pane of tmux")
    print(f"and the pane {printable(pane.title)}; Ctrl-C here ends it", flush=True)
    feed = LookFeed()
    try:
        while look := log.read().asks.find_look(time.time()):
            feed.follow(look)
            feed.take("screen", pane.title, screen_of(pane))
            with suppress(FetchError):
                Sender(journal).flush()
                if (seat := journal.seat) is not None:
                    feed.send(seat)
            time.sleep(_EVERY)
    except (KeyboardInterrupt, FlatkitError) as error:
        consent.end()
        if isinstance(error, FlatkitError):  # the board does not know this seat any more
            raise
    return _finish(journal, "the look is over")


def _send(journal: Journal) -> bool:
    try:
        Sender(journal).flush()
    except FetchError:
        return False
    return True


def _finish(journal: Journal, said: str) -> int:
    print(said)
    if not _send(journal):
        print("the board does not answer now: the answer goes there as soon as it does (keep a notebook open)")
    return 0
