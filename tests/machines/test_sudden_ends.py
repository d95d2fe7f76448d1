"""What must be true after the worst moments: the program killed, the domain taken away, the clock jumping.

The guest is pretended, the program that dies is a real one. The same on real machines stands in tests/vm.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flatkit.errors import BootFailed, MachineError
from flatkit.events import ConsoleLine, Event, Observer, PhaseEnded, PhaseStarted, Tape
from flatkit.machines import Accelerator, Machine, MachineSpec, MachineState, list_machines
from flatkit.testing.guest import FakeGuest
from flatkit.testing.hypervisor import FakeHypervisor

IGNITION = '{"ignition": {"version": "3.3.0"}}'
# In seconds: more than anything takes on a busy host, and far less than the day by which a clock jumps.
LONG = 3600

# A whole life that ends at its Nth event, by its own hand and without a word.
_LIFE = """
import os, signal, sys
from pathlib import Path
from flatkit.events import Observer
from flatkit.machines import Accelerator, Machine, MachineSpec
from flatkit.testing.hypervisor import FakeHypervisor

class Death(Observer):
    left = int(sys.argv[2])
    def notify(self, event):
        print(type(event).__name__, getattr(event, "phase", ""), flush=True)
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        Death.left -= 1

hypervisor = FakeHypervisor()
hypervisor.connect()
machine = Machine("web", hypervisor=hypervisor)
spec = MachineSpec(name="web", disk=Path(sys.argv[1]), ignition=sys.argv[3], label="fake 1.0", memory_mib=256)
machine.up(spec, observer=Death(), accelerator=Accelerator.TCG)
machine.checkpoint("one", observer=Death())
machine.rewind(to="one", observer=Death())
machine.checkpoint("two", observer=Death())
sys.exit("the life ended in peace")
"""


def files(state: Path) -> list[str]:
    """What lies among the machines: folders, locks, files half written."""
    machines = state / "machines"
    return sorted(str(path.relative_to(machines)) for path in machines.rglob("*")) if machines.is_dir() else []


# From the first word to the last: making, each part of the boot, saving, going back, saving again.
@pytest.mark.parametrize("moment", [0, 1, 2, 4, 6, 9, 13, 17, 21, 25])
def test_the_program_is_killed(hypervisor: FakeHypervisor, spec: MachineSpec, state: Path, moment: int) -> None:
    words = [sys.executable, "-c", _LIFE, str(spec.disk), str(moment), IGNITION]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    print(f"killed at: {done.stdout.splitlines()[-1]}")

    # The state is one that has a name, and asking for it changes nothing.
    machine = Machine("web", hypervisor=hypervisor)
    found = machine.state
    assert found in {MachineState.ABSENT, MachineState.LEFTOVER, MachineState.STOPPED}
    assert [info.state for info in list_machines(hypervisor)] == [found] * (found is not MachineState.ABSENT)

    # No lock is held by the dead: the next verb waits for nobody, and after the last one nothing is there.
    machine.up(spec, accelerator=Accelerator.TCG)
    assert machine.run("echo well").stdout
    assert machine.checkpoint("three").name == "three"
    assert machine.rewind(to="three").checkpoint == "three"
    assert machine.down() == []
    assert hypervisor.owned() == []
    assert files(state) == []


class At(Observer):
    """Does something at the Nth event."""

    def __init__(self, moment: int, action: object) -> None:
        self.left, self.action = moment, action

    def notify(self, event: Event) -> None:
        if self.left == 0:
            assert callable(self.action)
            self.action()
        self.left -= 1


# "create" begins, ends, then the console speaks; in between libvirt may lose the domain at any word.
@pytest.mark.parametrize("moment", [2, 3, 5, 7, 9])
def test_the_domain_is_taken_away_while_it_boots(
    hypervisor: FakeHypervisor, spec: MachineSpec, state: Path, moment: int
) -> None:
    hypervisor._make_guest = lambda: FakeGuest(serves=False)
    machine = Machine("web", hypervisor=hypervisor)

    def take_away() -> None:
        for found in hypervisor.owned():
            hypervisor.destroy(found.domain)
            hypervisor.undefine(found.domain)

    with pytest.raises((BootFailed, MachineError), match="removed from outside"):
        machine.up(spec, accelerator=Accelerator.TCG, observer=At(moment, take_away))
    assert machine.state is MachineState.FAILED
    assert "removed from outside" in machine.record.cause
    assert machine.down() == []
    hypervisor._make_guest = FakeGuest
    hypervisor.guests.clear()
    assert machine.up(spec, accelerator=Accelerator.TCG).state is MachineState.RUNNING
    assert machine.down() == []
    assert hypervisor.owned() == []
    assert files(state) == []


@pytest.mark.parametrize("look", [0, 6, 12, 18, 24, 40, 80])
@pytest.mark.parametrize("jump", [86400.0, -86400.0])
def test_the_clock_jumps(
    hypervisor: FakeHypervisor,
    spec: MachineSpec,
    state: Path,
    jump: float,
    look: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, looks = time.time, itertools.count()
    monkeypatch.setattr(time, "time", lambda: real() + (jump if next(looks) >= look else 0.0))
    tape = Tape()
    machine = Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG, observer=tape)
    assert 0 <= machine.booted.seconds < LONG
    assert all(0 <= event.seconds < LONG for event in tape.events if isinstance(event, PhaseEnded))
    at = [event.at for event in tape.events if isinstance(event, ConsoleLine | PhaseStarted)]
    assert max(at) - min(at) < LONG
    machine.checkpoint("one")
    assert 0 <= machine.rewind(to="one").seconds < LONG
    machine.stop()
    machine.up()
    assert machine.run("echo well", timeout=30).ok
    assert machine.down() == []
    assert files(state) == []
