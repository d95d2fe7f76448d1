"""Why a boot failed: on consoles of machines that were broken on purpose, and on lines of real Flatcar."""

from __future__ import annotations

import pytest
from console_files import ended, follow, read_console, texts

from flatkit.events import Said
from flatkit.machines.failures import FAILURES, find_failure, telling_lines
from flatkit.machines.ignition_log import Trouble, find_fetching, find_trouble


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        ("[    8.1] lab-initrd: Failed: Ignition stage files failed", "ignition"),
        ("[    8.1] ignition[400]: CRITICAL : failed to fetch config", "ignition"),
        ("[FAILED] Failed to start ignition-files.service - Ignition (files).", "ignition"),
        ("[    8.1] device-mapper: verity: 254:3: data block 12 is corrupted", "verity"),
        ("[    2.0] VFS: Unable to mount root fs on unknown-block(0,0)", "no-root"),
        ("[    2.0] Kernel panic - not syncing: hung", "panic"),
        ("[    2.0] Out of memory: Killed process 1 (systemd)", "out-of-memory"),
        ("Press Enter for emergency shell or wait 5 minutes for reboot.", "emergency"),
        ("You are in emergency mode. After logging in, type \"journalctl -xb\"", "emergency"),
        ("[    2.0] Initramfs unpacking failed: write error", "out-of-memory"),
        ("[    2.0] Initramfs unpacking failed: invalid magic at start of compressed archive", None),
        ("No bootable device.", "no-slot"),
        ("[    3.1] Oops: 0000 [#1] PREEMPT SMP NOPTI", "oops"),
        ("[    3.1] I/O error, dev vda, sector 8 op 0x0:(READ) flags 0x0", "disk"),
        ("[    3.1] EXT4-fs (vda9): mounted filesystem with ordered data mode", None),
        ("[    2.0] Booted without trouble", None),
    ],
)  # fmt: skip
def test_lines_that_show_a_failure(line: str, failure: str | None) -> None:
    found = find_failure(line)
    assert (found.name if found else None) == failure


def test_the_table_is_whole() -> None:
    assert len({failure.name for failure in FAILURES}) == len(FAILURES)
    assert all(failure.cause and failure.cure for failure in FAILURES)


@pytest.mark.parametrize("name", ["lab-good", "flatcar-tutorial-1", "flatcar-tutorial-4"])
def test_boots_that_went_well_show_no_failure(name: str) -> None:
    assert [text for text in texts(name) if find_failure(text)] == []


FAULTS = [
    (
        "lab-spec",
        "ignition",
        'Ignition\'s stage "fetch-offline" failed: unsupported config version',
        "$.ignition.version",
    ),
    (
        "lab-url",
        "ignition",
        'Ignition\'s stage "files" failed: writing file "/etc/motto": the server says that it is not there (404)',
        "/etc/motto",
    ),
    (
        "lab-hash",
        "ignition",
        (
            'Ignition\'s stage "files" failed: writing file "/etc/motto": hash verification failed '
            "(calculated e7c22b994c59... but expected 000000000000...)"
        ),
        "0" * 128,
    ),
    (
        "lab-group",
        "ignition",
        'Ignition\'s stage "files" failed: creating or modifying user "ada": useradd: group \'pilots\' does not exist',
        "pilots",
    ),
    (
        "lab-device",
        "ignition",
        ('Ignition\'s stage "disks" failed: waiting for devices [/dev/disk/by-id/usb-stick]: no such disk has come up'),
        "/dev/disk/by-id/usb-stick",
    ),
]


@pytest.mark.parametrize(("console", "failure", "words", "clue"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_what_ignition_failed_at(console: str, failure: str, words: str, clue: str) -> None:
    timeline, _ = follow(read_console(console))
    assert timeline.failure
    assert timeline.failure.name == failure
    trouble = find_trouble(texts(console))
    assert str(trouble) == words
    assert trouble
    assert clue in trouble.clues


@pytest.mark.parametrize(
    "console", [*(fault[0] for fault in FAULTS), "lab-root", "lab-efi", "lab-verity", "lab-memory"]
)
def test_the_lines_shown_are_few_and_none_is_a_piece_of_json(console: str) -> None:
    lines = telling_lines(texts(console))
    assert 1 <= len(lines) <= 4
    assert not [line for line in lines if line.rstrip().endswith(("{", "[", "}", "]", ","))]
    assert any("CRITICAL" in line or "panic" in line or "Failed" in line for line in lines)


def test_a_console_without_a_telling_line_shows_its_end() -> None:
    assert telling_lines(["one", "", "two"], most=1) == ["two"]
    assert telling_lines([]) == []


@pytest.mark.parametrize(
    ("console", "failure"),
    [("lab-root", "no-root"), ("lab-efi", "no-slot"), ("lab-verity", "verity"), ("lab-memory", "out-of-memory")],
)
def test_what_else_a_boot_failed_at(console: str, failure: str) -> None:
    timeline, _ = follow(read_console(console))
    assert timeline.failure
    assert timeline.failure.name == failure
    assert find_trouble(texts(console)) is None


def test_a_tampered_usr_panics_at_each_boot_of_the_only_slot() -> None:
    timeline, tape = follow(read_console("lab-verity"))
    assert (timeline.failed_boots, timeline.slot, timeline.will_restart, timeline.restart_delay) == (2, "a", True, 10)
    said = [event.text for event in tape.events if isinstance(event, Said)]
    assert said == ["/usr is not what was built: dm-verity found a changed block: it has restarted"]
    assert [name for name, _ in ended(tape)] == ["firmware", "slots", "kernel", "initrd", "slots", "kernel"]


def test_a_machine_that_crashed_later_comes_back() -> None:
    timeline, tape = follow(read_console("lab-crash"))
    assert timeline.failure is None
    assert timeline.failed_boots == 1
    assert [name for name, _ in ended(tape)].count("ssh") == 2
    later = [name for name, _ in ended(tape)][-6:]
    assert later == ["slots", "kernel", "initrd", "switch-root", "units", "ssh"]  # and no Ignition


def test_a_server_that_does_not_answer_fails_nothing() -> None:
    timeline, _ = follow(read_console("lab-refused"))
    assert timeline.failure is None
    assert timeline.symptom
    assert timeline.symptom.name == "fetching"
    found = find_fetching(texts("lab-refused"))
    assert found
    assert "nothing listens at that address" in found.why
    assert found.clues[0].startswith("http://10.0.2.2:")


def test_no_trouble_on_a_good_boot_and_none_from_an_earlier_one() -> None:
    assert find_trouble(texts("lab-good")) is None
    assert find_trouble([*texts("lab-url"), *texts("lab-good")]) is None


def test_a_config_that_ignition_refuses_names_its_json_path() -> None:
    lines = [
        "[    6.1] ignition[1]: Stage: fetch-offline",
        "[    6.2] ignition[1]: CRITICAL : error at $.storage.files.0.path, line 1 col 99: path not absolute",
    ]
    assert find_trouble(lines) == Trouble(
        stage="fetch-offline", why="path not absolute ($.storage.files.0.path)", clues=("$.storage.files.0.path",)
    )


GET = "ignition[1]: INFO     : files: createFilesystemsFiles: createFiles: op(3): GET"


def test_what_is_tried_again_and_again() -> None:
    lines = [
        f"{GET} http://10.0.2.2:1/x: attempt #1",
        f'{GET} error: Get "http://10.0.2.2:1/x": dial tcp 10.0.2.2:1: connect: connection refused',
        f"{GET} http://10.0.2.2:1/x: attempt #2",
    ]
    found = find_fetching(lines)
    assert found
    assert found.clues == ("http://10.0.2.2:1/x",)
    assert "nothing listens" in found.why
    assert find_fetching([*lines, f"{GET} result: OK"]) is None
    assert find_fetching([]) is None
