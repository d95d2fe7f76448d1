"""`flatkit join`, `leave` and `flag`: a seat's side of the trainer's board."""

from __future__ import annotations

import argparse
import time
from contextlib import suppress

from flatkit import web
from flatkit.board.events import FLAGS, WORD_MAX, check_seat
from flatkit.board.journal import FROM_HUB, JoinedSeat, Journal
from flatkit.board.sender import Sender, ask_for_seat, give_up_seat, is_known
from flatkit.board.talk import TalkLog, confirm_hints
from flatkit.cli import answer
from flatkit.cli.options import secret
from flatkit.errors import FetchError, FlatkitError, UsageError
from flatkit.seat_env import hub_board
from flatkit.untrusted import shell_word


def run(argv: list[str]) -> int:
    """Run `join`, `leave` or `flag`."""
    return {"join": _join, "leave": _leave, "flag": _flag}[argv[0]](argv[1:])


def _join(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatkit join",
        description="Report to a trainer's board where this seat is: notebook, step, checks, hints, machines. "
        "Never the contents of files, or what commands print, unless you allow the trainer a look (flatkit flag yes). "
        "flatkit leave ends it and deletes what was sent.",
    )
    parser.add_argument("url", metavar="URL", nargs="?", help="the board's address, as the trainer shows it")
    parser.add_argument("--seat", metavar="NAME", help="the name of this seat on the board")
    parser.add_argument("--password", metavar="P", help="the room's password (default: asked for)")
    options = parser.parse_args(argv)
    hub, journal = hub_board(), Journal()
    before = journal.seat
    if hub and not options.url:
        if before is None or before.url != hub[0]:
            journal.join(hub[0], hub[1], FROM_HUB)
            _give_up(before)
        print(f'this seat is "{hub[1]}" on the board of the hub; flatkit leave ends it')
        return 0
    if not options.url or not options.seat:
        raise UsageError("a board's address or the seat's name is missing", hint="flatkit join URL --seat NAME")
    name, url = check_seat(options.seat), options.url.rstrip("/")
    web.check_address(url)
    password = options.password or secret("FLATKIT_ROOM_PASSWORD", "the room's password")
    is_again = before is not None and (before.url, before.name) == (url, name)
    if before is None or not is_again or not is_known(before):
        journal.join(url, name, ask_for_seat(url, name, password))
        _give_up(None if is_again else before)
        with suppress(FlatkitError):  # else the seat appears with its first notebook
            Sender(journal).flush()
    print(f'this seat is "{name}" on {url}: the trainer sees your notebook, step, checks, hints and machines')
    print("  flatkit flag help     a helper comes to you;  flatkit leave     ends it, and deletes what was sent")
    return 0


def _give_up(seat: JoinedSeat | None) -> None:
    """Let the board of an earlier seat delete what it has, and say so: nobody can do it later for this account."""
    if seat is None:
        return
    deleted = False
    with suppress(KeyboardInterrupt):
        deleted = give_up_seat(seat)
    print(f'the seat "{seat.name}" has left {seat.url}' + (": what was sent is deleted" if deleted else ""))
    if not deleted:
        print(f"  the board did not answer: ask the trainer for flatkit board forget --seat {shell_word(seat.name)}")


def _leave(argv: list[str]) -> int:
    argparse.ArgumentParser(
        prog="flatkit leave", description="Leave the board: nothing more is sent, and what was sent is deleted."
    ).parse_args(argv)
    journal = Journal()
    seat = journal.seat
    if seat is None:
        print("this seat reports to no board")
        return 0
    # First: a kernel that reports after the deletion would be a seat again, and a board may answer late.
    journal.leave()
    _give_up(seat)
    return 0


def _flag(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatkit flag",
        description="Ask for help, say that you are done, or neither. Alone it prints your flags and what the trainer said. "
        "yes, no and end answer a request of the trainer: flatkit flag yes 15 allows a look for 15 minutes.",
    )
    parser.add_argument("flag", nargs="?", choices=[*FLAGS, *answer.WORDS])
    parser.add_argument(
        "word", nargs="*", metavar="WORD",
        help=f"a few words for the helper (at most {WORD_MAX} letters); after yes or no: which request, and the minutes",
    )  # fmt: skip
    options = parser.parse_args(argv)
    journal, word = Journal(), " ".join(options.word)
    log = TalkLog(journal.folder)
    is_new = options.flag in FLAGS and not log.has_flag(options.flag, word)
    if options.flag in FLAGS and not is_new:
        with suppress(FlatkitError, OSError):
            Sender(journal).flush()  # a helper may have taken the flag down: without a kernel nothing has heard it
        is_new = not log.has_flag(options.flag, word)
    if journal.seat is None or (is_new and journal.note("flag", flag=options.flag, word=word) is None):
        raise UsageError(
            "this seat reports to no board, so nobody would see the flag", hint="flatkit join URL --seat NAME"
        )
    if options.flag in answer.WORDS:
        return answer.run(journal, options.flag, options.word)
    if is_new:
        log.add_flag(options.flag, word)
    is_away = False
    try:
        Sender(journal).flush()
    except FetchError:
        is_away = True
    talk = log.read()
    if not options.flag:
        for at, text in talk.lines:
            print(f"{time.strftime('%H:%M', time.localtime(at))} {text}")
        if confirm_hints(journal, [hint.number for hint in talk.hints]):
            with suppress(FlatkitError):  # it is in the journal: the next sender takes it along
                Sender(journal).flush()
    said = {
        "help": "the trainer sees that you want help",
        "done": "the trainer sees that you are done",
        "none": "no flag",
    }
    if is_away:
        print("the board does not answer now: the flag goes there as soon as it does (keep a notebook open)")
    else:
        print(talk.coming or said[talk.flag])
    for line in answer.request_lines(talk):
        print(line)
    return 0
