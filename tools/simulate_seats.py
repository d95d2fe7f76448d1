"""`tools/simulate_seats.py`: what a room of seats waits for, and what it takes, from measured costs of one seat; needs no host.

Learners arrive, log in (the processors are shared by all logins of a host), and boot a first machine in the host's turns. Several
hosts (or nodes) take the seats in turn. The costs are those that `flatkit seats check` uses; docs/scale.md has the results,
tests/deploy/test_scale.py compares the model with the runs that were measured, and says which were not.

tools/simulate_seats.py --seats 300 --hosts 20 --processors 16 --minutes 5
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import sys
from dataclasses import dataclass

from flatkit.seats.check import (
    BASE_MIB,
    BOOT_EMULATED,
    BOOT_KVM,
    LOGIN_SECONDS,
    SEAT_MIB,
    TYPICAL_MIB,
    WORST_MIB,
)

# Processors that a boot keeps busy.
BOOT_PROCESSORS = 2
# What a login waits for that is not processor time: the hub makes the seat, the browser comes back.
OVERHEAD_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Room:
    """A room: `minutes` is the time over which learners come, 0 for all at once."""

    seats: int
    hosts: int = 1
    processors: int = 16
    minutes: float = 0.0
    kvm: bool = True
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Seconds that each learner waited, from the arrival; memory of one host in MiB."""

    lab: list[float]
    machine: list[float]
    without_machines_mib: int
    typical_mib: int
    worst_mib: int


def share(arrivals: list[float], work: float, processors: int) -> list[float]:
    """Return when each job ends on processors that all present jobs share; a job uses one processor at most."""
    ends, left, now, waiting = (
        [0.0] * len(arrivals),
        {},
        0.0,
        sorted(range(len(arrivals)), key=lambda job: arrivals[job]),
    )
    while left or waiting:
        speed = min(1.0, processors / len(left)) if left else 0.0
        next_end = now + min(left.values()) / speed if left else float("inf")
        next_start = arrivals[waiting[0]] if waiting else float("inf")
        then = min(next_end, next_start)
        left = {job: rest - speed * (then - now) for job, rest in left.items()}
        now = then
        if next_start <= next_end:
            left[waiting.pop(0)] = work
        for job in [job for job, rest in left.items() if rest <= 1e-9]:
            ends[job] = now
            del left[job]
    return ends


def take_turns(ready: list[float], seconds: float, turns: int) -> list[float]:
    """Return when each machine has booted: `turns` of them boot at a time, first come, first served."""
    free = [0.0] * turns
    ends = [0.0] * len(ready)
    for job in sorted(range(len(ready)), key=lambda job: ready[job]):
        ends[job] = max(heapq.heappop(free), ready[job]) + seconds
        heapq.heappush(free, ends[job])
    return ends


def simulate(room: Room) -> Outcome:
    """Run a room. Raises ValueError for one without seats, hosts or processors."""
    if min(room.seats, room.hosts, room.processors) < 1:
        raise ValueError("a room has at least one seat, one host and one processor")
    chance = random.Random(room.seed)  # the same room again
    arrivals = [chance.uniform(0, room.minutes * 60) for _ in range(room.seats)]
    lab, machine = [], []
    for host in range(room.hosts):
        here = arrivals[host :: room.hosts]
        sat = [end + OVERHEAD_SECONDS for end in share(here, LOGIN_SECONDS, room.processors)]
        seconds = BOOT_KVM if room.kvm else BOOT_EMULATED
        up = take_turns(sat, seconds, max(1, room.processors // BOOT_PROCESSORS))
        lab += [end - begun for end, begun in zip(sat, here, strict=True)]
        machine += [end - begun for end, begun in zip(up, here, strict=True)]
    most = -(-room.seats // room.hosts)
    memory = (BASE_MIB + most * each for each in (SEAT_MIB, TYPICAL_MIB, WORST_MIB))
    without, typical, worst = memory
    return Outcome(
        lab=sorted(lab), machine=sorted(machine), without_machines_mib=without, typical_mib=typical, worst_mib=worst
    )


def cost(room: Room, price_per_hour: float) -> float:
    """Return the price of a seat for an hour, from that of a host."""
    return room.hosts * price_per_hour / room.seats


def main(argv: list[str]) -> int:
    """Print what a room waits for and takes."""
    parser = argparse.ArgumentParser(description="What a room of seats waits for, and what it takes.")
    parser.add_argument("--seats", type=int, required=True)
    parser.add_argument("--hosts", type=int, default=1, help="hosts or nodes (default: 1)")
    parser.add_argument("--processors", type=int, default=16, help="of each host (default: 16)")
    parser.add_argument("--minutes", type=float, default=0.0, help="over which learners come (default: all at once)")
    parser.add_argument("--no-kvm", action="store_true", help="machines are emulated")
    parser.add_argument("--price", type=float, help="of a host for an hour: prints the price of a seat")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    room = Room(
        seats=options.seats, hosts=options.hosts, processors=options.processors, minutes=options.minutes,
        kvm=not options.no_kvm, seed=options.seed,
    )  # fmt: skip
    found = simulate(room)
    for name, times in (("JupyterLab", found.lab), ("first machine", found.machine)):
        print(f"{name}: median {statistics.median(times):.0f} s, longest {times[-1]:.0f} s after the arrival")
    sizes = (found.without_machines_mib, found.typical_mib, found.worst_mib)
    print(
        "memory of a host: {:.0f} GiB without machines, {:.0f} typical, {:.0f} at worst".format(
            *(mib / 1024 for mib in sizes)
        )
    )
    if options.price is not None:
        print(f"a seat for an hour: {cost(room, options.price):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
