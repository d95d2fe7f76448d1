"""Who may sit down: names, PINs, passwords, and what wrong tries cost. Pure, with a clock of the test's own."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest

pytest.importorskip("bcrypt")

from flatkit.errors import HostError, UsageError
from flatkit.seats import login
from flatkit.seats.login import Door, Pins, Refused, Throttle
from flatkit.seats.names import account_of, parse_name
from flatkit.seats.settings import Settings, digest, is_password, load, new_password, save


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "_ROUNDS", 4)


def settings(folder: Path, *, seats: int = 3) -> Settings:
    return Settings(
        folder=folder, seats=seats, host="127.0.0.1", port=8000, hub_port=8081, api_port=8099, room_hash=digest("blue-fish"),
        trainer_hash=digest("long-words"), proxy_password="p", bin=Path("/opt/flatkit/bin"), cache=Path("/var/cache/x"),
    )  # fmt: skip


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(tmp_path: Path, clock: Clock) -> Door:
    return Door(settings(tmp_path), Pins(tmp_path / "pins.sqlite"), clock=clock)


def enter(door: Door, name: str, *, room: str = "blue-fish", pin: str = "1234", address: str = "10.0.0.1") -> str:
    return door.enter(name=name, room=room, pin=pin, address=address)


@pytest.mark.parametrize(
    ("text", "name"), [("ada", "ada"), (" Ada ", "ada"), ("ADA99", "ada99"), ("a1", "a1"), ("a" * 20, "a" * 20)]
)
def test_names_that_a_seat_may_have(text: str, name: str) -> None:
    assert parse_name(text) == name
    assert account_of(name) == f"seat-{name}"
    assert len(account_of(name, prefix="seat-t1234-")) <= 32


@pytest.mark.parametrize(
    "text",
    ["", "a", "1a", "a" * 21, "a b", "a/b", "../a", "a.b", "a-b", "a_b", "root\n", "ada\n", "ada\0", "ä" * 3, "ада",
     "x;id", "-rf", "%2e%2e", "a\u202eb", "$(id)"],
)  # fmt: skip
def test_names_that_no_seat_may_have(text: str, door: Door) -> None:
    if text.strip() in {"root", "ada"}:
        assert account_of(parse_name(text)) in {"seat-root", "seat-ada"}  # spaces around a name are not part of it
    else:
        with pytest.raises(UsageError, match="cannot be the name of a seat"):
            parse_name(text)
        with pytest.raises(Refused, match="cannot be the name of a seat") as caught:
            enter(door, text)
        assert caught.value.message.isprintable()
    with pytest.raises(UsageError):
        account_of(text)


def test_who_comes_first_owns_the_name(door: Door) -> None:
    assert enter(door, "Ada") == "ada"
    assert enter(door, "ada") == "ada"
    with pytest.raises(Refused, match='the seat "ada" belongs to somebody'):
        enter(door, "ADA", pin="4321", address="10.0.0.2")
    with pytest.raises(Refused, match="room's password is wrong"):
        enter(door, "bob", room="red-fish")
    with pytest.raises(Refused, match="PIN is too short"):
        enter(door, "bob", pin="123")
    assert enter(door, "bob", room=" Blue-Fish ") == "bob"


def test_the_trainer_has_a_password_of_their_own(door: Door) -> None:
    for pin in ("blue-fish", "1234", ""):
        with pytest.raises(Refused, match="trainer's password is wrong"):
            enter(door, "trainer", pin=pin)
    assert enter(door, "Trainer", room="", pin="long-words") == "trainer"
    with pytest.raises(Refused):
        enter(door, "ada", room="", pin="long-words")


def test_a_full_room_takes_owners_and_nobody_else(door: Door) -> None:
    for name in ("ada", "bob", "cy"):
        enter(door, name)
    with pytest.raises(Refused, match="all 3 seats are taken"):
        enter(door, "dan")
    assert enter(door, "bob") == "bob"


def test_two_at_once_for_one_name_and_for_the_last_seat(tmp_path: Path, clock: Clock) -> None:
    door = Door(settings(tmp_path, seats=2), Pins(tmp_path / "pins.sqlite"), clock=clock)
    outcomes: list[str] = []

    def come(name: str, pin: str) -> None:
        try:
            outcomes.append(enter(door, name, pin=pin, address=pin))
        except Refused as refused:
            outcomes.append(refused.message.split(";")[0])

    threads = [threading.Thread(target=come, args=("ada", f"{number}" * 4)) for number in range(5)]
    threads += [threading.Thread(target=come, args=(f"b{number}", f"9{number}99")) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert outcomes.count("ada") == 1
    assert sum(outcome in {f"b{number}" for number in range(5)} for outcome in outcomes) == 1


def test_wrong_pins_are_bounded_for_a_name_and_do_not_lock_its_owner_out(door: Door, clock: Clock) -> None:
    enter(door, "ada", address="home")
    seen = []
    for number in range(20):
        with pytest.raises(Refused) as caught:
            enter(door, "ada", pin=f"wrong{number}", address=f"10.0.0.{number}")
        seen.append(caught.value.wait > 0)
    assert seen == [False] * 5 + [True] * 15
    with pytest.raises(Refused, match="too many wrong tries: wait 10 s"):
        enter(door, "ada", address="elsewhere")  # even with the right PIN: a guess must not be told from it
    assert enter(door, "ada", address="home") == "ada"
    clock.now += 9.7
    with pytest.raises(Refused, match="wait 1 s"):  # not "wait 0 s"
        enter(door, "ada", address="elsewhere")
    clock.now += 0.3
    assert enter(door, "ada", address="elsewhere") == "ada"


def test_a_day_of_guessing_tries_few_pins(door: Door, clock: Clock) -> None:
    enter(door, "ada", address="home")
    tried = 0
    for number in range(2000):
        clock.now += 1.0
        try:
            enter(door, "ada", pin=f"w{number:04}", address=f"10.0.{number % 250}.1")
        except Refused as refused:
            tried += refused.wait == 0
    assert tried <= 5 + 2000 / 10 + 1


def test_a_guesser_behind_the_owners_address_is_bounded_as_well(door: Door, clock: Clock) -> None:
    """A whole room may be behind one address."""
    enter(door, "ada", address="room")
    tried = 0
    for number in range(1000):
        clock.now += 1.0
        with pytest.raises(Refused) as caught:
            enter(door, "ada", pin=f"w{number:04}", address="room")
        tried += caught.value.wait == 0
    assert tried <= 5 + 1000 / 10 + 1
    clock.now += 20.0
    assert enter(door, "ada", address="room") == "ada"


def test_wrong_tries_are_bounded_for_an_address_across_names(door: Door, clock: Clock) -> None:
    waits = []
    for number in range(40):
        with pytest.raises(Refused) as caught:
            enter(door, f"name{number}", room="wrong")
        waits.append(caught.value.wait > 0)
    assert waits == [False] * 30 + [True] * 10
    assert enter(door, "bob", address="10.0.0.2") == "bob"
    clock.now += 2.0
    assert enter(door, "ada") == "ada"


def test_right_tries_cost_nothing(door: Door) -> None:
    for _ in range(100):
        enter(door, "ada")


def test_a_throttle_forgets_the_oldest_and_is_bounded() -> None:
    throttle = Throttle(most=1, seconds=1000.0)
    for number in range(login._KEYS_MAX + 10):
        throttle.count(str(number), 0.0)
    assert len(throttle._used) == login._KEYS_MAX
    assert throttle.wait("0", 0.0) == 0
    assert throttle.wait(str(login._KEYS_MAX), 0.0) == 1000.0


@pytest.mark.parametrize("pin", ["\ud800abc", "p\0in", "🐟" * 4, "x" * 5000])
def test_odd_pins_work(door: Door, pin: str) -> None:
    assert enter(door, "ada", pin=pin) == "ada"
    assert enter(door, "ada", pin=pin) == "ada"
    with pytest.raises(Refused):
        enter(door, "ada", pin="another")


def test_the_file_of_pins_is_closed_and_has_no_pin(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "pins.sqlite"
    pins = Pins(path)
    enter(Door(settings(tmp_path), pins, clock=clock), "ada", pin="secret-pin")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"secret-pin" not in path.read_bytes()
    pins.replace("ada", "new-pin")
    pins.close()
    again = Door(settings(tmp_path), Pins(path), clock=clock)  # after a restart
    assert enter(again, "ada", pin="new-pin") == "ada"
    with pytest.raises(UsageError, match='nobody has the seat "bob"'):
        Pins(path).replace("bob", "1234")


def test_a_link_or_a_broken_file_of_pins_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "broken").write_bytes(b"not a database" * 100)
    for name in ("link", "broken"):
        with pytest.raises(HostError, match="file of PINs") as caught:
            Pins(tmp_path / name)
        assert "flatkit seats reset" in caught.value.hint
    assert not (tmp_path / "elsewhere").exists()


def test_names_survive_quotes(tmp_path: Path) -> None:
    pins = Pins(tmp_path / "pins.sqlite")
    assert pins.get("x' or '1'='1") is None
    assert isinstance(pins._db, sqlite3.Connection)


def test_passwords_are_readable_and_stored_as_digests() -> None:
    word = new_password(2)
    assert len(word) == 9
    assert not set(word) & set("0O1lIio")
    assert is_password(word, digest(word))
    assert not is_password(f"{word}x", digest(word))
    assert digest(word) != digest(word)


def test_the_room_is_stored_for_root_alone(tmp_path: Path) -> None:
    made = settings(tmp_path / "seats")
    save(made)
    path = made.folder / "room.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert "blue-fish" not in path.read_text()
    assert load(made.folder) == made
    path.chmod(0o644)
    with pytest.raises(HostError, match="closed to others"):
        load(made.folder)
    path.chmod(0o600)
    path.write_text('{"seats": 1e9}')
    with pytest.raises(HostError, match="cannot be used"):
        load(made.folder)
    path.unlink()
    with pytest.raises(HostError, match="this host has no room"):
        load(made.folder)
