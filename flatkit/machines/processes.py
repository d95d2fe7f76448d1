"""QEMU processes of a host, found in /proc: libvirt offers no other way to pull the plug."""

from __future__ import annotations

import os
import re
import signal
from itertools import pairwise
from pathlib import Path

from flatkit.machines.remote import RemoteHost

# The script's own arguments contain the name as well, so only QEMU processes count.
_KILL_THERE = """
for process in $(pgrep -f -- "$1"); do
  case $(tr '\\0' ' ' <"/proc/$process/cmdline" 2>/dev/null) in *qemu*" -name $1"*) kill -9 "$process" && killed=yes;; esac
done
[ -n "$killed" ]"""


def find_process(domain: str, *, proc: Path = Path("/proc")) -> int | None:
    """Return the process ID of a domain's QEMU on this host; None if there is none.

    The process is found by the name that libvirt starts it with.
    """
    wanted = re.compile(rf"guest={re.escape(domain)}(,|$)")
    for path in proc.glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # the process has ended
        names = [after for before, after in pairwise(words) if before == "-name"]
        if "qemu" in words[0] and any(wanted.match(name) for name in names):
            return int(path.parent.name)
    return None


def kill_process(domain: str, *, remote: RemoteHost | None = None) -> bool:
    """Kill a domain's QEMU with SIGKILL, here or on the other host.

    Return False if there is none, or if it is out of reach.
    """
    if remote:
        return remote.run(_KILL_THERE, f"guest={domain},", check=False).status == 0
    process = find_process(domain)
    try:
        if process:
            os.kill(process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return process is not None
