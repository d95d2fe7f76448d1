"""The verbs on a machine, on libvirt's test driver with a pretended guest."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from flatkit.errors import (
    BootFailed,
    Cancelled,
    HostError,
    ImageError,
    MachineError,
    MachineNotFound,
    WaitTimeout,
)
from flatkit.events import ConsoleLine, Event, Observer, PhaseEnded, Said, Tape
from flatkit.machines import (
    Accelerator,
    Forward,
    Machine,
    MachineSpec,
    MachineState,
    Patience,
    get_machine,
    list_machines,
    remove_machines,
)
from flatkit.machines import backend as place_module
from flatkit.machines import disks as disks_module
from flatkit.machines import power as power_module
from flatkit.machines import provision as making_module
from flatkit.machines.disks import Room
from flatkit.machines.domain import domain_name
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.records import Life
from flatkit.machines.states import DomainState, Status
from flatkit.machines.store import owner_id
from flatkit.testing.guest import BOOT, FakeGuest
from flatkit.testing.hypervisor import FakeHypervisor

IGNITION = '{"ignition": {"version": "3.3.0"}}'
HASTY = Patience(stalled=1.0, after_failure=0.3)


@pytest.fixture
def up(hypervisor: FakeHypervisor, spec: MachineSpec) -> Machine:
    return Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG)


def domain() -> str:
    return domain_name(owner_id(), "web")


def nothing_is_left(hypervisor: FakeHypervisor, state: Path) -> bool:
    folder = state / "machines"
    return not hypervisor.owned() and not (folder.exists() and list(folder.iterdir()))


def test_up_makes_a_machine_that_runs_commands(hypervisor: FakeHypervisor, spec: MachineSpec) -> None:
    tape = Tape()
    machine = Machine("web", hypervisor=hypervisor).up(spec, observer=tape, accelerator=Accelerator.TCG)
    assert machine.state is MachineState.RUNNING
    assert machine.run("uname -r").stdout == "uname -r\n"
    assert [event.phase for event in tape.events if isinstance(event, PhaseEnded)] == [
        "create", "firmware", "kernel", "initrd", "ignition-files", "units", "ssh",
    ]  # fmt: skip
    assert BOOT[0] in [event.text for event in tape.events if isinstance(event, ConsoleLine)]
    assert (machine.folder.path / "config.ign").read_text() == IGNITION
    assert machine.booted.seconds > 0


def test_up_again_returns_the_running_machine(up: Machine, spec: MachineSpec) -> None:
    tape = Tape()
    again = Machine("web", hypervisor=up.hypervisor).up(spec, observer=tape)
    assert again.booted.was_running
    assert [event.text for event in tape.events if isinstance(event, Said)] == ['the machine "web" is running already']
    assert again.forwards == up.forwards


def test_the_login_uses_the_connection_that_proved_readiness(up: Machine, hypervisor: FakeHypervisor) -> None:
    up.run("one")
    up.run("two")
    guest = hypervisor.guests[domain()]
    assert (guest.connections, guest.logins) == (1, 1)


def test_the_first_boot_leaves_a_pinned_key_for_plain_ssh(up: Machine, hypervisor: FakeHypervisor) -> None:
    argv = up.ssh_argv(["true"])
    key = hypervisor.guests[domain()].key
    assert up.folder.known_hosts.read_text() == f"flatkit-web {key.get_name()} {key.get_base64()}\n"
    assert argv[-3:] == ["core@127.0.0.1", "--", "true"]


def test_another_machine_of_the_same_name_is_refused(up: Machine, spec: MachineSpec, tmp_path: Path) -> None:
    other = MachineSpec(name="web", disk=spec.disk, memory_mib=512, label=spec.label, ignition=IGNITION)
    with pytest.raises(MachineError, match=r'named "web" exists already.*\(other memory\)') as caught:
        Machine("web", hypervisor=up.hypervisor).up(other)
    assert "flatkit down web" in caught.value.hint
    assert up.state is MachineState.RUNNING


@pytest.mark.parametrize("fate", ["off", "gone", "failed"])
def test_who_cannot_answer_is_not_waited_for(up: Machine, hypervisor: FakeHypervisor, fate: str) -> None:
    if fate == "failed":
        up.folder.update(up.record, life=Life.FAILED, cause="Ignition could not apply it")
        hypervisor.guests[domain()].power_off()
    else:
        hypervisor.destroy(domain())
    if fate == "gone":
        hypervisor.undefine(domain())
    words, hint = {
        "off": ("does not run: it was switched off from outside", "flatkit up --name web"),
        "gone": ("does not run: its domain was removed from outside", "flatkit up --name web"),
        "failed": ("its boot failed: Ignition could not apply it", "flatkit console web"),
    }[fate]
    with pytest.raises(MachineError, match=words) as caught:
        up.run("true")
    assert caught.value.hint == hint
    assert not isinstance(caught.value, WaitTimeout)
    if fate != "failed":  # which may have come up in the end
        with pytest.raises(MachineError, match=words):
            up.ssh_argv()


def test_ssh_to_a_machine_that_stands_still_says_why(up: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    still = Status(state=DomainState.PAUSED, reason="writing to its disk failed")
    monkeypatch.setattr(up.hypervisor, "status", lambda _domain: still)
    with pytest.raises(MachineError, match="is paused: writing to its disk failed") as caught:
        up.ssh_argv()
    assert caught.value.hint.startswith("flatkit up --name web   ")


def test_ssh_goes_on_while_libvirt_is_away(up: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_domain: str) -> Status:
        raise HostError("libvirt's daemon does not run")

    up.run("true")
    monkeypatch.setattr(up.hypervisor, "status", refuse)
    assert up.ssh_argv()[0] == "ssh"
    assert up.run("one").stdout == "one\n"


def test_stop_keeps_the_disk_and_up_starts_it_again(up: Machine) -> None:
    up.stop()
    assert up.state is MachineState.STOPPED
    assert up.folder.files(up.spec).overlay.exists()
    up.stop()
    up.up()
    assert up.state is MachineState.RUNNING
    assert up.run("true").ok


def test_unplug_is_for_good(up: Machine) -> None:
    up.unplug()
    assert up.state is MachineState.STOPPED


def test_down_removes_everything_and_can_be_repeated(up: Machine, hypervisor: FakeHypervisor, state: Path) -> None:
    assert up.down() == []
    assert nothing_is_left(hypervisor, state)
    assert up.state is MachineState.ABSENT
    assert up.down() == []


def test_down_returns_its_troubles_instead_of_raising(up: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_domain: str) -> None:
        raise HostError("libvirt is away")

    monkeypatch.setattr(up.hypervisor, "destroy", refuse)
    assert up.down() == ["libvirt is away"]
    assert up.folder.exists()  # how the next try finds the domain
    monkeypatch.undo()


def test_a_machine_that_does_not_exist(hypervisor: FakeHypervisor) -> None:
    machine = Machine("web", hypervisor=hypervisor)
    assert machine.state is MachineState.ABSENT
    for verb in (machine.stop, machine.unplug, lambda: machine.run("true"), machine.up, lambda: get_machine("web")):
        with pytest.raises(MachineNotFound):
            verb()


def test_a_failed_boot_is_kept_with_its_cause(hypervisor: FakeHypervisor, spec: MachineSpec) -> None:
    boot = (*BOOT[:3], "lab-initrd: Failed: Ignition stage files failed", "Press Enter for emergency shell")
    hypervisor._make_guest = lambda: FakeGuest(boot=boot, shows_key=False, serves=False)
    machine = Machine("web", hypervisor=hypervisor)
    with pytest.raises(BootFailed, match='Ignition\'s stage "files" failed') as caught:
        machine.up(spec, accelerator=Accelerator.TCG, patience=HASTY)
    assert "flatkit console web" in caught.value.hint
    assert "Ignition stage files failed" in caught.value.details
    assert machine.state is MachineState.FAILED
    assert "Press Enter for emergency shell" in machine.console_tail()
    corrected = MachineSpec(name="web", disk=spec.disk, memory_mib=512)
    with pytest.raises(MachineError, match="failed to boot earlier") as again:
        machine.up(corrected)
    assert "flatkit down web" in again.value.hint
    machine.stop()
    assert machine.state is MachineState.FAILED
    assert machine.down() == []


def test_a_boot_in_which_nothing_moves_ends_in_a_timeout(hypervisor: FakeHypervisor, spec: MachineSpec) -> None:
    hypervisor._make_guest = lambda: FakeGuest(shows_key=False, serves=False)
    with pytest.raises(
        WaitTimeout, match=r'nothing has moved on it .*\(phase "Units.*Looked at once more: it is running'
    ):
        Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG, patience=Patience(stalled=0.5))


class OnConsole(Observer):
    """Does something once the console says its first line."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def notify(self, event: Event) -> None:
        if isinstance(event, ConsoleLine) and self.action:
            action, self.action = self.action, None
            action()


@pytest.mark.parametrize(
    ("vanish", "cause"),
    [
        (lambda fake: FakeHypervisor.destroy(fake, domain()), "it was switched off from outside"),
        (
            lambda fake: (FakeHypervisor.destroy(fake, domain()), FakeHypervisor.undefine(fake, domain())),
            "its domain was removed from outside",
        ),
    ],
    ids=["destroyed", "undefined"],
)
def test_a_domain_that_ends_while_booting_is_noticed(
    hypervisor: FakeHypervisor, spec: MachineSpec, vanish: Callable[[FakeHypervisor], None], cause: str
) -> None:
    hypervisor._make_guest = lambda: FakeGuest(shows_key=False, serves=False)
    machine = Machine("web", hypervisor=hypervisor)
    with pytest.raises(BootFailed, match=cause):
        machine.up(spec, accelerator=Accelerator.TCG, observer=OnConsole(lambda: vanish(hypervisor)))
    assert machine.state is MachineState.FAILED


def test_a_machine_that_pauses_because_the_disk_is_full_says_so(
    hypervisor: FakeHypervisor, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    hypervisor._make_guest = lambda: FakeGuest(shows_key=False, serves=False)
    real = hypervisor.status
    full = Status(state=DomainState.PAUSED, reason="writing to its disk failed (is the disk full?)")
    observer = OnConsole(lambda: monkeypatch.setattr(hypervisor, "status", lambda _domain: full))
    machine = Machine("web", hypervisor=hypervisor)
    with pytest.raises(BootFailed, match="is the disk full"):
        machine.up(spec, accelerator=Accelerator.TCG, observer=observer)
    monkeypatch.setattr(hypervisor, "status", real)
    assert machine.down() == []


def test_a_daemon_that_is_restarted_while_booting_does_no_harm(
    hypervisor: FakeHypervisor, spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    hypervisor._make_guest = lambda: guest
    guest = FakeGuest(serves=False)
    real, asked = hypervisor.status, []

    def away(name: str) -> Status:
        asked.append(name)
        if len(asked) < 3:
            raise HostError("libvirt's daemon does not run")
        # The daemon is back, and so is the guest's SSH server.
        monkeypatch.setattr(hypervisor, "status", real)
        guest.serve(int(hypervisor.defined[name].split("127.0.0.1:")[1].split("-")[0]))
        return real(name)

    machine = Machine("web", hypervisor=hypervisor).up(
        spec,
        accelerator=Accelerator.TCG,
        observer=OnConsole(lambda: monkeypatch.setattr(hypervisor, "status", away)),
    )
    assert machine.run("true").ok


def test_a_machine_that_was_ready_before_survives_a_failed_start(up: Machine, hypervisor: FakeHypervisor) -> None:
    up.stop()
    guest = hypervisor.guests[domain()]
    guest.serves = guest.shows_key = False
    with pytest.raises(WaitTimeout):
        up.up(patience=HASTY)
    up.unplug()
    assert up.state is MachineState.STOPPED
    guest.serves = guest.shows_key = True
    assert up.up().run("true").ok


def test_cancel_undoes_everything(hypervisor: FakeHypervisor, spec: MachineSpec, state: Path) -> None:
    hypervisor._make_guest = lambda: FakeGuest(shows_key=False, serves=False)
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        Machine("web", hypervisor=hypervisor).up(
            spec, accelerator=Accelerator.TCG, cancel=cancel, observer=OnConsole(cancel.set)
        )
    assert nothing_is_left(hypervisor, state)


def test_ctrl_c_while_booting_undoes_everything(hypervisor: FakeHypervisor, spec: MachineSpec, state: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG, observer=OnConsole(interrupt))
    assert nothing_is_left(hypervisor, state)


@pytest.mark.parametrize("point", ["make_disks", "build_domain", "save", "make_folder"])
def test_an_error_at_any_point_of_making_undoes_everything(
    hypervisor: FakeHypervisor, spec: MachineSpec, state: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    module = next(one for one in (making_module, power_module, place_module) if hasattr(one, point))
    monkeypatch.setattr(module, point, fail)
    with pytest.raises(HostError, match="is full") as caught:
        Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG)
    assert "or set FLATKIT_STATE to a folder on a larger disk" in caught.value.hint
    assert nothing_is_left(hypervisor, state)


def test_leftovers_of_a_crash_are_cleaned_by_the_next_up(
    up: Machine, hypervisor: FakeHypervisor, spec: MachineSpec
) -> None:
    (up.folder.path / "machine.json").unlink()
    up.folder.files(spec).overlay.unlink()
    assert up.state is MachineState.LEFTOVER
    assert [(info.name, info.state) for info in list_machines(hypervisor)] == [("web", MachineState.LEFTOVER)]
    again = Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG)
    assert again.state is MachineState.RUNNING


def test_a_domain_without_folder_is_found_and_removed(up: Machine, hypervisor: FakeHypervisor, state: Path) -> None:
    up.folder.remove()
    found = list_machines(hypervisor)
    assert [(info.name, info.state) for info in found] == [("web", MachineState.LEFTOVER)]
    assert remove_machines(found, hypervisor=hypervisor) == []
    assert nothing_is_left(hypervisor, state)


def test_a_machine_whose_domain_was_removed_starts_again_with_its_disk(up: Machine, hypervisor: FakeHypervisor) -> None:
    hypervisor.destroy(domain())
    hypervisor.undefine(domain())
    assert up.state is MachineState.STOPPED
    overlay = up.folder.files(up.spec).overlay.stat().st_ino
    up.up()
    assert up.state is MachineState.RUNNING
    assert up.folder.files(up.spec).overlay.stat().st_ino == overlay


def test_a_folder_without_disk_is_a_leftover(up: Machine, hypervisor: FakeHypervisor, state: Path) -> None:
    hypervisor.destroy(domain())
    hypervisor.undefine(domain())
    up.folder.files(up.spec).overlay.unlink()
    found = list_machines(hypervisor)
    assert [(info.name, info.state) for info in found] == [("web", MachineState.LEFTOVER)]
    assert remove_machines(found, hypervisor=hypervisor) == []
    assert nothing_is_left(hypervisor, state)


def test_another_state_folder_sees_and_touches_nothing(
    up: Machine, hypervisor: FakeHypervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "other"))
    assert list_machines(hypervisor) == []
    assert Machine("web", hypervisor=hypervisor).down() == []
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    assert up.state is MachineState.RUNNING


def test_list_tells_ports_and_size(up: Machine, hypervisor: FakeHypervisor) -> None:
    (info,) = list_machines(hypervisor)
    assert (info.name, info.label, info.accelerator) == ("web", "fake 1.0", "tcg")
    assert info.ssh_port == up.host_port(22)
    with pytest.raises(MachineError, match=r'port "8080" .* is not forwarded; forwarded: .*22'):
        up.host_port(8080)
    assert info.disk_bytes > 0


def test_a_port_that_was_stolen_is_replaced_when_it_was_ours(hypervisor: FakeHypervisor, spec: MachineSpec) -> None:
    def refuse_once(xml: str) -> None:
        if not hypervisor.defined:
            port = xml.split("hostfwd=tcp:127.0.0.1:")[1].split("-")[0]
            stolen.append(int(port))
            rule = f"Could not set up host forwarding rule 'tcp:127.0.0.1:{port}-:22'"
            hypervisor.refusals.append(MachineError(f"libvirt could not start: {rule}"))
        FakeHypervisor.define(hypervisor, xml)

    stolen: list[int] = []
    hypervisor.define = refuse_once  # type: ignore[method-assign]
    machine = Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG)
    assert machine.host_port(22) != stolen[0]
    assert machine.run("true").ok


def test_a_taken_port_that_the_person_chose_is_named_with_its_holder(
    hypervisor: FakeHypervisor, spec: MachineSpec, state: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        wanted = MachineSpec(name="web", disk=spec.disk, forwards=(Forward(host=port, guest=80),))
        with pytest.raises(HostError, match=f'port "{port}" .*process') as caught:
            Machine("web", hypervisor=hypervisor).up(wanted, accelerator=Accelerator.TCG)
    assert "--forward 0:80" in caught.value.hint
    assert nothing_is_left(hypervisor, state)


def test_a_port_taken_while_the_machine_was_off_is_replaced(up: Machine) -> None:
    up.stop()
    before = up.host_port(22)
    with socket.create_server(("127.0.0.1", before)):
        up.up()
        assert up.host_port(22) != before
        assert up.run("true").ok


@pytest.mark.parametrize(
    ("room", "message"),
    [
        (Room(memory_mib=100, disk_mib=99999), "needs 456 MiB of memory, and 100 MiB are free"),
        (Room(memory_mib=9999, disk_mib=3), "needs 512 MiB of disk, and 3 MiB are free"),
    ],
    ids=["memory", "disk"],
)
def test_too_little_room_is_told_before_anything_is_made(
    hypervisor: FakeHypervisor,
    spec: MachineSpec,
    state: Path,
    room: Room,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(making_module, "room_left", lambda _hypervisor, _room: room)
    with pytest.raises(HostError, match=message):
        Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG)
    assert nothing_is_left(hypervisor, state)


def test_this_host_has_some_room(tmp_path: Path) -> None:
    room = disks_module.measure_room(tmp_path / "not" / "there")
    assert room.memory_mib > 0
    assert room.disk_mib > 0


def test_a_missing_image_is_named(hypervisor: FakeHypervisor, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.img"):
        Machine("web", hypervisor=hypervisor).up(MachineSpec(name="web", disk=tmp_path / "gone.img"))


def test_two_ups_at_once_boot_one_machine(hypervisor: FakeHypervisor, spec: MachineSpec) -> None:
    machines = [Machine("web", hypervisor=hypervisor) for _ in range(2)]
    failures: list[BaseException] = []

    def boot(machine: Machine) -> None:
        try:
            machine.up(spec, accelerator=Accelerator.TCG)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=boot, args=(machine,)) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert sorted(machine.booted.was_running for machine in machines) == [False, True]


def test_kvm_that_is_refused_at_start_becomes_emulation(hypervisor: FakeHypervisor, spec: MachineSpec) -> None:
    hypervisor.refusals.append(MachineError("libvirt could not start: Could not access KVM kernel module"))
    machine = Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.KVM)
    assert machine.record.accelerator is Accelerator.TCG
    assert "<domain" in hypervisor.defined[domain()]
    assert 'type="qemu"' in hypervisor.defined[domain()]


@pytest.mark.parametrize(
    ("uri", "words", "hint"),
    [
        (
            "qemu+ssh://ada@far.invalid/session",
            '"ada@far.invalid" of LIBVIRT_DEFAULT_URI cannot be reached',
            "ssh-copy-id",
        ),
        (
            "qemu+tcp://far.invalid/system",
            "goes there by SSH alone",
            "LIBVIRT_DEFAULT_URI=qemu+ssh://far.invalid/session",
        ),
    ],
)
def test_another_host_that_cannot_be_reached_is_named_before_anything_is_made(
    spec: MachineSpec, state: Path, uri: str, words: str, hint: str
) -> None:
    pytest.importorskip("libvirt")
    machine = Machine("web", hypervisor=Hypervisor(uri))
    with pytest.raises(HostError, match=words) as caught:
        machine.up(spec, accelerator=Accelerator.TCG)
    assert hint in caught.value.hint
    assert not machine.folder.exists()
