from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.errors import MachineError
from flatkit.updates.status import (
    Operation,
    UpdateConf,
    UpdateStatus,
    parse_status,
    parse_statuses,
    parse_update_conf,
)

IDLE = "LAST_CHECKED_TIME=0\nPROGRESS=0.000000\nCURRENT_OP=UPDATE_STATUS_IDLE\nNEW_VERSION=0.0.0\nNEW_SIZE=0\n"
AVAILABLE = (
    "LAST_CHECKED_TIME=1683129987\nPROGRESS=0.000000\nCURRENT_OP=UPDATE_STATUS_UPDATE_AVAILABLE\n"
    "NEW_VERSION=3510.2.1\nNEW_SIZE=368449012\n"
)
NEED_REBOOT = AVAILABLE.replace("UPDATE_AVAILABLE", "UPDATED_NEED_REBOOT")

statuses = st.builds(
    UpdateStatus,
    last_checked=st.integers(min_value=0, max_value=2**40),
    progress=st.integers(min_value=0, max_value=1000000).map(lambda n: n / 1000000),
    operation=st.sampled_from(Operation),
    new_version=st.from_regex(r"[0-9]{1,4}\.[0-9]\.[0-9]{1,2}", fullmatch=True),
    new_size=st.integers(min_value=0, max_value=2**40),
)


def test_the_five_lines() -> None:
    assert parse_status(IDLE) == UpdateStatus(
        last_checked=0, progress=0.0, operation=Operation.IDLE, new_version="0.0.0", new_size=0
    )
    found = parse_status(AVAILABLE)
    assert (found.last_checked, found.new_version, found.new_size) == (1683129987, "3510.2.1", 368449012)
    assert found.operation is Operation.AVAILABLE


def test_log_lines_of_standard_error_do_no_harm() -> None:
    log = "I0503 16:06:21.123456  1234 update_engine_client.cc:98] Querying Update Engine status...\n"
    assert parse_status(log + IDLE + log) == parse_status(IDLE)


def test_a_watched_update_is_read_status_by_status() -> None:
    found = parse_statuses(IDLE + "I0503 waiting\n" + AVAILABLE + NEED_REBOOT + "LAST_CHECKED_TIME=1\nPROGRESS=0.1\n")
    assert [one.operation for one in found] == [Operation.IDLE, Operation.AVAILABLE, Operation.NEED_REBOOT]
    assert [one.operation.is_over for one in found] == [True, False, True]
    assert parse_status(IDLE + AVAILABLE + NEED_REBOOT) == found[-1]


@given(st.lists(statuses, min_size=1, max_size=4))
def test_what_is_written_reads_back(found: list[UpdateStatus]) -> None:
    assert parse_statuses("".join(map(str, found))) == tuple(found)


def test_it_is_written_as_the_client_writes_it() -> None:
    assert str(parse_status(AVAILABLE)) == AVAILABLE


@pytest.mark.parametrize("text", ["", "Failed to connect to bus", IDLE.replace("NEW_SIZE=0\n", "")])
def test_no_status_is_an_error_with_what_was_said(text: str) -> None:
    with pytest.raises(MachineError, match="expected the five lines") as caught:
        parse_status(text)
    assert caught.value.details == text


@pytest.mark.parametrize(
    ("old", "new"), [("UPDATE_STATUS_IDLE", "UPDATE_STATUS_NAPPING"), ("NEW_SIZE=0", "NEW_SIZE=many")]
)
def test_a_value_that_no_client_says_is_an_error(old: str, new: str) -> None:
    with pytest.raises(MachineError, match="status cannot be read: .*" + new.split("=")[-1]):
        parse_status(IDLE.replace(old, new))


def test_update_conf() -> None:
    text = (
        "# my settings\n; also a comment\n\nGROUP=beta\nREBOOT_STRATEGY=\"off\"\nSERVER = 'http://10.0.2.2:8000/v1/update/' \n"
        'no assignment\nLOCKSMITHD_REBOOT_WINDOW_START="Thu 04:00"\nMACHINE_ALIAS=a=b\n#GROUP=alpha\n'
    )
    found = parse_update_conf(text)
    assert found.group == "beta"
    assert found.reboot_strategy == "off"
    assert found.server == "http://10.0.2.2:8000/v1/update/"
    assert found.values["LOCKSMITHD_REBOOT_WINDOW_START"] == "Thu 04:00"
    assert found.values["MACHINE_ALIAS"] == "a=b"
    assert len(found.values) == 5


def test_the_persons_settings_lie_over_the_images() -> None:
    found = parse_update_conf("GROUP=alpha\nGROUP=lts\n", defaults="SERVER=disabled\nGROUP=stable\n")
    assert (found.group, found.server, found.is_disabled, found.reboot_strategy) == ("lts", "disabled", True, "reboot")
    assert parse_update_conf("") == UpdateConf()
    assert not parse_update_conf("").is_disabled


@pytest.mark.parametrize("value", ["", '"', "'\"", '""'])
def test_odd_quotes_lose_nothing(value: str) -> None:
    assert parse_update_conf(f"GROUP={value}").group == ("" if value == '""' else value)
