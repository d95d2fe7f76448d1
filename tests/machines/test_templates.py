"""Templates and first boots that continue them, on libvirt's test driver with a pretended guest."""

from __future__ import annotations

import json
import shutil
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from flatkit.errors import BootStalled, Cancelled, HostError, KernelPanicked, MachineError
from flatkit.events import ConsoleLine, Observer, PhaseEnded, PhaseStarted, Said, Tape
from flatkit.machines import Accelerator, Forward, Machine, MachineSpec, MachineState, first_boot, templates
from flatkit.machines.domain import FW_CFG_TEMPLATE, snapshot_of
from flatkit.machines.ready import Patience
from flatkit.machines.spec import DirectBoot
from flatkit.machines.templates import CONTINUED, WAITING, Library, find_library
from flatkit.testing.guest import BOOT, FakeGuest
from flatkit.testing.hypervisor import FakeHypervisor

VERSIONS = ("QEMU 7.2", "9.0.0")
BEFORE = (*BOOT[:2], f"[    1.400000] {WAITING}")
PANIC = "[    3.100000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b"
AFTER = (f"[    1.450000] {CONTINUED}", *BOOT[2:])


class TemplateHypervisor(FakeHypervisor):
    """Its guests wait when they find the key, and go on when they are brought back."""

    def __init__(self) -> None:
        super().__init__()
        self.saved = 0
        self.continues = True
        self.dies = False
        self.panics: set[str] = set()
        self.stalls: set[str] = set()
        self._comes_back = False

    def save_snapshot(self, domain: str, name: str) -> str:
        self.saved += name == templates.SNAPSHOT
        return super().save_snapshot(domain, name)

    def revert(self, domain: str, name: str) -> None:
        self._comes_back = name == templates.SNAPSHOT
        super().revert(domain, name)
        self._comes_back = False
        if self.dies:
            self.destroy(domain)

    def _power_on(self, domain: str) -> None:
        guest = self.guests.setdefault(domain, FakeGuest())
        waits = FW_CFG_TEMPLATE in self.defined[domain]
        is_silent = waits or (self._comes_back and not self.continues)
        guest.shows_key = guest.serves = not is_silent
        guest.boot = BEFORE if waits else () if is_silent else AFTER if self._comes_back else BOOT
        if not is_silent and ("warm" if self._comes_back else "cold") in self.panics:
            guest.shows_key = guest.serves = False
            guest.boot = (*guest.boot[:3], PANIC)
        if not is_silent and ("warm" if self._comes_back else "cold") in self.stalls:
            guest.shows_key = guest.serves = False
        super()._power_on(domain)


@pytest.fixture
def hypervisor(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TemplateHypervisor]:
    pytest.importorskip("libvirt")
    monkeypatch.delenv("FLATKIT_TEMPLATES", raising=False)
    fake = TemplateHypervisor()
    fake.connect()
    yield fake
    fake.close()


@pytest.fixture
def spec(tmp_path: Path) -> MachineSpec:
    image = tmp_path / "image"
    (image / "templates").mkdir(parents=True)
    for name in ("disk.raw", "vmlinuz", "selector"):
        (image / name).write_bytes(b"\0" * 1024 * 1024)
    boot = DirectBoot(kernel=image / "vmlinuz", initrd=image / "selector", cmdline="quiet")
    ignition = '{"ignition": {"version": "3.3.0"}}'
    return MachineSpec(
        name="web", disk=image / "disk.raw", boot=boot, ignition=ignition, label="fake 1.0", memory_mib=256
    )


def up(
    hypervisor: FakeHypervisor, spec: MachineSpec, name: str = "web", *, cold: bool = False, stalled: float = 120.0
) -> tuple[Machine, Tape]:
    tape = Tape()
    machine = Machine(name, hypervisor=hypervisor)
    patience = Patience(after_failure=0.2, stalled=stalled)
    machine.up(replace(spec, name=name), observer=tape, accelerator=Accelerator.TCG, cold=cold, patience=patience)
    return machine, tape


def stored(spec: MachineSpec) -> list[Path]:
    return [path for path in (spec.disk.parent / "templates").iterdir() if path.is_dir()]


def origins(tape: Tape) -> dict[str, bool]:
    return {event.phase: bool(event.template) for event in tape.events if isinstance(event, PhaseEnded)}


def said(tape: Tape) -> list[str]:
    return [event.text for event in tape.events if isinstance(event, Said)]


def library(spec: MachineSpec) -> Library:
    found = find_library(spec, Accelerator.TCG, versions=VERSIONS)
    assert found
    return found


def test_the_first_machine_becomes_the_template_and_the_second_continues_it(
    hypervisor: TemplateHypervisor, spec: MachineSpec
) -> None:
    expected = {
        "template": False, "continue": False, "create": False, "firmware": True, "kernel": True, "initrd": True,
        "ignition-files": False, "units": False, "ssh": False,
    }  # fmt: skip
    _, tape = up(hypervisor, spec, "one")
    assert origins(tape) == expected
    two, tape = up(hypervisor, spec, "two")
    del expected["template"]
    assert origins(tape) == expected
    assert hypervisor.saved == 1
    assert two.run("hostname").ok
    # Its console has the whole boot, each line once, and its domain has its own config in place of the key.
    lines = [event.text for event in tape.events if isinstance(event, ConsoleLine)]
    assert lines[: len(BOOT) + 2] == [*BEFORE, *AFTER]
    assert "opt/org.flatcar-linux/config" in hypervisor.defined[two.record.domain]
    assert FW_CFG_TEMPLATE not in hypervisor.defined[two.record.domain]
    assert hypervisor.find_snapshot(two.record.domain, templates.SNAPSHOT) is None
    # When it was made is said with each phase that comes from it.
    (folder,) = stored(spec)
    made = json.loads((folder / "template.json").read_text())["made"]
    event = next(event for event in tape.events if isinstance(event, PhaseEnded) and event.phase == "kernel")
    assert event.as_dict()["template"] == made
    assert event.origin == f"kept from an earlier boot, {made[:16].replace('T', ' ')}"


def test_a_stopped_machine_boots_from_its_own_disk(hypervisor: TemplateHypervisor, spec: MachineSpec) -> None:
    machine, _ = up(hypervisor, spec)
    machine.stop()
    tape = Tape()
    machine.up(observer=tape)
    assert not any(origins(tape).values())
    assert "continue" not in origins(tape)


def test_a_machine_that_boots_anew_continues_a_template(hypervisor: TemplateHypervisor, spec: MachineSpec) -> None:
    machine, _ = up(hypervisor, spec)
    tape = Tape()
    machine.rewind(observer=tape)
    assert origins(tape)["kernel"]
    assert hypervisor.saved == 1


def test_a_cold_boot_neither_makes_nor_continues_a_template(hypervisor: TemplateHypervisor, spec: MachineSpec) -> None:
    _, tape = up(hypervisor, spec, cold=True)
    assert not any(origins(tape).values())
    assert not stored(spec)


@pytest.mark.parametrize("fault", ["torn", "cut", "gone", "silent", "dies", "refused"])
def test_a_template_that_fails_costs_seconds_only(
    hypervisor: TemplateHypervisor, spec: MachineSpec, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_boot, "_TO_CONTINUED", 0.1)
    up(hypervisor, spec, "one")
    (folder,) = stored(spec)
    disk = folder / "disk.qcow2"
    if fault in {"torn", "cut"}:
        data = bytearray(disk.read_bytes())
        data[-1] ^= 1
        disk.chmod(0o644)
        disk.write_bytes(data if fault == "torn" else data[:-1])
    elif fault == "gone":
        disk.unlink()
    elif fault == "refused":
        monkeypatch.setattr(hypervisor, "redefine_snapshot", lambda *_: (_ for _ in ()).throw(MachineError("no such")))
    hypervisor.continues, hypervisor.dies = fault not in {"silent", "dies"}, fault == "dies"
    machine, tape = up(hypervisor, spec, "two")
    assert machine.state is MachineState.RUNNING
    assert not any(origins(tape).values())
    found = [
        text
        for text in said(tape)
        if text.startswith("no template is used, and the machine boots from its firmware on: ")
    ]
    assert len(found) == 1
    expected = {"torn": "not as it was written", "cut": "not as it was written", "gone": "No such file", "refused": "no such",
                "silent": "did not print", "dies": "ended before"}  # fmt: skip
    assert expected[fault] in found[0]
    assert not stored(spec)


@pytest.mark.parametrize("fault", ["cache full", "disk full", "read-only", "save"])
def test_a_template_that_cannot_be_made_costs_seconds_only(
    hypervisor: TemplateHypervisor, spec: MachineSpec, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(free=0)
    refusal = MachineError("cannot be saved")
    if fault == "cache full":
        real = shutil.disk_usage
        monkeypatch.setattr(
            templates.shutil, "disk_usage", lambda path: usage if "templates" in str(path) else real(path)
        )
    elif fault == "disk full":
        monkeypatch.setattr(first_boot, "check_saving_room", lambda *_: (_ for _ in ()).throw(HostError("no room")))
    elif fault == "read-only":
        monkeypatch.setattr(templates.os, "access", lambda *_: False)
    else:
        monkeypatch.setattr(hypervisor, "save_snapshot", lambda *_: (_ for _ in ()).throw(refusal))
    machine, tape = up(hypervisor, spec)
    assert machine.run("hostname").ok
    assert not any(origins(tape).values())
    assert sum("boots from its firmware on" in text for text in said(tape)) == 1
    assert not stored(spec)


def test_without_room_for_a_template_nothing_is_booted_for_it(
    hypervisor: TemplateHypervisor, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.disk_usage
    monkeypatch.setattr(
        templates.shutil,
        "disk_usage",
        lambda path: SimpleNamespace(free=2**28) if path == spec.disk.parent / "templates" else real(path),
    )
    _, tape = up(hypervisor, spec)
    assert "template" not in origins(tape)
    assert [text for text in said(tape) if "a template may need" in text and "256 MiB are free" in text]


@pytest.mark.parametrize("fault", ["silent", "dies"])
def test_a_host_that_cannot_continue_a_new_template_makes_no_more(
    hypervisor: TemplateHypervisor, spec: MachineSpec, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_boot, "_TO_CONTINUED", 0.1)
    hypervisor.continues, hypervisor.dies = False, fault == "dies"
    for name in ("one", "two"):
        machine, tape = up(hypervisor, spec, name)
        assert machine.state is MachineState.RUNNING
        assert sum("boots from its firmware on" in text for text in said(tape)) == 1
    assert hypervisor.saved == 1
    assert "template" not in origins(tape)
    (mark,) = (spec.disk.parent / "templates").glob("*.given-up")
    assert f'remove "{mark}"' in "".join(said(tape))
    mark.unlink()
    hypervisor.continues, hypervisor.dies = True, False
    _, tape = up(hypervisor, spec, "three")
    assert origins(tape)["kernel"]


def test_a_kernel_that_panics_after_a_template_boots_from_its_firmware_on(
    hypervisor: TemplateHypervisor, spec: MachineSpec
) -> None:
    up(hypervisor, spec)
    hypervisor.panics = {"warm"}
    machine, tape = up(hypervisor, spec, "other")
    assert machine.state is MachineState.RUNNING
    assert any(text.startswith('the kernel of "other" panicked after it continued a template') for text in said(tape))
    kernels = [
        bool(event.template) for event in tape.events if isinstance(event, PhaseEnded) and event.phase == "kernel"
    ]
    assert kernels == [True, False]
    assert machine.record.cause == ""


def test_a_machine_that_stands_still_after_a_template_boots_from_its_firmware_on(
    hypervisor: TemplateHypervisor, spec: MachineSpec
) -> None:
    up(hypervisor, spec)
    hypervisor.stalls = {"warm"}
    machine, tape = up(hypervisor, spec, "other", stalled=0.5)
    assert machine.state is MachineState.RUNNING
    assert any(text.startswith('"other" shows no activity after it continued a template') for text in said(tape))
    hypervisor.stalls = {"warm", "cold"}
    with pytest.raises(BootStalled, match='"third" is not ready after'):
        up(hypervisor, spec, "third", stalled=0.5)


def test_a_kernel_that_panics_whatever_it_continued_is_given_up(
    hypervisor: TemplateHypervisor, spec: MachineSpec
) -> None:
    up(hypervisor, spec)
    hypervisor.panics = {"warm", "cold"}
    with pytest.raises(KernelPanicked, match="the kernel panicked"):
        up(hypervisor, spec, "other")
    machine = Machine("other", hypervisor=hypervisor)
    assert machine.state is MachineState.FAILED
    assert "panic" in "".join(machine.console_tail())


def test_a_template_of_long_ago_that_fails_is_made_again(
    hypervisor: TemplateHypervisor, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_boot, "_TO_CONTINUED", 0.1)
    up(hypervisor, spec, "one")
    hypervisor.continues = False
    up(hypervisor, spec, "two")
    hypervisor.continues = True
    _, tape = up(hypervisor, spec, "three")
    assert origins(tape)["template"] is False
    assert origins(tape)["kernel"]
    assert hypervisor.saved == 2


@pytest.mark.parametrize("verb", ["save_snapshot", "redefine_snapshot", "revert"])
def test_a_libvirt_that_restarts_in_between_costs_seconds_only(
    hypervisor: TemplateHypervisor, spec: MachineSpec, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = HostError("libvirt went away")
    with monkeypatch.context() as patch:
        patch.setattr(hypervisor, verb, lambda *_: (_ for _ in ()).throw(away))
        machine, tape = up(hypervisor, spec, "one")
    assert machine.state is MachineState.RUNNING
    assert [text for text in said(tape) if text.endswith("boots from its firmware on: libvirt went away")]
    _, tape = up(hypervisor, spec, "two")
    # It was nobody's fault: the next machine has its template.
    assert origins(tape)["kernel"]


def test_two_first_boots_at_once_make_one_template(hypervisor: TemplateHypervisor, spec: MachineSpec) -> None:
    names = ("one", "two", "three")
    tapes = []
    threads = [threading.Thread(target=lambda name=name: tapes.append(up(hypervisor, spec, name)[1])) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert hypervisor.saved == 1
    # Who waits says so; who comes later finds it there.
    waited = [tape for tape in tapes if any("waiting for it" in text for text in said(tape))]
    assert all("template" not in origins(tape) for tape in waited)
    assert sum("template" in origins(tape) for tape in tapes) == 1
    assert [Machine(name, hypervisor=hypervisor).state for name in names] == [MachineState.RUNNING] * 3


def test_cancelled_while_a_template_is_made_nothing_is_left(
    hypervisor: TemplateHypervisor, spec: MachineSpec, state: Path
) -> None:
    cancel = threading.Event()

    class CancelsIt(Observer):
        def on_phase_started(self, event: PhaseStarted) -> None:
            if event.phase == "template":
                cancel.set()

    with pytest.raises(Cancelled):
        Machine("web", hypervisor=hypervisor).up(spec, observer=CancelsIt(), cancel=cancel, accelerator=Accelerator.TCG)
    assert not hypervisor.owned()
    assert not stored(spec)
    assert not Machine("web", hypervisor=hypervisor).folder.exists()


def test_another_qemu_makes_another_template(
    hypervisor: TemplateHypervisor, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(hypervisor, spec, "one")
    monkeypatch.setattr(first_boot, "qemu_version", lambda _arch: "QEMU emulator version 99")
    up(hypervisor, spec, "two")
    assert hypervisor.saved == len(stored(spec)) == 2


SAME = (
    {"name": "other"},
    {"ignition": '{"ignition": {"version": "3.3.0"}, "storage": {}}'},
    {"ignition": ""},
    {"label": "lab 2"},
    {"forwards": (Forward(host=8080, guest=80),)},
    {"ssh_user": "ada"},
)
OTHER = ({"memory_mib": 512}, {"cpus": 1}, {"disk_format": "raw", "disk": "moved"})
UNFIT = (
    {"boot": None},
    {"extra_disks_gib": (1,)},
    {"extra_images": (Path("/x"),)},
    {"disk_gib": 9},
    {"disk": Path("/nowhere/x")},
)


@pytest.mark.parametrize("change", SAME, ids=str)
def test_what_comes_after_the_template_has_no_part_in_its_key(spec: MachineSpec, change: dict) -> None:
    assert library(replace(spec, **change)) == library(spec)


@pytest.mark.parametrize("change", OTHER, ids=str)
def test_other_hardware_has_another_template(spec: MachineSpec, change: dict) -> None:
    if change.get("disk") == "moved":
        change = {"disk": spec.disk.with_name("other.raw")}
    assert library(replace(spec, **change)).key != library(spec).key
    assert find_library(spec, Accelerator.KVM, versions=VERSIONS) != library(spec)
    assert find_library(spec, Accelerator.TCG, versions=("QEMU 8", "9.0.0")) != library(spec)


@pytest.mark.parametrize("change", UNFIT, ids=str)
def test_what_no_template_can_serve_boots_from_its_firmware_on(spec: MachineSpec, change: dict) -> None:
    assert find_library(replace(spec, **change), Accelerator.TCG, versions=VERSIONS) is None


def test_an_image_without_the_folder_has_no_templates(spec: MachineSpec) -> None:
    (spec.disk.parent / "templates").rmdir()
    assert find_library(spec, Accelerator.TCG, versions=VERSIONS) is None


def test_templates_are_read_only_for_all_and_the_oldest_go(spec: MachineSpec, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"memory")
    shelves = [replace(library(spec), key=f"{number}") for number in range(5)]
    for number, shelf in enumerate(shelves):
        template = shelf.add(disk, b"console")
        assert shelf.find() == template
        assert template.console == b"console"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in template.disk.parent.iterdir()}
        assert modes == {"disk.qcow2": 0o444, "console.log": 0o444, "template.json": 0o444}
        assert stat.S_IMODE(template.disk.parent.stat().st_mode) == 0o755
        shelves[0].find()  # it is in use
        assert (len(stored(spec)), shelves[0].find() is not None) == (min(number + 1, 3), True)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"made": 1, "size": 1, "checksum": 1}', '{"made": "x", "size": "y"}']
)
def test_a_description_that_cannot_be_read_is_no_template(spec: MachineSpec, tmp_path: Path, text: str) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"memory")
    description = library(spec).add(disk, b"").disk.with_name("template.json")
    description.chmod(0o644)
    description.write_text(text)
    assert library(spec).find() is None
    assert library(spec).add(disk, b"").size == 6  # it is replaced


def test_a_leftover_of_a_killed_maker_is_removed(spec: MachineSpec, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"memory")
    (library(spec).folder / ".part-x").mkdir()
    library(spec).add(disk, b"")
    assert not list(library(spec).folder.glob(".part-*"))


def test_a_snapshot_that_is_in_the_disks_already() -> None:
    domain = '<domain type="qemu"><name>a</name><devices><disk><target dev="vda" /></disk></devices></domain>'
    assert snapshot_of(domain, "template") == (
        "<domainsnapshot><name>template</name><state>running</state><creationTime>0</creationTime>"
        '<memory snapshot="internal" /><disks><disk name="vda" snapshot="internal" /></disks>'
        f"{domain}</domainsnapshot>"
    )


def test_the_variable_switches_templates_off(
    hypervisor: TemplateHypervisor, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value, saved in (("0", 0), ("", 1)):
        monkeypatch.setenv("FLATKIT_TEMPLATES", value)
        up(hypervisor, spec)[0].down()
        assert hypervisor.saved == saved
