"""Is this host big enough for a room: memory, processors, disk, KVM, ports, programs. Figures per seat are measured ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from flatkit.capacity import processors
from flatkit.errors import FlatkitError
from flatkit.listening import try_port
from flatkit.machines.accelerator import choose
from flatkit.machines.disks import measure_room
from flatkit.machines.spec import Accelerator, Arch
from flatkit.run import program_path, run
from flatkit.version_numbers import dotted, split_version

# MiB. A seat without a machine: server, kernel, libvirt; with one machine of 1024 MiB after its boot, and at its worst.
SEAT_MIB, TYPICAL_MIB, WORST_MIB = 300, 750, 1450
# The second machine of a seat at its worst: guest and QEMU.
SECOND_MIB = 1250
# Hub, proxy, services, and the system beside them.
BASE_MIB = 1500
# Disk: the shared cache, and what a seat's machines and notebooks write.
CACHE_MIB, SEAT_DISK_MIB = 6000, 1500
# Processor seconds of a login until JupyterLab is there.
LOGIN_SECONDS = 2.8
# Seconds of one cold boot in its turn; emulated: docs/performance.md. With KVM: an estimate, never measured.
BOOT_KVM, BOOT_EMULATED = 5, 22
# Debian 12's.
_LIBVIRT = (9, 0, 0)
_VERSION_SECONDS = 10.0
_PROGRAMS = ("useradd", "userdel", "setpriv", "libvirtd", "qemu-img")


@dataclass(frozen=True, kw_only=True)
class HostSize:
    """Size of a host; memory and disk that are free, in MiB. `cache_mib` is None where images and homes share a disk."""

    memory_mib: int
    processors: int
    disk_mib: int
    has_kvm: bool
    cache_mib: int | None = None
    kvm_is_proved: bool = True


@dataclass(frozen=True, kw_only=True)
class SizeFinding:
    """One line of the check. A warning lets the room begin; `fix` is what helps."""

    name: str
    words: str
    level: str = "ok"
    fix: str = ""

    def __str__(self) -> str:
        sign = {"ok": "✓", "warn": "!", "fail": "✗"}[self.level]
        return f"{sign} {self.name}: {self.words}" + (
            f"\n    fix: {self.fix}" if self.fix and self.level != "ok" else ""
        )


def measure(homes: Path, cache: Path) -> HostSize:
    """Measure this host, with the disks of these two folders. Raises MissingDependency without QEMU."""
    room, found = measure_room(homes), choose(Arch.of_host())
    there = next(path for path in (cache, *cache.parents) if path.exists())
    return HostSize(
        memory_mib=room.memory_mib,
        processors=processors(),
        disk_mib=room.disk_mib,
        has_kvm=found.accelerator is Accelerator.KVM,
        cache_mib=None if there.stat().st_dev == homes.stat().st_dev else measure_room(there).disk_mib,
        kvm_is_proved=found.proved,
    )


def seats_that_fit(host: HostSize, each_mib: int) -> int:
    """Return how many seats of that size fit in the memory."""
    return max(0, (host.memory_mib - BASE_MIB) // each_mib)


def judge(host: HostSize, seats: int) -> Iterator[SizeFinding]:
    """Yield what a host's size means for so many seats."""
    one, worst, two = (seats_that_fit(host, size) for size in (TYPICAL_MIB, WORST_MIB, WORST_MIB + SECOND_MIB))
    words = (
        f"{host.memory_mib} MiB free: {one} seats with a machine as it usually is, {worst} at its worst, "
        f"{two} with two machines at their worst"
    )
    level = "ok" if worst >= seats else "warn" if one >= seats else "fail"
    more = -(-(BASE_MIB + seats * WORST_MIB) // 1024)
    fewer = f", or fewer seats: --seats {one}" if one else ""
    yield SizeFinding(name="memory", words=words, level=level, fix=f"a host with {more} GiB{fewer}")
    login = LOGIN_SECONDS * seats / host.processors
    turns = -(-seats // max(1, host.processors // 2))
    is_sure = host.has_kvm and host.kvm_is_proved
    boot = turns * (BOOT_KVM if is_sure else BOOT_EMULATED)
    hope = f" ({turns * BOOT_KVM} s if KVM works)" if host.has_kvm and not is_sure else ""
    yield SizeFinding(
        name="processors",
        words=(
            f"{host.processors}; if all {seats} come at once: JupyterLab in {login:.0f} s, "
            f"all first machines in {boot} s{hope}"
        ),
        level="ok" if login <= 60 and boot <= 300 else "warn",
        fix="a host with more processors, or let learners begin one after the other",
    )
    yield from _judge_disks(host, seats)
    yield _judge_kvm(host)


def _judge_disks(host: HostSize, seats: int) -> Iterator[SizeFinding]:
    shared = CACHE_MIB if host.cache_mib is None else 0
    need, least = shared + seats * SEAT_DISK_MIB, shared + seats * SEAT_DISK_MIB // 4
    yield SizeFinding(
        name="disk",
        words=f"{host.disk_mib} MiB free, {need} wanted",
        level="ok" if host.disk_mib >= need else "warn" if host.disk_mib >= least else "fail",
        fix="a larger disk for /home and /var" if shared else "a larger disk for /home",
    )
    if host.cache_mib is not None:
        yield SizeFinding(
            name="disk of the images",
            words=f"{host.cache_mib} MiB free, {CACHE_MIB} wanted",
            level="ok" if host.cache_mib >= CACHE_MIB else "fail",
            fix="a larger disk for /var",
        )


def _judge_kvm(host: HostSize) -> SizeFinding:
    level, words, fix = "ok", "machines run at full speed", ""
    if not host.has_kvm:
        level, words = "warn", "it cannot be used: machines are emulated, and keep processors busy"
        fix = "a host with KVM (bare metal, or nested virtualisation); flatkit doctor says why"
    elif not host.kvm_is_proved:
        level, words = "warn", "/dev/kvm can be opened; not proved: no kernel was tried"
        fix = "flatkit up   (its first machine is the trial)"
    return SizeFinding(name="kvm", words=words, level=level, fix=fix)


def find_obstacles(host: str, port: int, *, own: Collection[int] = ()) -> Iterator[SizeFinding]:
    """Yield what prevents a room: rights, programs, the port. A process of the room itself (`own`) may hold it."""
    if os.geteuid() != 0:
        yield SizeFinding(name="root", level="fail", words="only root can make accounts", fix="sudo flatkit seats up")
    missing = [name for name in _PROGRAMS if not _find(name)]
    if missing:
        yield SizeFinding(name="programs", level="fail", words=f"not installed: {', '.join(missing)}", fix="make setup")
    yield from find_old_libvirt(_find("libvirtd"))
    refusal = try_port(port, host)
    if refusal and not any(f"(process {process})" in refusal.words for process in own):
        words = f"port {port} cannot be used: {refusal.words}"
        yield SizeFinding(name="port", level="fail", words=words, fix="flatkit seats up --listen ADDRESS:PORT")


def find_old_libvirt(program: str | None) -> Iterator[SizeFinding]:
    """Yield a warning if libvirt is older than the one with which rooms were tried."""
    if not program:
        return
    try:
        said = run([program, "--version"], check=False, timeout=_VERSION_SECONDS).stdout
    except FlatkitError:
        return  # doctor says more
    found = next((parts[0] for word in said.split() if (parts := split_version(word))), None)
    if found and found < _LIBVIRT:
        words = f"libvirt {dotted(found)} is older than {dotted(_LIBVIRT)}, the oldest with which a room was tried"
        yield SizeFinding(
            name="libvirt", level="warn", words=words, fix="Debian 12 or later; or flatkit up, to see if one boots here"
        )


def _find(program: str) -> str | None:
    return shutil.which(program, path=program_path())
