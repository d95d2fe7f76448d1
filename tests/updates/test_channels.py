from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.errors import UsageError
from flatkit.updates.channels import Channels, MachineState, Release, version_key
from flatkit.updates.omaha import FLATCAR_APPID, AppRequest, Package, UpdateEvent

PACKAGE = Package(name="update.bin", size=1, sha1="00" * 20, sha256="00" * 32)


def release(version: str, *, allow_downgrade: bool = False) -> Release:
    return Release(version=version, packages=(PACKAGE,), allow_downgrade=allow_downgrade)


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
        ("110.2.0", "", False, True),
        ("110.2.0", "garbage", False, True),
        ("4799.0.0+nightly-20260821-2100", "4799.0.0", False, False),
    ],
)
def test_who_is_offered_what(published: str, running: str, allow_downgrade: bool, offered: bool) -> None:
    channels = Channels()
    channels.publish("stable", release(published, allow_downgrade=allow_downgrade))
    answer = channels.answer(check(running))
    assert (answer.version if answer else None) == (published if offered else None)


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
    with pytest.raises(UsageError, match="is no name of a channel"):
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
        MachineState.CURRENT,
        MachineState.OFFERED,
        MachineState.DOWNLOADING,
        MachineState.DOWNLOADED,
        MachineState.INSTALLED,
        MachineState.CURRENT,
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
    assert channels.machines[0].state is MachineState.FAILED
    channels.withdraw("stable")
    channels.answer(check("1.0.0", UpdateEvent(type=3, result=0, error_code=44)))
    assert channels.machines[0].state is MachineState.ROLLED_BACK
    channels.answer(check("1.0.0"))
    assert channels.machines[0].state is MachineState.ROLLED_BACK
    channels.publish("stable", release("1.0.2"))
    channels.answer(check("1.0.0"))
    assert channels.machines[0].state is MachineState.OFFERED
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


@given(
    st.tuples(*[st.integers(min_value=0, max_value=9999)] * 3),
    st.tuples(*[st.integers(min_value=0, max_value=9999)] * 3),
)
def test_versions_sort_by_their_numbers(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    text = ["{}.{}.{}".format(*version) for version in (one, other)]
    assert (version_key(text[0]) < version_key(text[1])) == (one < other)
