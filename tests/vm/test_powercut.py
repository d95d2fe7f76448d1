"""The promise "no state in between": the plug is pulled at random moments of staging an update and of the reboot.

After each cut the machine boots by itself, what runs is wholly the old or wholly the new version, and its /usr verifies.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Iterator

import lab_updates as lab
import pytest
from lab_updates import ask

from flatkit.machines import Machine
from flatkit.updates.server import UpdateServer

pytestmark = [pytest.mark.vm, pytest.mark.long]

# From the check to the new version's first login, on the machines that this was written on; a slower one is cut earlier.
_STAGING_SECONDS = 26.0
_REBOOT_SECONDS = 20.0


@pytest.fixture
def server() -> Iterator[UpdateServer]:
    with UpdateServer() as running:
        running.publish("beta", version=lab.BETA, payload=lab.payload("lab-beta"))
        yield running


def cut(machine: Machine, moment: float) -> None:
    """Begin an update, reboot into it if it is staged by then, and pull the plug `moment` seconds after the beginning."""
    began = time.monotonic()
    command = "update_engine_client -update >/dev/null 2>&1 && sudo systemctl reboot"
    ask(machine, f"nohup sh -c '{command}' >/dev/null 2>&1 & true")
    # The moment is the test's input, not a condition that could be waited for.
    time.sleep(max(0.0, moment - (time.monotonic() - began)))
    machine.unplug()


def assert_whole(machine: Machine) -> str:
    """Hold that what runs is one version throughout, and that every block of its /usr is what was signed."""
    running = lab.version(machine)
    slot = next(slot for slot in lab.slots(machine) if slot.running)
    letter = slot.label[-1].lower()
    assert running in {lab.STABLE, lab.BETA}
    assert ask(machine, "cat /proc/cmdline").split()[0] == f"BOOT_IMAGE=/flatcar/vmlinuz-{letter}"
    ask(machine, f"cd /boot/flatcar && sha256sum -c --quiet sums-{letter}")
    table = ask(machine, "sudo dmsetup table usr").split()
    offset, root_hash = int(table[8]) * 4096, table[11]
    device = ask(machine, "rootdev -s /usr")
    ask(machine, f"sudo veritysetup verify --hash-offset={offset} {device} {device} {root_hash}", timeout=300)
    assert ask(machine, f"sudo dd if=/boot/flatcar/vmlinuz-{letter} bs=1 skip=64 count=64 status=none") == root_hash
    assert ask(machine, "cat /etc/hostname; sudo systemctl --failed --no-legend; true").endswith("cut")
    return running


def play(cuts: int, server: UpdateServer) -> None:
    seed = int(os.environ.get("FLATKIT_TEST_SEED", "0")) or secrets.randbelow(10**6)
    chance = random.Random(seed)
    machine = lab.boot("cut", server)
    try:
        ask(machine, "echo cut | sudo tee /etc/hostname; sync")
        results = []
        for number in range(1, cuts + 1):
            # One moment in each stretch of equal length, in a random order of their own.
            moment = chance.uniform(1.0, _STAGING_SECONDS + _REBOOT_SECONDS)
            before = lab.version(machine)
            cut(machine, moment)
            machine.up()
            after = assert_whole(machine)
            results.append(f"cut {number} of {cuts} (seed {seed}) after {moment:.1f} s: {before} -> {after}")
            print(results[-1])
            if after == lab.BETA:
                _go_back(machine)
        print("\n".join(results))
    finally:
        assert machine.down() == []


def _go_back(machine: Machine) -> None:
    """To the old version by hand, so that the next cut has an update to disturb again."""
    ask(machine, 'other=$(sudo cgpt find -t flatcar-usr | grep -v "$(rootdev -s /usr)"); sudo cgpt prioritize "$other"')
    lab.reboot(machine)
    assert lab.version(machine) == lab.STABLE


def test_three_power_cuts(server: UpdateServer) -> None:
    play(3, server)


@pytest.mark.long
@pytest.mark.timeout(5400)
def test_twenty_five_power_cuts(server: UpdateServer) -> None:
    play(25, server)
