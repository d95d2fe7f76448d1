"""Whether a machine is alive is told from its console, its processor and its disks, each alone."""

from __future__ import annotations

import pytest

from flatkit.machines.activity import ActivityWatch
from flatkit.machines.hypervisor import Activity

MIB = 1024 * 1024


def test_a_line_is_a_sign_of_life() -> None:
    pulse = ActivityWatch(100.0)
    pulse.take_line(130.0)
    assert (pulse.quiet(135.0), pulse.line) == (5.0, 130.0)


@pytest.mark.parametrize(
    ("cpu_share", "disk_share", "alive"),
    [(0.0, 0.0, False), (0.05, 0.001, False), (0.5, 0.0, True), (0.0, 1.0, True)],
    ids=["still", "idle", "computing", "writing"],
)
def test_readings(cpu_share: float, disk_share: float, alive: bool) -> None:
    pulse = ActivityWatch(0.0)
    for second in range(61):
        pulse.take(Activity(cpu_seconds=second * cpu_share, disk_bytes=int(second * disk_share * MIB)), float(second))
    assert (pulse.quiet(60.0) < 5) == alive


def test_a_last_look_counts_at_once() -> None:
    pulse = ActivityWatch(0.0)
    pulse.take(Activity(), 0.0)
    pulse.take(Activity(cpu_seconds=1.0), 1.0)
    assert pulse.quiet(1.0) == 1.0
    pulse.take(Activity(cpu_seconds=1.0), 1.0, at_once=True)
    assert pulse.quiet(1.0) == 0.0


def test_what_was_seen_in_words() -> None:
    pulse = ActivityWatch(0.0)
    pulse.take(Activity(), 0.0)
    pulse.take(Activity(cpu_seconds=0.3), 10.0)
    assert pulse.words(10.0) == (
        "its console has said nothing for 10 s, its processor works 3 % of the time, its disks are still"
    )
