"""Checkpoints and rewind on a real machine: memory, disk, clock, randomness, ports, and what survives what."""

from __future__ import annotations

import json
import shutil
import time

import lab_updates as lab
import pytest
from lab_updates import ask

from flatkit import api
from flatkit.cli import main
from flatkit.errors import MachineError
from flatkit.events import PhaseEnded, Said, Tape
from flatkit.machines import Hypervisor, Machine, MachineState, get_machine, list_machines
from flatkit.machines import machine as machine_module

pytestmark = pytest.mark.vm


def clock_error(machine: Machine) -> float:
    """By how many seconds the guest's clock is wrong, at most; the way there and back is part of it."""
    before = time.time()
    there = float(ask(machine, "date +%s.%N"))
    after = time.time()
    return max(before - there, there - after)


@pytest.fixture
def machine(lab_image, no_machines_left):
    tape = Tape()
    machine = api.boot(None, api.Wish(name="back", image="lab"), observer=tape).machine
    machine.tape = tape
    yield machine
    machine.close()


def test_there_and_back_again(machine, no_machines_left, capsys, monkeypatch):
    # The first boot has left one, and said so.
    assert [one.name for one in machine.checkpoints] == ["fresh"]
    assert any(isinstance(event, Said) and 'checkpoint "fresh"' in event.text for event in machine.tape.events)
    boot_id = ask(machine, "cat /proc/sys/kernel/random/boot_id")
    address = ask(machine, "ip -4 -o addr show scope global")

    # Memory, disk and a running program go back together; what was done since is gone.
    running = "setsid --fork sleep 1000 </dev/null >/dev/null 2>&1; until pgrep -x sleep >/dev/null; do :; done"
    ask(machine, f"echo one > one; sudo touch /etc/new; {running}; sync")
    # It outlives the login that started it, as on Flatcar; a return ends every login of the memory that was saved.
    machine.close()
    ask(machine, "until [ $(systemctl list-units --no-legend 'sshd@*' | wc -l) = 1 ]; do sleep 0.2; done")
    assert ask(machine, "pgrep -xc sleep") == "1"
    assert main(["checkpoint", "back", "one", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["bytes"] > 50e6
    tape = Tape()
    rewound = machine.rewind(observer=tape)
    print(rewound)
    assert rewound.checkpoint == "fresh"
    assert rewound.reseeded
    assert [event.phase for event in tape.events if isinstance(event, PhaseEnded)] == ["rewind", "ssh", "login"]
    assert ask(machine, "ls; ls /etc/new 2>/dev/null; pgrep -x sleep; true") == ""
    assert ask(machine, "cat /proc/sys/kernel/random/boot_id") == boot_id
    assert ask(machine, "ip -4 -o addr show scope global").split()[3] == address.split()[3]
    assert clock_error(machine) < 3
    lab.wait_until_all_is_started(machine)

    # Two returns to one checkpoint draw different random numbers, in the kernel and in a login's own.
    first = ask(machine, "head -c 16 /dev/urandom | base64")
    machine.rewind(to="fresh")
    assert ask(machine, "head -c 16 /dev/urandom | base64") != first

    # Forward as well as back, and from another handle, as after a restart of the notebook's kernel.
    machine.close()
    other = get_machine("back", hypervisor=Hypervisor())
    assert other.rewind(to="one").checkpoint == "one"
    assert ask(other, "cat one; pgrep -xc sleep") == "one\n1"
    with pytest.raises(MachineError, match='no checkpoint "two"; it has: fresh, one'):
        other.rewind(to="two")

    # From a machine that is off, whose SSH port somebody took meanwhile, and whose domain libvirt has forgotten.
    other.unplug()
    record = other.record
    Hypervisor().undefine(record.domain)
    assert other.state is MachineState.STOPPED
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine_module.ports, "is_free", lambda port: port != other.host_port(22))
        assert other.rewind(to="one").checkpoint == "one"
    assert other.host_port(22) != next(one.host for one in record.forwards if one.guest == 22)
    assert ask(other, "cat one; pgrep -xc sleep") == "one\n1"
    assert other.rewind().checkpoint == "fresh"
    assert clock_error(other) < 3

    # Paused from outside, as by `virsh suspend`, with a clock that is behind: told, and resumed by `up`.
    ask(other, "sudo date -s '-2 hours'")
    Hypervisor()._on(record.domain, "suspend", lambda found: found.suspend())
    assert other.state is MachineState.PAUSED
    assert main(["up", "--name", "back"]) == 0
    assert "is paused (it was paused from outside): it is resumed" in "".join(capsys.readouterr())
    assert clock_error(other) < 3

    # Listed with sizes, for people and for programs; gone with the machine.
    assert main(["list"]) == 0
    assert "checkpoints: fresh (" in capsys.readouterr().out
    (info,) = list_machines()
    assert [one.name for one in info.checkpoints] == ["fresh", "one"]
    folder = other.folder.path
    assert other.down() == []
    assert not folder.exists()
    other.close()


def test_without_a_checkpoint_a_rewind_is_a_first_boot(machine):
    shutil.rmtree(machine.folder.checkpoints)
    boot_id = ask(machine, "echo mine > mine; sync; cat /proc/sys/kernel/random/boot_id")
    keys = machine.folder.hostkeys.read_text()
    port = machine.host_port(22)
    tape = Tape()
    rewound = machine.rewind(observer=tape)
    assert rewound.checkpoint == ""
    assert any(isinstance(event, Said) and "boots again" in event.text for event in tape.events)
    assert ask(machine, "ls") == ""
    assert ask(machine, "cat /proc/sys/kernel/random/boot_id") != boot_id
    assert machine.folder.hostkeys.read_text() != keys
    assert machine.host_port(22) == port
    assert [one.name for one in machine.checkpoints] == ["fresh"]
    assert machine.rewind().checkpoint == "fresh"


def test_a_rewind_hours_later_makes_nothing_due_at_once(machine):
    """What the machine remembers is two hours old, and its clock is set right; its own check for updates is not due."""
    ask(machine, r"printf 'SERVER=disabled\n' | sudo tee /etc/flatcar/update.conf; sudo date -s '-2 hours'")
    ask(machine, "sudo systemctl restart update-engine")
    assert clock_error(machine) > 7000
    machine.checkpoint("old")
    assert machine.rewind(to="old").checkpoint == "old"
    assert clock_error(machine) < 3
    # The daemon does one thing after another: when it has heard a second word, it has looked at the clock after the first.
    for _ in range(2):
        lab.wait_for(
            machine,
            "before=$(stat -c %i /run/update_engine/status); update_engine_client -reset_status && sleep 0.5"
            " && test $(stat -c %i /run/update_engine/status) != $before",
        )
    assert ask(
        machine, "test -e /run/update_engine/result && cat /run/update_engine/result || echo 'it asked nobody'"
    ) == ("it asked nobody")
