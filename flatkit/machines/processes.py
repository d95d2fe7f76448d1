"""Kill a machine's QEMU, here or on another host: libvirt offers no other way to pull the plug."""

from __future__ import annotations

import os
import signal
import time

from flatkit.emulators import find_emulator
from flatkit.machines.remote import RemoteHost

# Longest time that a killed process may take to give back its memory, in seconds.
_END_SECONDS = 10.0
# The script's own arguments contain the name as well, so only QEMU processes count.
_KILL_THERE = """
for process in $(pgrep -f -- "$1"); do
  case $(tr '\\0' ' ' <"/proc/$process/cmdline" 2>/dev/null) in *qemu*" -name $1"*) kill -9 "$process" && killed=yes;; esac
done
[ -n "$killed" ]"""


def kill_process(domain: str, *, remote: RemoteHost | None = None) -> bool:
    """Kill a domain's QEMU with SIGKILL, here or on the other host.

    Return False if there is none, or if it is out of reach.
    """
    if remote:
        return remote.run(_KILL_THERE, f"guest={domain},", check=False).status == 0
    process = find_emulator(domain)
    if process is None:
        return False
    try:
        os.kill(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    deadline = time.monotonic() + _END_SECONDS
    while find_emulator(domain) == process and time.monotonic() < deadline:
        time.sleep(0.02)
    return True
