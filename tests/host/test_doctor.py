"""What doctor says on hosts of every kind, made up from folders and values; and once on this very host."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path

import pytest

from flatkit import host, paths
from flatkit.cli import main
from flatkit.emulators import Emulator
from flatkit.errors import HostError, MissingDependency
from flatkit.host import Examination, Health, HostCheck, examine, space
from flatkit.host.software import WANTED, check_jupyter, check_trust
from flatkit.host.space import check_disk, check_folders, check_memory, existing, find_closed
from flatkit.host.system import System, check_clock, check_processor, check_system, find_system, for_seat, is_remote
from flatkit.host.virtual import check_accelerator, check_libvirt, check_rights, judge
from flatkit.machines import Acceleration, Accelerator, Hypervisor
from flatkit.machines import accelerator as accelerator_module
from flatkit.machines.domain import domain_name
from flatkit.machines.spec import Arch
from flatkit.machines.store import owner_id

ROOT = Path(__file__).resolve().parents[2]


def is_whole(check: HostCheck) -> bool:
    """Each line: what was found, why it matters in one clause, and where it is not green a command or a word."""
    has_way = bool(check.fix or check.note) or check.state is Health.OK
    return bool(check.name and check.found and check.why) and "\n" not in check.fix and has_way


# The system


@pytest.mark.parametrize(
    ("name", "release", "extra", "system"),
    [
        ("Linux", "6.1.0-18-amd64", "", System.LINUX),
        ("Linux", "5.15.153.1-microsoft-standard-WSL2", "", System.WSL2),
        ("Linux", "4.4.0-19041-Microsoft", "", System.WSL1),
        ("Linux", "6.1.0-18-amd64", ".dockerenv", System.CONTAINER),
        ("Linux", "6.1.0-18-amd64", "run/.containerenv", System.CONTAINER),
        ("Darwin", "", "", System.MACOS),
        ("Windows", "", "", System.WINDOWS),
        ("FreeBSD", "", "", System.OTHER),
    ],
)
def test_the_system_is_told_apart(tmp_path: Path, name: str, release: str, extra: str, system: System) -> None:
    for file, text in (("proc/sys/kernel/osrelease", release), *([(extra, "")] if extra else [])):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    assert find_system(root=tmp_path, name=name, environment={}) is system
    if system is System.LINUX:
        assert find_system(root=tmp_path, name=name, environment={"container": "oci"}) is System.CONTAINER


@pytest.mark.parametrize(
    ("uri", "remote"),
    [
        ("qemu:///session", False),
        ("qemu:///system", False),
        ("test:///default", False),
        ("qemu+unix:///system?socket=/x", False),
        ("qemu+ssh://me@host/session", True),
        ("qemu+libssh2://host/system", True),
    ],
)
def test_remote_uris(uri: str, remote: bool) -> None:
    assert is_remote(uri) == remote


@pytest.mark.parametrize("system", System)
def test_where_machines_cannot_boot_the_way_out_is_named(system: System) -> None:
    local, remote = check_system(system, "qemu:///session"), check_system(system, "qemu+ssh://me@host/session")
    assert is_whole(local)
    assert is_whole(remote)
    assert (local.state is Health.OK) == system.boots_machines
    assert remote.state is Health.OK
    if system in {System.MACOS, System.WINDOWS}:
        assert local.fix.startswith("ssh -L 8888:127.0.0.1:8888 ")
        assert "play recorded demos" in local.why
    assert ("wsl --install" in local.note) == (system is System.WINDOWS)


def test_on_a_mac_nothing_is_asked_of_libvirt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    found = examine(System.MACOS)
    assert [check.name for check in found.checks] == ["system", "python", "jupyter", "clock"]
    assert not found.ok
    assert found.verdict == "this host cannot boot machines yet: system"


@pytest.mark.parametrize("system", [System.LINUX, System.MACOS])
def test_of_another_hosts_libvirt_that_host_is_asked(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu+ssh://nobody@nowhere.invalid/session")
    found = examine(system)
    assert [check.name for check in found.checks] == [
        "system",
        "python",
        "host",
        "libvirt",
        "image",
        "jupyter",
        "clock",
    ]
    assert all(is_whole(check) for check in found.checks)
    host = found.checks[2]
    assert (host.state, host.name) == (Health.FAIL, "host")
    assert "nobody@nowhere.invalid" in host.found
    assert "ssh-copy-id nobody@nowhere.invalid" in host.fix


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        ({"memory": "8000", "disk": "90000", "arch": "x86_64", "kvm": "yes"}, Health.OK, "x86_64, KVM"),
        ({"memory": "8000", "disk": "90000", "arch": "x86_64"}, Health.WARN, "emulated"),
        ({"memory": "700", "disk": "90000", "arch": "x86_64", "kvm": "yes"}, Health.WARN, "700 MiB of memory"),
        ({"memory": "8000", "disk": "90000", "missing": "qemu-img"}, Health.FAIL, "no program qemu-img"),
    ],
)
def test_what_another_host_says_of_itself(said: dict[str, str], state: Health, words: str) -> None:
    check = judge("ada@far", said)
    assert (check.state, words in check.found) == (state, True)


@pytest.mark.parametrize(
    ("machine", "state"),
    [("x86_64", Health.OK), ("aarch64", Health.WARN), ("arm64", Health.WARN), ("riscv64", Health.FAIL)],
)
def test_processors(monkeypatch: pytest.MonkeyPatch, machine: str, state: Health) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    assert check_processor().state is state
    assert is_whole(check_processor())
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    assert check_processor().state is not Health.OK


def test_a_clock_that_stands_in_the_past() -> None:
    assert check_clock(System.LINUX).state is Health.OK
    past = check_clock(System.WSL2, now=1_600_000_000.0)
    assert past.state is Health.FAIL
    assert past.found.startswith("2020-09-13")
    assert "hwclock" in past.fix


# libvirt and the accelerator


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (MissingDependency("no binding", hint="apt install python3-libvirt"), "make setup"),
        (HostError("refused", hint='sudo usermod -aG libvirt "$USER" and log in again'), "sudo usermod"),
        (HostError("down", hint="make setup"), "make setup"),
    ],
)
def test_a_libvirt_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, error: HostError, fix: str) -> None:
    def refuse(_self: Hypervisor) -> None:
        raise error

    monkeypatch.setattr(Hypervisor, "connect", refuse)
    found = check_libvirt()
    assert found.state is Health.FAIL
    assert found.fix.startswith(fix)
    assert is_whole(found)


def test_a_libvirt_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("libvirt")
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "test:///default")
    found = check_libvirt()
    assert found.state is Health.OK
    assert "test:///default" in found.found


@pytest.mark.parametrize(
    ("uri", "groups", "state"),
    [
        ("qemu:///session", {"users"}, Health.OK),
        ("qemu:///system", {"users"}, Health.FAIL),
        ("qemu:///system", {"users", "libvirt"}, Health.OK),
        ("qemu:///system", {"root"}, Health.OK),
    ],
)
def test_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, groups: set[str], state: Health) -> None:
    socket = tmp_path / "libvirt" / "libvirt-sock"
    socket.parent.mkdir()
    socket.touch()
    monkeypatch.setattr("os.access", lambda *_args, **_more: "libvirt" in groups)
    found = check_rights(uri, run=tmp_path, groups=frozenset(groups))
    assert found.state is state
    assert is_whole(found)


ABSENT = "this host has no /dev/kvm"


@pytest.mark.parametrize(
    ("accelerator", "why", "system", "state", "fix"),
    [
        (Accelerator.KVM, "a kernel starts under KVM", System.LINUX, Health.OK, ""),
        (Accelerator.KVM, "/dev/kvm can be opened", System.LINUX, Health.WARN, "build-lab"),
        (Accelerator.TCG, "/dev/kvm may not be opened by you", System.LINUX, Health.WARN, "usermod -aG kvm"),
        (Accelerator.TCG, ABSENT, System.WSL2, Health.WARN, "wsl --update"),
        (Accelerator.TCG, ABSENT, System.CONTAINER, Health.WARN, "--device /dev/kvm"),
        (Accelerator.TCG, "/dev/kvm is there, but no kernel starts under it", System.CONTAINER, Health.WARN, ""),
        (Accelerator.TCG, ABSENT, System.LINUX, Health.WARN, "modprobe"),
    ],
)
def test_accelerators(
    monkeypatch: pytest.MonkeyPatch, accelerator: Accelerator, why: str, system: System, state: Health, fix: str
) -> None:
    chosen = Acceleration(accelerator=accelerator, why=why, proved="can be opened" not in why)
    monkeypatch.setattr(Arch, "of_host", classmethod(lambda cls: cls.X86_64))
    monkeypatch.setattr(accelerator_module, "choose", lambda _arch, *, kernel: chosen)
    found = check_accelerator(system, kernel=None)
    assert found.state is state
    assert fix in found.fix
    assert is_whole(found)


# Room


@pytest.mark.parametrize(("free", "state"), [(1000, Health.FAIL), (2000, Health.WARN), (9000, Health.OK)])
def test_memory(free: int, state: Health) -> None:
    assert check_memory(free).state is state
    assert is_whole(check_memory(free))


@pytest.mark.parametrize(
    ("free", "has_image", "state"),
    [
        (700, True, Health.FAIL),
        (800, True, Health.WARN),
        (1600, True, Health.OK),
        (1600, False, Health.FAIL),
        (5000, False, Health.OK),
    ],
)
def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, has_image: bool, state: Health) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    found = check_disk(has_image=has_image, free={tmp_path: free})
    assert found.state is state
    assert is_whole(found)


def test_machines_may_be_on_a_disk_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod keeps the state on a small volume, and the machines on its node's disk."""
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "disks" / "cache"))
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FLATKIT_MACHINES", str(tmp_path / "disks" / "machines"))
    assert paths.machines_dir() == tmp_path / "disks" / "machines"
    (tmp_path / "disks").mkdir()
    (tmp_path / "state").mkdir()
    found = check_disk(has_image=True, free={tmp_path / "disks": 1600, tmp_path / "state": 0})
    assert f"1600 MiB free in {tmp_path / 'disks'}" in found.found
    assert str(tmp_path / "state") not in found.found
    monkeypatch.setattr(space, "_is_root", lambda: False)
    assert str(tmp_path / "disks") in check_folders().found


def test_folders_that_qemu_cannot_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = tmp_path / "closed" / "state"
    way.mkdir(parents=True)
    assert find_closed(way, below=tmp_path) is None
    way.parent.chmod(0o700)
    assert find_closed(way, below=tmp_path) == way.parent
    monkeypatch.setenv("FLATKIT_CACHE", str(way))
    monkeypatch.setenv("FLATKIT_STATE", str(way / "not" / "yet"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    found = check_folders()
    assert found.state is Health.FAIL
    # pytest's own folders are closed as well, and higher up.
    assert found.fix.startswith("chmod o+x /")


def test_folders_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path))
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    monkeypatch.setattr("os.access", lambda _path, mode, **_more: not mode & os.W_OK)
    assert check_folders().state is Health.FAIL
    assert is_whole(check_folders())


def test_the_nearest_folder_that_is_there(tmp_path: Path) -> None:
    assert existing(tmp_path / "a" / "b") == tmp_path


# Jupyter


def page_half(folder: Path, name: str, version: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "package.json").write_text(json.dumps({"version": version}))


FITTING = {"jupyterlab": "4.6.6", "ipykernel": "7.4.0", "ipywidgets": "8.1.9", "anywidget": "0.11.0"}


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        ({}, Health.OK, "anywidget 0.11.0"),
        ({"ipykernel": "6.29.5"}, Health.OK, "ipykernel 6.29.5"),
        ({"jupyterlab": "3.6.8"}, Health.WARN, "expected 'jupyterlab>=4.4,<5'"),
        ({"ipywidgets": "7.8.1"}, Health.WARN, "expected 'ipywidgets>=8.1,<9'"),
        ({"anywidget": None}, Health.FAIL, "anywidget missing"),
        ({"anywidget": "0.9.21"}, Health.WARN, "the page's half of anywidget is 0.11.0"),
    ],
)
def test_versions_that_fit_together(tmp_path: Path, change: dict[str, str | None], state: Health, said: str) -> None:
    page_half(tmp_path, "anywidget", "0.11.0")
    page_half(tmp_path, "@jupyter-widgets/jupyterlab-manager", "5.0.15")
    found = check_jupyter({**FITTING, **change}.get, [tmp_path])
    assert found.state is state
    assert said in found.found
    assert is_whole(found)


def test_a_page_that_lacks_its_half(tmp_path: Path) -> None:
    page_half(tmp_path, "anywidget", "0.11.0")
    found = check_jupyter(FITTING.get, [tmp_path])
    assert found.state is Health.WARN
    assert "does not find the page's half of jupyterlab_widgets" in found.found
    assert "model not found" in found.note


def test_the_wanted_versions_are_those_of_the_project() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for wanted in WANTED:
        (line,) = [line for line in listed if line.startswith(f"{wanted.package}>=")]
        assert wanted.versions.startswith(line.removeprefix(wanted.package).partition(",")[0])


# All of it


def test_one_broken_part_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> HostCheck:
        raise OSError("no such device")

    monkeypatch.setattr(host, "check_memory", broken)
    found = examine(System.LINUX)
    (memory,) = [check for check in found.checks if check.name == "memory"]
    assert memory.state is Health.FAIL
    assert "no such device" in memory.found
    assert len(found.checks) > 10


def test_this_host_in_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    checks, result = lines[:-1], lines[-1]
    assert status == (0 if result["ok"] else 3)
    assert result["event"] == "result"
    names = ["system", "python", "processor", "libvirt", "rights", "accelerator", "memory", "disk", "folders", "ports"]
    assert [line["name"] for line in checks][: len(names)] == names
    assert all({"state", "found", "why", "fix", "note"} <= set(line) for line in checks)
    assert main(["doctor"]) == status
    out = capsys.readouterr().out
    for line in checks:
        assert f" {line['name']}" in out
        assert line["why"] in out


def test_a_line_that_is_green_shows_no_fix() -> None:
    check = HostCheck(name="x", state=Health.OK, found="y", why="z", fix="rm -rf", note="note")
    text = str(Examination(checks=(check,)))
    assert "rm -rf" not in text
    assert "this host can boot machines" in text


def test_without_sequoia_the_doctor_names_the_line_that_installs_it(monkeypatch):
    monkeypatch.delenv("FLATKIT_SIGNING_KEY", raising=False)
    assert check_trust().state is Health.OK
    monkeypatch.setitem(sys.modules, "pysequoia", None)
    monkeypatch.setitem(sys.modules, "pysequoia.packet", None)
    found = check_trust()
    assert (found.state, found.found, found.fix) == (Health.WARN, "no pysequoia", "python -m pip install pysequoia")


def test_in_a_seat_what_needs_root_is_for_the_trainer(monkeypatch):
    """A seat's user has no sudo. What they can do themselves stays as it is."""
    rights = HostCheck(
        name="rights", state=Health.FAIL, found="x", why="y", fix="sudo usermod -aG kvm ada", note="Then log in again."
    )
    memory = HostCheck(
        name="memory", state=Health.WARN, found="x", why="y", fix="flatkit stop web", note="Closing others helps."
    )
    fine = HostCheck(name="clock", state=Health.OK, found="x", why="y", fix="sudo timedatectl set-ntp true")
    assert for_seat(rights) is rights
    monkeypatch.setenv("FLATKIT_SEAT", "ada")
    assert for_seat(rights).fix == ""
    assert for_seat(rights).note == "Tell the trainer. As root on the host: usermod -aG kvm ada"
    assert for_seat(memory) == memory
    assert for_seat(fine) is fine


def test_memory_names_no_machine_of_another_user(monkeypatch, tmp_path):
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    ours = domain_name(owner_id(), "web")
    qemu = [
        Emulator(pid=n, uid=1, words=("qemu", "-name", f"guest={name}"))
        for n, name in enumerate(["flatkit-abcdef-other", ours])
    ]
    monkeypatch.setattr(space, "list_emulators", lambda: iter(qemu[:1]))
    assert space.check_memory(100).fix == ""
    monkeypatch.setattr(space, "list_emulators", lambda: iter(qemu))
    assert space.check_memory(100).fix == "flatkit stop web"
