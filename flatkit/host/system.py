"""The system that flatkit runs on (operating system, WSL, container, processor, clock), and what a check of it finds."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from flatkit.capacity import find_processors
from flatkit.errors import HostError
from flatkit.machines.remote import is_remote
from flatkit.seat_env import is_seat
from flatkit.untrusted import printable

# A clock before this is wrong: this version of flatkit did not exist then.
_NOT_BEFORE = datetime(2026, 11, 1, tzinfo=UTC)
# The road that is open from every computer: flatkit runs on a Linux host, the browser here.
_TUNNEL = "ssh -L 8888:127.0.0.1:8888 YOU@LINUX-HOST"
# A container's or a pod's limit, which the user cannot change from inside.
_RAISE = "Raise the limit: docker run --cpus 2, or singleuser.cpu in the values of the cluster."
_THERE = "There: make workshop, and open the address that it prints in your browser here."


class Health(str, Enum):
    """The result of a check: warn means that it works, but less well than it could."""

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
    """One line of doctor: what was looked at, what was found, why it matters in one clause, the one command that fixes it.

    `note` is what else to know before you type the fix.
    """

    name: str
    state: Health
    found: str
    why: str
    fix: str = ""
    note: str = ""


_FOR_ROOT = re.compile(r"(?:^|[\s;|&(])(?:sudo|newgrp|make setup|apt|apt-get)\b")


def for_seat(check: HostCheck) -> HostCheck:
    """Return a check as a seat's user can use it: they have no root, so the trainer gets the command."""
    if not is_seat() or check.state is Health.OK:
        return check
    if _FOR_ROOT.search(check.fix):
        return replace(check, fix="", note=f"Tell the trainer. As root on the host: {check.fix.removeprefix('sudo ')}")
    return replace(check, note="" if _FOR_ROOT.search(check.note) else check.note)


_LOOKS = ("flatkit list", "ip -brief", "ls ", "ps ", "ss ", "virsh ")


def split_hint(hint: str) -> tuple[str, str]:
    """Split an error's hint into its fix and what else it says. A command that only looks changes nothing, so it is not a fix."""
    if hint.startswith(_LOOKS):
        return "", f"To look: {hint}"
    fix, _, rest = hint.partition("   ")
    fix, either, other = fix.partition(", or: ")
    note = f"Or: {other}" if either else ""
    return fix, " ".join(part for part in (note, rest.strip(" ,")) if part)


@dataclass(frozen=True, kw_only=True)
class Examination:
    """All checks. `ok` says whether machines can boot; `verdict` says it in words."""

    checks: tuple[HostCheck, ...]

    @property
    def ok(self) -> bool:
        """True when no check failed."""
        return all(check.state is not Health.FAIL for check in self.checks)

    @property
    def verdict(self) -> str:
        """The sum of it in one line."""
        if self.ok:
            return "this host can boot machines"
        broken = ", ".join(check.name for check in self.checks if check.state is Health.FAIL)
        return f"this host cannot boot machines yet: {broken}"

    def __str__(self) -> str:
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            lines.append(f"{check.state.mark} {printable(check.name):<{width}}  {printable(check.found, limit=2000)}")
            lines.append(f"  {'':<{width}}  ({printable(check.why)})")
            if check.state is not Health.OK:
                lines += [f"  {'':<{width}}  fix: {printable(check.fix, limit=2000)}"] if check.fix else []
                lines += [f"  {'':<{width}}  {printable(check.note, limit=2000)}"] if check.note else []
        return "\n".join([*lines, self.verdict])


class System(str, Enum):
    """The system that Python runs on."""

    LINUX = "Linux"
    WSL2 = "Linux in WSL 2"
    WSL1 = "Linux in WSL 1"
    CONTAINER = "Linux in a container"
    MACOS = "macOS"
    WINDOWS = "Windows"
    OTHER = "another system"

    def __str__(self) -> str:
        return self.value

    @property
    def boots_machines(self) -> bool:
        """True when libvirt and QEMU can run here at all."""
        return self in {System.LINUX, System.WSL2, System.CONTAINER}


def find_system(
    *, root: Path = Path("/"), name: str | None = None, environment: Mapping[str, str] = os.environ
) -> System:
    """Which of them this is; the arguments are for tests."""
    name = name or platform.system()
    if name != "Linux":
        return {"Darwin": System.MACOS, "Windows": System.WINDOWS}.get(name, System.OTHER)
    release = _read(root / "proc/sys/kernel/osrelease")
    if "microsoft" in release.lower():
        # WSL 1 has no kernel of its own: it says "4.4.0-19041-Microsoft".
        return System.WSL2 if "WSL2" in release or "microsoft-standard" in release else System.WSL1
    # Docker's file, Podman's, and the variable of systemd's container interface, which our image sets for others.
    inside = (
        (root / ".dockerenv").exists() or (root / "run/.containerenv").exists() or bool(environment.get("container"))
    )
    return System.CONTAINER if inside else System.LINUX


def check_system(system: System, uri: str) -> HostCheck:
    """Check that machines can run on this kind of system."""
    version = platform.release()
    if system is System.WSL1 and not is_remote(uri):
        return HostCheck(
            name="system", state=Health.FAIL, found=f"{system} ({version})",
            why="WSL 1 has no kernel of its own, and so neither libvirt nor KVM",
            fix="wsl --set-version Debian 2", note="In PowerShell, with your distribution's name.",
        )  # fmt: skip
    if is_remote(uri):
        # Whether that host can do it is the check "host".
        return HostCheck(
            name="system", state=Health.OK, found=f'{system}; machines boot where LIBVIRT_DEFAULT_URI leads, at "{uri}"',
            why="their disks are placed there, and their ports and consoles come here",
        )  # fmt: skip
    if system.boots_machines:
        return HostCheck(name="system", state=Health.OK, found=f"{system} {version}", why="machines boot on Linux")
    wsl = " On Windows 11, WSL 2 is such a host as well: wsl --install." if system is System.WINDOWS else ""
    return HostCheck(
        name="system", state=Health.FAIL, found=str(system),
        why="machines boot on Linux; here you can write, check and explain configs, and play recorded demos",
        fix=_TUNNEL, note=_THERE + wsl,
    )  # fmt: skip


def check_processor() -> HostCheck:
    """Check that there is an image for this host's processor."""
    from flatkit.machines import Arch

    why = "an image boots quickly on its own kind of processor only"
    try:
        arch = Arch.of_host()
    except HostError as error:
        return HostCheck(name="processor", state=Health.FAIL, found=error.message, why=why, fix=_TUNNEL, note=_THERE)
    usable = find_processors()
    count = usable.count
    found = f"{arch}, {count} processor{'s' if count != 1 else ''}"
    if usable.is_limited:
        found += f" of {usable.host}: a cgroup (container, pod, unit) allows no more"
    if arch is Arch.AARCH64:
        return HostCheck(
            name="processor", state=Health.WARN, found=f"{found}: Flatcar's arm64 images boot, the lab image is x86_64",
            why=why, fix="flatkit up --image PATH", note="PATH: flatcar_production_qemu_uefi_image.img of arm64-usr.",
        )  # fmt: skip
    is_few, is_limited = count < 2, usable.is_limited
    state = Health.WARN if is_few else Health.OK
    return HostCheck(
        name="processor", state=state, found=found, why=f"{why}; a machine has two, and one shared makes it slow",
        fix="give this virtual machine a second processor" if is_few and not is_limited else "",
        note=_RAISE if is_few and is_limited else "",
    )  # fmt: skip


def check_clock(system: System, now: float | None = None) -> HostCheck:
    """Check that the clock is plausible: signatures, TLS and every booting machine depend on it."""
    there = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    fix = "sudo hwclock --hctosys" if system is System.WSL2 else "sudo timedatectl set-ntp true"
    note = "WSL's clock stands still while Windows sleeps." if system is System.WSL2 else ""
    return HostCheck(
        name="clock", state=Health.OK if there >= _NOT_BEFORE else Health.FAIL, found=f"{there:%Y-%m-%d %H:%M} UTC",
        why="machines take their time from it, and signatures and certificates are checked against it", fix=fix, note=note,
    )  # fmt: skip


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
