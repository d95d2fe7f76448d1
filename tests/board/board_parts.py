"""What the tests of the board share: a board on this host, and seats that join it over HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flatkit.board.journal import Journal
from flatkit.board.ledger import Ledger
from flatkit.board.passwords import PasswordDoor
from flatkit.board.server import BoardServer

ROOM, TRAINER = "the-rooms-word", "the-trainers-word"


@contextmanager
def opened(file: Path, *, port: int = 0) -> Iterator[BoardServer]:
    """A board whose store is this file."""
    ledger = Ledger(file)
    server = BoardServer(ledger, PasswordDoor(ledger, room=ROOM, trainer=TRAINER), port=port).start()
    try:
        yield server
    finally:
        server.stop()
        ledger.close()


def ask(
    server: BoardServer,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str = "",
    cookie: str = "",
    form: bool = False,
) -> tuple[int, dict[str, str], bytes]:
    """One request, as any program on the network could send it: status, headers, body."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json"}
        if token:
            headers["Authorization"] = f"token {token}"
        if cookie:
            headers["Cookie"] = cookie
        line.request(method, path, data, headers)
        answer = line.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
    finally:
        line.close()


def join(server: BoardServer, seat: str, *, password: str = ROOM) -> tuple[int, str]:
    """Join as a seat: the status, and the secret."""
    status, _, body = ask(server, "POST", "/join", {"seat": seat, "password": password})
    return status, json.loads(body).get("token", "")


def login(server: BoardServer, password: str = TRAINER) -> str:
    """Log in as a trainer: the cookie, "" where it is refused."""
    _, headers, _ = ask(server, "POST", "/login", f"password={password}".encode(), form=True)
    return headers.get("set-cookie", "").partition(";")[0]


def joined(server: BoardServer, seat: str, folder: Path) -> Journal:
    """The journal of a seat that has joined."""
    status, token = join(server, seat)
    assert status == 200
    journal = Journal(folder)
    journal.join(server.url, seat, token)
    return journal
