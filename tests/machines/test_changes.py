"""What changed while nobody looked: pauses, clocks, versions, full disks; and sizes as people write them."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit import api
from flatkit.cli import main
from flatkit.cli.up import parser
from flatkit.errors import HostError, MachineError, UsageError
from flatkit.events import Said, Tape
from flatkit.machines import Accelerator, Machine, MachineSpec, MachineState
from flatkit.machines import backend as backend_module
from flatkit.machines.disks import Room
from flatkit.machines.domain import domain_name
from flatkit.machines.hypervisor import load_binding
from flatkit.machines.sizes import parse_disk, parse_memory
from flatkit.machines.states import DomainState, Status
from flatkit.machines.store import owner_id
from flatkit.testing.hypervisor import TEST_URI, FakeHypervisor
from flatkit.usage import advise, disk_full, saying_disk_full


class Guest:
    """Answers of a guest: which version it runs, and by how many seconds its clock is behind."""

    def __init__(self) -> None:
        self.version, self.behind = "110.2.0", 0.0

    def answer(self, command: str) -> tuple[str, str, int]:
        now = time.time() - self.behind
        if "was=" in command:
            self.behind = 0.0
            return f"was={now:.6f}\nclock=set\nseed=written\nseed=used\n", "", 0
        if "os-release" in command:
            return f"flatcar-lab {self.version}\nclock={now:.6f}\n", "", 0
        return f"{command}\n", "", 0


@pytest.fixture
def guest() -> Guest:
    return Guest()


@pytest.fixture
def web(
    hypervisor: FakeHypervisor, spec: MachineSpec, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    """A machine that runs; commands reach it by the same test driver."""
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", TEST_URI)
    machine = Machine("web", hypervisor=hypervisor).up(spec, accelerator=Accelerator.TCG)
    hypervisor.guests[domain_name(owner_id(), "web")].answer = guest.answer
    yield machine
    machine.close()


def suspend(machine: Machine) -> None:
    """As `virsh suspend` does."""
    machine.hypervisor._on(machine.record.domain, "suspend", lambda found: found.suspend())


def said(tape: Tape) -> str:
    return "\n".join(event.text for event in tape.events if isinstance(event, Said))


# Paused from outside


def test_a_paused_machine_is_told_as_paused_and_resumed_by_up(
    web: Machine, guest: Guest, capsys: pytest.CaptureFixture[str]
) -> None:
    suspend(web)
    guest.behind = 312.0
    assert web.state is MachineState.PAUSED
    assert main(["list"]) == 0
    assert "paused" in capsys.readouterr().out
    assert main(["ssh", "web"]) == 1
    told = capsys.readouterr().err
    assert 'the machine "web" is paused: it was paused from outside' in told
    assert "Next: flatkit up --name web   (it then continues, with its clock set)" in told
    assert main(["up", "--name", "web"]) == 0
    told = "".join(capsys.readouterr())
    assert 'the machine "web" is paused (it was paused from outside): it is resumed' in told
    forward = re.search(r'the machine "web" runs again; its clock was put forward by (\d+) s', told)
    assert forward
    assert 312 - 60 < int(forward[1]) <= 312
    for word in ("another one", "exists already", "anew"):
        assert word not in told
    assert web.state is MachineState.RUNNING
    assert guest.behind == 0.0


def test_up_with_the_machines_own_config_resumes_it_too(web: Machine, spec: MachineSpec) -> None:
    suspend(web)
    tape = Tape()
    web.up(spec, observer=tape)
    assert web.booted.was_running
    assert "it is resumed" in said(tape)


def test_a_machine_that_a_full_disk_paused_is_not_resumed_before_there_is_room(
    web: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Status(state=DomainState.PAUSED, reason="writing to its disk failed (is the disk full?)")
    monkeypatch.setattr(web.hypervisor, "status", lambda _domain: full)
    monkeypatch.setattr(web.hypervisor, "resume", lambda _domain: pytest.fail("it cannot go on"))
    monkeypatch.setattr(backend_module, "measure_room", lambda _folder: Room(memory_mib=9000, disk_mib=3))
    with pytest.raises(HostError, match="stays paused: the disk that it writes to is full") as caught:
        web.up()
    assert "or set FLATKIT_STATE to a folder on a larger disk" in caught.value.hint
    assert "flatkit down web" not in caught.value.hint


def test_stop_wakes_a_paused_machine_so_that_it_can_shut_down(web: Machine) -> None:
    suspend(web)
    web.stop(patience=1)
    assert web.state is MachineState.STOPPED


def test_a_paused_machine_is_no_machine_to_save(web: Machine) -> None:
    suspend(web)
    with pytest.raises(MachineError, match="is paused: it was paused from outside"):
        web.checkpoint("one")


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("PAUSED", "PAUSED_USER", "it was paused from outside"),
        ("PAUSED", "PAUSED_IOERROR", "writing to its disk failed (is the disk full?)"),
        ("PAUSED", "PAUSED_WATCHDOG", "its watchdog paused it"),
        ("PAUSED", "PAUSED_CRASHED", "the guest crashed"),
        ("PMSUSPENDED", "PMSUSPENDED_UNKNOWN", "the guest put itself to sleep"),
    ],
)
def test_each_pause_has_its_reason(state: str, reason: str, words: str) -> None:
    pytest.importorskip("libvirt")
    from flatkit.machines.states import parse_state

    libvirt = load_binding()
    number, why = (getattr(libvirt, f"VIR_DOMAIN_{name}") for name in (state, reason))
    found = parse_state(libvirt, number, why)
    assert (found.state, found.reason, found.passing) == (DomainState.PAUSED, words, False)


# Clock and version


@pytest.mark.parametrize(("behind", "is_set"), [(0.0, False), (2.0, False), (90.0, True), (7200.0, True)])
def test_up_sets_a_clock_that_is_behind(web: Machine, guest: Guest, behind: float, is_set: bool) -> None:
    """After `virsh suspend` and `virsh resume`, or a host that slept, nothing but the clock shows it."""
    guest.behind = behind
    tape = Tape()
    api.boot(None, api.Wish(name="web"), observer=tape)
    found = re.search(r"its clock was put forward by (\d+) s", said(tape))
    assert bool(found) is is_set
    # What goes by on a busy host between question and answer is not counted.
    assert not found or behind - 60 < int(found[1]) <= behind
    assert (guest.behind == 0.0) is (is_set or behind == 0.0)


def test_the_version_is_asked_not_remembered(web: Machine, guest: Guest, capsys: pytest.CaptureFixture[str]) -> None:
    web.folder.save(
        web.folder.update(web.record, spec=MachineSpec(**{**vars(web.spec), "label": "lab image 110.2.0: lab"}))
    )
    assert main(["up", "--name", "web"]) == 0
    assert "is ready (lab image 110.2.0: lab)." in capsys.readouterr().out
    guest.version = "110.3.0"  # as after an update
    assert main(["up", "--name", "web"]) == 0
    assert "is ready (it runs 110.3.0; made from lab image 110.2.0: lab)." in capsys.readouterr().out
    assert main(["up", "--name", "web", "--json"]) == 0
    assert '"version": "110.3.0"' in capsys.readouterr().out
    assert main(["list"]) == 0
    assert "IMAGE (at its creation)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer", ["", "\n\n", "flatcar \x1b[31m4593", "x" * 5000, "flatcar 1 2 3", "clock=nan", "clock=1e999"]
)
def test_a_guest_that_says_nonsense_has_no_version(web: Machine, hypervisor: FakeHypervisor, answer: str) -> None:
    hypervisor.guests[web.record.domain].answer = lambda _command: (answer, "", 0)
    assert api.boot(None, api.Wish(name="web")).version == ""


# Sizes


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("2048", 2048), ("1G", 1024), ("1g", 1024), ("1 G", 1024),
        ("1GB", 1024), ("1GiB", 1024), ("1gib", 1024), ("1.5GiB", 1536),
        ("0.5G", 512), ("512M", 512), ("512MB", 512), ("512MiB", 512), (" 768 ", 768), ("1048576K", 1024), ("1T", 1048576),
    ],
)  # fmt: skip
def test_memory_is_read_as_people_write_it(text: str, mib: int) -> None:
    assert parse_memory(text) == mib


@pytest.mark.parametrize(
    "text",
    [
        "", "G", "-1G", "1,5G", "1e3", "0", "0G", "lots", "1GG", "1.0001G", "1X", "99999999999G", "٤G", "1\x1b[2JG", "1G 1G",
        "0x400", "inf",
    ],
)  # fmt: skip
def test_memory_that_is_none_is_refused_with_examples(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=r"is not understood: expected whole MiB, such as 2048, 512M, 1G or 1\.5GiB"):
        parse_memory(text)
    assert main(["up", f"--memory={text}"]) == 2
    told = capsys.readouterr().err
    assert "Next: --memory 2G" in told
    assert "invalid int value" not in told


@pytest.mark.parametrize(("text", "gib"), [("2", 2), ("2G", 2), ("2 GiB", 2), ("1T", 1024), ("2048M", 2)])
def test_disks_too(text: str, gib: int) -> None:
    assert parse_disk(text) == gib


@pytest.mark.parametrize("text", ["1.5G", "512M", "0", "2X"])
def test_disks_are_whole(text: str) -> None:
    with pytest.raises(UsageError, match="expected whole GiB"):
        parse_disk(text)


def test_memory_in_words_reaches_the_wish() -> None:
    assert parser().parse_args(["--memory", "1.5GiB"]).memory == "1.5GiB"


# A full disk


def machine_of(state: Path, name: str, size: int) -> None:
    folder = state / "machines" / name
    folder.mkdir(parents=True)
    (folder / "overlay.qcow2").write_bytes(b"x" * size)


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 64 MB of its own, with state and cache on it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    disk = Path(f"/var/tmp/flatkit-{os.getpid()}-disk")
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=1000", "tmpfs", str(disk)]
    try:
        if subprocess.run(words, check=False, capture_output=True).returncode:
            pytest.skip("no disk can be mounted here")
        monkeypatch.setenv("FLATKIT_STATE", str(disk / "state"))
        monkeypatch.setenv("FLATKIT_CACHE", str(disk / "cache"))
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=False, capture_output=True)
        disk.rmdir()


def fill(disk: Path, most: int = 2**30) -> OSError:
    try:
        with (disk / "filler").open("wb") as file:
            for _ in range(most // 2**20):
                file.write(bytes(2**20))
    except OSError as error:
        return error
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_is_large_on_a_full_disk_is_named(small_disk: Path) -> None:
    machine_of(small_disk / "state", "big", 20 * 2**20)
    machine_of(small_disk / "state", "small", 3 * 2**20)
    (small_disk / "cache/lab").mkdir(parents=True)
    (small_disk / "cache/lab/disk.qcow2").write_bytes(b"x" * 8 * 2**20)
    error = disk_full(small_disk / "state", fill(small_disk))
    assert error.message == f'the disk that holds "{small_disk}/state" is full'
    assert error.hint.startswith(
        'flatkit down big   (the machine "big" takes 21 MB; the lab image: 8 MB; the machine "small": 3 MB; '
    )
    assert f"are used in {small_disk})" in error.hint
    # The machine that the room is for is not what to remove.
    assert advise(small_disk, spare="big").startswith("flatkit images rm lab   ")


def test_a_disk_that_others_have_filled(small_disk: Path) -> None:
    machine_of(small_disk / "state", "web", 4096)
    with pytest.raises(HostError, match="is full") as caught, saying_disk_full(small_disk / "state"):
        raise fill(small_disk)
    assert caught.value.hint.startswith(f"du -xh --max-depth=2 {small_disk} | sort -h | tail   ")
    assert "hardly any of it by flatkit" in caught.value.hint
    assert "flatkit clean" not in caught.value.hint


def test_a_disk_without_inodes_is_not_full_of_bytes(small_disk: Path) -> None:
    def fill_with_files() -> None:
        for number in range(2000):
            (small_disk / str(number)).touch()

    with pytest.raises(OSError, match="No space left") as caught:
        fill_with_files()
    error = disk_full(small_disk, caught.value)
    assert "has no inode left for another file" in error.message
    assert error.hint.startswith(f"df -i {small_disk}")


def test_a_quota_is_called_a_quota(tmp_path: Path) -> None:
    error = disk_full(tmp_path, OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)))
    assert error.message == f'your quota on the disk that holds "{tmp_path}" is used up'
