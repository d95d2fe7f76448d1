"""Accelerator detection: KVM is proved by a kernel's first line, not by the presence of /dev/kvm.

In some virtual machines, /dev/kvm opens, creates virtual machines and runs firmware, but no kernel ever starts under
it. So flatkit starts a kernel once and caches the result for that host, kernel and QEMU.
"""

from __future__ import annotations

import errno
import os
import platform
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flatkit.accounts import group_name, is_listed_member, my_name, user_name
from flatkit.errors import MissingDependency, WaitTimeout
from flatkit.files import hash_file
from flatkit.machines.disk_kernel import kernel_of
from flatkit.machines.host_facts import ACCELERATOR, read_rows, save_rows
from flatkit.machines.spec import Accelerator, Arch, MachineSpec
from flatkit.run import run

# Under working KVM the whole trial takes about a second. Without KVM, nothing is ever printed.
_TRIAL_SECONDS = 5.0
TRIAL_LINE = "Linux version"


@dataclass(frozen=True, kw_only=True)
class Acceleration:
    """Accelerator to use, with the reason. `proved` is False only if /dev/kvm was trusted without a trial."""

    accelerator: Accelerator
    why: str
    proved: bool


def choose_for(spec: MachineSpec) -> Acceleration:
    """Choose the accelerator for a machine by a trial of its own kernel. Raises MissingDependency.

    If the disk boots by itself, an earlier proof is used. Without a proof, the kernel is extracted from the disk.
    """
    if spec.boot:
        return choose(spec.arch, kernel=spec.boot.kernel)
    found = choose(spec.arch)
    if found.proved:
        return found
    with kernel_of(spec.disk, spec.disk_format) as kernel:
        return choose(spec.arch, kernel=kernel)


def choose(arch: Arch, *, kernel: Path | None = None, device: Path = Path("/dev/kvm")) -> Acceleration:
    """Choose the accelerator for a guest. Raises MissingDependency.

    Without a `kernel` to try, an earlier proof is used. Without a proof, a /dev/kvm that can be opened is trusted.
    """
    obstacle = _obstacle(arch, device)
    if obstacle:
        return Acceleration(accelerator=Accelerator.TCG, why=obstacle, proved=True)
    version = qemu_version(arch)
    remembered = _recall(version, kernel)
    if remembered is None and kernel is not None:
        remembered = try_kernel(arch, kernel)
        _remember(version, kernel, works=remembered)
    if remembered is None:
        return Acceleration(accelerator=Accelerator.KVM, why="/dev/kvm can be opened", proved=False)
    if remembered:
        return Acceleration(accelerator=Accelerator.KVM, why="a kernel starts under KVM", proved=True)
    return Acceleration(
        accelerator=Accelerator.TCG, why="/dev/kvm is there, but no kernel starts under it", proved=True
    )


def _obstacle(arch: Arch, device: Path) -> str:
    """Return the reason why KVM cannot be used; "" if there is none."""
    if arch is not Arch.of_host():
        return f"the guest is {arch}, this host is {Arch.of_host()}"
    if not device.exists():
        return f"this host has no {device}"
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return _why_closed(device, error)
    return ""


def _why_closed(device: Path, error: OSError) -> str:
    """Return why a device that is there cannot be opened: by its mode and group, or else in the system's words."""
    if error.errno != errno.EACCES:
        # EPERM: the device rules of a container; ENODEV, ENXIO: no driver behind it.
        return f"{device} cannot be opened: {error.strerror}"
    about = device.stat()
    group, mode = group_name(about.st_gid), stat.S_IMODE(about.st_mode)
    return f'{device} may not be opened by you: it is for "{user_name(about.st_uid)}" and the group "{group}" (mode {mode:04o})'


def find_device_cure(device: Path = Path("/dev/kvm")) -> tuple[str, str]:
    """Return the command that opens a device to this user, and what else to know; "" where no command is known to."""
    try:
        about = device.stat()
    except OSError:
        return "", ""
    group, mode = group_name(about.st_gid), stat.S_IMODE(about.st_mode)
    if mode & 0o060 != 0o060 or about.st_gid in {0, *os.getgroups()}:
        return f"sudo chmod 0666 {device}", "It holds until the next start of this host: no group lets you in there."
    if is_listed_member(group):
        return f"newgrp {group}", "You were added to that group after this login began; logging in again does it too."
    return f"sudo usermod -aG {group} {my_name()}", "Then log in again."


def qemu_version(arch: Arch) -> str:
    """Return the first line of QEMU's version output. Raises MissingDependency."""
    return run([arch.emulator, "--version"]).stdout.partition("\n")[0]


def try_kernel(arch: Arch, kernel: Path, *, seconds: float = _TRIAL_SECONDS) -> bool:
    """Return True if the kernel prints its first line under KVM, started without a disk. Raises MissingDependency."""
    with tempfile.TemporaryDirectory(prefix="flatkit-kvm-") as folder:
        log = Path(folder) / "serial"
        with suppress(WaitTimeout):
            run(trial_argv(arch, kernel, f"file:{log}"), check=False, timeout=seconds)
        return log.exists() and TRIAL_LINE in log.read_text(errors="replace")


def trial_argv(arch: Arch, kernel: Path, serial: str) -> list[str]:
    """Return the command that starts a kernel under KVM without a disk; the kernel prints TRIAL_LINE first."""
    return [
        arch.emulator,
        *("-machine", f"{arch.machine_type},accel=kvm"),
        *("-cpu", "host"),
        *("-m", "512"),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-serial", serial),
        *("-kernel", str(kernel)),
        # The kernel finds no root file system and panics. -no-reboot then ends QEMU.
        *("-append", f"console={arch.console} panic=-1"),
    ]


def _situation(version: str) -> str:
    """Return the conditions that the result depends on, besides the guest's kernel."""
    return f"{platform.node()} {platform.release()} {version}"


def _identity(kernel: Path) -> str:
    return hash_file(kernel)[:16]


def _recall(version: str, kernel: Path | None) -> bool | None:
    try:
        known = read_rows(ACCELERATOR)[_situation(version)]
        if kernel is None:
            # Any kernel counts: a kernel that started proves KVM, whatever the other trials showed.
            return bool(any(known.values())) if known else None
        return bool(known[_identity(kernel)])
    except (KeyError, TypeError, AttributeError):
        return None


def _remember(version: str, kernel: Path, *, works: bool) -> None:
    known = read_rows(ACCELERATOR)
    with suppress(OSError):  # the kernel's file is gone
        known.setdefault(_situation(version), {})[_identity(kernel)] = works
        save_rows(ACCELERATOR, known)


def describe() -> str:
    """Describe this host's accelerator in one line, for doctor and badges."""
    try:
        found = choose(Arch.of_host())
    except MissingDependency as error:
        return error.message
    return f"{found.accelerator.words}: {found.why}"
