"""Access to a machine's files: only for the user of flatkit and the user that QEMU runs as.

The two users differ only when flatkit runs as root. libvirt then runs QEMU as a separate user, which its capabilities
name. Disks, config and console can contain secrets: password hashes, keys, certificates.
"""

from __future__ import annotations

import os
import re
import stat
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_BASE = re.compile(r"\+([0-9]{1,10}):\+([0-9]{1,10})")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """User ID and group ID that QEMU runs as."""

    uid: int
    gid: int


def parse_owner(capabilities: str) -> Owner | None:
    """Return the user that libvirt's capabilities name for QEMU; None if QEMU runs as libvirt's own user."""
    try:
        root = ET.fromstring(capabilities)  # noqa: S314  (libvirt's own answer)
    except ET.ParseError:
        return None
    for model in root.findall("host/secmodel"):
        # Discretionary access control: Unix users and groups.
        found = _BASE.fullmatch(model.findtext("baselabel", "")) if model.findtext("model") == "dac" else None
        if found:
            return Owner(uid=int(found[1]), gid=int(found[2]))
    return None


def close(folder: Path, owner: Owner | None, *, for_qemu: Iterable[Path]) -> None:
    """Restrict a machine's folder to us, and let QEMU access the files in `for_qemu`. Raises OSError.

    This also restricts files that an earlier flatkit left open to others. libvirt gives disks to QEMU while the machine
    runs and returns them afterwards, unless its setting dynamic_ownership is off.
    """
    is_shared = owner is not None and os.geteuid() == 0 and owner.uid != 0
    # QEMU's group may have other members (kvm on Ubuntu). The group may therefore only enter the folder.
    folder.chmod(0o700)
    wanted = set(for_qemu)
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            _close_one(path, owner if is_shared and path in wanted else None)
    if owner and is_shared:
        os.chown(folder, -1, owner.gid)
        folder.chmod(0o710)


def _close_one(path: Path, owner: Owner | None) -> None:
    """Restrict a file or folder through its descriptor, so that a symbolic link in its place is never followed."""
    if not stat.S_ISREG(mode := path.lstat().st_mode) and not stat.S_ISDIR(mode):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o700 if stat.S_ISDIR(mode) else 0o600)
        if owner:
            os.fchown(descriptor, owner.uid, owner.gid)
    finally:
        os.close(descriptor)


def make_private(path: Path) -> None:
    """Create an empty file for us alone, unless it exists. Raises OSError.

    Content that is written to a new file later is never readable by other users.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
