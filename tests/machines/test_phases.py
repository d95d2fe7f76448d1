"""The phases of a boot: found on consoles of real Flatcar and of the lab image, skipped where they are not seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console_files import ended, follow, read_console

from flatkit.events import PhaseEnded, PhaseStarted, Said, Tape
from flatkit.machines.boot_times import BootKind, recall, remember
from flatkit.machines.phases import PHASES, find_phase, order_of, remaining
from flatkit.machines.spec import Accelerator
from flatkit.machines.timeline import Timeline


def test_real_flatcar_first_boot() -> None:
    _, tape = follow(read_console("flatcar-tutorial-1"), emulated=False)
    assert ended(tape) == [
        ("firmware", 0.2), ("slots", 7.1), ("kernel", 1.1), ("initrd", 12.6), ("ignition-fetch-offline", 0.2),
        ("ignition-kargs", 0.0), ("ignition-disks", 0.3), ("ignition-mount", 0.2), ("ignition-files", 0.1),
        ("switch-root", 0.3), ("units", 8.7), ("ssh", 0.0),
    ]  # fmt: skip


def test_real_flatcar_first_boot_and_the_boot_after_an_update() -> None:
    _, tape = follow(read_console("flatcar-tutorial-4"), emulated=False)
    assert ended(tape) == [
        ("firmware", 0.1), ("slots", 7.0), ("kernel", 1.5), ("initrd", 3.0), ("ignition-fetch-offline", 0.2),
        ("ignition-kargs", 0.0), ("ignition-disks", 0.3), ("ignition-mount", 0.2), ("ignition-files", 0.1),
        ("switch-root", 0.3), ("units", 10.3), ("ssh", 0.0),
        # 225 s later, into the other slot: no Ignition, and no line "Linux version" either.
        ("firmware", 0.1), ("slots", 8.5), ("kernel", 1.5), ("initrd", 2.4), ("switch-root", 0.5), ("units", 9.2), ("ssh", 0.0),
    ]  # fmt: skip
    starts = [event.at for event in tape.events if isinstance(event, PhaseStarted) and event.phase == "firmware"]
    assert starts == [29.791, 278.094]


@pytest.mark.parametrize("name", ["flatcar-tutorial-1", "flatcar-tutorial-4"])
def test_kernel_messages_alone_are_enough(name: str) -> None:
    """A serial console of Flatcar lacks what systemd prints to the screen: of that, only lines with the kernel's clock stay."""
    whole = read_console(name)
    kept = [row for row in whole if re.match(r"\[ *\d+\.\d{6}\]|SeaBIOS|GNU GRUB|Booting|SSH host key", row[1])]
    assert len(kept) < len(whole)
    (_, every), (_, few) = follow(whole), follow(kept)
    assert [phase for phase, _ in ended(few)] == [phase for phase, _ in ended(every)]


def test_the_lab_image() -> None:
    _, tape = follow(read_console("lab-good"))
    assert [name for name, _ in ended(tape)] == [
        "firmware", "slots", "kernel", "initrd", "ignition-fetch-offline", "ignition-fetch", "ignition-disks",
        "ignition-mount", "ignition-files", "ignition-umount", "switch-root", "units", "ssh",
    ]  # fmt: skip
    lines = {event.phase: event.line for event in tape.events if isinstance(event, PhaseEnded)}
    assert "Starting new kernel" not in lines["slots"]
    assert lines["initrd"].endswith("mounted with root inode @ nid 36.") or "under dm-verity" in lines["initrd"]
    assert lines["ignition-files"].endswith("Ignition finished successfully")


@pytest.mark.parametrize("lost", ["Linux version", "kexec_core", "lab-selector", "Run /init", "Stage: files"])
def test_a_phase_that_is_not_seen_is_skipped(lost: str) -> None:
    whole = read_console("lab-good")
    _, tape = follow([row for row in whole if lost not in row[1]])
    assert ended(tape)[-1][0] == "ssh"
    names = [name for name, _ in ended(tape)]
    assert names == sorted(set(names), key=order_of)


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("[    0.000000] Linux version 6.12.107 (x)", "kernel"),
        ("[    4.892938] kexec_core: Starting new kernel", "kernel"),
        ("EFI stub: Booting Linux Kernel...", "kernel"),
        ("BdsDxe: loading Boot0001 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x2,0x0)", "firmware"),
        ("UEFI firmware (version 2022.11-6 built at 14:05:12 on Feb  6 2023)", "firmware"),
        ("  Booting `Flatcar default'", "slots"),
        ("[    1.9] Run /init as init process", "initrd"),
        ("[    2.1] lab-initrd: started", "initrd"),
        ("[    4.1] lab-initrd: Ignition stage fetch-offline", "ignition-fetch-offline"),
        ("[    4.1] lab-initrd: Ignition stage fetch", "ignition-fetch"),
        ("[    7.2] ignition[412]: Stage: fetch-offline", "ignition-fetch-offline"),
        ("[    7.2] ignition[412]: INFO     : Stage: files", "ignition-files"),
        ("[    7.1] ignition[412]: Ignition 2.24.0", None),
        ("         Starting ignition-disks.service - Ignition (disks)...", "ignition-disks"),
        ("[    8.0] lab-initrd: Ignition finished: this machine is provisioned", "switch-root"),
        ("[    8.0] lab-initrd: switching to the root file system", "units"),
        ("[    9.0] systemd[1]: Switching root.", "switch-root"),
        ("[    9.0] systemd-journald[197]: Received SIGTERM from PID 1 (systemd).", "units"),
        ("[   99.0] systemd-journald[197]: Received SIGTERM from PID 1 (systemd-shutdow).", None),
        ("SSH host key: SHA256:INLs1TjeDohOuCSNG+pjUk0/Y+taR78bA06Mp8qspx0 (ED25519)", "ssh"),
        ("[    3.0] virtio_blk virtio0: [vda] 1 512-byte logical blocks", None),
        ("[    0.2] x86: Booting SMP configuration:", None),
        ("[    0.9] systemd[1]: systemd 252 running in system mode (+PAM +AUDIT", None),
    ],
)  # fmt: skip
def test_lines_that_begin_a_phase(line: str, phase: str | None) -> None:
    found = find_phase(line)
    assert (found.name if found else None) == phase


def test_the_table_is_whole() -> None:
    assert len({phase.name for phase in PHASES}) == len(PHASES)
    for phase in PHASES:
        assert phase.says.endswith(".")
        assert phase.says.count(". ") == 0  # one sentence
        assert phase.kvm > 0
        assert phase.emulated > 0


def feed(timeline: Timeline, *lines: tuple[float, str]) -> None:
    for at, text in lines:
        timeline.feed(text, at)


def test_a_boot_that_skips_phases_and_falls_back() -> None:
    tape = Tape()
    timeline = Timeline(tape, emulated=True)
    timeline.start(0.0)
    feed(
        timeline,
        (1.0, "Linux version 6"),
        (2.0, "systemd-journald[9]: Received SIGTERM from PID 1 (systemd)."),
        (2.5, "lab-initrd: started"),  # out of order: the phase is over already
        (3.0, "Kernel panic - not syncing: broken release"),
    )
    assert timeline.failure
    assert timeline.failure.name == "panic"
    feed(timeline, (10.0, "Linux version 6"), (13.0, "SSH host key: SHA256:x (ED25519)"))
    timeline.finish(at=14.0)
    assert timeline.failure is None  # the second boot got through
    assert ended(tape) == [("firmware", 1.0), ("kernel", 1.0), ("units", 8.0), ("kernel", 3.0), ("ssh", 1.0)]
    assert timeline.spent == {"firmware": 1.0, "kernel": 4.0, "units": 8.0, "ssh": 1.0}


def test_a_restart_whose_first_lines_were_lost_is_told_by_the_kernels_clock() -> None:
    tape = Tape()
    timeline = Timeline(tape)
    timeline.start(0.0)
    feed(
        timeline,
        (1.0, "[    0.000000] Linux version 6"),
        (9.0, "[    8.100000] lab-initrd: switching to the root file system"),
        (9.1, "[    0.500000] a line whose first digits were painted over"),
        (9.2, "[    8.300000] and the next one is right again"),
        (20.0, "[    0.100000] NET: Registered"),
        (20.1, "[    0.200000] PCI: Using"),
        (21.0, "[    1.900000] Run /init as init process"),
    )
    assert [name for name, _ in ended(tape)] == ["firmware", "kernel", "units", "kernel"]
    assert timeline.phase == "initrd"


def test_the_slot_is_read_from_the_command_line_of_any_kernel() -> None:
    tape = Tape()
    timeline = Timeline(tape)
    timeline.start(0.0)
    line = (
        "[    0.0] Command line: BOOT_IMAGE=/flatcar/vmlinuz-b verity.usr=PARTUUID=e03dd35c-7c2d-4a47-b3fe-27f15780a57c"
    )
    feed(timeline, (1.0, line))
    assert timeline.slot == "b"
    feed(
        timeline,
        (2.0, "Kernel panic - not syncing"),
        (9.0, "Linux version 6"),
        (9.0, "Kernel command line: verity.usr=PARTUUID=7130c94a-213a-4e5a-8e26-6cce9662f132"),
    )
    assert timeline.slot == "a"
    assert "fell back to slot a" in [event.text for event in tape.events if isinstance(event, Said)][-1]


def test_the_estimate_counts_what_is_still_to_come() -> None:
    table = {phase.name: phase.emulated for phase in PHASES}
    assert remaining("ssh", 0.2, emulated=True) == pytest.approx(table["ssh"] - 0.2)
    assert remaining("ssh", 99.0, emulated=True) == 0
    assert remaining("units", 99.0, emulated=True) == pytest.approx(table["ssh"])
    first, later = (remaining("initrd", 0.0, emulated=True, first=first) for first in (True, False))
    assert first - later == pytest.approx(sum(phase.emulated for phase in PHASES if phase.first_boot_only))
    # What was measured here counts alone: a phase that never showed takes no time.
    assert remaining("kernel", 0.0, emulated=True, usual={"kernel": 2.0, "units": 3.0}) == 5.0


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    return tmp_path


def test_what_boots_have_taken_here_is_remembered_by_kind(state: Path) -> None:
    kind = BootKind(image="lab 1", accelerator=Accelerator.TCG)
    assert recall(kind) == {}
    remember(kind, {"kernel": 4.0})
    remember(kind, {"kernel": 2.0, "ssh": 1.0})
    assert recall(kind) == {"kernel": 3.0, "ssh": 1.0}
    assert recall(BootKind(image="lab 1", accelerator=Accelerator.TCG, is_first=False)) == {}
    (state / "boot-times.json").write_text('{"torn')
    assert recall(kind) == {}
    (state / "boot-times.json").write_text('{"lab 1": {"kernel": "x"}}')
    assert recall(kind) == {}
    remember(kind, {"kernel": 1.0})
    assert recall(kind) == {"kernel": 1.0}


def test_a_state_folder_that_cannot_be_written_does_no_harm(state: Path) -> None:
    (state / "boot-times.json").mkdir()
    remember(BootKind(), {"kernel": 1.0})
    assert recall(BootKind()) == {}
