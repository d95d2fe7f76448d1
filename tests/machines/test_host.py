"""What the host gives: ports, an accelerator, a state folder; and what is kept on disk."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from flatkit import listening, paths
from flatkit.errors import Cancelled, HostError, MachineError, MachineNotFound, MissingDependency, WaitTimeout
from flatkit.files import save
from flatkit.machines import accelerator as accelerator_module
from flatkit.machines import ports, store
from flatkit.machines.accelerator import choose, try_kernel
from flatkit.machines.records import Life, Record, RecordBroken
from flatkit.machines.spec import Accelerator, Arch, Forward, MachineSpec
from flatkit.machines.store import Folder, folder_of, locked, make_folder, owner_id
from flatkit.run import Result


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "state"


# Ports


def test_a_free_port_is_free_and_not_taken() -> None:
    port = ports.find_free_port()
    assert ports.LOWEST <= port <= ports.HIGHEST
    with socket.create_server(("127.0.0.1", port)):
        assert not ports.is_free(port)


def test_when_every_port_is_taken() -> None:
    with pytest.raises(HostError, match="no port from"):
        ports.find_free_port(range(ports.LOWEST, ports.HIGHEST + 1))


def test_ssh_and_the_knock_are_always_forwarded() -> None:
    forwards = ports.resolve([Forward(host=0, guest=80)])
    assert sorted(forward.guest for forward in forwards) == [ports.KNOCK, 22, 80]
    assert all(forward.host for forward in forwards)
    assert len({forward.host for forward in forwards}) == 3
    assert {forward.guest for forward in ports.for_people(forwards)} == {22, 80}


def test_the_persons_own_ssh_forward_is_used() -> None:
    port = ports.find_free_port()
    forwards = ports.resolve([Forward(host=port, guest=22)])
    assert ports.ssh_port(forwards) == port
    assert len(ports.for_people(forwards)) == 1


def test_who_holds_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        holder = listening.find_holder(port)
    if not Path("/proc/net/tcp").exists():
        pytest.skip("this host has no /proc")
    assert holder
    assert f"(process {os.getpid()})" in holder
    assert listening.find_holder(port) is None


def test_the_holder_is_found_behind_a_file_that_is_closed_meanwhile(tmp_path: Path) -> None:
    """Such as the one that lists them: it takes the lowest free number."""
    lower = (tmp_path / "lower").open("w")
    with socket.create_server(("127.0.0.1", 0)) as server:
        lower.close()
        assert f"(process {os.getpid()})" in str(listening.find_holder(server.getsockname()[1]))


# Accelerator


class Qemu:
    """Stands in for the runs of QEMU: its version, and a kernel that starts or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, console: str | None) -> None:
        self.console, self.version, self.trials = console, "QEMU emulator version 7.2.0", 0
        monkeypatch.setattr(accelerator_module, "run", self.run)

    def run(self, argv: list[str | Path], **_: object) -> Result:
        if "--version" in argv:
            return Result(argv=(), status=0, stdout=f"{self.version}\nmore\n", stderr="", seconds=0.0)
        self.trials += 1
        log = next(str(word) for word in argv if str(word).startswith("file:"))
        if self.console is None:
            raise WaitTimeout("it hangs")
        Path(log.removeprefix("file:")).write_text(self.console)
        return Result(argv=(), status=1, stdout="", stderr="", seconds=0.0)


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinuz"
    path.write_bytes(b"kernel")
    return path


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "kvm"
    path.touch()
    return path


WORKS = "[    0.000000] Linux version 6.1.0\n[    0.9] Kernel panic - not syncing: no root\n"


def test_kvm_is_proved_by_a_kernels_first_line(monkeypatch: pytest.MonkeyPatch, kernel: Path, device: Path) -> None:
    qemu = Qemu(monkeypatch, console=WORKS)
    found = choose(Arch.of_host(), kernel=kernel, device=device)
    assert (found.accelerator, found.proved) == (Accelerator.KVM, True)
    choose(Arch.of_host(), kernel=kernel, device=device)
    assert qemu.trials == 1  # remembered
    assert choose(Arch.of_host(), device=device).proved  # without a kernel, too
    qemu.version = "QEMU emulator version 8.0.0"
    choose(Arch.of_host(), kernel=kernel, device=device)
    kernel.write_bytes(b"another kernel")
    choose(Arch.of_host(), kernel=kernel, device=device)
    assert qemu.trials == 3


@pytest.mark.parametrize("console", [None, "", "SeaBIOS (version 1.16)\n"], ids=["hangs", "silent", "firmware only"])
def test_a_device_under_which_no_kernel_starts_is_not_kvm(
    monkeypatch: pytest.MonkeyPatch, kernel: Path, device: Path, console: str | None
) -> None:
    qemu = Qemu(monkeypatch, console=console)
    found = choose(Arch.of_host(), kernel=kernel, device=device)
    assert (found.accelerator, found.proved) == (Accelerator.TCG, True)
    assert "no kernel starts under it" in found.why
    assert choose(Arch.of_host(), kernel=kernel, device=device).accelerator is Accelerator.TCG
    assert qemu.trials == 1


def test_a_kernel_that_starts_and_then_hangs_is_proof_enough(monkeypatch: pytest.MonkeyPatch, kernel: Path) -> None:
    def hang(argv: list[str | Path], **_: object) -> Result:
        log = next(str(word) for word in argv if str(word).startswith("file:"))
        Path(log.removeprefix("file:")).write_text(WORKS)
        raise WaitTimeout("it hangs")

    monkeypatch.setattr(accelerator_module, "run", hang)
    assert try_kernel(Arch.X86_64, kernel)


def test_hosts_without_kvm(monkeypatch: pytest.MonkeyPatch, kernel: Path, device: Path, tmp_path: Path) -> None:
    qemu = Qemu(monkeypatch, console=WORKS)
    assert "has no" in choose(Arch.of_host(), kernel=kernel, device=tmp_path / "none").why
    other = next(arch for arch in Arch if arch is not Arch.of_host())
    assert str(other) in choose(other, kernel=kernel, device=device).why
    assert qemu.trials == 0


def test_without_a_kernel_the_device_is_believed_and_it_is_said(monkeypatch: pytest.MonkeyPatch, device: Path) -> None:
    Qemu(monkeypatch, console=WORKS)
    found = choose(Arch.of_host(), device=device)
    assert (found.accelerator, found.proved) == (Accelerator.KVM, False)


def test_a_torn_memory_costs_one_trial(monkeypatch: pytest.MonkeyPatch, kernel: Path, device: Path) -> None:
    qemu = Qemu(monkeypatch, console=WORKS)
    known = make_folder(paths.state_dir()) / "accelerator.json"
    known.write_text("[1, 2")
    assert choose(Arch.of_host(), kernel=kernel, device=device).accelerator is Accelerator.KVM
    assert qemu.trials == 1
    assert json.loads(known.read_text())


def test_a_missing_qemu_is_named(monkeypatch: pytest.MonkeyPatch, device: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(Arch, "emulator", property(lambda self: "qemu-system-nowhere"))
    with pytest.raises(MissingDependency, match="qemu-system-nowhere"):
        choose(Arch.of_host(), device=device)


# State on disk


def record(name: str = "web") -> Record:
    return Record(
        spec=MachineSpec(name=name, disk=Path("/d"), ignition='{"ignition": {}}'),
        uuid="u",
        domain="flatkit-x-web",
        accelerator=Accelerator.TCG,
        forwards=(Forward(host=20022, guest=22),),
        created="2026-01-01T00:00:00+00:00",
    )


def saved() -> Folder:
    folder = folder_of("web")
    make_folder(folder.path)
    (folder.path / "config.ign").write_text('{"ignition": {}}')
    folder.save(record())
    return folder


def test_a_record_survives_the_disk() -> None:
    folder = saved()
    assert folder.get() == record()
    assert folder.update(record(), life=Life.FAILED, cause="x") == folder.get()
    assert store.taken_ports() == {20022}
    assert "ignition" not in json.loads((folder.path / "machine.json").read_text())["spec"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"spec": {}}', '{"spec": 3}', "null"])
def test_a_torn_record_is_an_error_of_its_own(text: str) -> None:
    folder = saved()
    (folder.path / "machine.json").write_text(text)
    with pytest.raises(RecordBroken, match=r'"[^"]*/machine.json" cannot be read') as caught:
        folder.get()
    assert "flatkit down web" in caught.value.hint
    assert folder.exists()
    assert store.taken_ports() == set()


def test_a_folder_without_a_record_is_the_leftover_of_a_crash() -> None:
    folder = saved()
    (folder.path / "machine.json").unlink()
    assert folder.find() is None
    with pytest.raises(MachineNotFound):
        folder.get()
    # A record is written before the disk, and removed after it.
    folder.files(record().spec).overlay.touch()
    with pytest.raises(RecordBroken, match="is gone"):
        folder.get()


def test_a_write_that_fails_leaves_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    save(path, "old", mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def fail(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(HostError, match=f'the disk that holds "{tmp_path}" is full'):
        save(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_can_be_entered_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = make_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    wanted = 0o711 if os.geteuid() == 0 else 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in (made, made.parent)] == [wanted, wanted]


def test_the_owner_is_the_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    first = owner_id()
    assert first == owner_id()
    assert len(first) == 8
    monkeypatch.setenv("FLATKIT_STATE", "/elsewhere")
    assert owner_id() != first


def test_a_lock_that_another_holds() -> None:
    with locked("web"), pytest.raises(MachineError, match='at work on the machine "web"'), locked("web", wait=0.3):
        pytest.fail("two hold the lock")


def test_waiting_for_a_lock_can_be_cancelled() -> None:
    cancel = threading.Event()
    cancel.set()
    with locked("web"), pytest.raises(Cancelled), locked("web", wait=60, cancel=cancel):
        pytest.fail("two hold the lock")


def test_the_room_is_imported_quickly_and_whole() -> None:
    import flatkit.machines as room

    assert room.__all__ == sorted(room._NAMES)
    assert all(getattr(room, name) is not None for name in room.__all__)
    assert set(room.__all__) <= set(dir(room))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = room.nonsense
