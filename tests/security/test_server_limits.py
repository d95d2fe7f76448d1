"""Deadlines and bounds of the update server, one at a time, and the answers to what is not quite HTTP."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from flatkit.updates import connection_limits, http_app, machine_registry
from flatkit.updates.channels import Channels, Store
from flatkit.updates.connection_limits import Crowd, Limits, Visit, origin_of
from flatkit.updates.omaha import FLATCAR_APPID, AppRequest, UpdateEvent
from flatkit.updates.server import UpdateServer

BIG = 32 * 1024 * 1024
HEAD = b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n"
QUICK = Limits(head_seconds=0.3, idle_seconds=0.3, body_seconds=0.3, stall_seconds=0.5)


def wait_until(condition: Callable[[], bool], *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    with path.open("wb") as file:
        file.truncate(BIG)
    return path


@pytest.fixture
def limits() -> Limits:
    """What a busy host's client keeps as well."""
    return Limits()


@pytest.fixture
def server(big: Path, tmp_path: Path, limits: Limits, caplog: pytest.LogCaptureFixture) -> Iterator[UpdateServer]:
    with UpdateServer(limits=limits, channels=Channels(store=tmp_path / "channels.json")) as running:
        running.publish_file("/big.bin", big)
        yield running
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def connect(server: UpdateServer, *, buffer: int = 0, source: str = "") -> socket.socket:
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    if source:
        connection.bind((source, 0))
    connection.settimeout(120)
    connection.connect(("127.0.0.1", server.port))
    return connection


def read_all(connection: socket.socket) -> bytes:
    found = bytearray()
    with suppress(ConnectionResetError):
        while piece := connection.recv(1 << 20):
            found += piece
    return bytes(found)


def drip(connection: socket.socket, *, ended: threading.Event) -> None:
    with suppress(OSError):
        while not ended.wait(0.05):
            connection.sendall(b"x")


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET / HTTP/1.1\r\nX: ",
        b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX: ",
        b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n",
    ],
    ids=["nothing", "head", "second head", "body"],
)
@pytest.mark.parametrize("drips", [False, True])
@pytest.mark.parametrize("limits", [QUICK], ids=["quick"])
def test_a_whole_head_or_body_has_a_deadline(server: UpdateServer, start: bytes, drips: bool) -> None:
    ended = threading.Event()
    with connect(server) as connection, ThreadPoolExecutor(1) as pool:
        with suppress(OSError):  # on a busy host it may have hung up before
            connection.sendall(start)
        if drips and start:
            pool.submit(drip, connection, ended=ended)
        read_all(connection)  # to the end: the server hung up
        ended.set()
    wait_until(lambda: server.open_connections == 0)


@pytest.mark.parametrize("limits", [Limits(stall_seconds=0.5)], ids=["quick"])
def test_a_client_that_reads_nothing_is_dropped(server: UpdateServer) -> None:
    with connect(server, buffer=4096) as connection:
        connection.sendall(HEAD)
        assert connection.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: server.open_connections == 0)


@pytest.mark.parametrize("connection_is", [b"close", b"keep-alive"])
def test_a_slow_client_gets_all_of_it(
    big: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection_is: bytes
) -> None:
    """It takes several times as long as one piece may take, and for the last megabytes longer than it may idle."""
    monkeypatch.setattr(http_app, "PIECE", 256 * 1024)
    limits = Limits(idle_seconds=0.3, stall_seconds=2.0)
    server = UpdateServer(limits=limits, channels=Channels(store=tmp_path / "channels.json"))
    server.publish_file("/big.bin", big)
    found, began = b"", time.monotonic()
    with server, connect(server, buffer=64 * 1024) as connection:
        connection.sendall(
            HEAD.replace(b"\r\n\r\n", b"\r\nRange: bytes=0-8388607\r\nConnection: %s\r\n\r\n" % connection_is)
        )
        while piece := connection.recv(128 * 1024):
            found += piece
            time.sleep(len(piece) / 1.25e6)  # a line of 1.25 MB/s
    assert len(found.partition(b"\r\n\r\n")[2]) == 8 * 1024 * 1024
    assert time.monotonic() - began > 3 * limits.stall_seconds


ODD = [
    (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"400"),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", b"400"),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: \xd9\xa3\r\n\r\nabc", b"400"),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", b"400"),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", b"413"),
    (
        b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"400",
    ),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", b"4"),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\n\r\n", b"411"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"400"),
    (b"GET http://[zz]/ HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
    (b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
    (b"GET http://x:99999999/ HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
    (b"GET ftp://x/y HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    (b"GET x HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
    (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
    (b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"GET /%ff%1b[2J HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    (b"GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70000 + b"\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 1000 + b"\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", b"400"),
    (b"GET /\r\n\r\n", b"505"),
    (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"400"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
    (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
    (b"FLY / HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: a b\r\nContent-Length: 1\r\n\r\nx", b"400"),
    (b"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", b"400"),
    (b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", b"404"),
]


@pytest.mark.parametrize(("sent", "status"), ODD)
def test_odd_requests_get_a_status_and_nothing_else_happens(server: UpdateServer, sent: bytes, status: bytes) -> None:
    with connect(server) as connection:
        with suppress(OSError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        said = read_all(connection)
    assert re.match(rb"HTTP/1\.[01] " + status, said), said[:200]
    assert b"aiohttp" not in said
    assert b"Traceback" not in said
    assert b"\x1b" not in said
    assert b"\x00" not in said
    with connect(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")


def test_absolute_targets_are_answered_as_paths(server: UpdateServer) -> None:
    with connect(server) as connection:
        connection.sendall(b"GET http://other:1/big.bin?x HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).startswith(b"HTTP/1.1 206 ")


def check_of(machine: str) -> bytes:
    app = f'<app appid="{FLATCAR_APPID}" version="1.0.0" track="stable" machineid="{machine}"><updatecheck/></app>'
    text = f'<request protocol="3.0">{app}</request>'
    head = f"POST /v1/update/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n"
    return (head + text).encode()


def test_requests_that_come_together_share_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = []
    waiting = threading.Event()
    real = Store.write

    def write(self: Store, book: object) -> None:
        writes.append(book)
        waiting.wait(120)
        real(self, book)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "write", write)

    # With patience: on a busy host forty clients take their time.
    with UpdateServer(channels=Channels(store=tmp_path / "channels.json")) as server, ThreadPoolExecutor(40) as pool:

        def ask(number: int) -> bytes:
            with connect(server) as connection:
                connection.sendall(check_of(f"m{number}"))
                return read_all(connection)

        answers = [pool.submit(ask, number) for number in range(40)]
        wait_until(lambda: server.open_connections == 40)
        waiting.set()
        assert {answer.result()[:12] for answer in answers} == {b"HTTP/1.1 200"}
        assert len(writes) < 10
        assert len(server.machines) == 40


@pytest.mark.parametrize("arrivals", [1, 2], ids=["once", "again"])
def test_slow_readers_from_many_addresses_keep_nobody_out(big: Path, tmp_path: Path, arrivals: int) -> None:
    server = UpdateServer(
        limits=Limits(connections=8, downloads=4), channels=Channels(store=tmp_path / "channels.json")
    )
    server.publish_file("/big.bin", big)
    with server, ExitStack() as attack:
        for number in range(24 * arrivals):
            slow = attack.enter_context(connect(server, source=f"127.1.0.{number % 24 + 1}"))
            slow.sendall(HEAD)
            slow.recv(64)
        for number in range(6):
            with connect(server, source=f"127.2.0.{number + 1}") as honest:
                honest.sendall(check_of(f"m{number}"))
                assert read_all(honest).startswith(b"HTTP/1.1 200 ")
            with connect(server, source=f"127.2.0.{number + 1}") as honest:
                honest.sendall(HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                assert len(read_all(honest).partition(b"\r\n\r\n")[2]) == BIG


def test_downloads_leave_small_answers_alone(big: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when each of them makes progress, so that none may be dropped."""
    monkeypatch.setattr(connection_limits, "_PROOF", 0)
    monkeypatch.setattr(connection_limits, "_PATIENCE_SECONDS", 600)
    server = UpdateServer(
        limits=Limits(connections=4, downloads=4), channels=Channels(store=tmp_path / "channels.json")
    )
    server.publish_file("/big.bin", big)
    with server, ExitStack() as others:
        for number in range(8):
            one = others.enter_context(connect(server, source=f"127.1.0.{number + 1}"))
            one.sendall(HEAD)
            assert one.recv(12) == (b"HTTP/1.1 200" if number < 4 else b"HTTP/1.1 503")
        with connect(server, source="127.2.0.1") as honest:
            honest.sendall(check_of("m"))
            assert read_all(honest).startswith(b"HTTP/1.1 200 ")


def visit(origin: str, since: float, **values: bool | int) -> Visit:
    return Visit(origin=origin, since=since, end=lambda: None, **values)  # type: ignore[arg-type]


def download(origin: str, since: float, *, moved: int = 10_000_000) -> Visit:
    return visit(origin, since, owes=False, moved=moved)


def crowd_of(*visits: Visit) -> Crowd:
    crowd = Crowd(len(visits))
    for one in visits:
        assert crowd.enter(one) is None
    return crowd


def test_a_full_server_drops_who_has_made_no_progress_the_longest_where_most_come_from() -> None:
    mine, first = visit("a", 0), visit("b", 1)
    new = visit("c", 10)
    assert crowd_of(mine, *[visit("b", 5) for _ in range(6)], first).enter(new) is first


def test_a_full_server_drops_who_reads_nothing_before_who_reads() -> None:
    for slow in (download("b", 9.5, moved=0), download("b", 1)):
        crowd = crowd_of(download("a", 9), slow, *[download(str(number), 9) for number in range(6)])
        assert crowd.enter(visit("c", 10)) is slow
        assert len(crowd) == 8


def test_a_full_server_of_honest_readers_turns_the_new_one_away() -> None:
    crowd = crowd_of(*[download(str(number), 8) for number in range(8)])
    new = visit("c", 10)
    assert crowd.enter(new) is new
    assert new not in crowd.visits


def test_one_address_cannot_fill_the_server_with_readers() -> None:
    readers = [download("b", 9.5) for _ in range(8)]
    assert crowd_of(*readers).enter(visit("c", 10)) in readers
    new = visit("b", 10)
    assert crowd_of(*readers).enter(new) is new


def test_who_was_dropped_takes_no_place_of_others_until_it_is_forgotten() -> None:
    crowd = crowd_of(*[visit(str(number), number / 100) for number in range(8)])
    assert crowd.enter(visit("new", 1)).origin == "0"  # type: ignore[union-attr]
    again = visit("0", 2)
    assert crowd.enter(again) is again
    later = visit("0", 70)
    assert crowd.enter(later) is not later


def test_those_who_were_dropped_go_before_others() -> None:
    crowd = crowd_of(*[visit(str(number), 0) for number in range(8)])
    for number in range(100, 108):
        assert crowd.enter(visit(str(number), 1)) is not None
    for number in range(8):  # suspects: by now the others have been silent for too long
        assert crowd.enter(visit(str(number), 7)) is not None
    honest = [visit(f"honest-{number}", 7) for number in range(8)]
    for one in honest:
        assert crowd.enter(one) is not None
    assert set(crowd.visits) == set(honest)
    for number in range(8):
        assert crowd.enter(visit(str(number), 8)) not in honest


def test_few_origins_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "_SUSPECTS_MAX", 10)
    crowd = crowd_of(visit("a", 0), visit("b", 0))
    for number in range(100):
        crowd.enter(visit(str(number), 0))
    assert len(crowd._suspects) == 10


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_one_participant_has_one_origin(address: str, origin: str) -> None:
    assert origin_of(address) == origin


def app_of(machine: str, *, events: int = 0) -> AppRequest:
    event = UpdateEvent(type=13, result=1)
    return AppRequest(
        appid=FLATCAR_APPID, version="1.0.0", track="stable", machine_id=machine, is_update_check=True,
        events=(event,) * events,
    )  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_registry, "MACHINES_MAX", 20)
    monkeypatch.setattr(machine_registry, "EVENTS_IN_ALL", 200)


def names(channels: Channels) -> set[str]:
    return {machine.machine_id for machine in channels.machines}


def test_a_machine_with_a_history_outlives_newcomers_from_its_own_address(small: None) -> None:
    now = [0.0]
    channels = Channels(clock=lambda: now[0])
    for now[0] in (0.0, 100.0):
        channels.answer(app_of("honest"), origin="a")
    for now[0] in range(200, 300):  # type: ignore[assignment]
        channels.answer(app_of(f"fake-{now[0]}"), origin="a")
    assert "honest" in names(channels)
    assert len(channels.machines) == 20


@pytest.mark.parametrize("patience", [0, 100])
def test_a_newcomer_outlives_machines_that_another_address_made_up(small: None, patience: int) -> None:
    """Also when somebody has given them a history before."""
    now = [0.0]
    channels = Channels(clock=lambda: now[0])
    for at in (0, patience):
        now[0] = float(at)
        channels.answer_all([(app_of(f"fake-{number}"), "bad") for number in range(20)])
    honest = [f"honest-{number}" for number in range(9)]
    for name in honest:
        channels.answer(app_of(name), origin="a")
        channels.answer_all([(app_of(f"more-{name}-{number}"), "bad") for number in range(20)])
    assert set(honest) < names(channels)
    assert len(channels.machines) == 20


def test_events_are_bounded_in_all_and_not_at_the_cost_of_others(small: None) -> None:
    channels = Channels()
    channels.answer(app_of("honest", events=40), origin="a")
    for number in range(100):
        channels.answer(app_of(f"fake-{number}", events=30), origin="bad")
    found = {machine.machine_id: len(machine.events) for machine in channels.machines}
    assert sum(found.values()) <= 200
    assert found["honest"] == 40


def test_the_table_shows_no_control_characters_and_stays_narrow() -> None:
    channels = Channels()
    odd = AppRequest(
        appid=FLATCAR_APPID,
        version="1\x1b[2J",
        track="x\n\u202e" + "y" * 1000,
        machine_id="m",
        alias="\x1b]0;x\x07" * 100,
    )
    channels.answer(odd)
    shown = str(channels)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert max(map(len, shown.split("\n"))) < 200
    assert shown.count("\n") == 3
