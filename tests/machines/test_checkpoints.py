"""Checkpoints and rewind on libvirt's test driver with a pretended guest."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.errors import BootFailed, Cancelled, HostError, MachineError, MachineNotFound, UsageError
from flatkit.events import PhaseEnded, Said, Tape
from flatkit.machines import Accelerator, Machine, MachineSpec, MachineState, list_machines
from flatkit.machines import backend as place_module
from flatkit.machines.checkpoints import Shelf, check_checkpoint_name, list_checkpoints
from flatkit.machines.disks import Room
from flatkit.machines.domain import with_forwards, without_parent
from flatkit.machines.resume import Rewound
from flatkit.machines.spec import Forward
from flatkit.machines.states import DomainState, Status
from flatkit.testing.hypervisor import FakeHypervisor

NOW = "1790000000.25"


def answer(command: str) -> tuple[str, str, int]:
    """A guest whose clock stands where it stood when it was saved."""
    return (f"was={NOW}\nclock=set\nseed=written\nseed=used\n" if "was=" in command else f"{command}\n"), "", 0


@pytest.fixture
def hypervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHypervisor]:
    pytest.importorskip("libvirt")
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("flatkit.machines.resume.time.time", lambda: float(NOW) + 34)
    fake = FakeHypervisor()
    fake.connect()
    yield fake
    fake.close()


@pytest.fixture
def spec(tmp_path: Path) -> MachineSpec:
    disk = tmp_path / "image.raw"
    disk.write_bytes(b"\0" * 1024 * 1024)
    return MachineSpec(name="web", disk=disk, ignition='{"ignition": {"version": "3.3.0"}}', memory_mib=256)


@pytest.fixture
def machine(hypervisor: FakeHypervisor, spec: MachineSpec) -> Machine:
    machine = Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG)
    for guest in hypervisor.guests.values():
        guest.answer = answer
    return machine


def names(machine: Machine) -> list[str]:
    return [one.name for one in machine.checkpoints]


def test_a_checkpoint_is_saved_listed_and_replaced(machine: Machine, hypervisor: FakeHypervisor) -> None:
    tape = Tape()
    first = machine.checkpoint("before-update", observer=tape)
    assert [event.phase for event in tape.events if isinstance(event, PhaseEnded)] == ["checkpoint"]
    again = machine.checkpoint("before-update")
    assert again.created > first.created
    machine.checkpoint("after")
    assert names(machine) == ["before-update", "after"]
    assert [one.name for one in list_machines(hypervisor)[0].checkpoints] == ["before-update", "after"]


def test_a_rewind_in_place_makes_the_session_anew_and_sets_the_clock(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    machine.run("true")
    assert machine.keep_fresh() is not None
    tape = Tape()
    rewound = machine.rewind(observer=tape)
    assert (rewound.checkpoint, rewound.behind, rewound.reseeded) == ("fresh", 34.0, True)
    assert 'back at "fresh" after' in str(rewound)
    said = [event.text for event in tape.events if isinstance(event, Said)]
    assert not any("back at" in text for text in said), "who asked shows the result; said as well, it came twice"
    assert [event.phase for event in tape.events if isinstance(event, PhaseEnded)] == ["rewind", "ssh", "login"]
    (guest,) = hypervisor.guests.values()
    assert guest.logins == 2
    assert machine.run("after").stdout == "after\n"
    assert guest.logins == 2


def test_a_machine_that_is_off_comes_back_with_its_host_keys(machine: Machine) -> None:
    machine.checkpoint("one")
    keys = machine.folder.hostkeys.read_text()
    machine.stop()
    # Keys are made anew by a reset; the checkpoint still has the old ones.
    machine.folder.hostkeys.write_text("[]")
    assert machine.rewind(to="one").checkpoint == "one"
    assert json.loads(machine.folder.hostkeys.read_text()) == json.loads(keys)
    assert machine.state is MachineState.RUNNING


def test_a_checkpoint_that_libvirt_has_forgotten_is_told_again(machine: Machine, hypervisor: FakeHypervisor) -> None:
    machine.checkpoint("one")
    machine.checkpoint("two")
    machine.stop()
    hypervisor.undefine(machine.record.domain)
    assert machine.rewind(to="two").checkpoint == "two"


def test_what_is_not_there_is_named(machine: Machine) -> None:
    with pytest.raises(MachineError, match='has no checkpoint "one"; it has: none') as caught:
        machine.rewind(to="one")
    assert caught.value.hint == "flatkit checkpoint web one"
    machine.checkpoint("two")
    with pytest.raises(MachineError, match='has no checkpoint "fresh"; it has: two') as caught:
        machine.rewind()
    assert caught.value.hint == "flatkit rewind web --to two"


def test_without_checkpoints_the_machine_boots_anew_and_keeps_its_ports(
    machine: Machine, hypervisor: FakeHypervisor
) -> None:
    before = machine.record
    overlay = machine.folder.files(before.spec).overlay
    overlay.write_bytes(b"what was learned")
    tape = Tape()
    rewound = machine.rewind(observer=tape)
    assert rewound.checkpoint == ""
    assert "boots again from its image: it has no checkpoint" in tape.events[0].text  # type: ignore[attr-defined]
    assert overlay.read_bytes()[:4] == b"QFI\xfb"
    assert machine.record == before
    assert machine.booted.is_first
    assert str(rewound).startswith("booted again, ")


def test_a_lost_disk_is_made_anew(machine: Machine) -> None:
    machine.checkpoint("one")
    machine.folder.files(machine.spec).overlay.unlink()
    tape = Tape()
    assert machine.rewind(to="one", observer=tape).checkpoint == ""
    assert "its disk is gone" in tape.events[0].text  # type: ignore[attr-defined]
    assert names(machine) == ["fresh"]


def test_saving_is_refused_when_the_disk_is_short_and_fresh_only_says_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place_module, "measure_room", lambda _: Room(memory_mib=9999, disk_mib=700))
    with pytest.raises(HostError, match='a checkpoint of "web" may need 768 MiB of disk, and 700 MiB are free'):
        machine.checkpoint("one")
    tape = Tape()
    assert machine.keep_fresh(observer=tape) is None
    assert next(event.text for event in tape.events if isinstance(event, Said)).startswith('no checkpoint "fresh"')
    assert names(machine) == []


def test_only_a_running_machine_can_be_saved(machine: Machine, hypervisor: FakeHypervisor) -> None:
    with pytest.raises(UsageError, match='"Not This" cannot be a checkpoint\'s name'):
        machine.checkpoint("Not This")
    machine.stop()
    with pytest.raises(MachineError, match='"web" is stopped, and only a running one'):
        machine.checkpoint("one")
    with pytest.raises(MachineNotFound):
        Machine("other", hypervisor=hypervisor).checkpoint("one")
    with pytest.raises(MachineNotFound):
        Machine("other", hypervisor=hypervisor).rewind()


def test_a_machine_that_libvirt_is_saving_is_waited_for(
    machine: Machine, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = hypervisor.status, []

    def saving(domain: str) -> Status:
        asked.append(domain)
        return real(domain) if len(asked) > 3 else Status(state=DomainState.PAUSED, reason="saving", passing=True)

    monkeypatch.setattr(hypervisor, "status", saving)
    assert machine.checkpoint("one").name == "one"
    assert len(asked) > 3


def test_a_machine_that_ends_on_its_way_back(
    machine: Machine, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.checkpoint("one")
    (guest,) = hypervisor.guests.values()
    monkeypatch.setattr(Shelf, "revert", lambda self, record, checkpoint: hypervisor.destroy(record.domain))
    with pytest.raises(BootFailed, match="ended while it was brought back: it was switched off from outside"):
        machine.rewind(to="one")
    guest.serves = True


def test_a_rewind_can_be_cancelled(machine: Machine, hypervisor: FakeHypervisor) -> None:
    machine.checkpoint("one")
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        machine.rewind(to="one", cancel=cancel)
    assert machine.rewind(to="one").checkpoint == "one"


def test_a_torn_description_is_no_checkpoint(machine: Machine) -> None:
    machine.checkpoint("one")
    (machine.folder.checkpoints / "two.json").write_text("{ torn")
    (machine.folder.checkpoints / "three.json").write_text("[]")
    assert [one.name for one in list_checkpoints(machine.folder)] == ["one"]


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "a/b", "..", "a" * 33, "<x/>"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError):
        check_checkpoint_name(name)


SNAPSHOT = """<domainsnapshot xmlns:q="http://libvirt.org/schemas/domain/qemu/1.0"><name>one</name><parent><name>a</name></parent>
<domain><q:commandline><q:arg value="-netdev"/><q:arg value="user,id=flatkit,hostfwd=tcp:127.0.0.1:1-:22"/></q:commandline>
</domain><inactiveDomain><q:commandline><q:arg value="user,id=flatkit,hostfwd=tcp:127.0.0.1:1-:22"/></q:commandline>
</inactiveDomain></domainsnapshot>"""


def test_a_description_gets_the_ports_of_today() -> None:
    assert with_forwards(SNAPSHOT, (Forward(host=1, guest=22),)) == SNAPSHOT
    changed = with_forwards(SNAPSHOT, (Forward(host=2, guest=22), Forward(host=3, guest=80)))
    assert changed.count("user,id=flatkit,hostfwd=tcp:127.0.0.1:2-:22,hostfwd=tcp:127.0.0.1:3-:80") == 2
    assert "-netdev" in changed
    assert "<parent>" in SNAPSHOT
    assert "parent" not in without_parent(SNAPSHOT)


@pytest.mark.parametrize(
    ("rewound", "said"),
    [
        (
            Rewound(checkpoint="a", ready_seconds=0.1, seconds=0.94, behind=34.2),
            'back at "a" after 0.9 s; its clock was put forward by 34 s',
        ),
        (
            Rewound(checkpoint="a", ready_seconds=0.1, seconds=2.0, behind=0.3),
            'back at "a" after 2.0 s; its clock is right',
        ),
        (
            Rewound(checkpoint="a", ready_seconds=0.1, seconds=2.0),
            'back at "a" after 2.0 s; its clock could not be set',
        ),
        (Rewound(seconds=18.04), "booted again, 18.0 s"),
    ],
)
def test_how_it_is_said(rewound: Rewound, said: str) -> None:
    assert str(rewound) == said
