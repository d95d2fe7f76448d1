"""What this host can do: the checks of `flatkit doctor`, each with why it matters and the one command that fixes it.

Called host and not doctor, because `flatkit.doctor` is the function that a notebook calls.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from flatkit import paths
from flatkit.errors import FlatkitError

_MACHINE_MIB = 1024
_DISK_MIB = 4000
_BUILD_TOOLS = ("mmdebstrap", "mkfs.erofs", "veritysetup", "mke2fs", "sfdisk", "mkfs.vfat", "mcopy", "cpio", "qemu-img")


class Health(str, Enum):
    """What a check found: warn means that it works, and less well than it could."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"

    def __str__(self) -> str:
        return self.value

    @property
    def mark(self) -> str:
        """A sign for it that needs no colour."""
        return {Health.OK: "✓", Health.WARN: "!", Health.FAIL: "✗"}[self]


@dataclass(frozen=True, kw_only=True)
class HostCheck:
    """One line of doctor: what was looked at, what was found, why it matters, and the command that fixes it."""

    name: str
    state: Health
    found: str
    why: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Examination:
    """All checks. `ok` says whether machines can boot here."""

    checks: tuple[HostCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(check.state is not Health.FAIL for check in self.checks)

    def __str__(self) -> str:
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            lines.append(f"{check.state.mark} {check.name:<{width}}  {check.found}")
            if check.state is not Health.OK:
                lines.append(f"  {'':<{width}}  {check.why}")
                lines.append(f"  {'':<{width}}  fix: {check.fix}")
        lines.append("this host can boot machines" if self.ok else "this host cannot boot machines yet")
        return "\n".join(lines)


def examine() -> Examination:
    """Look at the host; changes nothing, and one broken part does not hide the others."""
    checks = (_python, _libvirt, _accelerator, _memory, _disk, _image, _trust, _programs, _jupyter)
    return Examination(checks=tuple(_guarded(check) for check in checks))


def _guarded(check: Callable[[], HostCheck]) -> HostCheck:
    try:
        return check()
    except FlatkitError as error:
        name = check.__name__.strip("_")
        return HostCheck(
            name=name, state=Health.FAIL, found=error.message, why="flatkit needs it", fix=error.hint or "make setup"
        )


def _python() -> HostCheck:
    version = platform.python_version()
    state = Health.OK if sys.version_info >= (3, 11) else Health.FAIL
    return HostCheck(
        name="python", state=state, found=f"Python {version}", why="flatkit is written for 3.11 and later",
        fix="install Python 3.11 or later, then: make setup",
    )  # fmt: skip


def _libvirt() -> HostCheck:
    from flatkit.machines import Hypervisor

    hypervisor = Hypervisor()
    hypervisor.connect()
    libvirt, qemu = hypervisor.version()
    return HostCheck(
        name="libvirt",
        state=Health.OK,
        found=f"libvirt {libvirt}, QEMU {qemu}, {hypervisor.uri}",
        why="it runs the machines",
    )


def _accelerator() -> HostCheck:
    from flatkit.images.lab.build import find_lab_image
    from flatkit.machines import Accelerator, Arch, choose

    lab = find_lab_image()
    chosen = choose(Arch.of_host(), kernel=lab.kernel if lab else None)
    kvm = chosen.accelerator is Accelerator.KVM
    found = f"{chosen.accelerator.words}: {chosen.why}" + ("" if chosen.proved else " (not proved yet)")
    return HostCheck(
        name="accelerator", state=Health.OK if kvm else Health.WARN, found=found,
        why="machines are emulated: a boot takes 15 to 30 s instead of about 5",
        fix="on a host of your own: enable virtualisation in the firmware, then sudo usermod -aG kvm $USER",
    )  # fmt: skip


def _memory() -> HostCheck:
    from flatkit.machines.disks import measure_room

    free = measure_room(_existing(paths.machines_dir())).memory_mib
    state = Health.OK if free >= 2 * _MACHINE_MIB else Health.WARN if free >= _MACHINE_MIB else Health.FAIL
    return HostCheck(
        name="memory", state=state, found=f"{free} MiB free", why=f"each machine takes {_MACHINE_MIB} MiB, Jupyter some more",
        fix="close other programs, or: flatkit clean",
    )  # fmt: skip


def _disk() -> HostCheck:
    folder = _existing(paths.cache_dir())
    free = shutil.disk_usage(folder).free // (1024 * 1024)
    state = Health.OK if free >= _DISK_MIB else Health.WARN if free >= _DISK_MIB // 4 else Health.FAIL
    return HostCheck(
        name="disk", state=state, found=f"{free} MiB free for {paths.cache_dir()}",
        why=f"the lab image and the machines' disks want {_DISK_MIB} MiB",
        fix="free some space, or set FLATKIT_CACHE and FLATKIT_STATE to folders on a larger disk",
    )  # fmt: skip


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _image() -> HostCheck:
    from flatkit.images.lab.build import find_lab_image
    from flatkit.images.signing import find_trust
    from flatkit.images.store import list_cached

    lab = find_lab_image()
    trust = find_trust()
    flatcar = [f"Flatcar {image.channel} {image.version}" for image in list_cached() if image.is_ready(trust)]
    if lab or flatcar:
        found = ", ".join([*flatcar, *([f"lab image {lab.version}"] if lab else [])])
        return HostCheck(name="image", state=Health.OK, found=found, why="machines boot from it")
    missing = [tool for tool in _BUILD_TOOLS if not _which(tool)]
    if missing:
        return HostCheck(
            name="image", state=Health.FAIL, found=f"none, and no {', '.join(missing)} to build the lab image with",
            why="machines boot from it", fix="make setup   (elsewhere than on Linux: take an image from a Linux host)",
        )  # fmt: skip
    return HostCheck(
        name="image", state=Health.WARN, found="none yet", why="the first boot builds the lab image, in about a minute",
        fix="flatkit images build-lab",
    )  # fmt: skip


def _trust() -> HostCheck:
    from flatkit.images.signing import FLATCAR_PRIMARY, find_trust

    trust = find_trust()
    why = "without GnuPG no Flatcar image can be trusted; the lab image needs none"
    if not _which("gpg"):
        return HostCheck(name="trust", state=Health.WARN, found="no gpg", why=why, fix="make setup")
    if trust.is_replaced:
        trust.read_key()
        return HostCheck(
            name="trust", state=Health.WARN, found=f"images {trust.words}", why="whoever has that key decides what boots here",
            fix="unset FLATKIT_SIGNING_KEY   (unless you set it on purpose: a test, or a mirror that signs anew)",
        )  # fmt: skip
    return HostCheck(name="trust", state=Health.OK, found=f"Flatcar's key, {FLATCAR_PRIMARY[-16:]}, pinned", why=why)


def _programs() -> HostCheck:
    missing = [tool for tool in ("ssh", "qemu-img", "curl") if not _which(tool)]
    return HostCheck(
        name="programs", state=Health.FAIL if missing else Health.OK,
        found=f"missing: {', '.join(missing)}" if missing else "ssh, qemu-img, curl",
        why="flatkit ssh, the machines' disks and the demos use them", fix="make setup",
    )  # fmt: skip


def _which(program: str) -> str | None:
    # sbin: where some of the tools live, and a person's PATH often lacks it
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def _jupyter() -> HostCheck:
    missing = [name for name in ("jupyterlab", "ipywidgets", "ipykernel") if importlib.util.find_spec(name) is None]
    return HostCheck(
        name="jupyter", state=Health.FAIL if missing else Health.OK,
        found=f"missing: {', '.join(missing)}" if missing else "JupyterLab, ipywidgets, ipykernel",
        why="the course is made of notebooks", fix=f"{sys.executable} -m pip install {' '.join(missing)}",
    )  # fmt: skip
