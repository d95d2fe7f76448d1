"""The spec of a machine, as plain values: everything else in this package is made from it.

Nothing here touches the host; machine.py does.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from flatkit.errors import HostError, InputError, UsageError
from flatkit.untrusted import escape_hidden, parse_json, printable

# Also a host name (RFC 1123), a folder's name and part of a domain's name: the strictest rule applies.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")

SMALLEST_MEMORY_MIB = 256
_IGNITION_MAX = 64 * 1024 * 1024
# Neither an ssh option nor another host.
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
# The PCI bus has this many slots for them (domain.py).
MOST_EXTRA_DISKS = 8
_WHOLE = {"most": 2**31 - 1}
# What libvirt and QEMU get as a text of C.
PLAIN_TEXT = {"form": re.compile(r"[^\0]*"), "expected": "a text without NUL characters"}


class Firmware(str, Enum):
    """Firmware that starts a disk's boot loader. UEFI requires a firmware file on the host (Debian's package ovmf)."""

    BIOS = "bios"
    UEFI = "uefi"

    def __str__(self) -> str:
        return self.value


class Arch(str, Enum):
    """A guest's processor architecture, with the names that QEMU and libvirt use for its parts."""

    X86_64 = "x86_64"
    AARCH64 = "aarch64"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def of_host(cls) -> Arch:
        """Return the architecture of this host. Raises HostError if flatkit does not support it."""
        machine = platform.machine()
        found = cls.find_named(machine)
        if found is None:
            raise HostError(
                f'this host\'s processor is "{machine}", and flatkit boots machines on x86_64 and aarch64 only',
                hint="flatkit doctor",
            )
        return found

    @classmethod
    def find_named(cls, name: str) -> Arch | None:
        """Return the architecture with one of these names: x86_64 or amd64, aarch64 or arm64; None for another name."""
        known = {"x86_64": cls.X86_64, "amd64": cls.X86_64, "aarch64": cls.AARCH64, "arm64": cls.AARCH64}
        return known.get(name.lower())

    @property
    def machine_type(self) -> str:
        """QEMU's machine type."""
        return {Arch.X86_64: "q35", Arch.AARCH64: "virt"}[self]

    @property
    def console(self) -> str:
        """The kernel's name of the first serial port."""
        return {Arch.X86_64: "ttyS0", Arch.AARCH64: "ttyAMA0"}[self]

    @property
    def firmware(self) -> Firmware:
        """Default firmware: BIOS if the architecture has one, since QEMU always includes it."""
        return {Arch.X86_64: Firmware.BIOS, Arch.AARCH64: Firmware.UEFI}[self]

    @property
    def emulator(self) -> str:
        """The program that runs a guest of this architecture."""
        return f"qemu-system-{self.value}"


class Accelerator(str, Enum):
    """Execution of the guest's instructions: by the processor itself, or by QEMU's translator (Tiny Code Generator)."""

    KVM = "kvm"
    TCG = "tcg"

    def __str__(self) -> str:
        return self.value

    @property
    def domain_type(self) -> str:
        """libvirt's name for it in `<domain type=...>`."""
        return {Accelerator.KVM: "kvm", Accelerator.TCG: "qemu"}[self]

    @property
    def words(self) -> str:
        """Description for a learner."""
        return {Accelerator.KVM: "hardware virtualisation (KVM)", Accelerator.TCG: "emulation (no KVM)"}[self]

    @property
    def slowdown(self) -> float:
        """Approximate length of a boot relative to KVM; for estimates only."""
        return {Accelerator.KVM: 1.0, Accelerator.TCG: 4.0}[self]


@dataclass(frozen=True, kw_only=True)
class DirectBoot:
    """A kernel that QEMU loads itself, without firmware or boot loader."""

    kernel: Path
    initrd: Path
    cmdline: str = field(metadata=PLAIN_TEXT)


@dataclass(frozen=True, kw_only=True)
class Forward:
    """TCP forward from port `host` on 127.0.0.1 to the guest's port `guest`; host port 0 selects a free port."""

    host: int
    guest: int

    def __post_init__(self) -> None:
        if not (0 <= self.host < 65536 and 0 < self.guest < 65536):
            raise UsageError(
                f'a port of the forward "{self}" is none: expected numbers from 1 to 65535 (host: 0 for a free one)',
                hint="--forward 8080:80",
            )

    def __str__(self) -> str:
        return f"{self.host}:{self.guest}"


def parse_forward(text: str) -> Forward:
    """Parse `HOST:GUEST`, for example `8080:80`. Raises UsageError."""
    found = re.fullmatch(r"([0-9]{1,5}):([0-9]{1,5})", text.strip(" "))
    if not found:
        raise UsageError(
            f'the forward "{printable(text)}" is not understood: expected HOST:GUEST, two port numbers',
            hint="--forward 8080:80",
        )
    return Forward(host=int(found[1]), guest=int(found[2]))


def is_name(name: str) -> bool:
    """Return True if a machine can have this name."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Return the name if it is valid for a machine. Raises UsageError."""
    if not is_name(name):
        raise UsageError(
            f'"{printable(name)}" cannot be a machine\'s name: expected 1 to 32 of a-z, 0-9 and "-", no "-" at either end',
            hint="flatkit up --name web",
        )
    return name


def _check_ignition(text: str) -> None:
    """Raise InputError for a config that is not Ignition.

    Ignition refuses it, and the first boot fails. It ignores cloud-config and scripts: the machine comes up without a login.
    """
    if not text:
        return
    try:
        found = "ignition" in parse_json(text, limit=_IGNITION_MAX)
    except (ValueError, TypeError):
        found = False
    if not found:
        raise InputError(
            f'"{printable(text.strip(), limit=40)}" is not an Ignition config: expected JSON with the key "ignition"',
            hint="a Butane config becomes Ignition with: flatkit butane FILE",
        )


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """The spec of a machine. `disk` is the read-only image under the machine's overlay; `ignition` is JSON text.

    `label` is the image's name for the user ("lab 4593.2.5"). `disk_gib` enlarges the first disk. `key_file` is the
    user's own private key, used instead of flatkit's. `firmware` None selects the architecture's default.
    `extra_images` are disk images that become further disks, after the empty ones, and are only read.

    Raises UsageError for a value that no machine can have, InputError for a config that is not Ignition.
    """

    name: str
    disk: Path
    disk_format: str = "raw"
    boot: DirectBoot | None = None
    memory_mib: int = field(default=1024, metadata=_WHOLE)
    cpus: int = field(default=2, metadata=_WHOLE)
    arch: Arch = Arch.X86_64
    forwards: tuple[Forward, ...] = ()
    extra_disks_gib: tuple[int, ...] = field(default=(), metadata=_WHOLE)
    disk_gib: int | None = field(default=None, metadata=_WHOLE)
    ignition: str = ""
    label: str = field(default="", metadata=PLAIN_TEXT)
    ssh_user: str = "core"
    key_file: Path | None = None
    firmware: Firmware | None = None
    extra_images: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name)
        self._check_paths()
        _check_ignition(self.ignition)
        if self.disk_format not in {"raw", "qcow2"}:
            raise UsageError(f'the disk format "{self.disk_format}" is not known: expected "raw" or "qcow2"')
        if self.memory_mib < SMALLEST_MEMORY_MIB:
            raise UsageError(
                f'"{self.memory_mib}" MiB of memory cannot boot: expected at least {SMALLEST_MEMORY_MIB}',
                hint="--memory 2048",
            )
        if self.firmware is Firmware.BIOS and self.arch is not Arch.X86_64:
            raise UsageError(
                f'an {self.arch} machine has no BIOS: expected the firmware "uefi"', hint="--firmware uefi"
            )
        if not _USER.fullmatch(self.ssh_user):
            raise UsageError(f'"{printable(self.ssh_user)}" cannot be a user of a machine; expected one such as "core"')
        if self.cpus < 1:
            raise UsageError(f'a machine with "{self.cpus}" processors cannot be made: expected at least 1')
        if any(gib < 1 for gib in (*self.extra_disks_gib, self.disk_gib or 1)):
            raise UsageError("a disk smaller than 1 GiB was asked for: expected whole GiB from 1 up", hint="--disk 2")
        if self.extra_disks > MOST_EXTRA_DISKS:
            raise UsageError(
                f'"{self.extra_disks}" extra disks were asked for: expected at most {MOST_EXTRA_DISKS}', hint="--disk 2"
            )
        hosts = [forward.host for forward in self.forwards if forward.host]
        for port in {port for port in hosts if hosts.count(port) > 1}:
            raise UsageError(
                f'the host port "{port}" is forwarded twice: expected each host port once',
                hint="--forward 0:80   (0 picks a free port)",
            )

    def _check_paths(self) -> None:
        """Raise UsageError for a file whose name neither libvirt's XML nor the machine's record can contain."""
        boot = (self.boot.kernel, self.boot.initrd) if self.boot else ()
        for path in (self.disk, *boot, *self.extra_images, *([self.key_file] if self.key_file else [])):
            if escape_hidden(path) != str(path) or "\n" in str(path) or "\t" in str(path):
                raise UsageError(
                    f'the name "{printable(path, limit=2000)}" cannot be used: it has hidden characters, or is not valid UTF-8; '
                    "expected the name of a file without them",
                    hint="rename the file, or give it another name: ln -s FILE /tmp/disk.img",
                )

    @property
    def extra_disks(self) -> int:
        """Number of disks besides the first one."""
        return len(self.extra_disks_gib) + len(self.extra_images)


def difference(new: MachineSpec, old: MachineSpec) -> str:
    """Name the fields in which two specs differ, in words."""
    before, after = vars(old), vars(new)
    names = [key for key in after if after[key] != before.get(key)]
    words = {"ignition": "config", "disk": "image", "boot": "image", "label": "image", "memory_mib": "memory"}
    return "other " + ", ".join(dict.fromkeys(words.get(name, name) for name in names))
