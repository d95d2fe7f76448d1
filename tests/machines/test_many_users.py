"""Many users on one host: memory that all their QEMUs were promised, boots that take turns, ports, limits of a unit."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.emulators import Emulator, list_emulators
from flatkit.errors import HostError
from flatkit.events import Said, Tape
from flatkit.listening import try_port
from flatkit.machines import Forward, host_facts, host_locks, ports, scheduler
from flatkit.machines.disks import OVERHEAD_MIB, Room
from flatkit.machines.host_facts import BOOT_TIMES
from flatkit.machines.hypervisor import RunningGuest
from flatkit.testing.hypervisor import FakeHypervisor
from tests.other_users import open_parents
from tests.people import Person, person, pretended_qemu

ROOM = Room(memory_mib=20000, disk_mib=9000)


class Guests(FakeHypervisor):
    """Knows some guests of its own user."""

    guests_now: tuple[RunningGuest, ...] = ()

    def running_guests(self) -> list[RunningGuest]:
        return list(self.guests_now)


def pretend(proc: Path, pid: int, *words: str, resident_mib: int) -> None:
    """Put a process into a folder that is read as /proc."""
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    (folder / "cmdline").write_bytes("\0".join(words).encode() + b"\0")
    pages = resident_mib * 2**20 // os.sysconf("SC_PAGE_SIZE")
    (folder / "statm").write_text(f"{pages * 3} {pages} 0 0 0 0 0\n")


@pytest.mark.parametrize(
    ("words", "promised"),
    [
        (("-m", "1024"), 1024),
        (("-m", "size=1048576k"), 1024),
        (("-m", "size=2G,slots=4,maxmem=8G"), 2048),
        (("-m", "512", "-m", "size=768M"), 768),
        (("-m", "1.5G"), 0),
        (("-m",), 0),
        ((), 0),
    ],
)
def test_the_promise_is_read_from_the_command_line(words: tuple[str, ...], promised: int) -> None:
    assert Emulator(pid=1, uid=0, words=("qemu-system-x86_64", *words)).memory_mib == promised


def test_guests_of_all_users_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("libvirt")
    for seat in range(3):
        name = f"guest=flatkit-{seat:06}-web,debug-threads=on"
        pretend(
            tmp_path, 100 + seat, "/usr/bin/qemu-system-x86_64", "-name", name, "-m", "size=1048576k", resident_mib=500
        )
    pretend(tmp_path, 200, "/usr/bin/python3", "-m", "http.server", resident_mib=50)
    monkeypatch.setattr(scheduler, "list_emulators", lambda: list_emulators(tmp_path))
    each = 1024 + OVERHEAD_MIB - 500
    assert scheduler.room_left(Guests(), ROOM).memory_mib == ROOM.memory_mib - 3 * each
    # libvirt knows one of the three: it is not counted twice.
    own = Guests()
    own.guests_now = (RunningGuest(memory_mib=1024, resident_mib=500),)
    assert scheduler.room_left(own, ROOM).memory_mib == ROOM.memory_mib - 3 * each
    # /proc that shows nothing of others (hidepid): what libvirt knows counts.
    monkeypatch.setattr(scheduler, "list_emulators", list)
    assert scheduler.room_left(own, ROOM).memory_mib == ROOM.memory_mib - each


def test_what_runs_on_this_host_takes_nothing_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("libvirt")
    words = ("qemu-system-x86_64", "-m", "4096")
    monkeypatch.setattr(scheduler, "list_emulators", lambda: [Emulator(pid=1, uid=0, words=words)])
    away = Guests()
    monkeypatch.setattr(type(away), "remote", "ada@host", raising=False)
    assert scheduler.room_left(away, ROOM).memory_mib == ROOM.memory_mib


HOLD = """
import sys
from pathlib import Path
from flatkit.machines import host_locks
held = host_locks.take_one([Path(name) for name in sys.argv[1:]])
print("held" if held else "taken", flush=True)
sys.stdin.read()
"""


def hold(*places: Path, user: Person) -> subprocess.Popen[str]:
    """Let another user hold the first free lock, until the input of that process ends."""
    words = user.argv(sys.executable, "-c", HOLD, *map(str, places))
    there = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/")
    assert there.stdout
    assert there.stdout.readline() == "held\n"
    return there


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Person]:
    with person() as one:
        open_parents(tmp_path / "locks")
        yield one


def test_users_lock_what_root_made_and_cannot_change_it(tmp_path: Path, other: Person) -> None:
    folder = tmp_path / "locks"
    host_locks.create(2, folder=folder)
    turns = host_locks.find_turns(folder)
    assert [path.name for path in turns] == ["turn-0", "turn-1"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o666}
    first, second = hold(*turns, user=other), hold(*turns, user=other)
    assert host_locks.take_one(turns) is None
    first.kill()  # its turn is free as soon as it is gone
    first.communicate()
    mine = host_locks.take_one(turns)
    assert mine
    mine.release()
    second.communicate("")
    tries = ["rm", "-f", str(turns[0])], ["touch", str(folder / "turn-9")], ["chmod", "0600", str(turns[0])]
    for words in tries:
        assert subprocess.run(other.argv(*words), capture_output=True, check=False).returncode != 0
    host_locks.create(1, folder=folder)
    assert [path.name for path in host_locks.find_turns(folder)] == ["turn-0"]


def test_boots_of_two_users_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Person) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(host_locks, "FOLDER", tmp_path / "locks")
    host_locks.create(1)
    booting, tape = hold(*host_locks.find_turns(), user=other), Tape()
    monkeypatch.setattr(scheduler, "_LONGEST_TURN", 0.2)
    with scheduler.turn(tape):  # goes on without a turn after a bounded time
        pass
    assert [event.text for event in tape.events if isinstance(event, Said)] == [
        "waiting for its turn: another machine is booting, and each would slow the other"
    ]
    booting.communicate("")
    with scheduler.turn(Tape()):
        assert host_locks.take_one(host_locks.find_turns()) is None
    assert not (tmp_path / "state").exists()


def test_a_user_who_keeps_admission_delays_the_others_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Person
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(host_locks, "FOLDER", tmp_path / "locks")
    monkeypatch.setattr(scheduler, "_ADMISSION_SECONDS", 0.3)
    host_locks.create(1)
    keeping = hold(tmp_path / "locks" / "admission", user=other)
    with scheduler.admission():
        pass
    keeping.communicate("")
    with scheduler.admission():
        assert host_locks.take_one([tmp_path / "locks" / "admission"]) is None


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_lock_folder_that_others_may_write_to_is_not_used(tmp_path: Path, mode: int) -> None:
    host_locks.create(2, folder=tmp_path / "locks")
    (tmp_path / "locks").chmod(mode)
    assert host_locks.find_turns(tmp_path / "locks") == []


def test_a_link_in_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "turn-0").symlink_to(tmp_path / "file")
    assert host_locks.take_one([tmp_path / "turn-0"]) is None


def test_a_room_of_another_lane_holds_up_no_machine_of_this_one(own_folders: Path) -> None:
    assert host_locks.FOLDER.is_relative_to(own_folders)
    assert host_locks.find_turns() == []


def test_a_fixed_port_that_collides_is_replaced_in_a_seat_and_refused_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wanted = (Forward(host=port, guest=80), Forward(host=0, guest=8080))
        assert ports.give_way(wanted, Tape()) == wanted
        with pytest.raises(HostError, match=f'port "{port}" of this host cannot be forwarded'):
            ports.resolve(wanted)
        monkeypatch.setenv("FLATKIT_SEAT", "ada")
        tape = Tape()
        ports.check_free(wanted)
        given = ports.give_way(wanted, tape)
    assert given[0].guest == 80
    assert given[0].host != port
    assert try_port(given[0].host) is None
    (said,) = tape.events
    assert isinstance(said, Said)
    assert (
        said.text == f"port {port} of this host is taken: port {given[0].host} leads to the machine's port 80 instead"
    )


def test_facts_of_a_shared_cache_are_used_until_there_are_own_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    shared.chmod(0o755)
    (shared / BOOT_TIMES).write_text('{"lab": {"kernel": 3.0}, "beta": {"kernel": 4.0}}')
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("FLATKIT_SHARED_CACHE", str(shared))
    assert host_facts.read_rows(BOOT_TIMES)["lab"] == {"kernel": 3.0}
    host_facts.save_rows(BOOT_TIMES, {"lab": {"kernel": 1.0}})
    assert host_facts.read_rows(BOOT_TIMES) == {"lab": {"kernel": 1.0}, "beta": {"kernel": 4.0}}
    assert "3.0" in (shared / BOOT_TIMES).read_text()
    assert not (tmp_path / "own").exists()


def test_admission_sees_what_another_user_was_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: Person
) -> None:
    pytest.importorskip("libvirt")
    with pretended_qemu("-name", "guest=flatkit-a6f2fc-book", "-m", "size=1048576k", user=other) as process:
        found = next(one for one in list_emulators() if one.pid == process)
        assert (found.uid, found.memory_mib, found.resident_mib < 100) == (other.uid, 1024, True)
        monkeypatch.setattr(scheduler, "list_emulators", lambda: [found])
        left = scheduler.room_left(Guests(), ROOM).memory_mib
    assert left == ROOM.memory_mib - (1024 + OVERHEAD_MIB - found.resident_mib)
