"""The phases of a boot, as a table: the lines that begin each one, one sentence for a learner, how long it usually takes.

Patterns rest on what firmware, boot loader and kernel print, wherever that is possible: on Flatcar the last `console=` is
tty0, so that a serial console may lack what userspace prints. A phase that is not seen is skipped, never waited for.
Flatcar's lines are from recorded terminals of Flatcar 3510, the lab image's from its own scripts (images/lab/files/initrd).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flatkit.machines.hearing import STAMP, heard


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of a boot. `begins` finds its first line, `says` is a sentence for a learner.

    `follows` finds a line that begins it too, but only in the phase before it: it may stand elsewhere as well.

    `kvm` and `emulated` are its usual length in seconds: on real Flatcar under KVM, and on the emulated lab image.
    `first_boot_only`: a machine that was provisioned goes without it.
    """

    name: str
    title: str
    says: str
    begins: re.Pattern[str]
    kvm: float
    emulated: float
    first_boot_only: bool = False
    follows: re.Pattern[str] | None = None

    def usual(self, *, emulated: bool) -> float:
        """How long it usually takes, in seconds."""
        return self.emulated if emulated else self.kvm


def _ignition(stage: str, title: str, says: str, *, kvm: float, emulated: float) -> Phase:
    """A stage of Ignition: its unit starts, or its own log names it, or the lab image's initrd does."""
    pattern = rf"lab-initrd: Ignition stage {stage}$|Starting ignition-{stage}\.service|ignition\[\d+\]:.* Stage: {stage}\b(?!-)"
    return Phase(
        name=f"ignition-{stage}", title=f"Ignition, {stage}: {title}", says=says, begins=re.compile(pattern),
        kvm=kvm, emulated=emulated, first_boot_only=True,
    )  # fmt: skip


PHASES = (
    Phase(
        name="firmware",
        title="Firmware",
        says="The machine's own firmware looks for something to start.",
        begins=re.compile(r"SeaBIOS \(version|^iPXE |BdsDxe: loading|UEFI firmware \(version"),
        kvm=0.3,
        emulated=2.5,
    ),
    Phase(
        name="slots",
        title="Slot choice: which /usr, with which kernel",
        says="The boot loader reads the disk's table of partitions and takes the slot, USR-A or USR-B, with the highest "
        "priority that may be tried.",
        begins=re.compile(r"lab-selector: started|Welcome to GRUB|GNU GRUB|BdsDxe: starting|Booting [`']Flatcar"),
        kvm=7.0,
        emulated=1.5,
    ),
    Phase(
        name="kernel",
        title="Kernel",
        says="The slot's kernel finds memory, processors and devices.",
        begins=re.compile(
            r"\bLinux version \d|kexec_core: Starting new kernel|EFI stub: |"
            r"early console in extract_kernel|Decompressing Linux|Booting the kernel"
        ),
        kvm=1.2,
        emulated=2.5,
    ),
    Phase(
        name="initrd",
        title="Initrd: finding the disk, opening /usr",
        says="A small system in memory finds the disk and opens /usr under dm-verity, which checks every block against "
        "the root hash.",
        begins=re.compile(r"Run /init as init process|lab-initrd: started|Running in (initrd|initial RAM disk)"),
        kvm=3.5,
        emulated=0.8,
    ),
    _ignition(
        "fetch-offline", "reading the config", "Ignition reads the config that the machine was given.",
        kvm=0.1, emulated=1.0,
    ),
    _ignition(
        "fetch", "fetching what the config names", "Ignition fetches the configs that this one names, over the network.",
        kvm=0.1, emulated=0.2,
    ),
    _ignition(
        "kargs", "kernel arguments", "Ignition compares the kernel's arguments with those that the config wants.",
        kvm=0.1, emulated=0.1,
    ),
    _ignition(
        "disks", "disks and file systems", "Ignition makes the partitions, RAIDs and file systems that the config wants.",
        kvm=0.2, emulated=0.3,
    ),
    _ignition(
        "mount", "mounting", "Ignition mounts the file systems that it will write to.",
        kvm=0.2, emulated=0.5,
    ),
    _ignition(
        "files", "files, users, units", "Ignition writes the config's files, users and units; this happens once in a "
        "machine's life.",
        kvm=0.2, emulated=0.4,
    ),
    _ignition(
        "umount", "letting go", "Ignition unmounts what it mounted.",
        kvm=0.1, emulated=0.3,
    ),
    Phase(
        name="switch-root",
        title="Leaving the initrd for the real root",
        says="The initrd's work is done: extensions are merged into /usr, and / becomes the disk's own file system.",
        begins=re.compile(
            r"lab-initrd: Ignition finished|\bsystemd-sysext: |Reached target ignition-complete|"
            r"Starting initrd-(cleanup|parse-etc|switch-root)\.service|\]: Switching root"
        ),
        kvm=0.3,
        emulated=0.8,
    ),
    Phase(
        name="units",
        title="Units: systemd starts the services",
        says="systemd starts the services, each as soon as what it needs is there.",
        begins=re.compile(
            r"lab-initrd: switching to the root file system|Received SIGTERM from PID 1 \(systemd\)|"
            r"Detected first boot|Welcome to (Flatcar|flatkit)"
        ),
        # The initrd's own systemd says the same when it starts.
        follows=re.compile(r"systemd\[1\]: systemd \d+.* running in system mode"),
        kvm=9.0,
        emulated=5.0,
    ),
    Phase(
        name="ssh",
        title="SSH: the server answers",
        says="The SSH server has its key and is asked for its first line.",
        begins=re.compile(STAMP + "SSH host key: SHA256:"),
        kvm=0.5,
        emulated=1.5,
    ),
)  # fmt: skip

_ORDER = {phase.name: number for number, phase in enumerate(PHASES)}
# What begins one of these begins a boot, when it is seen after anything later.
RESTARTS = frozenset({"firmware", "slots", "kernel"})


def find_phase(text: str, *, here: str = "") -> Phase | None:
    """The phase that this line begins, when it is said in the phase `here`."""
    text = heard(text)
    found = next((phase for phase in PHASES if phase.begins.search(text)), None)
    if found is None and here in _ORDER and _ORDER[here] + 1 < len(PHASES):
        after = PHASES[_ORDER[here] + 1]
        return after if after.follows and after.follows.search(text) else None
    return found


def order_of(name: str) -> int:
    """The place of a phase among the others; -1 for "", which is before the first."""
    return _ORDER.get(name, -1)


def remaining(
    name: str, elapsed: float, *, emulated: bool, usual: dict[str, float] | None = None, first: bool = True
) -> float:
    """About how many seconds a boot in this phase, since `elapsed` seconds, still takes.

    `usual` holds measured lengths by name, taken before the table's; without `first`, Ignition's stages do not count.
    """
    known = usual or {}
    lengths = [
        known.get(phase.name, 0.0 if known else phase.usual(emulated=emulated))
        for phase in PHASES
        if first or not phase.first_boot_only
    ]
    names = [phase.name for phase in PHASES if first or not phase.first_boot_only]
    here = names.index(name) if name in names else -1
    now = max(0.0, lengths[here] - elapsed) if here >= 0 else 0.0
    return now + sum(lengths[here + 1 :])
