"""The phases of a boot, as a table: the lines that begin each one, a sentence for the learner, and the usual length.

Patterns use what firmware, boot loader and kernel print, wherever that is possible. On Flatcar the last `console=` is
tty0, so a serial console may lack what userspace prints. A phase that is not seen is skipped, never waited for.
Flatcar's lines are from recorded terminals of Flatcar 3510. The lab image's lines are from its own scripts
(images/lab/files/initrd).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flatkit.machines.console import STAMP, heard


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of a boot. `begins` matches its first line, `says` is a sentence for the learner.

    `follows` also matches a first line, but only in the preceding phase: that line may appear elsewhere too. `kvm` and
    `emulated` are the usual length in seconds, on real Flatcar under KVM and on the emulated lab image.
    `first_boot_only`: a machine that was provisioned skips this phase.
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
        """Return the usual length, in seconds."""
        return self.emulated if emulated else self.kvm


def _ignition(stage: str, title: str, says: str, *, kvm: float, emulated: float) -> Phase:
    """Return a stage of Ignition as a phase: its unit starts, or its own log or the lab image's initrd names it."""
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
        # The initrd's own systemd prints the same when it starts.
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
# The first line of one of these phases, seen after a later phase, begins another boot.
RESTARTS = frozenset({"firmware", "slots", "kernel"})


def find_phase(text: str, *, here: str = "") -> Phase | None:
    """Return the phase that this line begins; None if it begins none. `here` is the current phase."""
    text = heard(text)
    found = next((phase for phase in PHASES if phase.begins.search(text)), None)
    if found is None and here in _ORDER and _ORDER[here] + 1 < len(PHASES):
        after = PHASES[_ORDER[here] + 1]
        return after if after.follows and after.follows.search(text) else None
    return found


def order_of(name: str) -> int:
    """Return the position of a phase; -1 for "", which is before the first."""
    return _ORDER.get(name, -1)


def remaining(
    name: str, elapsed: float, *, emulated: bool, usual: dict[str, float] | None = None, first: bool = True
) -> float:
    """Estimate how many seconds a boot still takes, `elapsed` seconds after this phase began.

    `usual` contains measured lengths by name, which replace the table's. Without `first`, Ignition's stages do not
    count.
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
