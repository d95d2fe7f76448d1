"""Records of machines: older and newer ones, broken ones, and what they never cost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from flatkit.errors import HostError, MachineError, UsageError
from flatkit.machines import Machine, MachineSpec, find_machines, list_machines, remove_machines, store
from flatkit.machines.checkpoints import find_checkpoint, list_checkpoints
from flatkit.machines.cleanup import find_users
from flatkit.machines.creator import Creator
from flatkit.machines.handle import MachineState
from flatkit.machines.records import Life, Record, RecordBroken, RecordNewer
from flatkit.machines.spec import Accelerator, Firmware
from flatkit.machines.store import Folder, folder_of, folders, make_folder, taken_ports
from flatkit.testing.hypervisor import FakeHypervisor

GOLDEN = Path(__file__).parent / "golden/records"


@pytest.fixture
def folder(state: Path) -> Folder:
    """A machine's folder with a disk and the present record."""
    made = folder_of("web")
    make_folder(made.path)
    (made.path / "overlay.qcow2").write_bytes(b"a user's work")
    (made.path / "config.ign").write_text('{"ignition": {"version": "3.3.0"}}')
    shutil.copy(GOLDEN / "present.json", made.path / "machine.json")
    return made


def read(folder: Folder, golden: str) -> Record:
    shutil.copy(GOLDEN / f"{golden}.json", folder.path / "machine.json")
    return folder.get()


def values() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / "present.json").read_text())
    return found


# Other versions


def test_records_of_other_versions_are_read(folder: Folder) -> None:
    first = read(folder, "first")
    assert (first.spec.firmware, first.spec.extra_images, first.spec.extra_disks_gib) == (None, (), (1,))
    present = read(folder, "present")
    assert (present.spec.firmware, present.spec.extra_images) == (Firmware.UEFI, (Path("/images/data.raw"),))
    later = read(folder, "later-keys")
    assert (later.spec, later.uuid) == (first.spec, first.uuid)
    assert (first.made_by, later.made_by) == (Creator(), Creator(session="terminal"))
    assert present.made_by == Creator(session="notebook:/course/04-updates.ipynb", task="demo update")
    least = read(folder, "least")
    assert (least.spec.memory_mib, least.spec.cpus, least.accelerator) == (1024, 2, Accelerator.TCG)
    # A machine in the making may be removed: one whose record does not say so is whole.
    assert least.life is Life.READY


def test_the_present_record_is_written_as_it_was_read(folder: Folder) -> None:
    assert json.loads(json.dumps(read(folder, "present").as_dict())) == values()


def test_a_machine_of_a_newer_flatkit_is_left_alone(
    folder: Folder, hypervisor: FakeHypervisor, spec: MachineSpec
) -> None:
    with pytest.raises(RecordNewer, match="was made by a newer flatkit"):
        read(folder, "newer-format")
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    machine = Machine("web", hypervisor=hypervisor)
    for verb in (lambda: machine.up(spec, accelerator=Accelerator.TCG), machine.stop, machine.rewind, machine.unplug):
        with pytest.raises(RecordNewer):
            verb()
    assert "was made by a newer flatkit" in machine.down()[0]
    found = list_machines(hypervisor)
    assert [(info.name, info.state) for info in found] == [("web", MachineState.BROKEN)]
    said = remove_machines(found, hypervisor=hypervisor)
    assert "newer flatkit" in said[0]
    assert "flatkit down" not in said[0]  # which would refuse it as well
    assert said[0].isprintable()
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


# Broken ones

BROKEN = {
    "empty": b"",
    "torn": b'{"spec": {"na',
    "binary": bytes(range(256)) * 10,
    "deep": b'{"spec":' + b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "surrogate": json.dumps({**values(), "cause": "\ud800"}).encode(),
    "list": b"[]",
    "null": b"null",
    "number": b"1" * 10_000,
    "huge number": json.dumps(values()).replace("1024", "9" * 5000).encode(),
    "large": b" " * 2_000_000,
    "spec is a list": json.dumps({**values(), "spec": []}).encode(),
    "other machine": json.dumps({**values(), "spec": {**values()["spec"], "name": "other"}}).encode(),
    "foreign domain": json.dumps({**values(), "domain": "production"}).encode(),
    "domain of another machine": json.dumps({**values(), "domain": "flatkit-0a1b2c-other"}).encode(),
    "no disk": json.dumps({**values(), "spec": {"name": "web"}}).encode(),
    "disk is a number": json.dumps({**values(), "spec": {**values()["spec"], "disk": 3}}).encode(),
    "memory is a text": json.dumps({**values(), "spec": {**values()["spec"], "memory_mib": "1024"}}).encode(),
    "cpus are true": json.dumps({**values(), "spec": {**values()["spec"], "cpus": True}}).encode(),
    "user is an option": json.dumps(
        {**values(), "spec": {**values()["spec"], "ssh_user": "-oProxyCommand=x"}}
    ).encode(),
    "no ssh": json.dumps({**values(), "forwards": []}).encode(),
    "port": json.dumps({**values(), "forwards": [{"host": 1e99, "guest": 22}]}).encode(),
    "life": json.dumps({**values(), "life": "\u2126"}).encode(),
    "infinite": json.dumps({**values(), "uuid": float("inf")}).encode(),
    **{
        f"format {found!r}": json.dumps({**values(), "format": found}).encode()
        for found in ("2", 1.5, -1, 0, True, None, [2], {})
    },
    "uuid": json.dumps({**values(), "uuid": "<x/>"}).encode(),
    "creator": json.dumps({**values(), "made_by": "terminal"}).encode(),
    "session": json.dumps({**values(), "made_by": {"session": ["terminal"]}}).encode(),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_broken_record_costs_no_disk(
    folder: Folder, hypervisor: FakeHypervisor, spec: MachineSpec, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.path / "machine.json").write_bytes(BROKEN[case])
    machine = Machine("web", hypervisor=hypervisor)
    assert machine.state is MachineState.BROKEN
    with pytest.raises(RecordBroken, match=r"/machine\.json") as caught:
        machine.up(spec, accelerator=Accelerator.TCG)
    assert "flatkit down web" in caught.value.hint
    assert caught.value.message.isprintable()
    for verb in (machine.up, machine.stop, machine.rewind, machine.unplug, lambda: machine.run("true")):
        with pytest.raises(RecordBroken):
            verb()
    found = list_machines(hypervisor)
    assert [(info.state, info.cause) for info in found] == [(MachineState.BROKEN, caught.value.message)]
    said = remove_machines(found, hypervisor=hypervisor)
    assert "machine.json" in said[0]
    assert "flatkit down web" in said[0]
    assert said[0].isprintable()
    assert find_users(Path("/images")) == ["web"]
    assert taken_ports() == set()
    assert repr(machine) == "<Machine 'web'>"
    assert (folder.path / "overlay.qcow2").read_bytes() == b"a user's work"
    # What a user asks for by its name is done.
    assert machine.down() == []
    assert not folder.exists()


@pytest.mark.parametrize("what", ["fifo", "folder", "loop", "device", "config", "config that is not Ignition", "gone"])
def test_what_is_not_a_file_costs_no_disk_either(folder: Folder, hypervisor: FakeHypervisor, what: str) -> None:
    path = folder.path / ("config.ign" if what.startswith("config") else "machine.json")
    path.unlink()
    if what in {"fifo", "config"}:
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what in {"loop", "device"}:
        path.symlink_to("machine.json" if what == "loop" else "/dev/zero")
    elif what != "gone":
        path.write_text("3")
    machine = Machine("web", hypervisor=hypervisor)
    assert machine.state is MachineState.BROKEN
    with pytest.raises(RecordBroken, match=path.name):
        machine.up()
    assert (folder.path / "overlay.qcow2").exists()
    assert machine.down() == []


def test_a_crash_while_it_is_removed_leaves_what_can_be_removed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record goes last: else a disk without record would be left, which is never removed by itself."""
    real, gone = Path.unlink, []

    def crash(path: Path, missing_ok: bool = False) -> None:
        if len(gone) == 1:
            raise KeyboardInterrupt
        gone.append(path.name)
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", crash)
    with pytest.raises(KeyboardInterrupt):
        folder.remove()
    monkeypatch.undo()
    assert (folder.path / "machine.json").exists()
    folder.remove()
    assert not folder.exists()


def test_a_link_in_the_place_of_a_folder_is_not_followed(
    state: Path, tmp_path: Path, hypervisor: FakeHypervisor
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/kept").touch()
    (state / "machines").mkdir(parents=True)
    (state / "machines/web").symlink_to(tmp_path / "other")
    assert "cannot be removed" in Machine("web", hypervisor=hypervisor).down()[0]
    assert (tmp_path / "other/kept").exists()


# Checkpoints

CHECKPOINT = {"name": "fresh", "created": "2026-07-01", "bytes": 5, "host_keys": [], "xml": "<domainsnapshot/>"}


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, "3", "[]", '{"xml": 3}', '{"xml": "x", "host_keys": 3}', "\0" * 100]
)
def test_a_broken_description_of_a_checkpoint_costs_no_disk(folder: Folder, text: str) -> None:
    """Without checkpoints a rewind makes the disks anew: one that is there but cannot be read is not none."""
    make_folder(folder.checkpoints)
    (folder.checkpoints / "fresh.json").write_text(text)
    assert list_checkpoints(folder) == ()
    with pytest.raises(MachineError, match=r"fresh\.json. cannot be read"):
        find_checkpoint(folder, None)


def test_checkpoints_of_other_versions_are_read(folder: Folder) -> None:
    make_folder(folder.checkpoints)
    (folder.checkpoints / "fresh.json").write_text(json.dumps({**CHECKPOINT, "later": True}))
    (folder.checkpoints / "b.json").write_text(json.dumps({"xml": "<x/>", "host_keys": []}))
    (folder.checkpoints / "no name.json").write_text(json.dumps(CHECKPOINT))
    assert [(one.name, one.bytes) for one in list_checkpoints(folder)] == [("b", 0), ("fresh", 5)]


# Names

NAMES = ("..evil", "-x", "a\nb", "a\x1b[31mb", "A", "a" * 33, "ä", "a b", ".hidden", "a\udcffb", "a-")


def test_a_folder_with_a_name_that_no_machine_can_have_is_not_flatkits(
    state: Path, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        (state / "machines" / name).mkdir(parents=True)
        (state / "machines" / name / "machine.json").write_text("{}")
    assert folders() == []
    assert list_machines(hypervisor) == []
    monkeypatch.setattr(FakeHypervisor, "owned", lambda *_: (_ for _ in ()).throw(HostError("away")))
    assert find_machines(hypervisor) == []
    assert remove_machines(find_machines(hypervisor), hypervisor=hypervisor) == []
    assert len(list((state / "machines").iterdir())) == len(NAMES)


@pytest.mark.parametrize("name", [*NAMES, "", ".", "..", "../../etc", "/etc"])
def test_such_a_name_is_refused_in_words(state: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a machine's name") as caught:
        folder_of(name)
    assert caught.value.message.isprintable()
    caught.value.message.encode()


def test_a_machine_that_is_made_between_two_looks_at_its_files_is_not_broken(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, find = folder.get(), store.read_record

    def before_it_was_made(*_: Path) -> None:
        monkeypatch.setattr(store, "read_record", find)

    monkeypatch.setattr(store, "read_record", before_it_was_made)
    assert folder.find() == whole
