"""The same person seen by another identity: a machine that runs under another daemon, and folders of somebody else."""

from __future__ import annotations

import fcntl
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import people
import pytest

from flatkit.cli import main
from flatkit.emulators import find_emulator, is_disk_open, list_emulators
from flatkit.errors import HostError, MachineError
from flatkit.images.lab.cache_gc import remove_superseded
from flatkit.machines import Accelerator, Forward, Hypervisor, Machine, MachineSpec, MachineState, list_machines
from flatkit.machines.cleanup import find_machines, find_users, remove_machines
from flatkit.machines.daemon import Daemon, daemon_of, find_session
from flatkit.machines.domain import domain_name
from flatkit.machines.processes import kill_process
from flatkit.machines.records import Life, Record
from flatkit.machines.states import DomainState, Status
from flatkit.machines.store import Folder, owner_id
from flatkit.testing.hypervisor import FakeHypervisor

UUID = "7c1d1f0e-0b5b-4b8e-9d0a-3f1d2c4b5a69"
# libvirt's own driver for tests knows no domain and needs no daemon: what a session daemon says of another one's machine.
NOWHERE = {"LIBVIRT_DEFAULT_URI": "test:///default"}


def store_machine(state: Path, daemon: Daemon, *, name: str = "web") -> Record:
    """Write the folder of a machine that was ready once."""
    disk = state / "image.raw"
    folder = Folder(path=state / "machines" / name)
    folder.path.mkdir(parents=True)
    disk.touch()
    record = Record(
        spec=MachineSpec(name=name, disk=disk, label="lab 110.2.0", ignition='{"ignition": {"version": "3.3.0"}}'),
        uuid=UUID, domain=f"flatkit-0a1b2c-{name}", accelerator=Accelerator.TCG,
        forwards=(Forward(host=20022, guest=22),), created="2026-07-01", life=Life.READY, daemon=daemon,
    )  # fmt: skip
    folder.save(record)
    for file in ("overlay.qcow2", "console.log"):
        (folder.path / file).write_text("precious")
    return record


@pytest.fixture(scope="module")
def ada() -> Iterator[people.Person]:
    with people.person() as found:
        yield found


# A machine of this user under another daemon

VERBS = ("list", "up --name web", "stop web", "rewind web", "checkpoint web one", "down web", "clean --yes")


@pytest.mark.parametrize("by", ["name", "uuid", "disk"])
def test_a_machine_under_another_daemon_is_left_as_it_is(ada: people.Person, by: str) -> None:
    state = ada.home / f"state-{by}"
    record = store_machine(state, Daemon(uri="qemu:///session", runtime="/run/user/4711"))
    ada.owns(state)
    overlay = state / "machines/web/overlay.qcow2"
    looks = {
        "name": ("-name", f"guest={record.domain},debug-threads=on"),
        "uuid": ("-name", "guest=renamed", "-uuid", UUID),
        "disk": ("-blockdev", f'{{"driver":"file","filename":"{overlay}","node-name":"x"}}'),
    }[by]
    with people.pretended_qemu(*looks, user=ada) as pid:
        for verb, said in ada.each(*VERBS, FLATKIT_STATE=str(state), **NOWHERE).items():
            assert (
                f"it runs under another libvirt daemon of yours (XDG_RUNTIME_DIR=/run/user/4711; process {pid})" in said
            ), verb
            assert "XDG_RUNTIME_DIR=/run/user/4711 flatkit list" in said
            for word in ("  stopped", "leftover", "is gone", "is off", "is removed", "Traceback"):
                assert word not in said, verb
        assert overlay.read_text() == "precious"
    # It ended: now it is this flatkit's to remove.
    assert 'the machine "web" is gone' in ada.flatkit("down", "web", FLATKIT_STATE=str(state), **NOWHERE)
    assert not overlay.exists()


def test_a_machine_of_another_user_is_named_with_that_user(
    ada: people.Person, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """XDG_STATE_HOME that su has kept: root reads ada's folder."""
    state = ada.home / "kept"
    record = store_machine(state, Daemon(uri="qemu:///session", runtime="/run/user/4711"))
    ada.owns(state)
    with people.pretended_qemu("-name", f"guest={record.domain},x", user=ada), pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLATKIT_STATE", str(state))
        patch.setenv("LIBVIRT_DEFAULT_URI", "test:///default")
        assert main(["down", "web"]) == 1
    said = capsys.readouterr().err
    assert f'it runs as the user "{ada.name}"' in said
    assert f"su {ada.name} -c 'LIBVIRT_DEFAULT_URI=qemu:///session XDG_RUNTIME_DIR=/run/user/4711 flatkit list'" in said
    assert (state / "machines/web/overlay.qcow2").exists()


# Without another user: the rules, on libvirt's test driver


@pytest.fixture
def web(hypervisor: FakeHypervisor, spec: MachineSpec) -> Machine:
    return Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG)


def test_the_record_names_the_daemon(web: Machine) -> None:
    assert web.record.daemon == Daemon(uri="test:///default")


def test_a_qemu_that_libvirt_has_lost_keeps_the_files(web: Machine, hypervisor: FakeHypervisor) -> None:
    hypervisor.destroy(web.record.domain)
    with people.pretended_qemu("-name", f"guest={web.record.domain},debug-threads=on") as pid:
        assert web.state is MachineState.ELSEWHERE
        words = f"its QEMU runs (process {pid}), and libvirt does not know it any more"
        assert web.down() == [f'the machine "web" is left as it is: {words}; flatkit unplug web   (pulls its plug)']
        (info,) = list_machines(hypervisor)
        assert (info.state, info.cure) == (MachineState.ELSEWHERE, "flatkit unplug web   (pulls its plug)")
        for verb in (web.up, web.stop, web.rewind, lambda: web.checkpoint("one")):
            with pytest.raises(MachineError, match="left as it is"):
                verb()
        assert web.folder.files(web.spec).overlay.exists()
    assert web.state is MachineState.STOPPED
    assert web.down() == []


def test_a_qemu_without_a_folder_is_listed(hypervisor: FakeHypervisor) -> None:
    with people.pretended_qemu("-name", f"guest={domain_name(owner_id(), 'lost')},x"):
        (info,) = list_machines(hypervisor)
        assert (info.name, info.state) == ("lost", MachineState.ELSEWHERE)
    assert list_machines(hypervisor) == []


def test_clean_calls_nothing_a_leftover_while_libvirt_cannot_be_asked(
    web: Machine, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_owner: str) -> None:
        raise HostError("libvirt is away")

    domain = web.record.domain
    hypervisor.destroy(domain)
    monkeypatch.setattr(hypervisor, "owned", refuse)
    with people.pretended_qemu("-name", f"guest={domain},x") as pid:
        (info,) = find_machines(hypervisor)
        assert info.state is MachineState.ELSEWHERE
        assert info.cause == f"its QEMU runs (process {pid}), and libvirt cannot be asked about it"
        assert "left as it is" in remove_machines([info], hypervisor=hypervisor)[0]
    (info,) = find_machines(hypervisor)
    assert info.state is MachineState.LEFTOVER


def test_unplug_pulls_the_plug_of_a_qemu_under_another_daemon(web: Machine, hypervisor: FakeHypervisor) -> None:
    hypervisor.destroy(web.record.domain)
    with people.pretended_qemu("-name", f"guest={web.record.domain},x") as pid:
        assert kill_process(web.record.domain)
        assert os.waitpid(pid, os.WNOHANG)[0] in {0, pid}
        assert find_emulator(web.record.domain) is None
    web.unplug()
    assert web.state is MachineState.STOPPED


def test_a_disk_that_a_qemu_out_of_sight_has_open_is_kept(web: Machine, hypervisor: FakeHypervisor) -> None:
    """A QEMU in a container: /proc does not show it, its lock does."""
    overlay = web.folder.files(web.spec).overlay
    hypervisor.destroy(web.record.domain)
    with overlay.open("rb") as file:
        lock = struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, 100, 1, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)
        assert is_disk_open(overlay)
        assert "its disk is open in a QEMU that this host does not show you" in web.down()[0]
        assert overlay.exists()
    assert not is_disk_open(overlay)
    assert web.down() == []


@pytest.mark.parametrize(
    ("made", "now", "words"),
    [
        (
            "qemu+ssh://far/session",
            "test:///default",
            'under libvirt at "qemu+ssh://far/session", which is on another host',
        ),
        ("qemu:///session", "qemu+ssh://far/session", 'under libvirt at "qemu:///session", on this host'),
    ],
)
def test_a_machine_of_another_host_is_no_leftover(
    state: Path, monkeypatch: pytest.MonkeyPatch, made: str, now: str, words: str
) -> None:
    store_machine(state, Daemon(uri=made))
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", now)
    hypervisor = Hypervisor()
    monkeypatch.setattr(hypervisor, "status", lambda _domain: Status(state=DomainState.UNDEFINED))
    machine = Machine("web", hypervisor=hypervisor)
    assert machine.elsewhere
    assert words in machine.elsewhere.words
    assert machine.state is MachineState.ELSEWHERE
    assert words in machine.down()[0]
    assert machine.folder.exists()
    assert machine.elsewhere.way == f"LIBVIRT_DEFAULT_URI={made} flatkit list"


def test_a_folder_reached_by_another_path_leads_to_the_same_domain(
    web: Machine, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner's ID is made of the path: what is removed is the record's domain."""
    domain, hypervisor = web.record.domain, web.hypervisor
    (state.parent / "link").symlink_to(state)
    monkeypatch.setenv("FLATKIT_STATE", str(state.parent / "link"))
    again = Machine("web", hypervisor=hypervisor)
    assert again.state is MachineState.RUNNING
    assert again.down() == []
    assert not hypervisor.status(domain).state.is_active


# Processes and daemons


def processes(proc: Path, *found: tuple[int, str, list[str]]) -> None:
    for pid, comm, words in found:
        (proc / str(pid)).mkdir(parents=True)
        (proc / str(pid) / "comm").write_text(f"{comm}\n")
        (proc / str(pid) / "cmdline").write_bytes("\0".join(words).encode())


def test_only_a_qemu_counts(tmp_path: Path) -> None:
    processes(
        tmp_path,
        (1, "grep", ["grep", "-name", "guest=flatkit-a-web,x"]),
        (2, "qemu-img", ["/usr/bin/qemu-img", "info", "/s/machines/web/overlay.qcow2"]),
        (3, "zombie", [""]),
        (4, "qemu-kvm", ["/usr/libexec/qemu-kvm", "-name", "guest=flatkit-a-web,x", "-uuid", UUID]),
        (5, "qemu", ["qemu-system-x86_64", "-drive", "file=/s,,1/machines/web/overlay.qcow2,if=virtio"]),
        (6, "qemu", ["qemu-system-x86_64", "-blockdev", r'{"filename":"/s\"2/machines/web/overlay.qcow2"}']),
    )
    assert [one.pid for one in sorted(list_emulators(tmp_path), key=lambda one: one.pid)] == [4, 5, 6]
    folder = Path("/s/machines/web")
    assert find_emulator("flatkit-a-web2", folder=folder, proc=tmp_path) is None
    for asked in ({"domain": "flatkit-a-web"}, {"domain": "x", "uuid": UUID}):
        found = find_emulator(**asked, proc=tmp_path)
        assert found
        assert found.pid == 4
    for path, pid in ((Path("/s,1/machines/web"), 5), (Path('/s"2/machines/web'), 6)):
        found = find_emulator("x", folder=path, proc=tmp_path)
        assert found
        assert found.pid == pid
    assert find_emulator("x", folder=Path("/s/machines/we"), proc=tmp_path) is None


def test_the_daemon_of_a_process_is_found_by_libvirts_own_file(tmp_path: Path) -> None:
    proc, runtime = tmp_path / "proc", tmp_path / "runtime"
    (runtime / "libvirt/qemu/run").mkdir(parents=True)
    (runtime / "libvirt/qemu/run/flatkit-a-web.pid").write_text("77\n")
    processes(proc, (5, "libvirtd", ["libvirtd"]), (6, "bash", ["bash"]))
    (proc / "5/environ").write_bytes(b"HOME=/nowhere\0XDG_RUNTIME_DIR=" + os.fsencode(runtime) + b"\0")
    assert find_session("flatkit-a-web", 77, proc=proc) == Daemon(uri="qemu:///session", runtime=str(runtime))
    assert find_session("flatkit-a-web", 78, proc=proc) is None
    assert find_session("flatkit-a-web", 77, known=str(runtime), proc=tmp_path) is not None


@pytest.mark.parametrize(
    ("environment", "runtime"),
    [
        ({"XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/h"}, "/run/user/7"),
        ({"XDG_RUNTIME_DIR": "", "XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c"),
        ({"HOME": "/h"}, "/h/.cache"),
    ],
)
def test_where_a_session_daemon_has_its_socket(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], runtime: str
) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("flatkit.machines.daemon.my_uid", lambda: 7)
    assert daemon_of("qemu:///session") == Daemon(uri="qemu:///session", runtime=runtime)
    assert daemon_of("qemu:///system").runtime == daemon_of("qemu+ssh://far/session").runtime == ""
    monkeypatch.setattr("flatkit.machines.daemon.my_uid", lambda: 0)
    assert daemon_of("qemu:///session").leads_to(daemon_of("qemu:///system"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("qemu+ssh://ada@far/session", "qemu+ssh://far/session?no_verify=1", True),
        ("qemu+ssh://far:2201/session", "qemu+ssh://far:2202/session", False),
        ("qemu+ssh://far/session", "qemu:///session", False),
    ],
)
def test_which_uris_lead_to_one_host(one: str, other: str, same: bool) -> None:
    assert (Daemon(uri=one).host == Daemon(uri=other).host) is same


@pytest.mark.parametrize(
    "daemon", [None, 3, {}, {"uri": "qemu+ssh://far:x/session"}, {"uri": "qemu:///\x1b[2J", "runtime": "/x"}]
)
def test_a_daemon_in_a_record_that_is_none_counts_as_unknown(state: Path, daemon: object) -> None:
    store_machine(state, Daemon(uri="qemu:///session"))
    file = state / "machines/web/machine.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "daemon": daemon}))
    assert Folder(path=file.parent).get().daemon == Daemon()


# Images under a running QEMU


def test_an_image_under_any_qemu_is_in_use(state: Path, tmp_path: Path) -> None:
    lab = tmp_path / "cache/lab"
    image = lab / "0123456789abcdef"
    image.mkdir(parents=True)
    (image / "image.json").touch()
    os.utime(image, (1, 1))
    with people.pretended_qemu("-blockdev", f'{{"filename":"{image}/disk.qcow2"}}') as pid:
        assert find_users(lab) == [f"process {pid}"]
        remove_superseded(lab, current=set())
        assert image.exists()
    assert find_users(lab) == []
    remove_superseded(lab, current=set())
    assert not image.exists()


# Folders of somebody else

COMMANDS = (
    "list", "up", "down web", "ssh web", "console web", "stop web", "unplug web", "rewind web", "checkpoint web a", "clean --yes",
    "doctor", "demo run reset", "lesson list", "images rm lab", "channels",
)  # fmt: skip


@pytest.mark.parametrize("place", ["folder", "variable"])
def test_a_state_folder_of_root_is_named_with_its_owner(ada: people.Person, place: str) -> None:
    """After sudo: root's folder in ada's own home. After su: XDG_STATE_HOME of root."""
    if place == "folder":
        top = ada.home / ".local/state/flatkit"
        top.mkdir(parents=True, exist_ok=True)
        ada.owns(ada.home / ".local")
        os.chown(top, 0, 0)
        more, way = {}, f"sudo chown -R {ada.name}: {top}"
    else:
        top = Path(f"/var/tmp/flatkit-{os.getpid()}-of-root")
        top.mkdir(exist_ok=True)
        more, way = {"XDG_STATE_HOME": str(top)}, "unset XDG_STATE_HOME"
    top.chmod(0o700)
    try:
        found = ada.each(*COMMANDS, **more, **NOWHERE)
    finally:
        top.rmdir()
    assert list(found) == list(COMMANDS)
    for command, said in found.items():
        assert 'belongs to "root" (mode 0700)' in said, command
        assert f'and you are "{ada.name}"' in said, command
        assert way in said, command
        for word in ("Traceback", "fault in flatkit", "libvirt,kvm", "aG libvirt", "make setup", "[Errno"):
            assert word not in said, command


def test_a_file_of_another_user_is_named_with_its_owner(ada: people.Person) -> None:
    closed = Path(f"/var/tmp/flatkit-{os.getpid()}-files")
    closed.mkdir(mode=0o700)
    try:
        said = ada.each(f"up {closed}/web.bu", f"up --ssh-key {closed}/id", f"up --image {closed}/x.img",
                        f"up --disk {closed}/x.img")  # fmt: skip
    finally:
        closed.rmdir()
    assert len(said) == 4
    for command, words in said.items():
        assert f'"{closed}" belongs to "root" (mode 0700), and you are "{ada.name}"' in words, command
        assert "chown" not in words, command


def test_a_machine_of_root_beside_ones_own_is_one_line_of_the_list(ada: people.Person) -> None:
    state = ada.home / "mixed"
    store_machine(state, Daemon(uri="test:///default"))
    ada.owns(state)
    others = state / "machines/of-root"
    others.mkdir(mode=0o700)
    said = ada.flatkit("list", FLATKIT_STATE=str(state), **NOWHERE)
    assert "web      stopped" in said
    assert f'"{others}" belongs to "root" (mode 0700), and you are "{ada.name}"' in said
    said = ada.flatkit("down", "of-root", FLATKIT_STATE=str(state), **NOWHERE)
    assert f"sudo chown -R {ada.name}: {others}" in said
    assert others.exists()
