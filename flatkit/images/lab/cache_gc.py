"""Cleanup of the cache: it keeps this recipe's images, the images below machines' disks, and the last payload.

A builder knows only its own state folder, and a cache may serve several. So each folder of machines that ever requested
an image is noted beside the images.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from flatkit import paths
from flatkit.emulators import list_emulators
from flatkit.locks import locked
from flatkit.untrusted import lines_of
from flatkit.updates.payload import FILE_NAME

# A superseded image requested at most so many seconds ago may be about to get a machine.
_JUST_USED = 3600.0
_MACHINES = ".machines"
# A cache that several users only read has this file: none of them could make a payload there again.
KEEP_PAYLOADS = ".keep-payloads"


def note_use(lab: Path, image: Path) -> None:
    """Note that an image was requested, and for which folder of machines; remove the payloads of ended processes.

    A cache of another owner is left unchanged.
    """
    with suppress(OSError):
        os.utime(image)
    with suppress(OSError):
        note_machines(lab, paths.machines_dir())
    if len(_payloads(lab)) > 1:
        # The process that is building now cleans up too.
        with suppress(OSError), locked(lab / ".lock", wait=0.0):  # a builder that holds it is at work
            remove_old_payloads(lab)


def note_machines(lab: Path, machines: Path) -> None:
    """Note another user's folder of machines: images that it may use stay. Raises OSError."""
    if str(machines) not in _machine_folders(lab):
        with (lab / _MACHINES).open("a") as file:
            file.write(f"{machines}\n")


def note_payload(image: Path) -> None:
    """Note that this process uses the payload: a server may send it as long as the process runs."""
    (image / f".used-by-{os.getpid()}").touch()


def remove_old_payloads(lab: Path) -> None:
    """Remove every payload but the last one and those that a running process uses. Call it only while the lock is held."""
    for payload in [] if (lab / KEEP_PAYLOADS).exists() else _payloads(lab)[1:]:
        if not _users(payload.parent):
            payload.unlink()


def remove_superseded(lab: Path, *, current: set[str]) -> None:
    """Remove images of other recipes unless a machine uses them. Call it only while the lock is held."""
    images = {path.parent for path in lab.glob("*/image.json")}
    used = {image for image in images if image.name in current or _is_used(lab, image)}
    # A release stored as a difference needs its backing image.
    for _ in range(2):
        used |= {image for image in images for other in used if _stands_on(other / "disk.qcow2", image)}
    for image in images - used:
        shutil.rmtree(image, ignore_errors=True)


def _payloads(lab: Path) -> list[Path]:
    """Return all payloads, the last one first."""
    return sorted(lab.glob(f"*/{FILE_NAME}"), key=lambda path: path.stat().st_mtime, reverse=True)


def _users(image: Path) -> list[int]:
    """Return the running processes that use the image's payload, and remove the marks of ended ones."""
    found = []
    for mark in image.glob(".used-by-*"):
        process = int(mark.name.rpartition("-")[2])
        if Path(f"/proc/{process}").exists():
            found.append(process)
        else:
            mark.unlink()
    return found


def _is_used(lab: Path, image: Path) -> bool:
    if time.time() - image.stat().st_mtime < _JUST_USED or _users(image):
        return True
    if any(emulator.uses(image) for emulator in list_emulators()):
        return True
    return any(_has_machine_of(Path(folder), image) for folder in _machine_folders(lab))


def _has_machine_of(folder: Path, image: Path) -> bool:
    """Return True if a machine of this folder uses the image. What another user keeps private may use it."""
    try:
        names = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return False
    except OSError:
        return True
    for name in names:
        try:
            if f"/{image.name}/" in (folder / name / "machine.json").read_text():
                return True
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return True
    return False


def _machine_folders(lab: Path) -> list[str]:
    return lines_of(_text(lab / _MACHINES))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _stands_on(disk: Path, image: Path) -> bool:
    """Return True when a qcow2 disk names a file of that image as its backing file: offset and length are at bytes 8 and 16."""
    try:
        with disk.open("rb") as file:
            head = file.read(20)
            file.seek(int.from_bytes(head[8:16], "big"))
            backing = file.read(min(int.from_bytes(head[16:20], "big"), 1023))  # the longest name that qcow2 allows
    except OSError:
        return False
    return f"/{image.name}/".encode() in backing
