"""Text that a guest controls, and records on disk: whatever they hold, there is no traceback, no hang and no forged sign."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flatkit.errors import MachineError
from flatkit.events import Observer
from flatkit.machines.banner import BannerProbe
from flatkit.machines.checkpoints import list_checkpoints
from flatkit.machines.console import ConsoleReader, clean, read_tail
from flatkit.machines.failures import FAILURES, find_failure, find_restart, telling_lines
from flatkit.machines.hypervisor import Activity
from flatkit.machines.ignition_log import find_fetching, find_trouble
from flatkit.machines.keys import load_host_keys, parse_host_key
from flatkit.machines.phases import PHASES, find_phase
from flatkit.machines.ready import Booting, ReadyWait
from flatkit.machines.records import Record, RecordBroken
from flatkit.machines.states import DomainState, Status
from flatkit.machines.store import Folder
from flatkit.machines.timeline import Timeline
from flatkit.untrusted import printable
from flatkit.updates.slots import parse_cgpt_show
from flatkit.updates.status import parse_status, parse_statuses, parse_update_conf

LONGEST = 4096
T = TypeVar("T")
DOES_NOT_HANG = 30.0  # seconds, of what takes milliseconds
QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
GOLDEN = Path(__file__).parents[1] / "machines/golden/records/present.json"

# Pieces that the parsers look for, so that what is made of them comes far.
WORDS = st.sampled_from([
    "ignition[1]: ", "systemd[1]: ", "[    1.000000] ", "[ 99999999999999999999.000000] ", "[failed] ", "GET ", "GET error: ",
    "GET result: ", ": attempt #", "CRITICAL : ", "Ignition failed: ", "Ignition stage files failed", "Stage: ", "error at $.a",
    'Stderr: "', '"', "\\", "'", ": ", "waiting for devices [", "]", "/sysroot/", "0" * 64, "9" * 400, "\u0663", "\xb2",
    "\x1b[31m",
    "\x1b]0;", "\x9b2J", "\r", "\n", "\0", "\u2028", "\u202e", "\x85", " ", " - ", "Command line: ", "BOOT_IMAGE=/x/vmlinuz-a",
    "Linux version 6", "Kernel panic - not syncing", "Rebooting in ", " seconds", "emergency shell or wait ",
    " minutes for reboot", "SSH host key: SHA256:", "A" * 43, " (ED25519)", "lab-initrd: Failed: ", "https://h/x", "-1", "1e999",
    "nan", "=", "LAST_CHECKED_TIME", "PROGRESS", "CURRENT_OP", "UPDATE_STATUS_IDLE", "NEW_VERSION", "NEW_SIZE", 'Label: "',
    "Attr: priority=", " tries=", " successful=", "Type: Alias for flatcar-rootfs", "GROUP", "#",
])  # fmt: skip
TEXT = st.lists(WORDS | st.text(max_size=5), max_size=40).map("".join)


def within_time(action: Callable[[], object]) -> None:
    began = time.monotonic()
    action()
    assert time.monotonic() - began < DOES_NOT_HANG


def outcome_of(action: Callable[[], T]) -> tuple[T | None, MachineError | None]:
    """What an action returned, or its error, which is one that can be shown."""
    try:
        return action(), None
    except MachineError as caught:
        error = caught
    assert printable(error.message, limit=100_000) == error.message
    assert len(error.details) <= 4096
    return None, error


# Console


@given(st.lists(st.binary(max_size=200) | TEXT.map(lambda text: text.encode(errors="surrogateescape")), max_size=20))
@QUICK
def test_a_console_is_read_as_lines_that_drive_no_terminal(tmp_path: Path, pieces: list[bytes]) -> None:
    path = tmp_path / "console.log"
    path.write_bytes(b"\n".join(pieces))
    with ConsoleReader(path) as reader:
        lines = [line.text for line in reader.read()] + [reader.partial]
    for line in (*lines, *read_tail(path)):
        assert len(line) <= LONGEST
        assert not {
            character for character in line if character != "\t" and (character < " " or "\x7f" <= character <= "\x9f")
        }
        assert not set(line) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\u2029")


@given(st.lists(TEXT, max_size=30))
@QUICK
def test_any_lines_are_followed(lines: list[str]) -> None:
    timeline = Timeline(Observer())
    timeline.start(0.0)
    for at, line in enumerate(map(clean, lines)):
        timeline.feed(line, float(at))
        assert 0 <= timeline.restart_delay < 1e7
        parse_host_key(line)
    timeline.finish(at=100.0)
    assert all(len(line) <= LONGEST for line in telling_lines(lines))
    for trouble in (find_trouble(lines), find_fetching(lines)):
        assert trouble is None or len(trouble.clues) <= 32


HOSTILE = {
    "ignition": "ignition[1]: " * 400,
    "get": "ignition[1]: GET " + "x" * 4000,
    "stages": "ignition[1]: x Stage: " * 200,
    "verity": "device-mapper: verity: " * 200,
    "slots": "ommand line: " + "ommand line: BOOT_IMAGE=/" * 160,
    "images": "Command line: " + "BOOT_IMAGE=/" * 340,
    "brackets": "[" * 4096,
    "stamps": "[" + " ." * 2000,
    "errors": "error " * 680,
    "quotes": 'ignition[1]: "' + '\\"' * 2000,
    "quoted": 'ignition[1]: [failed] ' + '"a":' * 1000,
    "sysroot": 'ignition[1]: [failed] "/sysroot/' + "/sysroot/" * 400,
    "stderr": 'ignition[1]: Ignition failed: ' + 'Stderr: "' * 400,
    "escapes": "\x1b]" * 2048,
    "csi": "\x1b[" + "0;" * 2040,
    "digits": "emergency shell or wait " + "9" * 4000 + " minutes for reboot",
    "seconds": "Rebooting in " + "9" * 4000 + " seconds",
    "stamp": "[" + "9" * 4000 + ".000000] x",
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_no_line_takes_long(case: str) -> None:
    lines = [HOSTILE[case][:LONGEST]] * 400  # what a reader's tail holds

    def work() -> None:
        timeline = Timeline(Observer())
        timeline.start(0.0)
        for line in map(clean, lines):
            timeline.feed(line, 1.0)
            parse_host_key(line)
        find_trouble(lines)
        find_fetching(lines)
        telling_lines(lines)

    within_time(work)


def test_a_line_without_end_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with path.open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 1024 * 1024)
        file.write(b"\nlast\n")

    def work() -> None:
        with ConsoleReader(path) as reader:
            size = path.stat().st_size
            while reader.total < size:
                assert all(len(line.text) <= LONGEST for line in reader.read())
                assert len(reader.partial) <= LONGEST
            assert reader.tail[-1] == "last"

    within_time(work)
    assert read_tail(path, within=60 * 1024 * 1024)[-1] == "last"
    assert max(map(len, read_tail(path, within=60 * 1024 * 1024))) <= LONGEST


KEY = f"SSH host key: SHA256:{'A' * 43} (ED25519)"


@pytest.mark.parametrize("line", [KEY, f"[   12.345678] {KEY}", f"[ 1.0] {KEY.replace(' (', '= (')}"])
def test_a_host_key_on_a_line_of_its_own_is_seen(line: str) -> None:
    assert parse_host_key(line)
    phase = find_phase(line)
    assert phase is not None
    assert phase.name == "ssh"


@pytest.mark.parametrize(
    "around",
    [
        'ignition[1]: INFO : files: op(3): [started]  writing file "/sysroot/{}"',
        "ignition[1]: GET error: {}",
        "[    3.000000] ignition[1]: DEBUG : {}",
        "[  OK  ] Started x.service - {}.",
        "[    3.000000] systemd[1]: Started x.service - {}.",
        "[    3.000000] app[812]: {}",
        "web login: {}",
        "Hello. {}",
        "{} and more",
        "\u00a0{}",
        "12:00 {}",
    ],
)
def test_quoted_text_is_no_host_key(around: str) -> None:
    """The config's file names, unit descriptions, servers' answers and programs' logs are on the console too."""
    line = clean(around.format(KEY))
    assert KEY in line
    assert parse_host_key(line) is None


@pytest.mark.parametrize(
    "around",
    [
        '[    3.000000] ignition[1]: INFO : files: op(3): [started]  writing file "/sysroot/{}"',
        '[    3.000000] ignition[1]:   "contents": "say \\"{}\\""',
        "[    3.000000] systemd[1]: Started x.service - {}.",
        "[    3.000000] systemd[1]: Starting x.service - {}...",
        "[    3.000000] app[812]: {}",
    ],
)
@pytest.mark.parametrize(
    "sign",
    [
        "Kernel panic - not syncing: x", "lab-initrd: Failed: no network", "Linux version 6.1", "lab-selector: started",
        "Ignition stage files failed", "Out of memory: Killed", "Press Enter for emergency shell", "SeaBIOS (version 1)",
        "Rebooting in 10 seconds", "ignition[1]: CRITICAL x", "lab-initrd: switching to the root file system",
    ],
)  # fmt: skip
def test_quoted_text_is_no_sign(around: str, sign: str) -> None:
    """A file or unit may be called like a failure or a phase; a boot must not be given up because of it."""
    line = around.format(sign)
    assert find_failure(line) is None
    assert find_phase(line) is None
    assert find_restart(line) is None
    # By itself it is one of those that are looked for.
    assert find_failure(sign) or find_phase(sign) or find_restart(sign) is not None


def test_every_sign_is_looked_for_without_unicode_digits() -> None:
    assert find_restart("Rebooting in \u0663 seconds") is None
    assert len(PHASES) > 10
    assert len(FAILURES) > 10


def test_very_many_host_keys_are_not_all_kept(tmp_path: Path) -> None:
    console = tmp_path / "console.log"
    keys = [f"SSH host key: SHA256:{number:043d} (ED25519)" for number in range(20_000)]
    console.write_text("\n".join(keys) + "\n")
    booting = Booting(
        name="web", console=console, port=9, knock_port=None,
        status=lambda: Status(state=DomainState.STOPPED), activity=Activity,
    )  # fmt: skip
    waiting = ReadyWait(booting, observer=Observer())
    with waiting._reader:
        within_time(waiting._take_lines)
    assert [key.fingerprint for key in waiting._keys()] == [line[14:64] for line in keys[:8]]


def test_a_server_that_never_says_its_name_is_left(tmp_path: Path) -> None:
    """More than a greeting without a banner: what is peeked at would be the same for ever."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        BannerProbe(listener.getsockname()[1], knock_port=None) as probe,
    ):
        assert probe.poll(0.01) is None
        first = next(iter(probe._tries.open))
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"x" * 5000)
            deadline = time.monotonic() + DOES_NOT_HANG
            while first in probe._tries.open and time.monotonic() < deadline:
                assert probe.poll(0.01) is None
            assert first.fileno() == -1


# Slots, status, settings


@given(TEXT | st.text())
@QUICK
def test_any_cgpt_output_is_slots_or_an_error(text: str) -> None:
    slots, _ = outcome_of(lambda: parse_cgpt_show(text, running=text[:50]))
    assert all(0 <= number < 100 for slot in slots or () for number in slot.bits)


ROW = (
    '        4096     1048576       {}  Label: "USR-A"\n'
    "   Type: Alias for flatcar-rootfs\n   Attr: priority={} tries=0 successful=1\n"
)


@pytest.mark.parametrize(
    "text",
    [
        ROW.format("9" * 100_000, 1),
        ROW.format(3, "9" * 100_000),
        ROW.format(3, 1).replace("4096", "1" * 1_000_000),
        ROW.format(3, 1).replace("USR-A", '" ' * 500_000),
        " " * 1_000_000,
        "1 " * 500_000,
        "\u0663 \u0663 \u0663 Label: \"USR-A\"\n Type: flatcar-rootfs\n Attr: priority=1 tries=0 successful=1\n",
    ],
)  # fmt: skip
def test_hostile_cgpt_output_is_an_error(text: str) -> None:
    def work() -> None:
        with pytest.raises(MachineError, match="named no USR partition"):
            parse_cgpt_show(text, running="/dev/vda" + "9" * 100_000)

    within_time(work)


def test_very_many_rows_of_cgpt_are_cut_off() -> None:
    within_time(lambda: parse_cgpt_show("".join(ROW.format(number % 100, 1) for number in range(1_000_000))))


@given(TEXT | st.text())
@QUICK
def test_any_status_is_values_or_an_error(text: str) -> None:
    outcome_of(lambda: parse_status(text))
    outcome_of(lambda: parse_statuses(text))
    parse_update_conf(text, defaults=text)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("LAST_CHECKED_TIME", "9" * 100_000), ("LAST_CHECKED_TIME", "1_000"),
        ("LAST_CHECKED_TIME", "\u0663"), ("NEW_SIZE", "9" * 100_000),
        ("NEW_SIZE", "0x1"), ("PROGRESS", "nan"), ("PROGRESS", "1e308"), ("PROGRESS", "inf"), ("PROGRESS", "9" * 100_000),
        ("CURRENT_OP", "UPDATE_STATUS_\x1b[31m"), ("NEW_VERSION", "\x1b]0;x\x07"), ("NEW_VERSION", "1" * 1000),
    ],
)  # fmt: skip
def test_a_status_with_a_value_that_no_client_says_is_an_error(key: str, value: str) -> None:
    values = {
        "LAST_CHECKED_TIME": "0", "PROGRESS": "0.000000", "CURRENT_OP": "UPDATE_STATUS_IDLE", "NEW_VERSION": "0.0.0",
        "NEW_SIZE": "0",
    }  # fmt: skip
    good = "".join(f"{name}={text}\n" for name, text in values.items())
    assert parse_status(good)
    bad = good.replace(f"{key}={values[key]}\n", f"{key}={value}\n")
    with pytest.raises(MachineError, match=key) as caught:
        parse_status(bad)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 1500


def test_large_texts_take_no_long_time() -> None:
    within_time(lambda: parse_statuses("LAST_CHECKED_TIME=0\n" * 3_000_000))
    within_time(lambda: parse_update_conf("a=x" + " " * 1_000_000 + "y\n" + "= " * 500_000))


# Records


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
@QUICK
def test_a_record_with_any_value_anywhere_is_a_record_or_an_error(tmp_path: Path, data: st.DataObject) -> None:
    values = json.loads(GOLDEN.read_text())
    place = data.draw(st.sampled_from([values, values["spec"], *values["forwards"]]))
    place[data.draw(st.sampled_from(sorted(place)) | st.text(max_size=5))] = data.draw(JSON)
    check_record(tmp_path, json.dumps(values).encode())


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
@QUICK
def test_any_bytes_are_a_record_or_an_error(tmp_path: Path, text: bytes) -> None:
    check_record(tmp_path, text)


def check_record(tmp_path: Path, text: bytes) -> None:
    folder = Folder(path=tmp_path / "web")
    (folder.path / "checkpoints").mkdir(parents=True, exist_ok=True)
    for name in ("machine.json", "hostkeys.json", "placed.json", "checkpoints/fresh.json"):
        (folder.path / name).write_bytes(text)
    assert isinstance(load_host_keys(folder.hostkeys), tuple)
    assert isinstance(list_checkpoints(folder), tuple)
    record, error = outcome_of(folder.find)
    if error:
        assert isinstance(error, RecordBroken)
        assert "machine.json" in error.message
    else:
        assert isinstance(record, Record)
        assert record.domain.endswith("-web")
        json.dumps(record.as_dict(), ensure_ascii=False).encode()
