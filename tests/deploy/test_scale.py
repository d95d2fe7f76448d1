"""The model of a room beside what was measured: the figures of docs/seats.md, and the runs in the table below.

Not measured, so nothing is compared: a boot with KVM, boots of several machines at a time, more than two processors, a cluster.
`make bench-seats` prints the model's figure beside its own.
"""

from __future__ import annotations

import re
import statistics

import pytest

from flatkit.seats import check
from flatkit.seats.check import BOOT_EMULATED
from tests.deploy.chart import FOLDER, values
from tools.simulate_seats import Room, cost, main, share, simulate, take_turns

DOCS = FOLDER.parent / "docs"
# Logins at once on two processors, stub kernels, JupyterHub 6.1.1: seats, seconds to JupyterLab (first, median, last).
LOGINS = [(1, 3.8, 3.8, 3.8), (30, 20.6, 41.1, 43.9)]
# MiB that thirty seats with thirty stub kernels took from the host, for each seat: least and most of three looks.
MEASURED_MIB = (80, 120)


@pytest.mark.parametrize(("seats", "first", "median", "last"), LOGINS)
def test_logins_take_what_they_took(seats: int, first: float, median: float, last: float) -> None:
    found = simulate(Room(seats=seats, processors=2)).lab
    assert first <= found[0]
    assert statistics.median(found) == pytest.approx(median, rel=0.2)
    assert found[-1] == pytest.approx(last, rel=0.1)


def test_the_memory_is_not_promised_too_small() -> None:
    """Thirty seats took less than the model says, which has a kernel with flatkit's widgets and libvirt in each."""
    found = simulate(Room(seats=30)).without_machines_mib
    assert found >= check.BASE_MIB + 30 * MEASURED_MIB[1]
    assert found <= check.BASE_MIB + 30 * 3 * MEASURED_MIB[1]


def test_an_emulated_boot_is_that_of_the_performance_page() -> None:
    """Median of three cold boots, on a host with little else to do."""
    cold, _ = re.findall(
        r"^\| in all \| ([\d.]+) s \| ([\d.]+) s \|", (DOCS / "performance.md").read_text(), re.MULTILINE
    )[0]
    assert float(cold) == pytest.approx(BOOT_EMULATED, rel=0.1)


def test_processors_are_shared() -> None:
    assert share([0.0], 4.5, 16) == [pytest.approx(4.5)]
    assert share([0.0] * 8, 4.0, 2) == [pytest.approx(16.0)] * 8
    # Two on one processor: the first has it alone for a second, then half of it.
    assert share([0.0, 1.0], 3.0, 1) == [pytest.approx(5.0), pytest.approx(6.0)]
    assert share([0.0, 100.0], 3.0, 1) == [pytest.approx(3.0), pytest.approx(103.0)]
    assert share([], 1.0, 1) == []


def test_boots_take_turns() -> None:
    assert take_turns([0.0] * 5, 10.0, 2) == [10.0, 10.0, 20.0, 20.0, 30.0]
    assert take_turns([50.0, 0.0], 10.0, 1) == [60.0, 10.0]


def test_more_hosts_never_make_a_room_slower_and_a_seed_repeats_it() -> None:
    rooms = [simulate(Room(seats=60, hosts=hosts, minutes=1)) for hosts in (1, 2, 4)]
    last = [found.machine[-1] for found in rooms]
    assert last == sorted(last, reverse=True)
    assert simulate(Room(seats=60, minutes=1)) == simulate(Room(seats=60, minutes=1))
    assert simulate(Room(seats=60, minutes=1)) != simulate(Room(seats=60, minutes=1, seed=2))
    with pytest.raises(ValueError, match="at least one"):
        simulate(Room(seats=0))


def test_the_page_has_what_the_model_says(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "scale.md").read_text()
    commands = re.findall(r"^\$ python -m tools\.simulate_seats (.*)\n((?:(?!\$|```).*\n)+)", page, re.MULTILINE)
    assert len(commands) == 3
    for options, printed in commands:
        assert main(options.split()) == 0
        assert capsys.readouterr().out == printed
    # Each row of the table: seats, nodes, and what the seats ask for in deploy/kubernetes/values.yaml.
    asked = values()["singleuser"]["memory"]["limit"] / 2**30
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) GiB \| ([\d,]+) \|", page, re.MULTILINE)
    numbers = [[int(number.replace(",", "")) for number in row] for row in rows]
    assert [row[0] for row in numbers] == [30, 300, 3000]
    for seats, nodes, memory, processors in numbers:
        assert (memory, processors) == (seats * asked, seats * values()["singleuser"]["cpu"]["limit"])
        assert nodes == -(-seats // 15)
    assert cost(Room(seats=300, hosts=20), 0.80) == pytest.approx(0.0533, abs=1e-4)
