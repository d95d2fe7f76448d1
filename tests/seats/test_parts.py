"""The parts of a room that need no hub: size, limits, accounts, the supervisor, the pages of machines, the unit's text."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado import httpserver, ioloop, web

from flatkit.cli import seats as seats_command
from flatkit.errors import HostError, UsageError
from flatkit.events import Tape
from flatkit.seats import accounts, archive, check, install, one_room, page_proxy, status, supervisor, up
from flatkit.seats.archive import NAME, pack
from flatkit.seats.limits import SeatLimits, find_group
from flatkit.seats.login import Pins, hash_pin
from flatkit.seats.settings import Settings, save
from tests.seats.certificates import make

GIB = 1024
BIG = check.HostSize(memory_mib=64 * GIB, processors=16, disk_mib=500 * GIB, has_kvm=True)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="rooms are root's")


def settings(folder: Path) -> Settings:
    return Settings(
        folder=folder, seats=3, host="0.0.0.0", port=8000, hub_port=8081, api_port=8099, room_hash="", trainer_hash="",
        proxy_password="p", bin=Path(sys.executable).parent, cache=folder / "cache",
    )  # fmt: skip


# Size


def levels(host: check.HostSize, seats: int) -> dict[str, str]:
    return {found.name: found.level for found in check.judge(host, seats)}


def test_a_big_host_fits_thirty() -> None:
    assert set(levels(BIG, 30).values()) == {"ok"}
    assert check.seats_that_fit(BIG, check.WORST_MIB) == 44


@pytest.mark.parametrize(
    ("change", "name", "level"),
    [
        ({"memory_mib": 30 * GIB}, "memory", "warn"),
        ({"memory_mib": 16 * GIB}, "memory", "fail"),
        ({"memory_mib": 0}, "memory", "fail"),
        ({"processors": 1}, "processors", "warn"),
        ({"disk_mib": 30 * GIB}, "disk", "warn"),
        ({"disk_mib": 5 * GIB}, "disk", "fail"),
        ({"disk_mib": 45 * GIB, "cache_mib": 10 * GIB}, "disk", "ok"),
        ({"disk_mib": 500 * GIB, "cache_mib": 5 * GIB}, "disk of the images", "fail"),
        ({"has_kvm": False}, "kvm", "warn"),
        ({"kvm_is_proved": False}, "kvm", "warn"),
    ],
)
def test_what_is_short_is_said_with_what_helps(change: dict[str, Any], name: str, level: str) -> None:
    found = {one.name: one for one in check.judge(replace(BIG, **change), 30)}[name]
    assert (found.level, bool(found.fix)) == (level, True)
    assert level == "ok" or found.fix in str(found)
    assert "--seats 0" not in found.fix


@pytest.mark.parametrize(("has_kvm", "is_proved", "words"), [
    (True, True, "all first machines in 20 s"),
    (True, False, "all first machines in 88 s (20 s if KVM works)"),
    (False, True, "all first machines in 88 s"),
])  # fmt: skip
def test_only_a_kvm_that_was_proved_counts(has_kvm: bool, is_proved: bool, words: str) -> None:
    host = replace(BIG, has_kvm=has_kvm, kvm_is_proved=is_proved)
    found = {one.name: one for one in check.judge(host, 30)}["processors"]
    assert found.words.endswith(words)


def test_the_disk_of_the_images_is_measured_where_it_is_another_one(tmp_path: Path) -> None:
    assert check.measure(tmp_path, tmp_path / "not" / "yet").cache_mib is None
    other = Path("/dev/shm")
    if other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this host has one disk")
    assert check.measure(tmp_path, other / "flatkit" / "seats").cache_mib is not None


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        (":8300", ("0.0.0.0", 8300)),
        ("127.0.0.1", ("127.0.0.1", 8000)),
        ("::1", ("::1", 8000)),
        ("[::]:8300", ("::", 8300)),
        (None, ("0.0.0.0", 8000)),
    ],
)
def test_where_learners_come_in(listen: str | None, found: tuple[str, int]) -> None:
    assert seats_command._address(listen, None) == found


@pytest.mark.parametrize(
    "words",
    ["--listen 127.0.0.1:0", "--listen :0", "--seats 0", "--seats 1001", "--memory 0", "--memory 99999999", "--idle 0",
     "--idle 99999"],
)  # fmt: skip
def test_numbers_that_no_room_can_have_are_refused_first(words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((UsageError, SystemExit)) as caught:
        seats_command.run(["seats", "up", "--here", "--no-images", *words.split()])
    assert "expected" in str(caught.value) + capfd.readouterr().err


def test_two_commands_do_not_change_a_room_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    with up.alone():
        for command in ("up", "down", "reset", "archive"):
            with pytest.raises(HostError, match="another command changes the room"):
                seats_command.run(["seats", command])
    with pytest.raises(HostError, match="has no room"):
        seats_command.run(["seats", "archive"])


def test_a_port_that_is_taken_prevents_a_room() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = [str(found) for found in check.find_obstacles("127.0.0.1", port)]
        # Its own proxy holds it: a room may come from 127.0.0.1 to all addresses, or have lost its hub.
        moved = [str(found) for found in check.find_obstacles("0.0.0.0", port, own=(os.getpid(),))]
        others = [str(found) for found in check.find_obstacles("0.0.0.0", port, own=(os.getppid(),))]
        elsewhere = [str(found) for found in check.find_obstacles("198.51.100.7", port, own=(os.getpid(),))]
    assert any(f"port {port} cannot be used" in word and "--listen" in word for word in words)
    assert not any("port" in word for word in moved)
    assert any("port" in word for word in others)
    assert any("this host has no address" in word for word in elsewhere)
    assert not any("port" in str(found) for found in check.find_obstacles("127.0.0.1", port))


# Limits


def test_where_there_are_no_cgroups_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "cgroup.controllers").write_text("\n")
    assert find_group(top=tmp_path, own=tmp_path / "own") is None
    assert "one seat can take all of it" in SeatLimits(memory_mib=1, processes=2).words


def test_below_a_delegated_unit_each_seat_has_a_group(tmp_path: Path) -> None:
    unit = tmp_path / "system.slice" / "flatkit-seats.service"
    unit.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/system.slice/flatkit-seats.service\n")
    (unit / "cgroup.controllers").write_text("cpu memory pids\n")
    group = find_group(top=tmp_path, own=tmp_path / "own")
    assert group == unit / "seats"
    assert (unit / "hub" / "cgroup.procs").read_text() == f"{os.getpid()}\n"
    assert (unit / "cgroup.subtree_control").read_text() == "+cpu +memory +pids\n"
    limits = SeatLimits(memory_mib=4096, processes=512, group=group)
    folder = limits.make_group("ada")
    assert folder == group / "ada"
    assert (folder / "memory.max").read_text() == f"{4096 * 2**20}\n"
    assert (folder / "pids.max").read_text() == "512\n"
    # After a restart of the hub, which is in the group `hub` then, the same groups are found.
    (tmp_path / "own").write_text("0::/system.slice/flatkit-seats.service/hub\n")
    assert find_group(top=tmp_path, own=tmp_path / "own") == group


def test_a_fork_bomb_ends_at_the_limit(tmp_path: Path) -> None:
    limit = SeatLimits(memory_mib=1, processes=10).before_exec("ada")
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NPROC), resource.getrlimit(resource.RLIMIT_CORE))"
    done = subprocess.run([sys.executable, "-c", code], preexec_fn=limit, capture_output=True, text=True, check=True)
    assert done.stdout == "(40, 40) (0, 0)\n"


# Accounts


@as_root
def test_only_accounts_with_our_mark_are_seats() -> None:
    assert accounts.find_account("seat-nobody-has-this") is None
    for name in ("root", "daemon"):
        with pytest.raises(HostError, match="was not made by flatkit"):
            accounts.find_account(name)
    with pytest.raises(ValueError, match="root is not a seat"):
        accounts.end_processes(0)
    for name in ("root;id", "-x", "seat ada", "a" * 40, ""):
        with pytest.raises(HostError, match="cannot be the account"):
            accounts.ensure_account(name)


def test_an_account_is_removed_after_all_that_has_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next account gets the same number, and with it whatever is removed later."""
    user = pwd.struct_passwd(("seat-ada", "x", 4711, 4711, accounts.MARK, "/home/seat-ada", "/bin/bash"))
    done: list[str] = []
    monkeypatch.setattr(accounts, "find_account", lambda _name: user)
    monkeypatch.setattr(accounts, "end_processes", lambda uid: done.append(f"end {uid}"))
    monkeypatch.setattr(accounts, "run", lambda words, **_: done.append(f"{words[0]} {words[-1]}"))
    accounts.remove_account(user)
    assert done == ["end 4711", "rm /run/user/4711", "userdel seat-ada"]


def test_processes_that_a_busy_host_ends_late_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """userdel refuses a user who has processes."""
    now, sent = [0.0], []

    def sleep(_seconds: float) -> None:
        now[0] += 1

    monkeypatch.setattr(accounts, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    monkeypatch.setattr(accounts, "processes_of", lambda _uid: iter([4711] if now[0] < 30 else []))
    monkeypatch.setattr(os, "kill", lambda _process, which: sent.append(which))
    accounts.end_processes(1000)
    assert now[0] == 30
    assert sent[-1] is signal.SIGKILL


def test_a_command_of_a_seat_has_nothing_of_roots_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    words = accounts.as_user(pwd.getpwuid(os.getuid()), ["id"], FLATKIT_SEAT="ada")
    assert words[words.index("env") : words.index("env") + 2] == ["env", "-i"]
    assert "FLATKIT_SEAT=ada" in words
    assert not any("SECRET" in word for word in words)


# Supervisor

HOLDER = """
import sys
from pathlib import Path
from flatkit.locks import try_lock
held = try_lock(Path(sys.argv[1]))
print(1, flush=True)
sys.stdin.read()
"""


@as_root
def test_a_name_that_is_owned_is_a_seat_that_is_taken(tmp_path: Path) -> None:
    """As the login page counts: its owner may not have come to a seat yet."""
    made = replace(settings(tmp_path / "seats"), prefix="seat-taken-")
    save(made)
    assert (status.look(made).taken, status.look(made).is_kept) == (0, False)
    pins = Pins(made.folder / "pins.sqlite")
    pins.claim("ada", hash_pin("1234"), most=3)
    pins.close()
    assert status.look(made).taken == 1
    (made.folder / "pins.sqlite").write_bytes(b"torn" * 5000)
    assert status.look(made).taken == 0


def test_a_room_has_no_accounts_of_a_room_with_a_longer_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    root = pwd.getpwuid(0)
    made = [
        pwd.struct_passwd((name, "x", 4000, 4000, "flatkit seat", f"/home/{name}", root.pw_shell))
        for name in ("seat-bob", "seat-ada", "seat-t12-ada", "seat-", "seat-Ada", "other")
    ]
    monkeypatch.setattr(pwd, "getpwall", lambda: [root, *made])
    assert [one.pw_name for one in accounts.list_accounts("seat-")] == ["seat-ada", "seat-bob"]
    assert [one.pw_name for one in accounts.list_accounts("seat-t12-")] == ["seat-t12-ada"]


@as_root
def test_two_supervisors_of_a_room_are_one_too_many(tmp_path: Path) -> None:
    made = settings(tmp_path / "seats")
    save(made)
    assert supervisor.read_pid(made.folder) is None
    words = [sys.executable, "-c", HOLDER, str(made.folder / "supervisor.lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin
        assert other.stdout
        assert other.stdout.readline() == "1\n"
        (made.folder / "supervisor.pid").write_text(f"{other.pid}\n")
        assert status.look(made).is_kept
        with pytest.raises(HostError, match="the room is running already"):
            supervisor.serve(made.folder, threading.Event(), lambda _text: None)
        assert supervisor.read_pid(made.folder) == other.pid
        supervisor.end_supervisor(made.folder)
        assert other.wait(120) != 0
    assert supervisor.read_pid(made.folder) is None


def test_parts_that_outlived_their_supervisor_are_ended_and_nothing_else(tmp_path: Path) -> None:
    def sleeper(folder: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sleep", "600"], env={supervisor.MARK: str(folder), "PATH": os.environ["PATH"]})

    ours, others = sleeper(tmp_path / "a"), sleeper(tmp_path / "b")
    try:
        while ours.pid not in supervisor.parts_of(tmp_path / "a"):
            pass  # between fork and exec
        reaper = threading.Thread(target=ours.wait)
        reaper.start()
        supervisor.end_leftovers(tmp_path / "a")
        reaper.join(120)
        assert ours.returncode is not None
        assert others.poll() is None
    finally:
        for process in (ours, others):
            process.kill()
            process.wait()


def test_a_broken_database_of_the_hub_is_put_aside(tmp_path: Path) -> None:
    made = replace(settings(tmp_path), prefix="seat-none-")
    said: list[str] = []
    supervisor.mend_database(made, said.append)
    (tmp_path / "hub.sqlite").write_bytes(b"torn" * 5000)
    supervisor.mend_database(made, said.append)
    assert not (tmp_path / "hub.sqlite").exists()
    assert len(list(tmp_path.glob("hub.sqlite.broken-*"))) == 1
    (word,) = said
    assert "database was broken" in word


def test_the_unit_keeps_seats_when_the_hub_is_started_again(tmp_path: Path) -> None:
    text = up.unit_text(settings(tmp_path / "seats"))
    lines = text.split("\n")
    assert {"Restart=always", "KillMode=process", "Delegate=yes", f"Environment=FLATKIT_STATE={tmp_path}"} <= set(lines)
    assert f"ExecStart={sys.executable} -m flatkit seats serve" in lines
    if verify := shutil.which("systemd-analyze"):
        unit = tmp_path / "flatkit-seats.service"
        unit.write_text(text)
        done = subprocess.run([verify, "verify", str(unit)], capture_output=True, text=True, check=False)
        assert "Unknown" not in done.stderr


def test_an_earlier_room_keeps_its_ports_and_passwords(tmp_path: Path) -> None:
    first, words = up.make_settings(None, settings(tmp_path), fresh=False)
    assert words
    again, none = up.make_settings(first, settings(tmp_path), fresh=False)
    assert (again, none) == (first, None)
    new, other = up.make_settings(first, settings(tmp_path), fresh=True)
    assert other
    assert (new.hub_port, new.api_port) == (first.hub_port, first.api_port)
    assert new.room_hash != first.room_hash


@as_root
def test_the_port_of_the_rooms_own_hub_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its running seats ask the hub there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(supervisor, "parts_of", lambda _folder: [os.getpid()])
        monkeypatch.setattr(one_room, "find_obstacle", lambda _folder: [])
        options = seats_command._parser().parse_args(["check", "--listen", f"127.0.0.1:{port}", "--seats", "1"])
        for room, is_taken in (
            (replace(settings(tmp_path), port=port), False),
            (replace(settings(tmp_path), hub_port=port), True),
        ):
            found = [one.words for one in seats_command._findings(options, room) if one.name == "port"]
            assert bool(found) == is_taken


@pytest.mark.parametrize("part", ["hub_port", "api_port", "board_port"])
def test_learners_may_come_in_where_a_part_of_the_room_listens_now(part: str, tmp_path: Path) -> None:
    """`--listen :PORT` of the room's own hub counted as free, and the proxy could not begin."""
    first, _ = up.make_settings(None, settings(tmp_path), fresh=False)
    wanted = replace(settings(tmp_path), port=getattr(first, part))
    for fresh in (False, True):
        made, _ = up.make_settings(first, wanted, fresh=fresh)
        assert len({made.port, made.hub_port, made.api_port, made.board_port}) == 4
        assert made.port == wanted.port
    assert made.room_hash != first.room_hash


def test_no_part_of_a_room_takes_the_port_that_learners_come_in_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up.random, "sample", lambda *_, **__: [18001, 18002, 18003, 18004])
    monkeypatch.setattr(up, "try_port", lambda _port: None)
    made, _ = up.make_settings(None, replace(settings(tmp_path), port=18002), fresh=False)
    assert (made.hub_port, made.api_port, made.board_port) == (18001, 18003, 18004)


def test_nothing_of_the_current_folder_runs_as_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m pip` would take a pip.py that is there."""
    folders: list[Path | None] = []
    monkeypatch.setattr(
        install, "run", lambda words, **more: folders.append(more.get("cwd")) if "-m" in words else None
    )
    monkeypatch.setattr(install, "stream", lambda words, _on_line, **more: folders.append(more.get("cwd")))
    monkeypatch.setattr(install, "_link_binding", lambda _venv: None)
    monkeypatch.chdir(tmp_path)
    install.install(Tape(), venv=tmp_path / "venv", source="flatkit")
    install.build_images(tmp_path, tmp_path / "cache", Tape())
    assert folders == [Path("/")] * 4


def test_an_environment_whose_making_was_cut_short_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as by Ctrl-C in the first `flatkit seats up`: python is there, and no pip."""
    ran: list[list[str]] = []
    monkeypatch.setattr(install, "run", lambda words, **_more: ran.append(words))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    install.install(Tape(), venv=tmp_path, source="flatkit")
    assert ran[0][1:] == ["-m", "venv", str(tmp_path)]
    (tmp_path / "bin" / "pip").touch()
    ran.clear()
    install.install(Tape(), venv=tmp_path, source="flatkit")
    assert "pip" in ran[0]


@as_root
@pytest.mark.parametrize("kept", ["nothing", "an unreadable file", "a room"])
def test_up_that_fails_removes_only_what_it_made(kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own hint for a file that cannot be used is this command, and the learners keep their seats."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    if kept != "nothing":
        save(replace(settings(tmp_path / "seats"), seats=7))
    if kept == "an unreadable file":
        (tmp_path / "seats" / "room.json").write_text("torn")
    removed: list[Settings] = []
    monkeypatch.setattr(seats_command, "_findings", lambda *_: [])
    monkeypatch.setattr(up, "here", lambda: tmp_path)
    monkeypatch.setattr(up, "list_accounts", lambda _prefix: [])
    monkeypatch.setattr(up, "remove_room", lambda room, _say: removed.append(room))

    def fail(_room: Settings) -> None:
        raise HostError("the hub did not answer")

    monkeypatch.setattr(up, "begin", fail)
    with pytest.raises(HostError, match="did not answer"):
        seats_command.run(["seats", "up", "--here", "--no-images"])
    assert bool(removed) == (kept == "nothing")
    found = up.find()
    assert found
    assert found.seats == (7 if kept == "a room" else 30)


# Archives


@as_root
@pytest.mark.parametrize("command", ["down", "reset"])
def test_nobody_works_on_after_the_archive(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    save(settings(tmp_path / "seats"))
    did: list[str] = []
    for name, given in (("end_seats", None), ("begin", None), ("remove_seats", {}), ("remove_room", {})):
        monkeypatch.setattr(up, name, lambda *_, name=name, given=given, **_more: did.append(name) or given)
    monkeypatch.setattr(archive, "archive_all", lambda _room: did.append("archive") or [])
    assert seats_command.run(["seats", command, "--yes"]) == 0
    assert did == ["end_seats", "archive", *(["remove_room"] if command == "down" else ["remove_seats", "begin"])]


def test_an_archive_leaves_links_large_and_hidden_files_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatkit.seats.archive._FILE_MAX", 100)
    (tmp_path / "own.bu").write_text("x")
    (tmp_path / "big").write_bytes(bytes(200))
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "a").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / f".{NAME}.part")
    path, left_out = pack(tmp_path)
    again, _ = pack(tmp_path)
    assert path == again == tmp_path / NAME
    assert left_out == ["big: larger than 0 MiB", "link: a link"]
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert "own.bu" in names
    assert not any(word in names for word in ("big", "link", "pipe", "checkpoints", NAME))


def test_an_archive_has_files_with_odd_names_and_names_what_it_cannot_read(tmp_path: Path) -> None:
    for name in (b"a\nb", b"\xff\xfe.bin", b"-rf", b"a\\b", b"\x1b[2J", "gr\u00fc\u00df \u2603".encode(), b"x" * 255):
        with open(os.path.join(os.fsencode(tmp_path), name), "w") as file:  # noqa: PTH118, PTH123  (names in bytes)
            file.write("x")
    deep = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # deeper than a path may be long
        os.mkdir("d" * 250, dir_fd=deep)
        deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = deeper
    os.close(deep)
    path, left_out = pack(tmp_path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {
            "a\nb", "\\xff\\xfe.bin", "-rf", "a\\b", "\x1b[2J", "gr\u00fc\u00df \u2603", "x" * 255
        }  # fmt: skip
    assert len(left_out) == 1
    assert left_out[0].endswith("File name too long")


# Pages of machines


class Machine(BaseHTTPRequestHandler):
    """A machine's page: it shows what it was asked, and tries to set a cookie."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/go" else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Set-Cookie", "hub=stolen")
        self.send_header("Content-Security-Policy", "default-src *")
        if self.path == "/go":
            self.send_header("Location", "/there")
        self.end_headers()
        self.wfile.write(json.dumps({"path": self.path, "headers": dict(self.headers)}).encode())

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Callable[[str], tuple[int, dict[str, str], str]], int]]:
    """Ask the seat's server for a page; the port of the machine."""
    machine = ThreadingHTTPServer(("127.0.0.1", 0), Machine)
    threading.Thread(target=machine.serve_forever, daemon=True).start()
    port = machine.server_address[1]
    monkeypatch.setattr(page_proxy, "ports", lambda: {port})
    # Login is JupyterHub's part (test_room.py): here everybody is the seat's user.
    monkeypatch.setattr(page_proxy.PageHandler, "get_current_user", lambda _self: "ada")
    monkeypatch.setattr(page_proxy.PageHandler, "prepare", lambda _self: None)
    monkeypatch.setattr(page_proxy.PageHandler, "set_default_headers", lambda _self: None)
    found: dict[str, Any] = {}
    begun = threading.Event()

    def serve() -> None:
        loop = ioloop.IOLoop(make_current=False)

        async def begin() -> None:
            app = web.Application([], base_url="/user/ada/")
            page_proxy._load_jupyter_server_extension(type("App", (), {"web_app": app}))
            server = httpserver.HTTPServer(app)
            (listener,) = [socket.create_server(("127.0.0.1", 0))]
            listener.setblocking(False)
            server.add_sockets([listener])
            found.update(port=listener.getsockname()[1], loop=loop, server=server)
            begun.set()

        loop.add_callback(begin)
        loop.start()
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert begun.wait(120)

    def ask(path: str) -> tuple[int, dict[str, str], str]:
        import http.client

        line = http.client.HTTPConnection("127.0.0.1", found["port"], timeout=120)
        line.request(
            "GET", path, headers={"Cookie": "jupyterhub=secret", "Authorization": "token secret", "Accept": "text/html"}
        )
        answer = line.getresponse()
        said = (answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode())
        line.close()
        return said

    yield ask, port
    found["loop"].add_callback(found["server"].stop)
    found["loop"].add_callback(found["loop"].stop)
    thread.join(120)
    machine.shutdown()
    machine.server_close()


def test_a_machines_page_is_shown_in_a_sandbox_and_gets_no_secret(pages: Any) -> None:
    ask, port = pages
    status, headers, text = ask(f"/user/ada/flatkit/page/{port}/a/b?c=d")
    said = json.loads(text)
    assert (status, said["path"]) == (200, "/a/b?c=d")
    assert not {"cookie", "authorization"} & {name.lower() for name in said["headers"]}
    assert headers["content-security-policy"] == "sandbox allow-scripts allow-forms allow-popups"
    assert "allow-same-origin" not in headers["content-security-policy"]
    assert "set-cookie" not in headers
    status, headers, _ = ask(f"/user/ada/flatkit/page/{port}/go")
    assert (status, headers["location"]) == (302, f"/user/ada/flatkit/page/{port}/there")


def test_a_port_of_somebody_else_is_no_page(pages: Any) -> None:
    ask, port = pages
    for other in (22, 8081, port + 1, 99999):
        assert ask(f"/user/ada/flatkit/page/{other}/")[0] == 404
    assert ask(f"/user/ada/flatkit/page/{port}x/")[0] == 404


def test_up_keeps_what_is_not_given(tmp_path: Path) -> None:
    """`flatkit seats up --new-passwords` on a room with encryption does not open it without."""
    pem, key = make(tmp_path, "good")
    earlier = replace(
        settings(tmp_path),
        seats=7,
        host="127.0.0.1",
        port=8443,
        certificate=str(pem),
        key=str(key),
        memory_mib=2048,
        idle=600,
    )

    def wanted(*words: str) -> Settings:
        options = seats_command._parser().parse_args(["up", *words])
        files = seats_command._certificate(options, earlier)
        return seats_command._wanted(options, earlier, tmp_path, *files)

    kept = wanted("--new-passwords")
    for name in ("seats", "host", "port", "certificate", "key", "memory_mib", "idle"):
        assert getattr(kept, name) == getattr(earlier, name), name
    changed = wanted("--no-tls", "--seats", "9", "--idle", "20", "--listen", "127.0.0.2:8001")
    assert (changed.certificate, changed.key, changed.seats, changed.idle) == ("", "", 9, 1200)
    assert (changed.host, changed.port, changed.memory_mib) == ("127.0.0.2", 8001, 2048)
    key.write_bytes(make(tmp_path, "other")[1].read_bytes())
    with pytest.raises(UsageError, match="is not the one of this certificate"):
        wanted()
