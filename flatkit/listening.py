"""Why a program cannot listen on an address and port of this host: what the system answered, and what is really so."""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from flatkit.untrusted import lines_of

_PROC = Path("/proc")
# linux/sockios.h and linux/if.h
_SIOCGIFFLAGS, _IFF_UP = 0x8913, 1


@dataclass(frozen=True, kw_only=True)
class BindRefusal:
    """The reason why a port cannot be listened on, and the command that opens the way; "" where it is not known.

    `is_taken` is True where a program holds the port. `is_of_port` is True where another port may do: taken, or too low.
    """

    words: str
    cure: str = ""
    is_of_port: bool = False
    is_taken: bool = False


def try_port(port: int, address: str = "127.0.0.1") -> BindRefusal | None:
    """Bind the port for a moment, and return why no server could be reached there; None if it is free."""
    if refusal := find_loopback_fault(address):
        return refusal
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            # As QEMU does it: a port whose last connection is still closing (TIME_WAIT) counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except (OSError, OverflowError) as error:
        return explain_bind(error, address, port)
    return None


def explain_bind(error: OSError | OverflowError, address: str, port: int) -> BindRefusal:
    """Return what an error of socket, bind or listen means on this host."""
    if isinstance(error, OverflowError):
        return BindRefusal(words=f'"{port}" is not a port; expected a number from 0 to 65535', is_of_port=True)
    said = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        holder = find_holder(port)
        who = f"{holder} holds it" if holder else "another program holds it, which the system does not name to you"
        words = f"{who} ({said})"
        return BindRefusal(words=words, is_of_port=True, is_taken=True)
    if error.errno in {errno.EACCES, errno.EPERM}:
        lowest = lowest_free_port()
        if 0 < port < lowest:
            return BindRefusal(
                words=f"ports below {lowest} are for root on this host ({said})",
                cure=f"take a port from {lowest} on",
                is_of_port=True,
            )
        return BindRefusal(words=f"the system refuses it to you ({said}), and port {port} is not one of root's; "
                       "a security policy or a container may forbid to listen")  # fmt: skip
    if error.errno == errno.EADDRNOTAVAIL:
        if _is_loopback(address):
            kept = "" if ":" in address else "/8"
            return BindRefusal(
                words=f'this host has no address "{address}": its loopback device lo lacks it ({said})',
                cure=f"sudo ip address add {address}{kept} dev lo",
            )
        return BindRefusal(
            words=f'this host has no address "{address}" ({said})', cure="ip -brief address   shows those it has"
        )
    if error.errno in {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}:
        kind = "IPv6" if ":" in address else "IPv4"
        return BindRefusal(words=f"this host has no {kind} ({said})", cure="take an address of the other kind")
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        return BindRefusal(
            words=f"too many files are open ({said})", cure="ulimit -n 4096   (before you start it again)"
        )
    return BindRefusal(words=f'listening on "{address}", port {port}, was tried, and the system answered: {said}')


def find_loopback_fault(address: str) -> BindRefusal | None:
    """Return the fault of a loopback address whose device is off; None for any other address."""
    if not _is_loopback(address) or is_loopback_up():
        return None
    words = f'no connection to "{address}" can arrive: the loopback device lo of this host is down'
    return BindRefusal(words=words, cure="sudo ip link set lo up")


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address in {"::1", "localhost"}


def is_loopback_up() -> bool:
    """Return True unless the kernel says that the loopback device of this network namespace is off.

    The system lets programs bind there all the same, and no connection ever arrives.
    """
    try:
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            found = fcntl.ioctl(probe, _SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
    except (ImportError, OSError):
        return True
    return bool(struct.unpack("16sh22x", found)[1] & _IFF_UP)


def lowest_free_port() -> int:
    """Return the lowest port that a user other than root may listen on."""
    try:
        return int((_PROC / "sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return 1024


def is_for_root(port: int) -> bool:
    """Return True if this user may listen on the port, and a QEMU that runs as another user may not."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return is_root and 0 < port < lowest_free_port()


def find_holder(port: int) -> str | None:
    """Return the program that listens on the port, such as "nginx (process 812)"; None if /proc does not show it."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for process in _PROC.glob("[0-9]*"):
        try:
            if any(_target_of(handle) in inodes for handle in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # ended meanwhile, or not readable for us
    return None


def _target_of(handle: Path) -> str:
    """Return what a file descriptor leads to; "" for one that was closed meanwhile, as the one that listed them."""
    try:
        return str(handle.readlink())
    except OSError:
        return ""


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (_PROC / "net/tcp", _PROC / "net/tcp6"):
        try:
            lines = lines_of(table.read_text())[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            # Columns: local address (hex:hex), state (0A: listening), inode.
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes
