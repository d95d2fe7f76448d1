"""The QEMU processes of this host, as /proc tells of them: libvirt keeps no other way to pull a plug."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path


def find_process(domain: str, *, proc: Path = Path("/proc")) -> int | None:
    """The QEMU process of a domain on this host, by the name that libvirt starts it with."""
    wanted = re.compile(rf"guest={re.escape(domain)}(,|$)")
    for path in proc.glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended
        names = [after for before, after in pairwise(words) if before == "-name"]
        if "qemu" in words[0] and any(wanted.match(name) for name in names):
            return int(path.parent.name)
    return None
