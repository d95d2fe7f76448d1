from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.errors import HostError, UsageError
from flatkit.updates.channels import Channels
from flatkit.updates.model import (
    Book,
    Group,
    MachineSeen,
    PublishedRelease,
    SeenEvent,
    UpdateState,
    book_as_json,
    parse_book,
)
from flatkit.updates.omaha import FLATCAR_APPID, AppRequest, Package, Refusal, UpdateEvent

PACKAGE = Package(name="update.bin", size=1, sha1="00" * 20, sha256="00" * 32)


def release(version: str, *, allow_downgrade: bool = False) -> PublishedRelease:
    return PublishedRelease(version=version, packages=(PACKAGE,), allow_downgrade=allow_downgrade)


def check(version: str, *events: UpdateEvent, track: str = "stable", machine: str = "m1") -> AppRequest:
    return AppRequest(
        appid=FLATCAR_APPID, version=version, track=track, machine_id=machine, is_update_check=True, events=events
    )


def tell(version: str, type_: int, result: int, code: int = 0) -> AppRequest:
    event = UpdateEvent(type=type_, result=result, error_code=code)
    return AppRequest(appid=FLATCAR_APPID, version=version, track="stable", machine_id="m1", events=(event,))


@pytest.mark.parametrize(
    ("published", "running", "allow_downgrade", "offered"),
    [
        ("110.2.1", "110.2.0", False, True),
        ("110.2.0", "110.2.0", False, False),
        ("110.2.0", "110.2.0", True, False),
        ("110.2.0", "110.2.1", False, False),
        ("110.2.0", "110.2.1", True, True),
        ("110.10.0", "110.9.0", False, True),
        ("1000.2.0", "999.2.9", False, True),
        ("110.2.0", "0.0.0", False, True),
        ("110.2.0", "110.2.0-rc1", False, True),
        ("110.2.0-rc.10", "110.2.0-rc.9", False, True),
        ("110.2.0-rc.9", "110.2.0-rc.10", False, False),
        ("110.2.0-rc.9", "110.2.0-rc.10", True, True),
        ("110.2.0-rc.1+a", "110.2.0-rc.1+b", True, False),
        ("110.2.0", "12345678901.0.0", False, False),
        ("4799.0.0+nightly-20260821-2100", "4799.0.0", False, False),
    ],
)
def test_who_is_offered_what(published: str, running: str, allow_downgrade: bool, offered: bool) -> None:
    channels = Channels()
    channels.publish("stable", release(published, allow_downgrade=allow_downgrade))
    answer = channels.answer(check(running))
    assert (answer.version if answer else None) == (published if offered else None)


@pytest.mark.parametrize("running", ["", "garbage"])
def test_a_machine_without_a_version_is_refused(running: str) -> None:
    channels = Channels()
    channels.publish("stable", release("110.2.0"))
    assert channels.answer(check(running)) is Refusal.REGISTRATION
    assert channels.machines[0].offered == ""


def test_a_channel_without_a_release_offers_nothing() -> None:
    channels = Channels()
    assert channels.answer(check("1.2.3", track="beta")) is None
    channels.publish("beta", release("2.0.0"))
    assert channels.answer(check("1.2.3", track="stable")) is None
    found = channels.answer(check("1.2.3", track="beta"))
    assert found is not None
    channels.withdraw("beta")
    channels.withdraw("beta")
    assert channels.answer(check("1.2.3", track="beta")) is None


def test_promotion_hands_on_the_very_release() -> None:
    channels = Channels()
    channels.publish("alpha", release("3.0.0"))
    channels.publish("stable", release("1.0.0"))
    assert channels.promote("alpha", to="beta") == release("3.0.0")
    assert {name: one.version for name, one in channels.releases.items()} == {
        "alpha": "3.0.0",
        "beta": "3.0.0",
        "stable": "1.0.0",
    }
    with pytest.raises(UsageError, match=r"offers nothing that could be promoted; .* alpha, beta, stable"):
        channels.promote("lts", to="stable")


@pytest.mark.parametrize("name", ["", "Stable", "a/b", "..", "-x", "x" * 40])
def test_what_is_no_name_of_a_channel_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a channel"):
        Channels().publish(name, release("1.0.0"))


def test_the_life_of_an_update_as_the_server_sees_it() -> None:
    clock: Iterator[float] = iter(range(100, 200))
    channels = Channels(clock=lambda: float(next(clock)))
    states = []

    def say(app: AppRequest) -> None:
        channels.answer(app)
        states.append(channels.machines[0].state)

    say(check("1.0.0"))
    channels.publish("stable", release("1.0.1"))
    say(check("1.0.0"))
    say(tell("1.0.0", 13, 1))
    say(tell("1.0.0", 14, 1))
    say(tell("1.0.0", 3, 1))
    say(check("1.0.1", UpdateEvent(type=3, result=2, previous_version="1.0.0")))
    assert states == [
        UpdateState.CURRENT,
        UpdateState.OFFERED,
        UpdateState.DOWNLOADING,
        UpdateState.DOWNLOADED,
        UpdateState.INSTALLED,
        UpdateState.CURRENT,
    ]
    (machine,) = channels.machines
    assert (machine.version, machine.channel, machine.checks, machine.offered) == ("1.0.1", "stable", 3, "")
    assert (machine.first_seen, machine.last_seen) == (100.0, 105.0)
    assert [(seen.at, seen.version, seen.event.type) for seen in machine.events] == [
        (102.0, "1.0.0", 13),
        (103.0, "1.0.0", 14),
        (104.0, "1.0.0", 3),
        (105.0, "1.0.1", 3),
    ]


def test_a_failure_and_a_rollback_stay_visible_until_the_next_offer() -> None:
    channels = Channels()
    channels.publish("stable", release("1.0.1"))
    channels.answer(check("1.0.0"))
    channels.answer(tell("1.0.0", 3, 0, code=10))
    assert channels.machines[0].state is UpdateState.FAILED
    channels.withdraw("stable")
    channels.answer(check("1.0.0", UpdateEvent(type=3, result=0, error_code=44)))
    assert channels.machines[0].state is UpdateState.ROLLED_BACK
    channels.answer(check("1.0.0"))
    assert channels.machines[0].state is UpdateState.ROLLED_BACK
    channels.publish("stable", release("1.0.2"))
    channels.answer(check("1.0.0"))
    assert channels.machines[0].state is UpdateState.OFFERED
    assert channels.machines[0].offered == "1.0.2"


def test_a_ping_keeps_what_was_offered_and_who_it_is() -> None:
    channels = Channels()
    channels.publish("stable", release("1.0.1"))
    first = AppRequest(
        appid="x", version="1.0.0", track="stable", machine_id="m1", oem="qemu", alias="seat 4", is_update_check=True
    )
    channels.answer(first)
    assert (
        channels.answer(AppRequest(appid="x", version="1.0.0", track="stable", machine_id="m1", is_ping=True)) is None
    )
    (machine,) = channels.machines
    assert (machine.offered, machine.oem, machine.alias, machine.checks) == ("1.0.1", "qemu", "seat 4", 1)


def test_what_is_kept_has_bounds() -> None:
    ticks = iter(range(100000))
    channels = Channels(clock=lambda: float(next(ticks)))
    for number in range(1005):
        channels.answer(check("1.0.0", machine=f"m{number}"))
    assert len(channels.machines) == 1000
    assert channels.machines[0].machine_id == "m5"
    for _ in range(60):
        channels.answer(tell("1.0.0", 13, 1))
    assert len(next(m for m in channels.machines if m.machine_id == "m1").events) == 50
    channels.answer(check("1.0.0", machine=""))
    assert "" not in {machine.machine_id for machine in channels.machines}


def test_a_group_follows_a_channel_and_can_be_pinned_or_paused() -> None:
    channels = Channels()
    channels.publish("stable", release("110.2.0"))
    channels.publish("beta", release("120.1.0"))
    channels.set_group("canary", channel="beta")
    assert channels.answer(check("100.0.0", track="canary")) == release("120.1.0")
    (machine,) = channels.machines
    assert (machine.group, machine.channel) == ("canary", "beta")
    channels.set_group("canary", channel="beta", version="110.2.0")
    assert channels.answer(check("100.0.0", track="canary")) == release("110.2.0")
    channels.set_group("canary", channel="beta", paused=True)
    assert channels.answer(check("100.0.0", track="canary")) is Refusal.PAUSED
    assert channels.answer(tell("100.0.0", 13, 1)) is None
    channels.set_group("stable", channel="beta")  # a group may take the place of a channel's own
    assert channels.answer(check("100.0.0")) == release("120.1.0")
    channels.remove_group("stable")
    channels.remove_group("canary")
    channels.remove_group("canary")  # once more does nothing
    assert channels.answer(check("100.0.0")) == release("110.2.0")
    assert channels.answer(check("100.0.0", track="canary")) is Refusal.UNKNOWN


def test_a_group_of_nonsense_is_refused() -> None:
    channels = Channels()
    with pytest.raises(UsageError, match=r'cannot be pinned to "1\.2\.3"; published are: none'):
        channels.set_group("canary", channel="beta", version="1.2.3")
    with pytest.raises(UsageError, match='"A b" is not the name'):
        channels.set_group("A b", channel="beta")
    with pytest.raises(UsageError, match='"" is not the name'):
        channels.set_group("canary", channel="")
    assert channels.groups == {}


def test_promotion_takes_every_board_along() -> None:
    channels = Channels()
    channels.publish("alpha", release("130.0.0"))
    channels.publish("alpha", replace(release("130.0.0"), board="arm64-usr"))
    channels.promote("alpha", to="beta")
    assert channels.releases_for("arm64-usr")["beta"].board == "arm64-usr"
    assert channels.releases["beta"].board == "amd64-usr"
    channels.withdraw("beta")
    assert channels.releases_for("arm64-usr").keys() == {"alpha"}


def test_lab_machines_and_flatcar_machines_share_a_server() -> None:
    channels = Channels()
    channels.publish("beta", release("4757.1.0"))
    channels.publish("beta", replace(release("120.1.0"), for_lab=True))
    lab = replace(check("110.2.0", track="beta"), is_lab=True)
    assert channels.answer(lab) == replace(release("120.1.0"), for_lab=True)
    assert channels.answer(check("4593.2.5", track="beta")) == release("4757.1.0")
    assert channels.releases["beta"].version == "4757.1.0"
    assert "beta     120.1.0 for lab machines" in str(channels)
    channels.withdraw("beta")
    assert channels.answer(lab) is None
    channels.publish("beta", release("111.0.0"))  # said to be for any machine
    assert channels.answer(lab) == release("111.0.0")


def test_the_state_outlives_the_process_and_is_shared(tmp_path: Path) -> None:
    store = tmp_path / "room" / "channels.json"
    served = Channels(store=store)
    assert not store.parent.exists()  # looking makes nothing
    assert served.machines == ()
    served.publish("beta", release("120.1.0"))
    served.set_group("canary", channel="beta")
    served.answer(check("110.2.0", UpdateEvent(type=3, result=2, previous_version="0.0.0"), track="canary"))
    assert store.stat().st_mode & 0o777 == 0o600
    notebook = Channels(store=store)
    assert notebook.machines == served.machines
    assert notebook.machines[0].state is UpdateState.OFFERED
    assert notebook.groups == served.groups
    notebook.promote("beta", to="stable")
    assert served.answer(check("110.2.0", machine="m2")) == release("120.1.0")
    assert [machine.machine_id for machine in notebook.machines] == ["m1", "m2"]
    notebook.forget_machines()
    assert served.machines == ()


def test_changes_of_two_processes_do_not_get_lost(tmp_path: Path) -> None:
    both = [Channels(store=tmp_path / "channels.json") for _ in range(2)]

    def ask_from(at: int) -> None:
        for number in range(20):
            both[at].answer(check("1.2.3", machine=f"{at}-{number}"))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask_from, range(2)))
    assert len(both[0].machines) == len(both[1].machines) == 40


TIMES = {"version": "1", "channel": "b", "first_seen": 1, "last_seen": 2.5}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "offers": {"x": {"y": {}}}}', "\0"])
def test_a_broken_state_is_named_and_machines_are_answered_all_the_same(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "channels.json"
    channels = Channels(store=store)
    channels.publish("stable", release("2.0.0"))
    store.write_text(text)
    with pytest.raises(HostError, match=r"cannot be kept in .*channels\.json") as caught:
        _ = channels.machines
    assert caught.value.hint.startswith("mv ")
    assert channels.answer(check("1.0.0")) == release("2.0.0")
    assert "cannot be kept" in caplog.text
    assert store.read_text() == text


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"machines": {"m": "x"}}, "machines.m is"),
        ({"machines": {"m": {"machine_id": "m", "version": 1}}}, "machines.m.version is 1; expected a text"),
        (
            {"machines": {"m": {"machine_id": "m", "version": "1", "channel": "b", "first_seen": "now"}}},
            "first_seen is",
        ),
        ({"machines": {"m": {"machine_id": "other", **TIMES}}}, "has another machine_id"),
        ({"machines": {"m": {"machine_id": "m", **TIMES, "checks": True}}}, "checks is true; expected a whole number"),
        ({"machines": {"m": {"machine_id": "m", **TIMES, "events": {}}}}, "events is an object; expected a list"),
        ({"offers": []}, "offers is a list; expected an object"),
        ({"offers": {"amd64-usr": {"beta": {"version": "1", "packages": [{"name": "x"}]}}}}, "size is missing"),
        ({"known": {"amd64-usr": {"1.2.3": {"version": "9.9.9", "packages": []}}}}, "has another version"),
        ({"groups": {"g": {"name": "g", "channel": None}}}, "channel is null; expected a text"),
        ({"groups": {"g": {"name": "g", "channel": "b", "paused": 1}}}, "paused is 1; expected true or false"),
        ({"format": 2}, "format is 2"),
        ({"machines": json.loads("[" * 400 + "]" * 400)}, "machines is a list"),
    ],
)
def test_a_state_of_other_types_is_named_kept_and_moved_aside_by_its_hint(
    tmp_path: Path, change: dict[str, object], named: str
) -> None:
    store = tmp_path / "channels.json"
    text = json.dumps({"format": 1, **change})
    store.write_text(text)
    with pytest.raises(HostError, match=re.escape(named)) as caught:
        Channels(store=store).publish("beta", release("1.2.3"))
    assert store.read_text() == text
    subprocess.run(["sh", "-c", caught.value.hint.partition("   ")[0]], check=True)
    assert (tmp_path / "channels.json.broken").read_text() == text
    Channels(store=store).publish("beta", release("1.2.3"))
    assert Channels(store=store).releases["beta"] == release("1.2.3")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_text('{"format": 1, "groups": {"\\ud800": {}}}'),
        lambda path: path.write_bytes(b"\xff"),
        lambda path: path.write_text("9" * 5000),
        lambda path: os.mkfifo(path),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path),
    ],
)
def test_a_state_that_is_none_is_an_error_in_words(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    store = tmp_path / "channels.json"
    spoil(store)
    with pytest.raises(HostError, match="cannot be kept in") as caught:
        str(Channels(store=store))
    assert caught.value.message.isprintable()


def test_a_state_of_a_newer_or_older_flatkit_is_read(tmp_path: Path) -> None:
    store = tmp_path / "channels.json"
    machine = {"machine_id": "m", **TIMES, "state": "dreaming", "mood": {"x": [1]}, "alias": "web"}
    store.write_text(json.dumps({"format": 1, "machines": {"m": machine}, "weather": []}))
    channels = Channels(store=store)
    assert [(found.name, found.state) for found in channels.machines] == [("web", UpdateState.CURRENT)]
    assert channels.groups == channels.releases == {}


def test_a_release_without_files_is_not_offered(tmp_path: Path) -> None:
    store = tmp_path / "channels.json"
    Channels(store=store).publish("beta", PublishedRelease(version="9.9.9", packages=()))
    assert Channels(store=store).answer(check("1.0.0", track="beta")) is None


def test_a_state_that_could_not_be_read_again_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "channels.json"
    channels = Channels(store=store)
    channels.publish("beta", release("1.2.3"))
    before = store.read_text()
    monkeypatch.setattr("flatkit.updates.channels.STATE_MAX", len(before) + 100)
    with pytest.raises(HostError, match="expected at most"):
        channels.publish("x" * 32, release("1.2.4"))
    assert store.read_text() == before


def test_a_writer_that_is_killed_leaves_nothing_for_long(tmp_path: Path) -> None:
    """It is ended between writing its part and renaming it."""
    store = tmp_path / "channels.json"
    Channels(store=store).publish("beta", release("1.2.3"))
    before = store.read_text()
    code = (
        "import os, sys; from pathlib import Path; from flatkit.updates.channels import Channels;"
        "Path.replace = os.replace = os.rename = lambda *_, **__: os.kill(os.getpid(), 9);"
        "Channels(store=Path(sys.argv[1])).set_group('g', channel='beta')"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code, str(store)], capture_output=True, text=True)
        assert done.returncode == -9, done.stderr
    assert store.read_text() == before
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith(".channels.json.")]
    assert len(left) == 1  # of the last one alone
    Channels(store=store).set_group("h", channel="beta")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["channels.json", "channels.json.lock"]


def test_the_table_as_text() -> None:
    now = [1000.0]
    channels = Channels(clock=lambda: now[0])
    assert str(channels) == "channel  offers\n\nno machine has asked yet"
    channels.publish("beta", release("120.1.0"))
    channels.set_group("canary", channel="beta", version="120.1.0", paused=True)
    channels.answer(check("110.2.0", machine="0123456789abcdef", track="beta"))
    now[0] += 12
    assert str(channels).splitlines() == [
        "channel  offers",
        "beta     120.1.0",
        "canary   as beta, paused, pinned to 120.1.0",
        "",
        "machine   group  runs     state    seen",
        "01234567  beta   110.2.0  offered  12 s ago",
    ]


CODE = st.integers(0, 10**9)
EVENT = st.builds(UpdateEvent, type=CODE, result=CODE, error_code=CODE, previous_version=st.text())
SEEN = st.builds(
    MachineSeen,
    machine_id=st.text(), version=st.text(), channel=st.text(), group=st.text(), alias=st.text(),
    first_seen=st.floats(0, 1e10), last_seen=st.floats(0, 1e10), state=st.sampled_from(UpdateState),
    events=st.lists(
        st.builds(SeenEvent, at=st.floats(0, 1e10), version=st.text(), event=EVENT), max_size=3
    ).map(tuple),
)  # fmt: skip


@given(st.lists(SEEN, max_size=3))
def test_a_book_comes_back_as_it_was(seen: list[MachineSeen]) -> None:
    machines = {found.machine_id: found for found in seen}
    book = Book(machines=machines, groups={"g": Group(name="g", channel="beta")}, offers={"b": {"c": release("1.2.3")}})
    assert parse_book(json.loads(json.dumps(book_as_json(book)))) == book


@pytest.mark.parametrize("slip", ["stabel", "stabl", "betta", "alhpa"])
def test_a_channel_that_is_nearly_known_is_asked_about(slip: str) -> None:
    channels = Channels()
    with pytest.raises(UsageError, match=f'there is no channel "{slip}"') as caught:
        channels.publish(slip, release("120.1.0"))
    assert "did you mean" in caught.value.hint
    channels.publish("beta", release("120.1.0"))
    with pytest.raises(UsageError, match="no channel"):
        channels.promote("beta", to=slip)
    with pytest.raises(UsageError, match="no channel"):
        channels.set_group("mine", channel=slip)
    assert set(channels.releases) == {"beta"}, "no new channel was made"
    with pytest.raises(UsageError) as caught:
        channels.promote("betta", to="stable")
    assert caught.value.hint == 'did you mean "beta"?'


def test_a_channel_of_your_own_is_made() -> None:
    channels = Channels()
    channels.publish("beta", release("120.1.0"))
    for own in ("lts-2026", "canary", "workshop", "stable-2"):
        channels.promote("beta", to=own)
        assert channels.releases[own].version == "120.1.0"
