"""A whole day of a real update_engine 0.4.10 (and of the lab's client after it) with this server, request by request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flatkit.updates.channels import Channels
from flatkit.updates.model import PublishedRelease, UpdateState
from flatkit.updates.omaha import Package, parse_request
from flatkit.updates.repository import Site
from flatkit.updates.request_batches import UpdateRequest

RECORD = (Path(__file__).resolve().parent / "golden/update_engine-0.4.10-conversation.txt").read_text()
EXCHANGES = [
    (asked.encode(), answer.strip().encode() + b"\n")
    for asked, answer in re.findall(r"^>>> (.*?)\n\n<<< (.*?)(?=\n---|\Z)", RECORD, re.DOTALL | re.MULTILINE)
]
HOST = "10.0.2.2:18765"
BETA = Package(
    name="flatcar_production_update.gz",
    size=892053,
    sha1="0bb7f5406eedb2e497068e57f5e14ab971f368ac",
    sha256="a7640c7d8c89e8c5e1129551effe9b6c6ce002d92f586ee617baa7a66cdfbf5d",
)
STABLE = (
    Package(
        name="flatcar_production_update.gz",
        size=892053,
        sha1="ca93dd5a726a5256d220641ae66aa1d5d3a475e2",
        sha256="c4b38e26cb3bd019ad6dd65e6378ba20da9f1a346147cac906e6a83bafe0ea83",
    ),
    Package(
        name="oem-qemu.gz",
        size=5000,
        sha1="c068a1f54d77965b428a7969125313ce29abb93b",
        sha256="c59d3c0480cc2d71d8f646e735e92da65450311eec46e81a5db8c7e6e8a92054",
    ),
)


@pytest.fixture
def site() -> Site:
    channels = Channels()
    channels.publish("beta", PublishedRelease(version="4000.1.0", packages=(BETA,)))
    channels.publish("stable", PublishedRelease(version="4593.2.5", packages=STABLE))
    channels.set_group("paused", channel="stable", paused=True)
    return Site(channels=channels)


def ask(site: Site, data: bytes) -> bytes:
    (answer,) = site.answer_together([UpdateRequest(data=data, host=HOST)])
    assert isinstance(answer, bytes)
    return answer


def test_every_request_gets_the_answer_of_the_record(site: Site) -> None:
    assert len(EXCHANGES) == RECORD.count("\n=== ") > 20
    for asked, answer in EXCHANGES:
        assert ask(site, asked).decode() == answer.decode()


def test_the_table_of_machines_follows_the_real_engine(site: Site) -> None:
    states, codes = [], []
    for asked, _ in EXCHANGES:
        if b'version="update_engine-0.4.10"' not in asked:
            break
        ask(site, asked)
        (machine,) = site.channels.machines
        states.append(machine.state.name)
        codes += [event.error_code for event in parse_request(asked).apps[0].events if event.error_code]
    assert codes == [34, 34, 29]
    assert states == [
        "CURRENT",  # lts has no release
        "CURRENT", "FAILED",  # an unknown group
        "RECOVERED", "FAILED",  # a paused one
        "OFFERED", "DOWNLOADING", "FAILED",  # a corrupt payload
        "OFFERED", "DOWNLOADING", "DOWNLOADED", "INSTALLED",  # an update
    ]  # fmt: skip
    assert [(seen.event.type, seen.event.result) for seen in machine.events] == [
        (3, 0), (3, 0), (13, 1), (3, 0), (13, 1), (14, 1), (3, 1),
    ]  # fmt: skip


def test_a_machine_that_failed_is_shown_so_while_it_asks_again_for_the_same_version(site: Site) -> None:
    offered, started, failed = EXCHANGES[5][0], EXCHANGES[6][0], EXCHANGES[7][0]
    for asked, state in (
        (offered, UpdateState.OFFERED), (started, UpdateState.DOWNLOADING), (failed, UpdateState.FAILED),
        (offered, UpdateState.FAILED), (offered, UpdateState.FAILED), (started, UpdateState.DOWNLOADING),
    ):  # fmt: skip
        ask(site, asked)
        assert site.channels.machines[0].state is state
    assert site.channels.machines[0].offered == "4000.1.0"


def test_a_rollback_comes_with_a_check_and_stays(site: Site) -> None:
    offered = EXCHANGES[5][0]
    rolled_back = offered.replace(
        b'eventtype="3" eventresult="2" previousversion=""', b'eventtype="3" eventresult="0" errorcode="268435500"'
    )
    for asked in (offered, rolled_back, offered):
        ask(site, asked)
    assert site.channels.machines[0].state is UpdateState.ROLLED_BACK
    newer = offered.replace(b' version="110.2.0"', b' version="4000.1.0"')
    ask(site, newer)
    assert site.channels.machines[0].state is UpdateState.CURRENT


def event(code: str, *, kind: str = "3", result: str = "0") -> bytes:
    return EXCHANGES[7][0].replace(
        b'eventtype="3" eventresult="0" errorcode="268435485"',
        f'eventtype="{kind}" eventresult="{result}" errorcode="{code}"'.encode(),
    )


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("268435490", 34),
        ("1073741833", 9),  # a resumed download
        ("1342177289", 9),  # the same from a server that is not the public one
        ("536870922", 10),
        ("-2147481648", 2000),  # developer mode, as a signed number
        ("2147485648", 2000),
        ("268437860", 2404),
        (" 44 ", 44),
        ("", 0),
    ],
)
def test_error_codes_are_read_without_their_flags(site: Site, sent: str, code: int) -> None:
    assert b'<event status="ok" />' in ask(site, event(sent))
    assert site.channels.machines[0].events[-1].event.error_code == code


@pytest.mark.parametrize("sent", ["x", "1.0", "9223372036854775808", "1" * 30, "٣", "0x1", "1 2"])
def test_codes_that_nebraska_cannot_read_are_refused(site: Site, sent: str) -> None:
    (answer,) = site.answer_together([UpdateRequest(data=event(sent), host=HOST)])
    assert isinstance(answer, Exception)
    assert site.channels.machines == ()


@pytest.mark.parametrize(
    ("kind", "result", "previous", "is_stored"),
    [
        ("3", "2", "", False),
        ("3", "2", "0.0.0.0", False),
        ("3", "2", "0.0.0", True),  # an update that was forced by this version
        ("3", "2", "110.1.0", True),
        ("3", "9", "", False),
        ("1", "1", "", False),
        ("-3", "0", "", False),
        ("800", "1", "", True),
    ],
)
def test_events_are_stored_as_in_nebraska(site: Site, kind: str, result: str, previous: str, is_stored: bool) -> None:
    asked = event("0", kind=kind, result=result).replace(
        b"></event>", f' previousversion="{previous}"></event>'.encode()
    )
    assert b'<event status="ok" />' in ask(site, asked)
    assert bool(site.channels.machines[0].events) == is_stored


@pytest.mark.parametrize(
    ("kind", "result", "code", "said"),
    [
        ("3", "0", str(2404 | 1 << 28), "update complete: error 2404: the update server answered with HTTP status 404"),
        ("3", "0", str(9 | 1 << 30), "update complete: error 9: the transfer failed"),
        ("3", "0", "99", "update complete: error 99: see update_engine"),
        ("800", "1", "0", "update installed: success"),
    ],
)
def test_events_are_named(site: Site, kind: str, result: str, code: str, said: str) -> None:
    ask(site, event(code, kind=kind, result=result))
    (machine,) = site.channels.machines
    assert str(machine.events[0].event) == said
    assert str(machine.state) == ("failed" if result == "0" else "installed, waits for a reboot")


def test_groups_and_applications_are_named_exactly(site: Site) -> None:
    stable = EXCHANGES[8][0]
    assert b'updatecheck status="ok"' in ask(site, stable)
    for found, wrong in (
        (b'track="stable"', b'track="STABLE"'),
        (b'track="stable"', b'track="{9a2deb70-37be-4026-853f-bfdd6b347bbe}"'),
        (b"{e96281a6-d1af-4bde-9a0a-97b76e56dc57}", b"{E96281A6-D1AF-4BDE-9A0A-97B76E56DC57}"),
    ):
        assert b'status="error-failedToRetrieveUpdatePackageInfo"' in ask(site, stable.replace(found, wrong))


def test_nothing_is_answered_after_an_unknown_application(site: Site) -> None:
    stable = EXCHANGES[8][0]
    (app,) = re.findall(rb"<app appid=.*</app>", stable, re.DOTALL)
    other = b'<app appid="{b}" machineid="03d01b4b383b44bf92d3ffd374b8a717" version="1"><updatecheck/></app>'
    assert ask(site, stable.replace(app, other + app)).count(b"<app ") == 1
    assert site.channels.machines == ()


@pytest.mark.parametrize("attribute", ["eventtype", "eventresult", "errorcode"])
@pytest.mark.parametrize("value", ["", '=""'])
def test_an_event_without_a_number_has_zero(site: Site, attribute: str, value: str) -> None:
    named = f" {attribute}{value}" if value else ""
    asked = re.sub(rf' {attribute}="[0-9]+"', named, EXCHANGES[7][0].decode()).encode()
    assert b'<event status="ok" />' in ask(site, asked)
    assert bool(site.channels.machines[0].events) == (attribute != "eventtype")  # Nebraska stores no event 0


def running(version: str) -> bytes:
    """The check of a machine that runs a version."""
    return EXCHANGES[8][0].replace(b'version="110.2.0" track', f'version="{version}" track'.encode())


@pytest.mark.parametrize(
    "version", ["", "x", "110", "110.2", "110.2.0.1", "v110.2.0", "0110.2.0", "110.02.0", "110.2.0-"]
)
def test_a_version_that_is_not_semantic_gets_no_offer(site: Site, version: str) -> None:
    answer = ask(site, running(version)).decode()
    assert 'status="error-instanceRegistrationFailed">' in answer
    assert '<ping status="ok" />\n  <updatecheck status="error-internal" />\n  <event status="ok" />' in answer


@pytest.mark.parametrize(
    ("version", "is_offered"),
    [
        ("4593.2.4", True), ("4593.2.5-rc1", True), ("4593.2.4+dev-1", True), ("0.0.0", True),
        ("4593.2.5", False), ("4593.2.5+nightly-1", False), ("4593.2.6-rc1", False), ("9999.0.0", False),
    ],
)  # fmt: skip
def test_offers_follow_semantic_versions(site: Site, version: str, is_offered: bool) -> None:
    expected = b'<updatecheck status="ok">' if is_offered else b'<updatecheck status="noupdate" />'
    assert expected in ask(site, running(version))


@pytest.mark.parametrize("length", [64, 65, 253])
def test_an_alias_may_be_a_hosts_whole_name(site: Site, length: int) -> None:
    alias = ("node-1.example." * 20)[:length]
    assert b'<ping status="ok" />' in ask(site, EXCHANGES[8][0].replace(b'alias=""', f'alias="{alias}"'.encode()))
    assert site.channels.machines[0].name == alias
