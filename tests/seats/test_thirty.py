"""Thirty learners log in at once: all are served. Prints what it takes (make bench-seats)."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from flatkit.capacity import processors
from flatkit.seats.accounts import list_accounts, processes_of
from tests.seats.learner import Learner, Room, room
from tools.simulate_seats import Room as Model
from tools.simulate_seats import simulate

pytestmark = pytest.mark.long
SEATS = int(os.environ.get("FLATKIT_BENCH_SEATS", "30"))


def memory_mib(process: int) -> float:
    """What a process has, with its part of what it shares (PSS)."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().split("\n")
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def processor_seconds(running: Room) -> float:
    """What the room has used of processors so far: hub, proxy, services and seats. Other work on the host does not count."""
    processes = list(running.parts().values())
    for user in list_accounts(running.settings.prefix):
        processes += processes_of(user.pw_uid)
    total = 0
    for process in processes:
        with suppress(OSError):
            words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, words[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def come(running: Room, number: int, took: dict[int, tuple[float, float]], faults: list[str]) -> None:
    learner: Learner = running.learner()
    began = time.monotonic()
    try:
        status, page = learner.log_in(f"learner{number}", pin=f"{number:04}")
        assert status == 200, page[:300]
        inside = time.monotonic() - began
        learner.sit_down(
            seconds=900, pause=0.25 if number == 0 else 2.0
        )  # thirty who ask ten times a second are the load
        took[number] = (inside, time.monotonic() - began)
    except Exception as error:  # noqa: BLE001  (a thread's fault must not be lost)
        faults.append(f"learner{number}: {error}")


@pytest.mark.timeout(1500)
def test_thirty_learners_log_in_at_once_and_all_are_served() -> None:
    with room(seats=SEATS + 1) as running:
        took: dict[int, tuple[float, float]] = {}
        faults: list[str] = []
        before = processor_seconds(running)
        come(running, 0, took, faults)
        assert faults == []
        alone = took.pop(0)[1]
        spent_alone = processor_seconds(running) - before
        before = processor_seconds(running)
        threads = [
            threading.Thread(target=come, args=(running, number, took, faults)) for number in range(1, SEATS + 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert len(took) == SEATS
        logins, labs = (sorted(times) for times in zip(*took.values(), strict=True))
        users = list_accounts(running.settings.prefix)
        assert len(users) == SEATS + 1
        each = [sum(map(memory_mib, processes_of(user.pw_uid))) for user in users]
        parts = {name: memory_mib(process) for name, process in running.parts().items()}
        middle = SEATS // 2
        spent = processor_seconds(running) - before
        print(f"\n{SEATS} learners at once on {processors()} processors, load {os.getloadavg()[0]:.1f}")
        print(
            f"alone, login to JupyterLab: {alone:.1f} s; of processor time, hub and proxy included: {spent_alone:.1f} s"
        )
        print(f"processor time of each login at once: {spent / SEATS:.1f} s")
        print(f"login: median {logins[middle]:.1f} s, longest {logins[-1]:.1f} s")
        print(f"JupyterLab: first {labs[0]:.1f} s, median {labs[middle]:.1f} s, longest {labs[-1]:.1f} s")
        model = simulate(Model(seats=SEATS, processors=processors())).lab
        print(f"tools/simulate_seats.py says: longest {model[-1]:.1f} s")
        print(f"memory of a seat without a kernel: median {sorted(each)[middle]:.0f} MiB, most {max(each):.0f} MiB")
        print("memory: " + ", ".join(f"{name} {size:.0f} MiB" for name, size in parts.items()))
        assert max(each) <= 300
        assert parts["hub"] + parts["proxy"] <= 300
