"""Limits of one seat: cgroups (version 2) for memory, processors and processes where this host gives them, else rlimits."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from flatkit.untrusted import lines_of

# File in the room's folder: the limits in words. Only the hub can tell, as its cgroup is not that of a shell.
LIMITS = "limits"
_CONTROLLERS = ("cpu", "memory", "pids")
_TOP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True)
class SeatLimits:
    """Limits of one seat; threads count as processes.

    `group` is the cgroup that seats are made in; None where this host has none for us.
    """

    memory_mib: int
    processes: int
    group: Path | None = None

    @property
    def words(self) -> str:
        """The limits in one sentence."""
        if self.group:
            tasks = f"{self.processes} processes and threads"
            return f"each seat has at most {self.memory_mib} MiB of memory and {tasks} (cgroups)"
        return (
            f"each seat has at most {self._rlimit} processes and threads (rlimits); this host gives no cgroups for its memory: "
            "one seat can take all of it"
        )

    @property
    def _rlimit(self) -> int:
        """JupyterLab with kernels and QEMU has many threads, and nothing else bounds them where there are no cgroups."""
        return self.processes * 4

    def make_group(self, seat: str) -> Path | None:
        """Create the cgroup of a seat and set its limits; None where that is not possible."""
        if self.group is None:
            return None
        folder = self.group / seat
        try:
            folder.mkdir(exist_ok=True)
            (folder / "memory.max").write_text(f"{self.memory_mib * 2**20}\n")
            (folder / "pids.max").write_text(f"{self.processes}\n")
        except OSError:
            return None
        with suppress(OSError):
            (folder / "memory.swap.max").write_text("0\n")
        with suppress(OSError):
            (folder / "cpu.weight").write_text("100\n")
        return folder

    def before_exec(self, seat: str) -> Callable[[], None]:
        """Return what the new process of a seat does first, still as root: enter its cgroup, and take its rlimits."""
        folder = self.make_group(seat)
        members = str(folder / "cgroup.procs") if folder else ""
        most = self._rlimit

        def apply() -> None:
            if members:
                with suppress(OSError), open(members, "w") as file:  # noqa: PTH123  (after a fork: as little as possible)
                    file.write(f"{os.getpid()}\n")
            resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        return apply


def find_group(*, top: Path = _TOP, own: Path = Path("/proc/self/cgroup")) -> Path | None:
    """Return the cgroup in which seats' groups can be made; None where this host does not give us one.

    Below a systemd unit with Delegate=yes it is the unit's own. A group with controllers has no processes itself, so this
    process moves into a group `hub` beside the seats.
    """
    try:
        unit = next(line[4:] for line in lines_of(own.read_text()) if line.startswith("0::/"))
    except (OSError, StopIteration):
        return None
    home = top / PurePath(unit)
    home = home.parent if home.name == "hub" else home
    try:
        available = (home / "cgroup.controllers").read_text().split()
        if not {"memory", "pids"} <= set(available):
            return None
        seats = home / "seats"
        (home / "hub").mkdir(exist_ok=True)
        seats.mkdir(exist_ok=True)
        if home != top:  # the root group may have processes and controllers
            (home / "hub" / "cgroup.procs").write_text(f"{os.getpid()}\n")
        wanted = " ".join(f"+{name}" for name in _CONTROLLERS if name in available)
        for folder in (home, seats):
            (folder / "cgroup.subtree_control").write_text(f"{wanted}\n")
    except OSError:
        return None
    return seats
