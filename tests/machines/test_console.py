"""The console: reading a file that grows, and knowing what its lines mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.events import PhaseEnded, PhaseStarted, Tape
from flatkit.machines.console import ConsoleReader, clean, read_tail
from flatkit.machines.phases import FAILURES, PHASES, Timeline, find_failure, find_phase


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain", "plain"),
        ("with end\r", "with end"),
        ("\x1b[0;1;32m OK \x1b[0m] Started", " OK ] Started"),
        ("\x1b]0;title\x07shell", "shell"),
        ("\x1b]0;title\x1b\\shell", "shell"),
        ("\x1bc\x1b[?7l\x1b[2J\x1b(Btext", "text"),
        ("10%\r20%\r100%", "100%"),
        ("a\x00b\x07c", "abc"),
        ("\x1b[6n", ""),
        ("tab\tstays", "tab\tstays"),
        ("ünï", "ünï"),
    ],
)
def test_clean(raw: str, text: str) -> None:
    assert clean(raw) == text


def texts(reader: ConsoleReader) -> list[str]:
    return [line.text for line in reader.read()]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_growing_file_gives_whole_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with ConsoleReader(path) as reader:
        assert texts(reader) == []  # not there yet
        append(path, b"one\r\ntw")
        assert texts(reader) == ["one"]
        assert reader.partial == "tw"
        append(path, b"o\r\nlocalhost login: ")
        assert texts(reader) == ["two"]
        assert texts(reader) == []
        assert reader.partial == "localhost login:"
    assert list(reader.tail) == ["one", "two"]


def test_a_character_cut_in_two_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with ConsoleReader(path) as reader:
        append(path, "grü".encode()[:-1])
        assert texts(reader) == []
        append(path, "grü".encode()[-1:] + b"n\n")
        assert texts(reader) == ["grün"]


def test_an_earlier_boot_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    append(path, b"old\n")
    with ConsoleReader(path, offset=4) as reader:
        append(path, b"new\n")
        assert texts(reader) == ["new"]


def test_rotation_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with ConsoleReader(path) as reader:
        append(path, b"one\n")
        assert texts(reader) == ["one"]
        append(path, b"two\n")
        path.rename(tmp_path / "console.log.0")
        append(path, b"three\n")
        assert texts(reader) == ["two"]
        assert texts(reader) == ["three"]


def test_a_file_that_was_cut_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with ConsoleReader(path) as reader:
        append(path, b"a long first line\n")
        assert texts(reader) == ["a long first line"]
        path.write_bytes(b"short\n")
        assert texts(reader) == ["short"]


def test_a_flood_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)  # one "line" of zeros
        file.seek(0, 2)
        file.write(b"\nend\n")
    with ConsoleReader(path) as reader:
        seen = []
        while reader.total < path.stat().st_size:
            seen += texts(reader)
            assert len(reader._partial) <= 4096
    assert seen == ["", "end"]


def test_tail_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    assert read_tail(path) == []
    append(path, b"".join(b"%d\r\n" % number for number in range(100)) + b"\n\nlogin: ")
    assert read_tail(path, lines=3) == ["98", "99", "login:"]


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("[    0.000000] Linux version 6.12.107 (x)", "kernel"),
        ("[    1.9] Run /init as init process", "initrd"),
        ("[    2.1] lab-initrd: started", "initrd"),
        ("[    4.1] lab-initrd: Ignition stage fetch-offline", "ignition"),
        ("[    7.1] ignition[412]: Ignition 2.24.0", "ignition"),
        ("[    7.2] ignition[412]: Stage: fetch-offline", "ignition"),
        ("[    8.0] lab-initrd: switching to the root file system", "userspace"),
        ("[    9.0] systemd[1]: Switching root.", "userspace"),
        ("SSH host key: SHA256:INLs1TjeDohOuCSNG+pjUk0/Y+taR78bA06Mp8qspx0 (ED25519)", "ssh"),
        ("[    3.0] virtio_blk virtio0: [vda] 1 512-byte logical blocks", None),
    ],
)
def test_lines_that_begin_a_phase(line: str, phase: str | None) -> None:
    found = find_phase(line)
    assert (found.name if found else None) == phase


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        ("[    8.1] lab-initrd: Failed: Ignition stage files failed", "ignition"),
        ("[    8.1] ignition[400]: CRITICAL : failed to fetch config", "ignition"),
        ("[    8.1] device-mapper: verity: 254:3: data block 12 is corrupted", "verity"),
        ("[    2.0] VFS: Unable to mount root fs on unknown-block(0,0)", "no-root"),
        ("[    2.0] Kernel panic - not syncing: hung", "panic"),
        ("[    2.0] Out of memory: Killed process 1 (systemd)", "out-of-memory"),
        ("Press Enter for emergency shell or wait 5 minutes for reboot.", "emergency"),
        ("[    2.0] Initramfs unpacking failed: write error", "out-of-memory"),
        ("[    2.0] Initramfs unpacking failed: invalid magic at start of compressed archive", None),
        ("[    2.0] Booted without trouble", None),
    ],
)
def test_lines_that_show_a_failure(line: str, failure: str | None) -> None:
    found = find_failure(line)
    assert (found.name if found else None) == failure


def test_tables_are_whole() -> None:
    assert len({phase.name for phase in PHASES}) == len(PHASES)
    assert len({failure.name for failure in FAILURES}) == len(FAILURES)
    assert all(failure.cause and failure.cure for failure in FAILURES)


def test_timeline_of_a_boot_that_skips_phases_and_falls_back() -> None:
    tape = Tape()
    timeline = Timeline(tape, slowdown=2.0)
    timeline.start(0.0)
    lines = [
        (1.0, "Linux version 6"),
        (2.0, "systemd[1]: Switching root."),
        (2.5, "lab-initrd: started"),  # out of order: the phase is over already
        (3.0, "Kernel panic - not syncing: broken release"),
        (10.0, "Linux version 6"),
        (13.0, "SSH host key: SHA256:x (ED25519)"),
    ]
    for at, text in lines:
        timeline.feed(text, at)
        if at == 3.0:
            assert timeline.failure
            assert timeline.failure.name == "panic"
    timeline.finish(at=14.0)
    assert timeline.failure is None  # the second boot got through
    ended = [(event.phase, event.seconds) for event in tape.events if isinstance(event, PhaseEnded)]
    assert ended == [("firmware", 1.0), ("kernel", 1.0), ("userspace", 8.0), ("kernel", 3.0), ("ssh", 1.0)]
    assert timeline.spent == {"firmware": 1.0, "kernel": 4.0, "userspace": 8.0, "ssh": 1.0}
    started = [event for event in tape.events if isinstance(event, PhaseStarted)]
    assert started[0].typical == 2.0


def test_the_first_failure_is_the_cause() -> None:
    timeline = Timeline(Tape())
    timeline.start(0.0)
    for text in ("Ignition stage files failed", "Press Enter for emergency shell", "Kernel panic - not syncing"):
        timeline.feed(text, 1.0)
    assert timeline.failure
    assert timeline.failure.name == "ignition"
