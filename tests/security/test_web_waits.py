"""No server holds flatkit up: each wait on the network ends by a deadline, by the cancel event, and by Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hostile_server import CHUNKED, DRIPS, HEAD, HostileServer, dripping, flooding, silent

from flatkit import web
from flatkit.errors import Cancelled, FetchError
from flatkit.events import Observer
from flatkit.images import download
from flatkit.images.download import Download
from flatkit.images.mirrors import Timeouts, fetch_small, with_tries
from flatkit.waiting import wait_until
from flatkit.web import exchange

# Far more than any of these needs on a busy host, and far less than for ever.
SOON = 120.0
HURRIED = Timeouts(timeout=5, small=0.5, tries=3, backoff=0, stall=0.3)


@contextmanager
def ends_soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("part", DRIPS)
def test_a_small_file_has_one_deadline_for_all_of_it(part: str) -> None:
    with HostileServer(DRIPS[part]) as server, ends_soon():
        with pytest.raises(FetchError, match="did not come whole within 0 s") as caught:
            fetch_small(f"{server.url}/version.txt", patience=HURRIED)
        assert not caught.value.passing


def test_a_chain_of_redirects_counts_as_well() -> None:
    def behave(connection: socket.socket, server: HostileServer) -> None:
        server.over.wait(0.2)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n")

    with HostileServer(behave) as server, ends_soon(), pytest.raises(FetchError, match="did not come whole"):
        fetch_small(server.url, patience=HURRIED)


def test_tries_share_the_deadline() -> None:
    asked = []

    def behave(connection: socket.socket, server: HostileServer) -> None:
        asked.append(connection)
        connection.sendall(b"HTTP/1.1 503 Wait\r\nContent-Length: 0\r\n\r\n")

    patience = Timeouts(small=0.0, tries=3, backoff=0)
    with HostileServer(behave) as server, pytest.raises(FetchError):
        fetch_small(server.url, patience=patience)
    assert len(asked) <= 1


@pytest.mark.parametrize("part", DRIPS)
def test_a_large_file_that_brings_next_to_nothing_is_given_up(part: str, tmp_path: Path) -> None:
    patience = Timeouts(timeout=0.4, stall=0.3, tries=2, backoff=0, slowest=4096)
    with HostileServer(DRIPS[part]) as server, ends_soon():
        with pytest.raises(FetchError, match=r"too slow|took too long") as caught:
            Download(server.url, tmp_path / "x.part", observer=Observer(), patience=patience).run()
        assert caught.value.passing


def test_a_slow_line_that_moves_on_brings_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than `timeout` and `stall` together, at a few times the least speed, by a clock that the line moves."""
    data, part, now = os.urandom(40_000), tmp_path / "x.part", [0.0]
    for module in (web, exchange, download):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def behave(connection: socket.socket, server: HostileServer) -> None:
        connection.sendall(HEAD + b"Content-Length: 40000\r\n\r\n")
        for end in range(2000, len(data) + 1, 2000):
            connection.sendall(data[end - 2000 : end])
            assert wait_until(lambda end=end: part.is_file() and part.stat().st_size >= end, seconds=SOON, pause=0.01)
            now[0] += 5

    patience = Timeouts(timeout=20, stall=20, slowest=100, tries=1)
    with HostileServer(behave) as server:
        done = Download(server.url, part, observer=Observer(), patience=patience).run()
    assert done.part.read_bytes() == data
    assert now[0] == 100


# Cancel and Ctrl-C.


def blocking_name(patch: pytest.MonkeyPatch, server: HostileServer) -> str:
    """A name that is never resolved."""

    def look_up(*_: object, **__: object) -> list[object]:
        server.seen.set()
        server.over.wait()
        raise socket.gaierror

    patch.setattr(socket, "getaddrinfo", look_up)
    return "http://release.invalid/"


STATES = [*DRIPS, "silence", "handshake", "name"]


@contextmanager
def stuck(state: str, patch: pytest.MonkeyPatch) -> Iterator[tuple[str, HostileServer]]:
    """An address whose server gets stuck so; `seen` is set once somebody waits for it."""
    reads = state not in {"handshake", "name"}
    with HostileServer(DRIPS.get(state, silent), reads=reads) as server, patch.context() as inner:
        for name in ("http_proxy", "HTTP_PROXY"):
            inner.delenv(name, raising=False)
        address = server.url.replace("http:", "https:") if state == "handshake" else server.url
        try:
            yield blocking_name(inner, server) if state == "name" else address, server
        finally:
            server.over.set()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("size", ["small", "large"])
def test_cancel_ends_any_wait(state: str, size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel = threading.Event()
    patience = Timeouts(timeout=300, small=300, stall=300)

    def fetch(url: str) -> None:
        if size == "small":
            fetch_small(url, patience=patience, cancel=cancel)
        else:
            Download(url, tmp_path / "x.part", observer=Observer(), patience=patience, cancel=cancel).run()

    with stuck(state, monkeypatch) as (url, server), ExitStack() as stack:
        waiter = threading.Thread(target=lambda: server.seen.wait() and cancel.set())
        waiter.start()
        stack.callback(waiter.join)
        with ends_soon(), pytest.raises(Cancelled, match="the download was stopped"):
            fetch(url)


def test_cancel_ends_the_pause_between_two_tries() -> None:
    cancel = threading.Event()

    def fail() -> None:
        cancel.set()
        raise FetchError("no", passing=True)

    with ends_soon(), pytest.raises(Cancelled):
        with_tries(fail, patience=Timeouts(backoff=300), cancel=cancel)


SMALL = "from flatkit.images.mirrors import fetch_small; fetch_small({url!r})"
LARGE = """
from pathlib import Path
from flatkit.events import Observer
from flatkit.images.download import Download
Download({url!r}, Path({part!r}), observer=Observer()).run()
"""


def interrupt(words: list[str], is_waiting: Callable[[], object], env: dict[str, str]) -> tuple[int, str]:
    """Start a program, send it SIGINT once it waits; its status and what it said. It must end soon."""
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=env) as process:
        try:
            assert is_waiting(), "nobody asked"
            process.send_signal(signal.SIGINT)
            with ends_soon():
                _, said = process.communicate(timeout=SOON)
        finally:
            process.kill()
    return process.returncode, said


@pytest.mark.parametrize("state", [state for state in STATES if state != "name"])
@pytest.mark.parametrize("program", [SMALL, LARGE], ids=["small", "large"])
def test_ctrl_c_ends_any_wait(state: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with stuck(state, monkeypatch) as (url, server):
        code = program.format(url=url, part=str(tmp_path / "x.part"))
        status, said = interrupt([sys.executable, "-c", code], lambda: server.seen.wait(SOON), dict(os.environ))
    assert (status, said.strip().splitlines()[-1]) == (-signal.SIGINT, "KeyboardInterrupt")


def connecting(port: int) -> int:
    """How many sockets of this host have sent a SYN to this port and wait (state 02 in /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().split("\n")[1:] if line]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "02" for row in rows)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at Linux's table of connections")
def test_ctrl_c_ends_a_connect_that_nobody_answers(tmp_path: Path) -> None:
    with socket.socket() as full, ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        # Its queue is full after one or two: Linux then drops what comes.
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        assert wait_until(lambda: connecting(port) > 0, seconds=SOON)
        before = connecting(port)
        argv = [sys.executable, "-c", SMALL.format(url=f"http://127.0.0.1:{port}/")]
        status, said = interrupt(
            argv, lambda: wait_until(lambda: connecting(port) > before, seconds=SOON), dict(os.environ)
        )
    assert (status, said.strip().splitlines()[-1]) == (-signal.SIGINT, "KeyboardInterrupt")


@pytest.mark.parametrize("words", [["images", "fetch", "stable"], ["images", "list"]])
@pytest.mark.parametrize("state", ["silence", "header", "body"])
def test_ctrl_c_on_the_command_line(
    words: list[str], state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stuck(state, monkeypatch) as (url, server):
        env = {**os.environ, "FLATKIT_RELEASE_SERVER": f"{url}/{{channel}}", "FLATKIT_CACHE": str(tmp_path / "cache")}
        env.pop("FLATKIT_MIRROR", None)
        argv = [sys.executable, "-m", "flatkit", *words]
        status, said = interrupt(argv, lambda: server.seen.wait(SOON), env)
    assert status == 128 + signal.SIGINT
    assert "flatkit: stopped" in said
    assert "Traceback" not in said


# What is too large.


def test_a_small_file_without_an_end_is_refused() -> None:
    for head, wave in ((HEAD + b"\r\n", b"x" * 65536), (CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n")):
        with HostileServer(flooding(head, wave)) as server, pytest.raises(FetchError, match="more than 8388608 bytes"):
            fetch_small(server.url)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"x" * 1_000_000,
    ],
)
def test_floods_of_headers_are_refused(head: bytes) -> None:
    with HostileServer(dripping(head, b"")) as server, pytest.raises(FetchError, match="gave no answer"):
        web.get(server.url)


def test_a_page_of_one_byte_chunks_ends_with_the_deadline() -> None:
    with HostileServer(flooding(CHUNKED, b"1\r\nx\r\n" * 1000)) as server, ends_soon(), pytest.raises(FetchError):
        web.get(server.url, within=0.5, limit=2**30)
