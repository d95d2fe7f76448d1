"""Known boot failures, as a table: the console's line that shows one, its cause in words, and the fix.

Sources are kola's console checks (flatcar/mantle, kola/harness.go), messages of the kernel and of Ignition, and the lab
image's scripts. Each lab line was seen on a machine that was broken in that way on purpose (tests/machines/consoles).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flatkit.machines.console import JUDGED, STAMP, heard


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A known boot failure: the pattern that shows it, its cause in words, and the fix (`cure`).

    A failure that is not `final` may pass: it is reported, and the boot continues.
    """

    name: str
    pattern: re.Pattern[str]
    cause: str
    cure: str
    final: bool = True


FAILURES = (
    Failure(
        name="verity",
        pattern=re.compile(r"device-mapper: verity: .*corrupt|dm-verity device corrupted|verity: .*is corrupted"),
        cause="/usr is not what was built: dm-verity found a changed block",
        cure="make a fresh machine; if it comes back, verify the image",
    ),
    Failure(
        name="network",
        pattern=re.compile(
            r"lab-initrd: Failed: no network|"
            r"ignition\[\d+\]: .*(networking is not available|network is unreachable)"
        ),
        cause="the machine has no network, and the config wants something from it",
        cure="put the file's text into the config (contents: inline), or look at the host's network",
    ),
    Failure(
        name="ignition",
        pattern=re.compile(
            r"Ignition stage \S+ failed|Ignition failed|ignition\[\d+\]: .*\bCRITICAL\b|"
            r"Failed to start (ignition-\S+\.service|Ignition \()|ignition-\S+\.service: Failed with result"
        ),
        cause="Ignition could not apply the config",
        cure="correct the config, then make a fresh machine: a config is applied on the first boot only",
    ),
    Failure(
        name="no-root",
        pattern=re.compile(
            r"VFS: Unable to mount root fs|lab-initrd: Failed: (ROOT|no partition is labelled ROOT)|"
            r"Timed out waiting for device (/dev/disk/by-label/ROOT|dev-disk-by\S*label\S*ROOT)|Cannot open root device"
        ),
        cause="the kernel found no root file system",
        cure="make a fresh machine; if it comes back, verify the image",
    ),
    Failure(
        name="no-usr",
        pattern=re.compile(r"lab-initrd: Failed: (/usr|no partition is labelled USR|the kernel command line names no /usr)"),
        cause="/usr could not be opened",
        cure="make a fresh machine; if it comes back, verify the image",
    ),
    Failure(
        name="no-slot",
        pattern=re.compile(
            r"lab-selector: Failed: no slot|No bootable device|Boot failed: not a bootable disk|grub rescue>|"
            r"BdsDxe: No bootable option"
        ),
        cause="there is nothing on the disk that can be started",
        cure="make a fresh machine; if it comes back, verify the image: is it one of this processor's kind?",
    ),
    Failure(
        name="out-of-memory",
        pattern=re.compile(
            r"Out of memory: Killed|System is deadlocked on memory|Out of memory and no killable|"
            # The lab's selector has already checked the kernel's file: only memory for it is missing.
            r"Initramfs unpacking failed: write error|kexec_load failed: |Could not find a free area of memory"
        ),
        cause="the machine has too little memory",
        cure="make it again with more: flatkit up --memory 2048",
    ),
    Failure(
        name="panic",
        pattern=re.compile(STAMP + "Kernel panic - not syncing"),
        cause="the kernel panicked",
        cure="look at the console's last lines",
    ),
    Failure(
        name="emergency",
        pattern=re.compile(
            r"Press Enter for emergency shell|You are in emergency mode|Entering emergency mode|"
            r"Starting Emergency Shell|lab-initrd: Failed:"
        ),
        cause="the machine gave up and offers an emergency shell",
        cure="look at the console's last lines",
    ),
    Failure(
        name="fetching",
        pattern=re.compile(r"ignition\[\d+\]: .*GET error: "),
        cause="Ignition cannot fetch something that the config names, and tries again and again",
        cure="correct the address in the config, or start what should serve it; a machine reaches this host as 10.0.2.2",
        final=False,
    ),
    Failure(
        name="oops",
        pattern=re.compile(r"\bOops: |BUG: (unable to handle|kernel NULL pointer)|kernel BUG at |general protection fault"),
        cause="the kernel hit a fault of its own (an oops)",
        cure="boot once more; if it comes back, take another image or another host",
        final=False,
    ),
    Failure(
        name="disk",
        pattern=re.compile(r"I/O error, dev vd|EXT4-fs error|Buffer I/O error on dev (vd|dm-)"),
        cause="the machine's disk gives errors",
        cure="look whether this host's disk is full: df -h",
        final=False,
    ),
)  # fmt: skip

# Lines that announce a restart: of a panicked kernel (panic=10 on the lab image, 60 s on Flatcar), and of an emergency
# shell that nobody uses. The shell restarts at once if the lab's initrd knows that another slot is waiting, else after
# five minutes.
_RESTARTS = re.compile(r"Rebooting in ([0-9]{1,5}) seconds|emergency shell or wait ([0-9]{1,5}) minutes? for reboot")


def find_restart(text: str) -> float | None:
    """Return the seconds after which the machine restarts by itself, if this line announces a restart."""
    found = _RESTARTS.search(heard(text))
    return None if found is None else float(found[1] or 60 * int(found[2]))


# Lines worth showing, best first. Lines that only repeat a config are not among them.
_TELLING = (
    re.compile(r"\bCRITICAL\b|Kernel panic|corrupted|Out of memory|(lab-initrd|lab-selector): Failed|\bOops\b|BUG:"),
    re.compile(r"\[failed\]|GET (error|result)|\berror\b.*:|\bFailed\b|\bfailed\b|emergency|Rebooting in"),
)
_NOISE = re.compile(
    r"^\[[ .\d]+\] ignition\[\d+\]: +[\"{}\[\]]|journal entry|Initramfs unpacking failed: invalid magic"
)


def find_failure(text: str) -> Failure | None:
    """Return the failure that this line shows; None if it shows none."""
    text = heard(text)
    return next((failure for failure in FAILURES if failure.pattern.search(text)), None)


def telling_lines(lines: list[str], most: int = 4) -> list[str]:
    """Return the few console lines that explain a failure, in their order; the last lines if none does."""
    lines = [line[:JUDGED] for line in lines]
    kept: list[int] = []
    for pattern in _TELLING:
        found = [at for at, line in enumerate(lines) if pattern.search(line) and not _NOISE.search(line)]
        kept += [at for at in reversed(found) if at not in kept]
    if not kept:
        return [line for line in lines if line and not _NOISE.search(line)][-most:]
    unique: dict[str, int] = {}
    for at in kept:
        unique.setdefault(re.sub(r"^\[[ .\d]+\] ", "", lines[at]), at)
    return [lines[at] for at in sorted(list(unique.values())[:most])]
