"""SSH against a real server in this process: host keys, kept and dropped connections, slow and silent servers."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flatkit.errors import CommandFailed, MachineError, WaitTimeout
from flatkit.machines import keys as keys_module
from flatkit.machines.banner import BannerProbe
from flatkit.machines.keys import (
    HostKey,
    algorithms_for,
    load_host_keys,
    parse_host_key,
    save_host_keys,
    workshop_key,
)
from flatkit.machines.ports import find_free_port
from flatkit.machines.ssh import Connection, Endpoint, load_paramiko
from flatkit.testing.guest import FakeGuest


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def port() -> int:
    return find_free_port()


@pytest.fixture
def guest(tmp_path: Path, port: int) -> Iterator[FakeGuest]:
    fake = FakeGuest()
    fake.power_on(tmp_path / "console.log", port)
    yield fake
    fake.power_off()


@pytest.fixture
def endpoint(tmp_path: Path, guest: FakeGuest, port: int) -> Endpoint:
    key = parse_host_key(guest.key_line)
    assert key
    return Endpoint(
        name="web",
        port=port,
        user="core",
        key_file=workshop_key().private,
        host_keys=(key,),
        known_hosts=tmp_path / "known_hosts",
    )


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[Connection]:
    kept = Connection(endpoint)
    yield kept
    kept.close()


def test_a_command_and_what_it_said(connection: Connection, guest: FakeGuest) -> None:
    guest.answer = lambda command: ("out\n", "err\n", 3)
    result = connection.run("make it so")
    assert (result.stdout, result.stderr, result.status, result.ok) == ("out\n", "err\n", 3, False)
    assert result.command == "make it so"
    with pytest.raises(CommandFailed, match='"make it so" ended with status 3: err'):
        result.check()


def test_output_comes_whole_and_in_pieces(connection: Connection, guest: FakeGuest) -> None:
    text = "zeile mit umläuten äöü\n" * 20000
    guest.answer = lambda command: (text, "", 0)
    pieces: list[str] = []
    assert connection.run("cat", on_output=pieces.append).stdout == text
    assert "".join(pieces) == text
    assert len(pieces) > 1


def test_the_connection_is_kept(connection: Connection, guest: FakeGuest) -> None:
    assert [connection.run(word).stdout for word in ("a", "b", "c")] == ["a\n", "b\n", "c\n"]
    assert guest.connections == 1


def test_commands_run_side_by_side(connection: Connection, guest: FakeGuest) -> None:
    meet = threading.Barrier(2, timeout=120)

    def answer(command: str) -> tuple[str, str, int]:
        meet.wait()
        return command, "", 0

    guest.answer = answer
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(connection.run("both").stdout)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert results == ["both", "both"]
    assert guest.connections == 1


def test_another_host_key_is_refused(endpoint: Endpoint, guest: FakeGuest) -> None:
    impostor = HostKey(fingerprint="SHA256:" + "A" * 43, kind="ECDSA")
    connection = Connection(replace(endpoint, host_keys=(impostor,)))
    with pytest.raises(MachineError, match='is not the machine "web"') as caught:
        connection.run("secret")
    assert impostor.fingerprint in caught.value.message
    assert guest.commands == []
    assert guest.logins == 0
    assert not endpoint.known_hosts.exists()


def test_without_a_known_host_key_nobody_is_trusted(endpoint: Endpoint, guest: FakeGuest) -> None:
    with pytest.raises(MachineError, match="the console showed no key yet"):
        Connection(replace(endpoint, host_keys=())).run("secret")
    assert guest.logins == 0


def test_a_connection_that_dropped_between_commands_is_made_anew(connection: Connection, guest: FakeGuest) -> None:
    assert connection.run("one").ok
    guest.hang_up()
    assert connection.run("two").stdout == "two\n"
    assert guest.commands == ["one", "two"]


def test_a_connection_that_drops_within_a_command_is_an_error_and_never_repeated(
    connection: Connection, guest: FakeGuest
) -> None:
    guest.hang_up_on = "reboot"
    with pytest.raises(MachineError, match='lost while "reboot" ran') as caught:
        connection.run("reboot")
    assert "flatkit console web" in caught.value.hint
    assert guest.commands == ["reboot"]
    assert connection.run("after").stdout == "after\n"


def test_a_command_that_takes_too_long(connection: Connection, guest: FakeGuest) -> None:
    release = threading.Event()

    def answer(command: str) -> tuple[str, str, int]:
        release.wait(120)
        return "", "", 0

    guest.answer = answer
    with pytest.raises(WaitTimeout, match=r'"sleep" did not end within 0\.2 s'):
        connection.run("sleep", timeout=0.2)
    release.set()


def test_a_server_that_is_gone(endpoint: Endpoint, guest: FakeGuest) -> None:
    guest.power_off()
    with pytest.raises(WaitTimeout, match=r"did not answer within 0\.3 s"):
        Connection(endpoint).open(timeout=0.3)


def test_a_key_that_cannot_be_used(endpoint: Endpoint, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text("no key\n")
    with pytest.raises(MachineError, match=r"bad.*cannot be used"):
        Connection(replace(endpoint, key_file=bad)).run("x")


def test_plain_ssh_is_given_the_pinned_key(connection: Connection, endpoint: Endpoint, guest: FakeGuest) -> None:
    connection.pin()
    assert endpoint.known_hosts.read_text().startswith("flatkit-web ecdsa-sha2-")
    argv = endpoint.argv(["uname", "-r"])
    assert argv[0] == "ssh"
    assert f"UserKnownHostsFile={endpoint.known_hosts}" in argv
    assert {"StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "HostKeyAlias=flatkit-web"} < set(argv)
    assert argv[-4:] == ["core@127.0.0.1", "--", "uname", "-r"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        pytest.skip("this host has no ssh")
    assert (done.stdout, done.returncode) == ("uname -r\n", 0), done.stderr


def test_the_workshop_key_is_made_once_and_kept_private(state: Path) -> None:
    first = workshop_key()
    assert first == workshop_key()
    assert first.public.startswith("ssh-ed25519 ")
    assert "\n" not in first.public
    assert first.private.stat().st_mode & 0o777 == 0o600
    assert first.private.is_relative_to(state)


def test_host_keys_on_the_console() -> None:
    mark = "INLs1TjeDohOuCSNG+pjUk0/Y+taR78bA06Mp8qspx0"
    found = parse_host_key(f"[    9.24] SSH host key: SHA256:{mark} (ED25519)")
    assert found == HostKey(fingerprint=f"SHA256:{mark}", kind="ED25519")
    assert parse_host_key(f"SSH host key: SHA256:{mark}= (ED25519)") == found
    assert parse_host_key("SSH host key: SHA256:short (ED25519)") is None
    assert parse_host_key(f"SSH host key: MD5:{mark} (ED25519)") is None


def test_pinned_keys_survive_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "hostkeys.json"
    assert load_host_keys(path) == ()
    keys = (HostKey(fingerprint="SHA256:x", kind="RSA"),)
    save_host_keys(path, keys)
    assert load_host_keys(path) == keys
    path.write_text("{ torn")
    assert load_host_keys(path) == ()


def test_only_known_kinds_of_keys_are_asked_for() -> None:
    assert algorithms_for([HostKey(fingerprint="x", kind="ED25519")]) == ("ssh-ed25519",)
    assert algorithms_for([HostKey(fingerprint="x", kind="DSA")]) == ()
    assert set(keys_module._ALGORITHMS) == {"ED25519", "ECDSA", "RSA"}


class SlowServer:
    """Accepts, says what it is told to, when it is told to."""

    def __init__(self, port: int = 0) -> None:
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self.listener.getsockname()[1]
        self.accepted: list[socket.socket] = []

    def accept(self) -> socket.socket:
        self.listener.settimeout(120)
        connection, _ = self.listener.accept()
        self.accepted.append(connection)
        return connection

    def close(self) -> None:
        for connection in (*self.accepted, self.listener):
            connection.close()


@pytest.fixture
def slow() -> Iterator[SlowServer]:
    server = SlowServer()
    yield server
    server.close()


@pytest.fixture
def behind() -> Iterator[SlowServer]:
    """What is behind the knock port: it hangs until its connections are dropped."""
    server = SlowServer()
    yield server
    server.close()


def poll_until(probe: BannerProbe, wanted: bool = True) -> socket.socket | None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if found := probe.poll(0.02):
            return found
    assert not wanted, "no banner was seen"
    return None


def test_the_banner_is_seen_and_left_to_be_read(slow: SlowServer) -> None:
    with BannerProbe(slow.port) as probe:
        assert probe.poll(0.01) is None
        server = slow.accept()
        server.sendall(b"a notice\r\nSS")
        assert probe.poll(0.05) is None
        server.sendall(b"H-2.0-Test\r\n")
        found = poll_until(probe)
    assert found
    with found:
        assert found.recv(100) == b"a notice\r\nSSH-2.0-Test\r\n"


def test_a_slow_banner_is_not_asked_for_twice(slow: SlowServer) -> None:
    with BannerProbe(slow.port, patience=5) as probe:
        probe.poll(0.01)
        server = slow.accept()
        for _ in range(20):
            probe.poll(0.01)
        slow.listener.settimeout(0.0)
        with pytest.raises(BlockingIOError):
            slow.listener.accept()
        server.sendall(b"SSH-2.0-Test\r\n")
        found = poll_until(probe)
    assert found
    found.close()


def test_a_slow_guest_starts_one_sshd_and_not_two(slow: SlowServer) -> None:
    with BannerProbe(slow.port, patience=0.01) as probe:
        probe.slow_down(60)
        probe.poll(0.01)
        server = slow.accept()
        for _ in range(20):
            probe.poll(0.01)
        slow.listener.settimeout(0.0)
        with pytest.raises(BlockingIOError):
            slow.listener.accept()
        server.sendall(b"SSH-2.0-Test\r\n")
        found = poll_until(probe)
    assert found
    found.close()


def test_a_server_that_hangs_up_is_tried_again(slow: SlowServer) -> None:
    with BannerProbe(slow.port) as probe:
        probe.poll(0.01)
        slow.accept().close()
        deadline = time.monotonic() + 120
        slow.listener.settimeout(0.0)
        while time.monotonic() < deadline:
            probe.poll(0.02)
            try:
                connection, _ = slow.listener.accept()
            except BlockingIOError:
                continue
            slow.accepted.append(connection)
            break
        connection.sendall(b"SSH-2.0-Test\r\n")
        found = poll_until(probe)
    assert found
    found.close()


def test_the_server_is_left_alone_until_a_knock_is_refused(slow: SlowServer, behind: SlowServer) -> None:
    with BannerProbe(slow.port, knock_port=behind.port, blind_spacing=60) as probe:
        assert probe.poll(0.01) is None
        knock = behind.accept()
        for _ in range(10):
            probe.poll(0.01)
        slow.listener.settimeout(0.0)
        with pytest.raises(BlockingIOError):
            slow.listener.accept()
        assert not probe.is_up
        knock.close()
        deadline = time.monotonic() + 120
        while not probe.is_up and time.monotonic() < deadline:
            probe.poll(0.02)
        assert probe.is_up
        probe.poll(0.02)
        slow.accept().sendall(b"SSH-2.0-Test\r\n")
        found = poll_until(probe)
    assert found
    found.close()


def test_a_guest_that_never_refuses_is_tried_blindly(slow: SlowServer, behind: SlowServer) -> None:
    with BannerProbe(slow.port, knock_port=behind.port, blind_spacing=0.1) as probe:
        deadline = time.monotonic() + 120
        slow.listener.settimeout(0.0)
        while time.monotonic() < deadline:
            probe.poll(0.02)
            try:
                connection, _ = slow.listener.accept()
            except BlockingIOError:
                continue
            slow.accepted.append(connection)
            break
        connection.sendall(b"SSH-2.0-Test\r\n")
        found = poll_until(probe)
    assert found
    found.close()


def test_a_clock_that_jumps_within_a_login_costs_a_second_one(
    connection: Connection, guest: FakeGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, here, looked, logins = time.time, threading.current_thread(), threading.Event(), []
    looks = itertools.count()

    def a_day_later() -> float:
        if threading.current_thread() is not here or logins[1:]:
            return real()
        # The first look begins the wait for an answer, which comes only after the second one.
        if next(looks):
            looked.set()
            return real() + 86400.0
        return real()

    def log_in(_guest: FakeGuest, count: int) -> None:
        logins.append(count)
        assert looked.wait(120)

    def begin(self: object, *words: object) -> object:
        monkeypatch.setattr(time, "time", a_day_later)
        return wait(self, *words)

    handler = load_paramiko().auth_handler.AuthHandler
    wait = handler.wait_for_response
    monkeypatch.setattr(FakeGuest, "logins", property(lambda _guest: len(logins), log_in), raising=False)
    monkeypatch.setattr(handler, "wait_for_response", begin)
    assert connection.run("echo well", timeout=30).ok
    assert guest.connections == 2


FILTERS = """
import sys, warnings
from flatkit.machines.ssh import load_paramiko

class Cell:
    "A cell in the main thread, while this thread imports."
    def find_spec(self, name, *_):
        if name == "paramiko":
            warnings.simplefilter("error", BytesWarning)

sys.meta_path.insert(0, Cell())
load_paramiko()
assert any(one[0] == "error" and one[2] is BytesWarning for one in warnings.filters), warnings.filters
before = list(warnings.filters)
warnings.catch_warnings = None
load_paramiko()
assert warnings.filters == before
"""


def test_a_connection_puts_no_filter_of_warnings_back_that_a_cell_has_changed() -> None:
    done = subprocess.run([sys.executable, "-c", FILTERS], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
