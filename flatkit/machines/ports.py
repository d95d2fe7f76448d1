"""Host ports on 127.0.0.1: find a free port, and the program that uses a taken one.

A port is chosen below the range from which the kernel takes ports for outgoing connections (Linux: from 32768), so that
it is not taken by chance. Another program can still take it between choice and start. provision.py then chooses another
port.
"""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Collection, Iterable
from itertools import chain
from pathlib import Path

from flatkit.errors import HostError, MachineError
from flatkit.machines.spec import Forward
from flatkit.untrusted import lines_of

LOWEST, HIGHEST = 20000, 29999

# A guest port where nothing listens; see banner.py.
KNOCK = 1

# QEMU's message: ...: Could not set up host forwarding rule 'tcp:127.0.0.1:20022-:22'
_REFUSED = re.compile(r"host forwarding rule '\w+:[\d.]*:(\d+)-")


def is_free(port: int) -> bool:
    """Return True if a server could listen on the port now."""
    with socket.socket() as probe:
        # As QEMU does it: a port whose last connection is still closing (TIME_WAIT) counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def find_free_port(taken: Collection[int] = ()) -> int:
    """Return a free port that is not in `taken`. Raises HostError if there is none."""
    start = random.randint(LOWEST, HIGHEST)  # noqa: S311  (only to keep two flatkits apart)
    for port in chain(range(start, HIGHEST + 1), range(LOWEST, start)):
        if port not in taken and is_free(port):
            return port
    raise HostError(f"no port from {LOWEST} to {HIGHEST} is free on 127.0.0.1", hint="flatkit list")


def resolve(wanted: Iterable[Forward], *, taken: Collection[int] = ()) -> tuple[Forward, ...]:
    """Return the forwards with actual host ports; one for SSH (guest port 22) and one to knock at are added.

    Raises HostError for a port that the user chose and another program uses.
    """
    forwards = list(wanted)
    if not any(forward.guest == 22 for forward in forwards):
        forwards.insert(0, Forward(host=0, guest=22))
    if not any(forward.guest == KNOCK for forward in forwards):
        forwards.append(Forward(host=0, guest=KNOCK))
    used = set(taken)
    used.update(forward.host for forward in forwards)
    result = []
    for forward in forwards:
        if forward.host == 0:
            forward = Forward(host=find_free_port(used), guest=forward.guest)
            used.add(forward.host)
        elif not is_free(forward.host):
            raise port_taken(forward)
        result.append(forward)
    return tuple(result)


def ssh_port(forwards: Iterable[Forward]) -> int:
    """Return the host port that leads to the guest's SSH server."""
    return next(forward.host for forward in forwards if forward.guest == 22)


def knock_port(forwards: Iterable[Forward]) -> int | None:
    """Return the host port that leads to the guest port where nothing listens; None if there is none."""
    return next((forward.host for forward in forwards if forward.guest == KNOCK), None)


def for_people(forwards: Iterable[Forward]) -> tuple[Forward, ...]:
    """Return the forwards without the one that only flatkit needs."""
    return tuple(forward for forward in forwards if forward.guest != KNOCK)


def port_taken(forward: Forward) -> HostError:
    """Return the error for a host port that another program uses."""
    holder = find_holder(forward.host)
    who = f"{holder} holds it" if holder else "another program holds it"
    return HostError(
        f'port "{forward.host}" of this host cannot be forwarded to the machine: {who}',
        hint=f"flatkit up --forward 0:{forward.guest}   (0 picks a free port), or end that program",
    )


def parse_refused_port(error: MachineError) -> int | None:
    """Return the port that QEMU could not bind, if this is why a machine did not start; else None."""
    found = _REFUSED.search(f"{error.message}\n{error.details}")
    return int(found[1]) if found else None


def find_holder(port: int) -> str | None:
    """Return the program that listens on the port, such as "nginx (process 812)"; None if /proc does not show it."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            for handle in (process / "fd").iterdir():
                if str(handle.readlink()) in inodes:
                    return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # ended meanwhile, or not readable for us
    return None


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            lines = lines_of(table.read_text())[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            # Columns: local address (hex:hex), state (0A: listening), inode.
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes
