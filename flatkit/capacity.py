"""Processors and memory that this process may use: those of the host, less what its affinity and its cgroups leave it.

A container, a pod and a systemd unit are cgroups. The limits of each group from the process's own up to the top of what is
mounted count, in version 2 (cpu.max, memory.max) and version 1 (cpu.cfs_quota_us, memory.limit_in_bytes). A processor set of a
cgroup (cpuset) is in the affinity already.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from flatkit.untrusted import is_number, lines_of

_ROOT = Path("/")
# Version 1 writes "no limit" as the largest number of whole pages.
_NO_LIMIT_V1 = 2**60


@dataclass(frozen=True, kw_only=True)
class Processors:
    """`count` is how many this process may keep busy, rounded up; `host` is how many there are for it without cgroups."""

    count: int
    host: int

    @property
    def is_limited(self) -> bool:
        """True when a cgroup allows fewer than the system shows: in a container, or a unit with a quota."""
        return self.count < self.host


def find_processors(*, root: Path = _ROOT) -> Processors:
    """Return the processors that this process may use, at least one. `root` is for tests, as in all functions here."""
    host = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [math.ceil(quota) for quota in _quotas(root)]
    return Processors(count=max(1, min([host, *quotas])), host=host)


def processors(*, root: Path = _ROOT) -> int:
    """Return the number of processors that this process may keep busy, at least one."""
    return find_processors(root=root).count


def available_memory_mib(*, root: Path = _ROOT) -> int:
    """Return the memory that this process may still take, in MiB: what the host has free, or what the tightest cgroup leaves."""
    try:
        fields = dict(line.split(":", 1) for line in lines_of((root / "proc/meminfo").read_text()) if ":" in line)
        available = int(fields["MemAvailable"].split()[0]) // 1024
    except (OSError, KeyError, ValueError, IndexError):
        # Not Linux: the total memory is the best available value.
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return min([available, *memory_limits_mib(root=root)])


def memory_limits_mib(*, root: Path = _ROOT) -> Iterator[int]:
    """Yield the memory that each limit above this process leaves, in MiB: of its unit, of its container."""
    for folder in _groups("memory", root):
        for limit_file, used_file, files_row in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit, used = _parse(_first(folder / limit_file)), _parse(_first(folder / used_file))
            if limit is not None and used is not None and limit < _NO_LIMIT_V1:
                yield max(0, limit - used + _reclaimable(folder, files_row)) // 2**20


def _quotas(root: Path) -> Iterator[float]:
    """Yield how many processors each quota above this process allows."""
    for folder in _groups("cpu", root):
        both = [*_words(folder / "cpu.max"), "", ""][:2]
        for quota, period in (both, [_first(folder / "cpu.cfs_quota_us"), _first(folder / "cpu.cfs_period_us")]):
            if (allowed := _parse(quota)) and (every := _parse(period)):  # "max" and "-1" do not limit
                yield allowed / every


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folders of this process's groups with a controller, each with those above it, in both versions."""
    own = dict(_own_groups(root))
    for kind, options, mounted, place in _mounts(root):
        version_2 = kind == "cgroup2"
        if not version_2 and controller not in options:
            continue
        path = own.get("" if version_2 else controller, PurePath("/"))
        # Without a cgroup namespace the path is the host's, and only a part of the host's tree is mounted.
        is_inside = path.is_relative_to(mounted) and ".." not in path.parts
        inside = path.relative_to(mounted) if is_inside else PurePath()
        folder = root / str(place).lstrip("/")
        yield from dict.fromkeys(folder / part for part in (inside, *inside.parents))


def _own_groups(root: Path) -> Iterator[tuple[str, PurePath]]:
    """Yield this process's group for each controller of version 1, and for "", which is version 2 (cgroups(7))."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if path.startswith("/"):
            yield from ((name, PurePath(path)) for name in controllers.split(","))


def _mounts(root: Path) -> Iterator[tuple[str, set[str], PurePath, PurePath]]:
    """Yield the mounted trees of cgroups: kind, options, the group at the top, and where (proc_pid_mountinfo(5))."""
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        before, after = left.split(" "), right.split(" ")
        if len(before) >= 6 and len(after) >= 3 and after[0] in {"cgroup", "cgroup2"}:
            yield after[0], set(after[2].split(",")), PurePath(_unescape(before[3])), PurePath(_unescape(before[4]))


def _unescape(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def _reclaimable(folder: Path, row: str) -> int:
    """Return the bytes of a group's memory that are copies of files, which the kernel drops when it needs the memory."""
    rows = (line.partition(" ") for line in _lines(folder / "memory.stat"))
    return next((_parse(value) or 0 for name, _, value in rows if name == row), 0)


def _first(path: Path) -> str:
    return next(iter(_words(path)), "")


def _words(path: Path) -> list[str]:
    return next(iter(_lines(path)), "").split()


def _parse(word: str) -> int | None:
    return int(word) if is_number(word, digits=20) else None


def _lines(path: Path) -> list[str]:
    try:
        return lines_of(path.read_text(errors="replace"))
    except OSError:
        return []
