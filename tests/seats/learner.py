"""A learner with a browser's cookies, and a room with a real hub for tests: its accounts have a prefix of their own."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flatkit.errors import HostError
from flatkit.machines import host_locks
from flatkit.seats import settings as store
from flatkit.seats import supervisor, up
from flatkit.seats.accounts import list_accounts
from flatkit.seats.settings import Settings
from tests.people import person

ROOM, TRAINER = "blue-fish", "long-words-here"
_HOST_LOCKS = host_locks.FOLDER  # the host's own: during the tests of this process it is another folder


def wait_for(what: Callable[[], bool], *, seconds: float = 120.0, pause: float = 0.1) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(pause)


@dataclass(kw_only=True)
class Learner:
    """One browser."""

    url: str
    name: str = ""
    authority: Path | None = None
    cookies: http.cookiejar.CookieJar = field(default_factory=http.cookiejar.CookieJar)

    def ask(self, path: str, data: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
        """Return the status and the text of a page, after its redirects."""
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPCookieProcessor(self.cookies)]
        handlers.append(urllib.request.ProxyHandler({}))
        if self.authority:
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.authority))))
        body = urllib.parse.urlencode(data).encode() if data is not None else None
        request = urllib.request.Request(self.url + path, data=body, headers={"Sec-Fetch-Mode": "navigate", **headers})
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=120) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def log_in(self, name: str, *, room: str = ROOM, pin: str = "1234", **headers: str) -> tuple[int, str]:
        """Fill the form of the login page in; return the status, and its error or the page that follows."""
        self.name = name
        status, page = self.ask("/hub/login", **headers)
        token = re.search(r'name="_xsrf" value="([^"]*)"', page)
        assert token, (status, page)
        values = {"username": name, "room": room, "password": pin, "_xsrf": token[1]}
        status, page = self.ask("/hub/login?next=%2Fhub%2Fhome", values, **headers)
        error = re.search(r'class="login_error"[^>]*>(.*?)</p>', page, re.DOTALL)
        return status, error[1].strip() if error else page

    def sit_down(self, *, seconds: float = 180.0, pause: float = 0.1) -> None:
        """Start the server, and wait until JupyterLab is there, looking every `pause` seconds. A browser asks once and waits."""
        self.ask("/hub/spawn")
        wait_for(lambda: self.lab()[0] == 200, seconds=seconds, pause=pause)

    def lab(self) -> tuple[int, str]:
        """Ask for JupyterLab; a page of the hub (pending, not running) is none."""
        status, page = self.ask(f"/user/{self.name}/lab")
        is_lab = "jupyter-config-data" in page and "JupyterLab" in page
        return (status, page) if is_lab or status >= 400 else (0, page)

    def stop(self, name: str) -> int:
        """Stop a seat's server as a page of the hub does; return the status."""
        self.ask("/hub/home")
        token = next(one.value for one in self.cookies if one.name == "_xsrf" and one.path == "/hub/")
        handlers = [urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.ProxyHandler({})]
        headers = {"X-XSRFToken": str(token), "Referer": f"{self.url}/hub/home", "Sec-Fetch-Mode": "same-origin"}
        request = urllib.request.Request(f"{self.url}/hub/api/users/{name}/server", method="DELETE", headers=headers)
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=120) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


def words_of(process: int) -> list[bytes]:
    """The command line of a process; none of one that has ended meanwhile."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    return []


@dataclass(kw_only=True)
class Room:
    """A running room."""

    settings: Settings
    process: subprocess.Popen[bytes]

    def learner(self) -> Learner:
        given = self.settings.certificate
        return Learner(url=self.settings.url, authority=Path(given) if given else None)

    def parts(self) -> dict[str, int]:
        """The process IDs of hub and proxy."""
        found = {}
        for process in sorted(supervisor.parts_of(self.settings.folder)):
            words = words_of(process)
            for name, mark in (
                ("hub", b"jupyterhub"),
                ("proxy", b"--configfile"),
                ("culler", b"jupyterhub_idle_culler"),
                ("board", b"board"),
            ):
                if mark in words:
                    # What the hub has just forked looks like it until it becomes another program.
                    found.setdefault(name, process)
        return found

    def log(self) -> str:
        with suppress(OSError):
            return (self.settings.folder / "hub.log").read_text(errors="replace")
        return ""


@contextmanager
def room(
    *, seats: int = 5, idle: int = 5400, certificate: str = "", key: str = "", cache: Path | None = None
) -> Iterator[Room]:
    """Run a room on free ports of 127.0.0.1, with accounts that are removed at the end. Skips where there is no root."""
    pytest.importorskip("jupyterhub")
    with person(9):
        pass  # skips where accounts cannot be made, or could not read flatkit
    top = Path(tempfile.mkdtemp(prefix="flatkit-room-"))
    hub, api, board = up.free_ports()
    public = next(port for port in up.free_ports() if port not in {hub, api, board})
    top.chmod(0o711)  # as /var/lib/flatkit: the board's account has a folder in it
    made = Settings(
        folder=top / "seats", seats=seats, host="127.0.0.1", port=public, hub_port=hub, api_port=api, board_port=board,
        room_hash=store.digest(ROOM), trainer_hash=store.digest(TRAINER), proxy_password=store.new_password(8),
        bin=Path(sys.executable).parent, cache=cache or top / "cache", prefix=f"seat-t{os.getpid() % 10000}-", idle=idle,
        processes=400, certificate=certificate, key=key,
    )  # fmt: skip
    store.save(made)
    had_locks = _HOST_LOCKS.exists()
    environment = {**os.environ, "FLATKIT_STATE": str(top)}
    process = subprocess.Popen([sys.executable, "-m", "flatkit", "seats", "serve"], env=environment, cwd="/")
    found = Room(settings=made, process=process)
    try:
        try:
            up.wait_until_served(made, seconds=300)
        except HostError as error:  # its log goes with the room
            raise AssertionError(f"{error} (status {process.poll()})\n{found.log()[-4000:]}") from None
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        supervisor.end_leftovers(made.folder)
        up.remove_seats(made, lambda _text: None)
        if not had_locks:
            host_locks.remove(folder=_HOST_LOCKS)
        assert list_accounts(made.prefix) == []
        shutil.rmtree(top)


def load_json(text: str) -> dict[str, object]:
    found = json.loads(text)
    assert isinstance(found, dict)
    return found
