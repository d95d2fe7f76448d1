"""Waiting for a machine that panics, restarts, and comes up from its other slot; or never does."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from console_files import texts

from flatkit.errors import BootFailed, Cancelled, WaitTimeout
from flatkit.events import Event, Observer, PhaseStarted, Said, Tape, Waiting
from flatkit.machines import activity as pulse_module
from flatkit.machines import ready as ready_module
from flatkit.machines.boot_times import BootKind
from flatkit.machines.hypervisor import Activity
from flatkit.machines.ports import find_free_port
from flatkit.machines.ready import Booting, Patience, ReadyWait
from flatkit.machines.states import DomainState, Status
from flatkit.testing.guest import FakeGuest
from flatkit.widgets import progress as progress_module

# Far more seconds than giving up takes, on a busy host too.
LONG = 120
CAUSE = "/usr is not what was built: dm-verity found a changed block"


def boot(slot: str, *, tampered: bool) -> list[str]:
    """The console of a boot from a slot, as a lab machine wrote it."""
    start = [
        "[    2.1] lab-selector: started",
        f"[    2.4] lab-selector: slot {slot} chosen: priority=2 tries=1 successful=0",
        "[    0.0] Linux version 6.12.0",
        f"[    0.0] Command line: BOOT_IMAGE=/flatcar/vmlinuz-{slot} mount.usr=/dev/mapper/usr",
        "[    0.9] lab-initrd: started",
    ]
    if not tampered:
        return [*start, "[    2.0] lab-initrd: switching to the root file system"]
    return [
        *start,
        "[    1.1] device-mapper: verity: 254:4: data block 0 is corrupted",
        "[    1.2] Kernel panic - not syncing: dm-verity device corrupted",
        "[    1.3] Rebooting in 10 seconds..",
    ]


class Host:
    """Stands for the hypervisor: each third look at the domain, the guest has got one boot further."""

    def __init__(self, folder: Path, boots: list[list[str]]) -> None:
        self.console, self.port, self.guest = folder / "console.log", find_free_port(set()), FakeGuest()
        self._boots, self._looks = boots, 0
        self.console.touch()

    def look(self) -> Status:
        self._looks += 1
        if self._boots and self._looks % 3 == 0:
            lines = self._boots.pop(0)
            if not self._boots and "panic" not in "".join(lines):
                self.guest.serve(self.port)
                lines = [*lines, self.guest.key_line]
            with self.console.open("a") as file:
                file.write("".join(f"{line}\r\n" for line in lines))
        return Status(state=DomainState.RUNNING)

    def wait(self, tape: Tape) -> None:
        booting = Booting(
            name="web", console=self.console, port=self.port, knock_port=None, status=self.look, activity=Activity,
            # No patience at all with a failure: only what the kernel itself announced is waited for.
            patience=Patience(after_failure=0.0),
        )  # fmt: skip
        ReadyWait(booting, observer=tape).wait().connection.close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No boot of another test is remembered here."""
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))


@pytest.fixture
def tape() -> Tape:
    return Tape()


def test_a_panic_that_restarts_is_waited_for_and_the_other_slot_is_named(tmp_path: Path, tape: Tape) -> None:
    host = Host(tmp_path, [boot("b", tampered=True), boot("a", tampered=False)])
    try:
        host.wait(tape)
    finally:
        host.guest.power_off()
    assert [event.phase for event in tape.events if isinstance(event, PhaseStarted)] == [
        "firmware", "slots", "kernel", "initrd", "slots", "kernel", "initrd", "units", "ssh",
    ]  # fmt: skip
    assert [event.text for event in tape.events if isinstance(event, Said)] == [
        f"{CAUSE}: it has restarted",
        "the machine fell back to slot a: slot b did not come up",
    ]


def test_a_machine_that_panics_again_and_again_is_given_up(tmp_path: Path, tape: Tape) -> None:
    """A slot that was good once is chosen again at each boot, by Flatcar's rule too."""
    host = Host(tmp_path, [boot("a", tampered=True) for _ in range(9)])
    with pytest.raises(BootFailed, match="dm-verity found a changed block"):
        host.wait(tape)
    assert [event.text for event in tape.events if isinstance(event, Said)] == [f"{CAUSE}: it has restarted"] * 2


def test_a_failure_without_a_restart_ends_the_wait(tmp_path: Path, tape: Tape) -> None:
    host = Host(tmp_path, [boot("a", tampered=True)[:-1]])
    with pytest.raises(BootFailed, match="dm-verity"):
        host.wait(tape)


class Quiet:
    """A machine that runs and says nothing; `busy` seconds long its processor works."""

    def __init__(self, folder: Path, *, busy_looks: int = 0) -> None:
        self.console, self.port, self.looks, self.busy_looks = (
            folder / "console.log",
            find_free_port(set()),
            0,
            busy_looks,
        )
        self.console.write_text("[    0.0] Linux version 6.12.0\r\n")

    def activity(self) -> Activity:
        self.looks += 1
        return Activity(cpu_seconds=1000.0 * min(self.looks, self.busy_looks))

    def booting(self, stalled: float) -> Booting:
        return Booting(
            name="web", console=self.console, port=self.port, knock_port=None, activity=self.activity,
            status=lambda: Status(state=DomainState.RUNNING), patience=Patience(stalled=stalled),
        )  # fmt: skip


class CancelAfter(Observer):
    """Keeps what is told, and cancels when a phase has lasted so many seconds."""

    def __init__(self, seconds: float, tape: Tape | None = None) -> None:
        self.cancel, self._seconds, self._tape = threading.Event(), seconds, tape or Tape()

    def notify(self, event: Event) -> None:
        self._tape.notify(event)
        if isinstance(event, Waiting) and event.elapsed > self._seconds:
            self.cancel.set()


@pytest.mark.parametrize(("busy", "given_up"), [(True, False), (False, True)])
def test_a_panicked_machine_that_counts_slowly_is_waited_for_while_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: bool, given_up: bool
) -> None:
    machine, teller = Quiet(tmp_path, busy_looks=10**6 if busy else 0), CancelAfter(LONG if given_up else 2)
    with machine.console.open("a") as file:
        file.write("Kernel panic - not syncing: x\r\nRebooting in 0 seconds..\r\n")

    booting = replace(machine.booting(stalled=60), patience=Patience(after_failure=0.0))
    monkeypatch.setattr(ready_module, "_RESTART_TAKES", 0.5)
    monkeypatch.setattr(pulse_module, "_APART", 0.2)
    with pytest.raises(BootFailed if given_up else Cancelled):
        ReadyWait(booting, observer=teller, cancel=teller.cancel).wait()


IGNITION_FAILED = "lab-initrd: Failed: Ignition stage files failed\r\n"


@pytest.mark.parametrize(
    ("is_first", "before", "ends"),
    [(True, "", BootFailed), (False, "", Cancelled), (False, IGNITION_FAILED, BootFailed)],
    ids=["first boot", "another slot may follow", "Ignition after flatcar-reset"],
)
def test_an_emergency_shell_is_waited_out_where_another_slot_may_follow(
    tmp_path: Path, is_first: bool, before: str, ends: type[Exception]
) -> None:
    machine, teller = Quiet(tmp_path), CancelAfter(2 if ends is Cancelled else LONG)
    with machine.console.open("a") as file:
        file.write(f"{before}Press Enter for emergency shell or wait 5 minutes for reboot.\r\n")

    booting = machine.booting(stalled=0)
    booting = replace(booting, patience=Patience(stalled=1.0, after_failure=0.5), kind=BootKind(is_first=is_first))
    with pytest.raises(ends) as caught:
        ReadyWait(booting, observer=teller, cancel=teller.cancel).wait()
    assert not before or "Ignition" in str(caught.value)


def test_a_machine_on_which_nothing_moves_is_looked_at_once_more(tmp_path: Path, tape: Tape) -> None:
    machine = Quiet(tmp_path)
    with pytest.raises(WaitTimeout, match="Looked at once more: it is running, its console has said nothing"):
        ReadyWait(machine.booting(stalled=0.5), observer=tape).wait()


def test_an_address_that_does_not_answer_is_told_once_while_it_waits(tmp_path: Path, tape: Tape) -> None:
    machine, teller = Quiet(tmp_path), CancelAfter(0, tape)
    machine.console.write_text("".join(f"{line}\r\n" for line in texts("lab-refused")))

    with pytest.raises(Cancelled):
        ReadyWait(machine.booting(stalled=60), observer=teller, cancel=teller.cancel).wait()
    (said,) = [event.text for event in tape.events if isinstance(event, Said)]
    assert 'fetching "http://10.0.2.2:' in said
    assert "nothing listens at that address" in said
    assert "a machine reaches this host as 10.0.2.2" in said


def test_a_machine_that_answers_at_the_last_look_is_ready_after_all(
    tmp_path: Path, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It showed no host key, so that nobody had asked it before."""
    monkeypatch.setattr(ready_module, "_LAST_LOOK", LONG)
    machine, guest = Quiet(tmp_path), FakeGuest()
    guest.serve(machine.port)
    try:
        ready = ReadyWait(machine.booting(stalled=0.3), observer=tape).wait()
        ready.connection.close()
    finally:
        guest.power_off()
    assert ready.host_keys == ()


def test_while_the_processor_works_it_waits_and_tells(tmp_path: Path, tape: Tape) -> None:
    machine, teller = Quiet(tmp_path, busy_looks=10**6), CancelAfter(2.5, tape)

    with pytest.raises(Cancelled):
        ReadyWait(machine.booting(stalled=0.1), observer=teller, cancel=teller.cancel).wait()
    told = [event for event in tape.events if isinstance(event, Waiting)]
    assert {event.phase for event in told} == {"kernel"}
    assert all(event.remaining > 0 and event.typical > 0 for event in told)
    assert told[-1].line == "[    0.0] Linux version 6.12.0"


def test_a_phase_is_told_soon_after_its_line() -> None:
    """At most 0.3 s: half for the look at the console, half for a view that draws ten times a second."""
    assert ready_module._LOOK_EVERY + progress_module._MIN_GAP <= 0.2
