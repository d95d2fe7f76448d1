"""Properties of a machine and its use of resources, as rows of words. Only `look` asks the machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from flatkit.errors import FlatkitError
from flatkit.machines import Checkpoint, ports
from flatkit.machines.records import Record
from flatkit.seat_env import page_url
from flatkit.steps import Fact
from flatkit.untrusted import lines_of

# Name and value of each property.
Rows = tuple[tuple[str, str], ...]


class FactState(TypedDict):
    """A row for the page."""

    name: str
    value: str


def fact_states(rows: Rows) -> list[FactState]:
    """Return rows for the page."""
    return [{"name": name, "value": value} for name, value in rows]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Resources that a running machine uses: sizes in bytes, `up` in seconds, `load` of the last minute."""

    memory_used: int
    memory: int
    disk_used: int
    disk: int
    load: float
    up: float

    @property
    def rows(self) -> Rows:
        """The values in words."""
        return (
            ("memory in use", f"{_mib(self.memory_used)} of {_mib(self.memory)}"),
            ("disk in use", f"{_mib(self.disk_used)} of {_mib(self.disk)}"),
            ("load", f"{self.load:.2f} programs at work, on average of the last minute"),
            ("up", f"{self.up // 60:.0f} min {self.up % 60:.0f} s"),
        )


def parse_usage(text: str) -> Usage | None:
    """Parse the answer to USAGE; return None when it is malformed."""
    try:
        load, up, total, free, disk = (line.split() for line in lines_of(text.strip()))
        memory = int(total[1]) * 1024
        return Usage(
            memory_used=memory - int(free[1]) * 1024,
            memory=memory,
            disk_used=int(disk[2]) * 1024,
            disk=int(disk[1]) * 1024,
            load=float(load[0]),
            up=float(up[0]),
        )
    except (ValueError, IndexError):
        return None


USAGE = Fact(
    name="usage",
    ask="cat /proc/loadavg /proc/uptime; grep -E '^Mem(Total|Available):' /proc/meminfo; df -kP / | tail -n 1",
    parse=parse_usage,
)


def look(run: Callable[[str], Any]) -> Usage | None:
    """Ask a machine; return None when it does not answer."""
    try:
        found: Usage | None = USAGE.parse(run(USAGE.ask).stdout)
    except FlatkitError:
        return None
    return found


def facts_of(record: Record, checkpoints: Sequence[Checkpoint] = ()) -> Rows:
    """Return the properties of a machine, whether it runs or not."""
    spec = record.spec
    rows = [
        ("image at its creation", spec.label),
        ("processors", f"{spec.cpus}, {spec.arch}, by {record.accelerator.words}"),
        ("memory", f"{spec.memory_mib} MiB"),
    ]
    rows += [("further disks", str(spec.extra_disks))] if spec.extra_disks else []
    rows += [
        ("log in", f"flatkit ssh {spec.name}   (user {spec.ssh_user}, key only)"),
        ("ports", ", ".join(f"127.0.0.1:{one.host} leads to {one.guest}" for one in ports.for_people(record.forwards))),
        ("checkpoints", ", ".join(one.name for one in checkpoints) or "none"),
    ]
    return tuple((name, value) for name, value in rows if value)


def urls_of(record: Record) -> tuple[tuple[str, int], ...]:
    """Return the addresses for the user's browser, each with the guest port that the user asked for."""
    wanted = {forward.guest for forward in record.spec.forwards}
    return tuple((page_url(one.host), one.guest) for one in record.forwards if one.guest in wanted)


def in_one_line(record: Record) -> str:
    """Return the most important properties, for the text."""
    spec = record.spec
    return (
        f"{spec.memory_mib} MiB of memory, {spec.cpus} processors, {record.accelerator.words}; flatkit ssh {spec.name}"
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB" if size < 10 * 2**30 else f"{size / 2**30:.0f} GiB"
