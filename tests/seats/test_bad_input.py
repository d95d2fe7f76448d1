"""What bad input gets in a room, without a hub: no root, an old libvirt, a host without programs, a list that cannot be read.

With a real hub: test_room.py (names, PINs, a full disk, a fork bomb, a 2 GB file, a broken database), test_certificate.py.
Ten machines: tests/machines/test_scheduler.py and test_many_users.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("bcrypt")

from flatkit.errors import HostError, MissingDependency
from flatkit.run import run
from flatkit.seats import check, status
from flatkit.seats import settings as store
from flatkit.seats.archive import NAME, pack
from flatkit.seats.login import Door, Pins, Refused, hash_pin
from flatkit.seats.settings import Settings, digest
from tests.people import person
from tests.seats.test_parts import settings


def test_without_root_the_next_command_is_said() -> None:
    with person() as somebody:
        said = somebody.each("seats up --seats 1", "seats status", "seats pin ada")
    for command in ("seats up --seats 1", "seats status", "seats pin ada"):
        assert "only root" in said[command], said[command]
        assert "sudo flatkit seats" in said[command]
        assert "Traceback" not in said[command]


@pytest.mark.parametrize(
    ("said", "is_old"),
    [
        ("libvirtd (libvirt) 9.0.0", False),
        ("libvirtd (libvirt) 11.3.0", False),
        ("libvirtd (libvirt) 7.0.0", True),
        ("libvirtd (libvirt) 4.5.0-23.el7", True),
        ("", False),
        ("9.0", False),
        ("\x1b[2J 99999999999999999999.0.0", False),
    ],
)
def test_an_old_libvirt_is_named(said: str, is_old: bool, tmp_path: Path) -> None:
    program = tmp_path / "libvirtd"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    found = [str(one) for one in check.find_old_libvirt(str(program))]
    assert bool(found) == is_old
    assert all("is older than 9.0.0" in word and "Debian 12" in word for word in found)


def test_a_libvirt_that_cannot_be_asked_is_no_finding(tmp_path: Path) -> None:
    assert list(check.find_old_libvirt(str(tmp_path / "nothing"))) == []


@pytest.mark.parametrize("path", ["", ".", ":/usr/bin:/bin", "/usr/bin:/bin:", "here", None])
def test_a_program_in_the_current_folder_is_never_run(
    path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`seats up` is root's, and the folder may be anybody's: also for a PATH that names no folder, or a relative one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    for place in (tmp_path, tmp_path / "here"):
        program = place / "libvirtd"
        program.write_text(f"#!/bin/sh\necho ran >> {tmp_path}/ran; echo 1.0.0\n")
        program.chmod(0o755)
        shutil.copy(program, place / "flatkit-probe")
    monkeypatch.delenv("PATH") if path is None else monkeypatch.setenv("PATH", path)
    found = [str(one) for one in check.find_obstacles("127.0.0.1", 0)]
    assert not any("1.0.0" in one for one in found)
    with pytest.raises(MissingDependency):
        run(["flatkit-probe"])
    assert not (tmp_path / "ran").exists()


def test_programs_that_are_missing_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_more: None if name in {"setpriv", "qemu-img"} else "/bin/true")
    (found,) = [one for one in check.find_obstacles("127.0.0.1", 0) if one.name == "programs"]
    assert (found.level, found.words, found.fix) == ("fail", "not installed: setpriv, qemu-img", "make setup")


def test_a_list_of_seats_that_cannot_be_read_is_said_on_the_login_page(tmp_path: Path) -> None:
    """The disk of /var may be full: the hub itself would show an error 500."""
    made = Settings(
        folder=tmp_path, seats=3, host="127.0.0.1", port=8000, hub_port=8081, api_port=8099, room_hash=digest("blue-fish"),
        trainer_hash=digest("long-words"), proxy_password="p", bin=tmp_path, cache=tmp_path,
    )  # fmt: skip
    pins = Pins(tmp_path / "pins.sqlite")
    door = Door(made, pins)
    pins.close()
    for _ in range(10):  # no try of these was wrong, so none has to wait
        with pytest.raises(Refused, match=r"cannot read or write its list of seats .* tell the trainer"):
            door.enter(name="ada", room="blue-fish", pin="1234", address="10.0.0.1")
    assert door.enter(name="trainer", room="", pin="long-words", address="10.0.0.1") == "trainer"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "small", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_the_trainer_reads_that_the_disk_is_full(small_disk: Path) -> None:
    made = settings(small_disk)
    store.save(made)
    pins = Pins(small_disk / "pins.sqlite")
    pins.claim("ada", hash_pin("1234"), most=3)
    with suppress(OSError), (small_disk / "large").open("wb", buffering=0) as large:
        while True:
            large.write(bytes(4096))
    for act in (lambda: store.save(made), lambda: pins.replace("ada", "5678"), lambda: Pins(small_disk / "other")):
        with pytest.raises(HostError, match="is full"):
            act()
    assert status.look(made).disk_mib == 0
    assert pins.names() == ["ada"]
    pins.close()


def test_an_archive_that_the_disk_has_no_room_for_is_none(small_disk: Path) -> None:
    """It lacked the files that did not fit, and the room was removed."""
    (small_disk / "a.bin").write_bytes(os.urandom(150 * 1024))
    (small_disk / "b.txt").write_text("small")
    with pytest.raises(OSError, match="No space left"):
        pack(small_disk)
    assert not (small_disk / NAME).exists()
