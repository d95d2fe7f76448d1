"""Several machines on one host: promised memory, turns to boot, names and ports that do not clash."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.errors import Cancelled, HostError
from flatkit.events import Event, Observer, PhaseEnded, Said, Tape
from flatkit.machines import Accelerator, Machine, MachineSpec, host_locks, scheduler
from flatkit.machines import backend as place_module
from flatkit.machines.disks import OVERHEAD_MIB, Room
from flatkit.machines.hypervisor import RunningGuest
from flatkit.testing.guest import FakeGuest
from flatkit.testing.hypervisor import FakeHypervisor


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    # Whatever else runs on this host.
    monkeypatch.setattr(scheduler, "list_emulators", list)
    monkeypatch.setattr(host_locks, "FOLDER", tmp_path / "no-locks")
    return tmp_path / "state"


@pytest.fixture
def hypervisor(state: Path) -> Iterator[FakeHypervisor]:
    pytest.importorskip("libvirt")
    fake = FakeHypervisor()
    fake.connect()
    yield fake
    fake.close()


def spec(name: str, folder: Path) -> MachineSpec:
    disk = folder / "image.raw"
    disk.touch()
    return MachineSpec(name=name, disk=disk, memory_mib=1024)


class Guests(FakeHypervisor):
    """Says which guests run."""

    guests_now: tuple[RunningGuest, ...] = ()

    def running_guests(self) -> list[RunningGuest]:
        return list(self.guests_now)


def test_what_guests_were_promised_and_have_not_touched_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("libvirt")
    monkeypatch.setattr(scheduler, "measure_room", lambda _folder: Room(memory_mib=5000, disk_mib=9000))
    hypervisor = Guests()
    assert scheduler.room_left(hypervisor).memory_mib == 5000
    hypervisor.guests_now = (
        RunningGuest(memory_mib=1024, resident_mib=300),  # young: 724 MiB and the overhead are still to come
        RunningGuest(memory_mib=1024, resident_mib=1024 + OVERHEAD_MIB + 50),  # has taken all, and more
    )
    assert scheduler.room_left(hypervisor).memory_mib == 5000 - (1024 + OVERHEAD_MIB - 300)
    hypervisor.guests_now *= 10
    assert scheduler.room_left(hypervisor).memory_mib == 0


def test_a_machine_that_does_not_fit_beside_the_others_is_refused(
    hypervisor: FakeHypervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place_module, "measure_room", lambda _folder: Room(memory_mib=3000, disk_mib=9000))
    promised = hypervisor.running_guests

    def young() -> list[RunningGuest]:
        # The test driver has a guest of its own, of 8 GiB; ours have touched nothing yet.
        return [RunningGuest(memory_mib=one.memory_mib, resident_mib=0) for one in promised() if one.memory_mib == 1024]

    monkeypatch.setattr(hypervisor, "running_guests", young)
    for name in ("one", "two"):
        Machine(name, hypervisor=hypervisor).up(spec(name, tmp_path), accelerator=Accelerator.TCG)
    with pytest.raises(HostError, match='"three" needs 1224 MiB of memory, and 552 MiB are free') as caught:
        Machine("three", hypervisor=hypervisor).up(spec("three", tmp_path), accelerator=Accelerator.TCG)
    assert "flatkit stop NAME" in caught.value.hint
    assert not Machine("three", hypervisor=hypervisor).folder.exists()


class Order(Observer):
    """Notes who has done what, in the order in which it happened."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name, self.notes = name, notes

    def notify(self, event: Event) -> None:
        if isinstance(event, PhaseEnded) and event.phase in {"create", "ssh"}:
            self.notes.append(f"{self.name} {event.phase}")


def test_boots_take_turns_and_get_ports_of_their_own(
    hypervisor: FakeHypervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "turns", lambda: 1)
    notes: list[str] = []
    names = ["a", "b", "c"]
    machines = [Machine(name, hypervisor=hypervisor) for name in names]
    threads = [
        threading.Thread(
            target=machine.up,
            args=(spec(machine.name, tmp_path),),
            kwargs={"observer": Order(machine.name, notes), "accelerator": Accelerator.TCG},
        )
        for machine in machines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(notes[0::2]) == ["a create", "b create", "c create"]
    assert [note.replace("create", "ssh") for note in notes[0::2]] == notes[1::2]
    ports = [forward.host for machine in machines for forward in machine.record.forwards]
    assert len(set(ports)) == len(ports) == 6
    assert len({machine.record.uuid for machine in machines}) == 3


def test_waiting_for_a_turn_is_said_and_can_be_cancelled(hypervisor: FakeHypervisor, tmp_path: Path) -> None:
    cancel = threading.Event()

    class Impatient(Tape):
        def notify(self, event: Event) -> None:
            super().notify(event)
            if isinstance(event, Said) and event.text.startswith("waiting for its turn"):
                cancel.set()

    tape = Impatient()
    machine = Machine("late", hypervisor=hypervisor)
    with scheduler.turn(Observer(), count=scheduler.turns()), _all_other_turns(), pytest.raises(Cancelled):
        machine.up(spec("late", tmp_path), observer=tape, cancel=cancel, accelerator=Accelerator.TCG)
    assert not machine.folder.exists()
    assert machine.up(spec("late", tmp_path), accelerator=Accelerator.TCG).run("true").ok


def _all_other_turns():
    import contextlib

    stack = contextlib.ExitStack()
    for _ in range(scheduler.turns() - 1):
        stack.enter_context(scheduler.turn(Observer()))
    return stack


def test_a_boot_without_end_does_not_keep_the_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_LONGEST_TURN", 0.2)
    with scheduler.turn(Observer(), count=1), scheduler.turn(Observer(), count=1):
        pass
    with scheduler.turn(Observer(), count=1):
        pass


def _hold_a_turn(ready: object) -> None:
    with scheduler.turn(Observer(), count=1):
        ready.set()  # type: ignore[attr-defined]
        threading.Event().wait()


def test_a_killed_process_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold_a_turn, args=(ready,), daemon=True)
    process.start()
    try:
        assert ready.wait(60)
        assert process.pid
        monkeypatch.setattr(scheduler, "_LONGEST_TURN", 0.3)
        tape = Tape()
        with scheduler.turn(tape, count=1):
            pass
        assert tape.events
        os.kill(process.pid, signal.SIGKILL)
        process.join(120)
        tape = Tape()
        with scheduler.turn(tape, count=1):
            pass
        assert not tape.events
    finally:
        process.kill()
        process.join(120)
        process.close()


def test_a_failed_boot_gives_its_turn_back(hypervisor: FakeHypervisor, tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    hypervisor._make_guest = lambda: FakeGuest(serves=False)
    with pytest.raises(Cancelled):
        Machine("one", hypervisor=hypervisor).up(spec("one", tmp_path), cancel=cancel, accelerator=Accelerator.TCG)
    tape = Tape()
    with scheduler.turn(tape, count=1):
        pass
    assert not tape.events
