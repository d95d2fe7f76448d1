"""tools/setup.sh on hosts of several kinds, played by a PATH with hardly anything on it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "dirname", "basename", "cat", "cksum", "grep", "mktemp", "readlink", "rm", "tail", "tr", "env", "id")

APT = (
    "libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils python3-venv python3-libvirt mmdebstrap "
    "erofs-utils cryptsetup-bin mtools e2fsprogs fdisk dosfstools uidmap cpio zstd openssh-client curl gpg ca-certificates"
)
DNF = (
    "libvirt-daemon-kvm libvirt-client qemu-system-x86-core qemu-img python3 python3-libvirt mmdebstrap erofs-utils "
    "veritysetup mtools e2fsprogs util-linux dosfstools shadow-utils cpio zstd openssh-clients curl gnupg2 ca-certificates"
)
Setup = Callable[..., subprocess.CompletedProcess[str]]


class Host:
    """A checkout and a PATH of its own; nothing of the real host is seen."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.path = folder / "bin"
        self.empty = folder / "host"
        for made in (self.checkout, self.path, self.empty):
            made.mkdir()
        shutil.copytree(ROOT / "tools", self.checkout / "tools")
        for name in ("pyproject.toml", "environment.yml", "Makefile"):
            shutil.copy(ROOT / name, self.checkout)
        for tool in TOOLS:
            (self.path / tool).symlink_to(str(shutil.which(tool)))

    def add(self, name: str, script: str = "exit 0") -> None:
        program = self.path / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def user(self, number: int) -> None:
        self.add("id", f'[ "$1" = -u ] && [ $# = 1 ] && echo {number} || exit 1')

    def setup(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": str(self.path), "HOME": str(self.empty), "FLATKIT_SETUP_HOST": str(self.empty), **environment}
        return subprocess.run(
            ["tools/setup.sh", *arguments], cwd=self.checkout, env=env, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.user(1000)
    return made


@pytest.mark.parametrize(
    ("manager", "user", "line"),
    [
        (
            "apt-get",
            1000,
            f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {APT}",
        ),
        ("dnf", 1000, f"sudo dnf install -y --setopt=install_weak_deps=False {DNF}"),
        ("dnf", 0, f"dnf install -y --setopt=install_weak_deps=False {DNF}"),
        (
            "pacman",
            1000,
            "sudo pacman -S --needed libvirt qemu-base python libvirt-python openssh curl gnupg ca-certificates",
        ),
        ("brew", 1000, "brew install libvirt qemu python@3.13 gnupg"),
    ],
)
def test_a_host_where_setup_may_not_install_is_told_the_line(host: Host, manager: str, user: int, line: str) -> None:
    host.add(manager, "echo must not be run >&2; exit 9")
    host.user(user)
    done = host.setup()
    assert done.returncode == 3
    assert f"setup:     {line}\n" in done.stderr
    assert "must not be run" not in done.stderr


def test_a_sudo_that_wants_a_password_is_not_used(host: Host) -> None:
    host.add("apt-get", "echo must not be run >&2; exit 9")
    host.add("sudo", '[ "$1" = -n ] && exit 1; echo must not be run >&2')
    done = host.setup()
    assert done.returncode == 3
    assert "sudo apt-get install" in done.stderr
    assert "must not be run" not in done.stderr


def test_a_host_with_no_manager_is_told_what_is_missing(host: Host) -> None:
    done = host.setup()
    assert done.returncode == 3
    assert "not found on this host: hypervisor virsh qemu-system-x86_64" in done.stderr
    assert "by hand" in done.stderr


def test_what_is_there_is_not_asked_for(host: Host) -> None:
    host.add("dnf")
    for program in ("virsh", "virtqemud", "qemu-img", "mmdebstrap", "zstd"):
        host.add(program)
    (host.empty / "etc/ssl/certs").mkdir(parents=True)
    (host.empty / "etc/ssl/certs/ca-certificates.crt").touch()
    asked = host.setup().stderr.split("install_weak_deps=False ")[1].split()
    assert set(DNF.split()) - set(asked) == {
        "libvirt-daemon-kvm", "libvirt-client", "qemu-img", "mmdebstrap", "zstd", "ca-certificates",
    }  # fmt: skip


def test_programs_in_sbin_count_though_path_lacks_it(host: Host) -> None:
    host.add("dnf")
    sbin = host.empty / "usr/sbin"
    sbin.mkdir(parents=True)
    host.add("sfdisk")
    (host.path / "sfdisk").rename(sbin / "sfdisk")
    assert "util-linux" not in host.setup().stderr


def test_the_tests_need_more_than_the_course(host: Host) -> None:
    host.add("apt-get", "exit 9")
    assert (
        host.setup("test")
        .stderr.splitlines()[-1]
        .endswith(f"{APT} ignition shellcheck chromium gpg-agent grub-pc-bin grub-common")
    )


def test_a_libvirt_on_another_host_needs_none_here(host: Host) -> None:
    host.add("dnf")
    assert "libvirt-daemon-kvm" in host.setup(LIBVIRT_DEFAULT_URI="qemu:///system").stderr
    assert "libvirt-daemon-kvm" not in host.setup(LIBVIRT_DEFAULT_URI="qemu+ssh://lab/system").stderr


@pytest.mark.parametrize("user", [0, 1000])
def test_apt_is_used_where_it_may_be(host: Host, user: int, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    host.user(user)
    host.add("sudo", f'echo "sudo $*" >>{calls}; shift; exec "$@"')
    host.add("true")
    host.add("apt-get", f'echo "$DEBIAN_FRONTEND: $*" >>{calls}; echo chatter')
    done = host.setup()
    said = calls.read_text().splitlines()
    assert ": -q update" in said
    assert f"noninteractive: -q install -y --no-install-recommends {APT}" in said
    assert any(line.startswith("sudo -n ") for line in said) is (user != 0)
    assert f"setup: system packages: installing {APT}" in done.stdout.splitlines()
    assert "chatter" not in done.stdout + done.stderr


def test_an_apt_that_fails_is_quoted(host: Host) -> None:
    host.user(0)
    host.add("apt-get", 'case "$*" in *install*) echo "E: no space left"; exit 100 ;; esac')
    done = host.setup()
    assert done.returncode == 1
    assert "E: no space left" in done.stderr
    assert "next: apt-get update && apt-get install" in done.stderr


def test_an_unknown_task_is_refused(host: Host) -> None:
    done = host.setup("instal")
    assert done.returncode == 2
    assert '"instal" is not a task' in done.stderr


def test_packages_go_into_the_repository_by_default(host: Host) -> None:
    assert host.setup("bin").stdout == f"{host.checkout}/.venv/bin\n"


@pytest.mark.parametrize(
    ("name", "state", "used"),
    [
        ("flatkit", "", True),
        ("course", '{"env_vars": {"FLATKIT_ENVIRONMENT": "1"}}', True),
        ("base", "", False),
    ],
)
def test_a_conda_environment_counts_when_it_was_made_for_flatkit(
    host: Host, tmp_path: Path, name: str, state: str, used: bool
) -> None:
    prefix = tmp_path / name
    (prefix / "conda-meta").mkdir(parents=True)
    if state:
        (prefix / "conda-meta/state").write_text(state)
    found = host.setup("bin", CONDA_PREFIX=str(prefix)).stdout.strip()
    assert found == (f"{prefix}/bin" if used else f"{host.checkout}/.venv/bin")


def test_stop_ends_nothing_that_setup_did_not_start(host: Host, tmp_path: Path) -> None:
    daemons = tmp_path / "state/daemons"
    daemons.mkdir(parents=True)
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (daemons / "libvirtd.pid").write_text(f"{bystander.pid}\n")
        done = host.setup("stop", FLATKIT_STATE=str(tmp_path / "state"))
        assert done.returncode == 0, done.stderr
        assert bystander.poll() is None
        assert list(daemons.iterdir()) == []
    finally:
        bystander.kill()
        bystander.wait()


REAP = [sys.executable, str(ROOT / "tools/setup/reap.py")]


def test_what_a_daemon_leaves_behind_is_taken_leave_of() -> None:
    """libvirt waits for the end of a QEMU that it has handed over: where process 1 is no init, that is never seen."""
    assert subprocess.run([*REAP, "sh", "-c", "exit 7"], check=False).returncode == 7
    # Who stays must not hold the pipe of who waits for what is said: this returns at once.
    said = subprocess.run(
        [*REAP, "sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"], capture_output=True, text=True, check=True
    )
    number = int(said.stdout)
    orphan = Path("/proc", str(number))
    parent = re.search(r"^PPid:\s+(\d+)", (orphan / "status").read_text(), re.MULTILINE)
    assert parent
    reaper = Path("/proc", parent[1])
    assert b"reap.py" in (reaper / "cmdline").read_bytes()
    os.kill(number, signal.SIGKILL)
    until = time.monotonic() + 120
    while orphan.exists() or (reaper.exists() and "Z" not in (reaper / "stat").read_text().rpartition(")")[2]):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_alone_lists_every_target() -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    said = subprocess.run(["make"], cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
    for target in (
        "help",
        "setup",
        "workshop",
        "demo",
        "test",
        "check",
        "clean",
        "test-long",
        "bundles",
        "vectors",
        "bench",
        "bench-ui",
        "fuzz",
    ):
        assert f"make {target} " in said


def test_ci_runs_what_people_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec make test"
