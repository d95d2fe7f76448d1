"""The end of a room, and the room that a host has already: real accounts, no hub."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("bcrypt")

from flatkit.cli import seats as seats_command
from flatkit.errors import HostError
from flatkit.machines import host_locks
from flatkit.seats import accounts, one_room, up
from flatkit.seats.archive import NAME
from flatkit.seats.login import Pins, hash_pin
from flatkit.seats.settings import Settings, save
from tests.seats.test_parts import as_root, settings


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A room of two seats with real accounts, whose hub does not run. The second one's work cannot be archived."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    tmp_path.chmod(0o755)
    made = replace(settings(tmp_path / "seats"), prefix=f"seat-x{os.getpid() % 10000}-")
    save(made)
    pins = Pins(made.folder / "pins.sqlite")
    for name in ("ada", "bob"):
        user = accounts.ensure_account(f"{made.prefix}{name}")
        pins.claim(name, hash_pin("1234"), most=3)
        course = Path(user.pw_dir) / "flatkit-course"
        course.mkdir()
        (course / "mine.bu").write_text("variant: flatcar\n")
        if name == "bob":
            (course / NAME).mkdir()  # in the place of the archive
        for path in (course, *course.iterdir()):
            os.chown(path, user.pw_uid, user.pw_gid)
    pins.close()
    monkeypatch.setattr(up, "begin", lambda _room: None)
    monkeypatch.setattr(host_locks, "remove", lambda: None)
    try:
        yield made
    finally:
        for user in accounts.list_accounts(made.prefix):
            accounts.remove_account(user)


def names(room: Settings) -> list[str]:
    return [user.pw_name.removeprefix(room.prefix) for user in accounts.list_accounts(room.prefix)]


@as_root
def test_one_seat_without_an_archive_holds_up_no_other(two: Settings) -> None:
    """All of them were kept, and the room had to be removed without any archive."""
    with pytest.raises(HostError, match=r'kept .* "bob" \(not archived: .*\)\. The room is closed') as caught:
        seats_command.run(["seats", "down", "--yes"])
    assert caught.value.hint.startswith("flatkit seats down ")
    assert names(two) == up.owners(two) == ["bob"]
    assert sorted(path.name for path in two.archives.glob("*/*.zip")) == ["ada.zip"]
    bob = Path(pwd.getpwnam(f"{two.prefix}bob").pw_dir) / "flatkit-course"
    assert (bob / "mine.bu").is_file()
    (bob / NAME).rmdir()
    assert seats_command.run(["seats", "down", "--yes"]) == 0
    assert names(two) == []
    assert len(list(two.archives.glob("*/bob.zip"))) == 1
    assert not two.folder.exists()


@as_root
def test_a_reset_keeps_a_seat_without_an_archive_and_its_owner(two: Settings) -> None:
    with pytest.raises(HostError, match=r'"bob".*open again') as caught:
        seats_command.run(["seats", "reset", "--yes"])
    assert caught.value.hint.startswith("flatkit seats archive ")
    assert names(two) == up.owners(two) == ["bob"]
    found = up.find()
    assert found
    assert found.room_hash != two.room_hash


@as_root
def test_an_account_that_cannot_be_removed_holds_up_no_other(two: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = accounts.remove_account

    def fail(user: pwd.struct_passwd) -> None:
        if user.pw_name.endswith("ada"):
            raise HostError("userdel: a process holds it")
        remove(user)

    monkeypatch.setattr(up, "remove_account", fail)
    with pytest.raises(HostError, match=r'"ada" \(userdel: a process holds it\)'):
        seats_command.run(["seats", "down", "--yes", "--no-archive"])
    assert names(two) == up.owners(two) == ["ada"]


@as_root
def test_archives_that_have_no_folder_keep_every_seat(two: Settings) -> None:
    two.archives.write_text("a file")
    with pytest.raises(HostError, match=r'"ada".*cannot be made.*"bob"'):
        seats_command.run(["seats", "down", "--yes"])
    assert names(two) == up.owners(two) == ["ada", "bob"]


# Two rooms


@as_root
def test_a_second_room_is_refused_with_where_the_first_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both had the same accounts: `seats down` of one removed the seats of the other."""
    monkeypatch.setattr(one_room, "PLACE", tmp_path / "place")
    first, second = tmp_path / "my first" / "seats", tmp_path / "second" / "seats"
    save(settings(first))
    one_room.claim(first)
    assert list(one_room.find_obstacle(first)) == []
    monkeypatch.setenv("FLATKIT_STATE", str(second.parent))
    for command in (["check"], ["up", "--here", "--no-images"]):
        with suppress(HostError):
            assert seats_command.run(["seats", *command]) == 1
        said = "".join(capsys.readouterr())
        assert f'✗ room: it is in "{first}" already' in said
        assert f"export FLATKIT_STATE='{first.parent}'" in said
    assert not second.exists()
    one_room.give_up(second)
    shutil.rmtree(first)  # by hand: the host is free again
    monkeypatch.setattr(one_room, "list_accounts", lambda _prefix: [])
    assert list(one_room.find_obstacle(second)) == []
    one_room.give_up(first)
    assert not one_room.PLACE.exists()


def test_seats_of_a_room_that_nobody_knows_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A learner who takes the name "ada" would sit down in her files."""
    monkeypatch.setattr(one_room, "PLACE", tmp_path / "place")
    user = pwd.getpwuid(os.getuid())
    monkeypatch.setattr(one_room, "list_accounts", lambda _prefix: [user] * 7)
    (found,) = one_room.find_obstacle(tmp_path / "seats")
    assert (found.level, "and 2 more" in found.words) == ("fail", True)
    (tmp_path / "seats").mkdir()
    assert list(one_room.find_obstacle(tmp_path / "seats")) == [], "its own seats, and a file that is written again"
