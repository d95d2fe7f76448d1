"""The trainer's board behind a real hub: a seat reports as itself alone and reads nothing, the trainer reads. Needs root."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.board.desk import BoardDesk
from flatkit.board.look import AddressLook
from flatkit.board.rehearse import Rehearsal
from flatkit.errors import InputError
from flatkit.seats.accounts import as_user, find_account, processes_of
from tests.seats.learner import TRAINER, Learner, Room, room, wait_for, words_of


@pytest.fixture(scope="module")
def running() -> Iterator[Room]:
    with room(seats=3) as one:
        yield one


@pytest.fixture(scope="module")
def tokens(running: Room) -> dict[str, str]:
    """Ada and Eve have a seat; the token that each one's kernels have."""
    found = {}
    for name in ("ada", "eve"):
        learner = running.learner()
        status, page = learner.log_in(name)
        assert status == 200, page
        learner.sit_down()
        found[name] = environment(running, name)["JUPYTERHUB_API_TOKEN"]
    return found


@pytest.fixture(scope="module")
def trainer(running: Room) -> Learner:
    one = running.learner()
    status, page = one.log_in("trainer", room="", pin=TRAINER)
    assert status == 200, page
    return one


def account(running: Room, name: str) -> pwd.struct_passwd:
    found = find_account(f"{running.settings.prefix}{name}")
    assert found
    return found


def environment(running: Room, name: str) -> dict[str, str]:
    """What the seat's server, and so its kernels, have."""
    for process in processes_of(account(running, name).pw_uid):
        if b"jupyterhub.singleuser" in words_of(process):
            words = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
            return dict(word.split("=", 1) for word in words if "=" in word)
    raise AssertionError("the seat has no server")


def board(running: Room) -> str:
    return f"http://127.0.0.1:{running.settings.board_port}/services/board"


def post(running: Room, path: str, values: object, **headers: str) -> int:
    request = urllib.request.Request(f"{board(running)}/{path}", data=json.dumps(values).encode(), headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def in_seat(running: Room, name: str, code: str) -> str:
    """Run Python as a kernel of that seat would."""
    kept = {"FLATKIT_SEAT", "FLATKIT_BOARD", "JUPYTERHUB_API_TOKEN"}
    variables = {key: value for key, value in environment(running, name).items() if key in kept}
    words = as_user(account(running, name), [sys.executable, "-c", code], **variables)
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/", timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stream(running: Room, learner: Learner, query: str = "", mode: str = "navigate") -> dict:
    """The first state that the page of this browser gets; {} where it is refused."""
    handlers = [urllib.request.HTTPCookieProcessor(learner.cookies), urllib.request.ProxyHandler({})]
    request = urllib.request.Request(
        f"{running.settings.url}/services/board/stream{query}", headers={"Sec-Fetch-Mode": mode}
    )
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=120) as answer:
            line = answer.readline()
            return json.loads(line.removeprefix(b"data: ")) if line.startswith(b"data: ") else {}
    except urllib.error.HTTPError:
        return {}


EVENTS = {"journal": "j", "events": [{"n": 1, "at": 5, "kind": "joined"}]}
NOTE = """
from flatkit.board.journal import Journal
from flatkit.board.sender import Sender
journal = Journal()
journal.note("flag", flag="help", word="it hangs")
print(Sender(journal).flush(), journal.seat.name, (journal.folder / "seat.json").read_text())
"""


def test_the_board_runs_without_rights_and_its_store_is_closed(running: Room, tokens: dict[str, str]) -> None:
    process = running.parts()["board"]
    nobody = pwd.getpwnam("nobody").pw_uid
    assert Path(f"/proc/{process}").stat().st_uid == nobody
    assert running.settings.board.stat().st_uid == nobody
    assert running.settings.board.stat().st_mode & 0o077 == 0
    assert "the contents of files" in running.learner().ask("/hub/login")[1]


def test_a_seat_joins_by_itself_and_the_trainer_sees_it(
    running: Room, tokens: dict[str, str], trainer: Learner
) -> None:
    said = in_seat(running, "ada", NOTE)
    assert said.startswith("2 ada ")
    assert tokens["ada"] not in said, "the hub's secret is not stored in the seat"
    assert in_seat(running, "ada", NOTE).startswith("1 ada ")
    status, page = trainer.ask("/services/board/")
    assert (status, "<h1>Board</h1>" in page) == (200, True), page
    rows = {row["seat"]: row for row in stream(running, trainer)["rows"]}
    assert (rows["ada"]["status"], rows["ada"]["word"]) == ("help", "it hangs")


def test_the_trainer_speaks_with_the_pages_token_alone(running: Room, tokens: dict[str, str], trainer: Learner) -> None:
    in_seat(running, "ada", NOTE)
    trainer.ask("/services/board/")
    hint = json.dumps({"seat": "ada", "kind": "coming", "text": "Grace is coming"}).encode()

    def say(query: str) -> int:
        handlers = [urllib.request.HTTPCookieProcessor(trainer.cookies), urllib.request.ProxyHandler({})]
        url = f"{running.settings.url}/services/board/say{query}"
        request = urllib.request.Request(
            url, data=hint, headers={"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
        )
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=120) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    cookie = next(one.value for one in trainer.cookies if one.name == "_xsrf" and one.path == "/services/board/")
    assert say("") == 403
    assert say("?_xsrf=guess") == 403
    assert stream(running, trainer, mode="cors") == {}
    assert stream(running, trainer, f"?_xsrf={cookie}", mode="cors")["rows"]
    assert say(f"?_xsrf={cookie}") == 200
    heard = in_seat(
        running, "ada", NOTE + "from flatkit.board.talk import TalkLog\nprint(TalkLog(journal.folder).read().lines)"
    )
    assert "Grace is coming" in heard


LOOK = """
import time
from flatkit.board.consent import Consent
from flatkit.board.feed import LookFeed
from flatkit.board.journal import Journal
from flatkit.board.sender import Sender
from flatkit.board.talk import TalkLog
journal = Journal()
sender, consent, log = Sender(journal), Consent(journal), TalkLog(journal.folder)
sender.flush()
"""
ALLOW = """
consent.allow(next(log.read().asks.open()).ident, 5)
sender.flush()
feed = LookFeed()
feed.follow(log.read().asks.find_look(time.time()))
feed.take("output", "01-first", "what ada sees")
print(feed.send(journal.seat))
"""
END = "print(consent.end())\nsender.flush()\nprint(log.read().lines[-1][1])\n"


def by_page(running: Room, learner: Learner, path: str, body: object = None) -> tuple[int, dict]:
    """A request of the board's page in this browser, with the token that the page has."""
    handlers = [urllib.request.HTTPCookieProcessor(learner.cookies), urllib.request.ProxyHandler({})]
    token = next((one.value for one in learner.cookies if one.name == "_xsrf" and one.path == "/services/board/"), "x")
    url = f"{running.settings.url}/services/board/{path}{'&' if '?' in path else '?'}_xsrf={token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"})
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=120) as answer:
            return int(answer.status), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, {}


def test_a_look_by_consent(running: Room, tokens: dict[str, str], trainer: Learner) -> None:
    """By the page, and by root's command line; another seat neither sees nor answers."""
    in_seat(running, "ada", LOOK)
    trainer.ask("/services/board/")
    ask, look = {"seat": "ada", "kind": "look"}, "look?seat=ada&after=0"
    eve = running.learner()
    eve.log_in("eve")
    eve.ask("/services/board/")
    for path, body in (("ask", ask), (look, None)):
        assert by_page(running, eve, path, body) == (403, {})
    assert post(running, "ask", ask, Authorization=f"token {tokens['eve']}") == 403
    assert post(running, "desk/ask", ask, Authorization=f"key {tokens['eve']}") == 403
    assert by_page(running, trainer, "ask", ask)[1]["asks"]["look"]["state"] == "asked"
    store = running.settings.board / "room" / "board.sqlite"
    assert (store.with_name("desk.json").stat().st_mode & 0o077, store.parent.stat().st_mode & 0o077) == (0, 0)
    said = in_seat(running, "ada", LOOK + "print(next(log.read().asks.open()).ident)").strip()
    forged = {"ask": said, "answer": "yes", "seconds": 300}
    assert post(running, "answer", forged, Authorization=f"token {tokens['eve']}") == 200
    assert by_page(running, trainer, look)[1]["asks"]["look"]["state"] == "asked"
    assert in_seat(running, "ada", LOOK + ALLOW) == "1\n"
    found = by_page(running, trainer, look)[1]
    assert [one["text"] for one in found["pieces"]] == ["what ada sees"]
    assert BoardDesk.open(store).look("ada", 0)["pieces"] == found["pieces"]
    assert post(running, "show", {"ask": said, "pieces": []}, Authorization=f"token {tokens['eve']}") == 409
    assert in_seat(running, "ada", LOOK + END) == "True\nyou ended the look\n"
    assert by_page(running, trainer, look)[1]["pieces"] == []


def test_a_seat_posts_as_itself_alone(running: Room, tokens: dict[str, str], trainer: Learner) -> None:
    eve = f"token {tokens['eve']}"
    assert post(running, "events", EVENTS, Authorization=f"token {tokens['ada']}") == 200
    assert post(running, "events", {**EVENTS, "seat": "ada"}, Authorization=eve) == 200
    forged = {"journal": "j", "events": [{"n": 2, "at": 5, "kind": "joined", "seat": "ada"}]}
    assert post(running, "events", forged, Authorization=eve) == 400
    for header in ({}, {"Authorization": "token guess"}, {"Authorization": f"Bearer {tokens['eve']}"}):
        assert post(running, "events", EVENTS, **header) == 403
        assert post(running, "leave", {}, **header) == 403
    assert post(running, "join", {"seat": "ada", "password": "blue-fish"}) == 403
    trainer.ask("/services/board/")
    assert "eve" in {row["seat"] for row in stream(running, trainer)["rows"]}
    assert post(running, "leave", {}, Authorization=eve) == 200
    assert "eve" not in {row["seat"] for row in stream(running, trainer)["rows"]}
    assert "ada" in {row["seat"] for row in stream(running, trainer)["rows"]}


def test_a_participant_reads_nothing(running: Room, tokens: dict[str, str]) -> None:
    eve = running.learner()
    eve.log_in("eve")
    status, page = eve.ask("/services/board/")
    assert status == 403, page
    assert 'id="rows"' not in page
    assert stream(running, eve) == {}
    browserless = Learner(url=f"http://127.0.0.1:{running.settings.board_port}/services/board")
    for path in ("/", "/stream", "/places"):
        status, page = browserless.ask(path, Authorization=f"token {tokens['eve']}")
        assert status == 403, page
    assert (
        post(running, "say", {"seat": "ada", "kind": "room", "text": "x"}, Authorization=f"token {tokens['eve']}")
        == 403
    )
    for path in ("board.sqlite", "..%2froom%2fboard.sqlite"):
        assert Learner(url=board(running)).ask(f"/{path}")[0] in {400, 403, 404}
    store = running.settings.board / "room" / "board.sqlite"
    words = as_user(account(running, "eve"), ["cat", str(store)])
    assert subprocess.run(words, capture_output=True, check=False, cwd="/").returncode


def token_of(learner: Learner, **wishes: object) -> str:
    """A token of this user, as the hub's page /hub/token makes it."""
    learner.ask("/hub/home")
    xsrf = next(one.value for one in learner.cookies if one.name == "_xsrf" and one.path == "/hub/")
    handlers = [urllib.request.HTTPCookieProcessor(learner.cookies), urllib.request.ProxyHandler({})]
    headers = {
        "X-XSRFToken": str(xsrf), "Referer": f"{learner.url}/hub/token", "Sec-Fetch-Mode": "same-origin",
        "Content-Type": "application/json",
    }  # fmt: skip
    url = f"{learner.url}/hub/api/users/{learner.name}/tokens"
    request = urllib.request.Request(url, data=json.dumps({"note": "board", **wishes}).encode(), headers=headers)
    with urllib.request.build_opener(*handlers).open(request, timeout=120) as answer:
        return str(json.loads(answer.read())["token"])


def test_a_trainers_token_reads_asks_and_rehearses_by_the_boards_address(
    running: Room, tokens: dict[str, str], trainer: Learner, tmp_path: Path
) -> None:
    address = f"{running.settings.url}/services/board"
    in_seat(running, "ada", LOOK)
    token = token_of(trainer, scopes=["access:services!service=board"])
    assert "ada" in {row["seat"] for row in AddressLook(address, token).state()["rows"]}
    desk = BoardDesk.at(address, token)
    assert desk.ask("ada", "look")["look"]["state"] == "asked"
    assert desk.ask("ada", "look", back=True)["look"]["state"] == "withdrawn"
    browserless = Learner(url=board(running))
    for path in ("/", "/stream", "/places"):
        assert browserless.ask(path, Authorization=f"token {token}")[0] == 403, "a token opens no page"
    eve = running.learner()
    eve.log_in("eve")
    for other in (tokens["ada"], token_of(eve), token_of(trainer, scopes=["list:users"]), "guess", "a\r\nb: c", ""):
        with pytest.raises(InputError, match="not a token of a trainer"):
            AddressLook(address, other).state()
        with pytest.raises(InputError, match="not a token of a trainer"):
            BoardDesk.at(address, other).ask("ada", "look")
        assert post(running, "join", {"seat": "rehearsal-01", "password": other}) == 403
    assert post(running, "join", {"seat": "ada", "password": token}) == 403, "a user's seat has no other secret"
    with Rehearsal(address, token, seats=2, folder=tmp_path) as rehearsal:
        played = rehearsal.play(speed=2000, minutes=5, tell=lambda *_: None)
        assert (played.missing, played.arrived > 2) == (0, True)
        seats = {row["seat"] for row in AddressLook(address, token).state()["rows"]}
        assert {"ada", "rehearsal-01", "rehearsal-02"} <= seats
    assert rehearsal.left_over == ()
    assert not [row for row in AddressLook(address, token).state()["rows"] if "rehearsal" in row["seat"]]


def test_who_leaves_does_not_join_again_by_itself(running: Room, tokens: dict[str, str], trainer: Learner) -> None:
    leave = "from flatkit.cli import main\nmain(['leave'])\n"
    assert "what was sent is deleted" in in_seat(running, "ada", NOTE + leave)
    assert in_seat(running, "ada", "from flatkit.board.journal import Journal\nprint(Journal().seat)") == "None\n"
    trainer.ask("/services/board/")
    assert "ada" not in {row["seat"] for row in stream(running, trainer)["rows"]}
    assert "on the board of the hub" in in_seat(running, "ada", "from flatkit.cli import main\nmain(['join'])")
    assert re.match(r"2 ada ", in_seat(running, "ada", NOTE))


def test_a_board_that_is_killed_comes_back_and_lost_nothing(
    running: Room, tokens: dict[str, str], trainer: Learner
) -> None:
    in_seat(running, "ada", NOTE)
    before = running.parts()["board"]
    os.kill(before, 9)
    wait_for(lambda: running.parts().get("board") not in {None, before} and in_seat_sends(running))
    trainer.ask("/services/board/")
    assert "ada" in {row["seat"] for row in stream(running, trainer)["rows"]}


def in_seat_sends(running: Room) -> bool:
    try:
        return post(running, "events", {"journal": "j", "events": []}) == 403
    except OSError:
        return False
