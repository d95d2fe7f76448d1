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

from flatkit.errors import MachineError, WaitTimeout
from flatkit.machines import Machine
from flatkit.updates.server import UpdateServer

pytestmark = pytest.mark.vm

# Where an update can be cut: what its status shows by then, and for how long it goes on so, in seconds, on a quick host.
# The moments are counted from there and not from the beginning, so that a slow host is cut everywhere, too.
_STRETCHES = (
    ("DOWNLOADING|FINALIZING|UPDATED_NEED_REBOOT", 12.0),
    ("FINALIZING|UPDATED_NEED_REBOOT", 8.0),
    ("UPDATED_NEED_REBOOT", 5.0),  # the client looks every five seconds
    ("", 20.0),  # the machine restarts
)
_RESTART = b"reboot: Restarting system"


@pytest.fixture
def server() -> Iterator[UpdateServer]:
    """Stable and beta, each offered to machines with the other one: so that each cut has an update to disturb."""
    with UpdateServer() as running:
        running.publish("beta", version=lab.BETA, payload=lab.payload("lab-beta"))
        running.publish("stable", version=lab.STABLE, payload=lab.payload("lab"), allow_downgrade=True)
        yield running


def cut(machine: Machine, moment: float) -> str:
    """Update, reboot into it once it is staged, and pull the plug; `moment`, from 0 to 1, says when. Returns it in words."""
    stretch = int(moment * len(_STRETCHES))
    states, seconds = _STRETCHES[stretch]
    since = machine.console_size
    # What came of it is kept, to be told when no reboot follows.
    command = "update_engine_client -update >/var/tmp/update 2>&1 && sudo systemctl reboot"
    lab.wait_for(machine, "test -e /run/update_engine/status")  # an update asked for before that is refused
    ask(machine, f"nohup sh -c '{command}' >/dev/null 2>&1 & true")
    if states:
        reached = f"until grep -qE 'STATUS_({states})$' /run/update_engine/status; do sleep 0.1; done"
        try:
            ask(machine, reached, timeout=300)
        except MachineError as error:  # it may restart meanwhile
            if isinstance(error, WaitTimeout) and _RESTART not in console(machine, since):
                raise AssertionError(f"the update never came to {states}: {what_came_of_it(machine)}") from None
    else:
        wait_for_console(machine, since, _RESTART)
    # How long after that is the test's input, not a condition that could be waited for.
    after = (moment * len(_STRETCHES) - stretch) * seconds
    time.sleep(after)
    machine.unplug()
    return f"{after:4.1f} s after {states.partition('|')[0] or 'the restart'}"


def console(machine: Machine, since: int) -> bytes:
    """What the console has shown since then."""
    return machine.folder.console.read_bytes()[since:]


def what_came_of_it(machine: Machine) -> str:
    """What the client that asked for the update, the status and the journal say."""
    look = "cat /var/tmp/update; cat /run/update_engine/status; journalctl -b -u update-engine --no-pager | tail -n 40"
    return machine.run(look, timeout=300).stdout


def wait_for_console(machine: Machine, since: int, text: bytes) -> None:
    """Wait until the console has shown a text."""
    deadline = time.monotonic() + 600
    while text not in console(machine, since):
        if time.monotonic() > deadline:
            raise AssertionError(f"the console never showed {text!r}: {what_came_of_it(machine)}")
        time.sleep(0.1)


def whole_version(machine: Machine) -> str:
    """The version that runs; holds that it is one version throughout, and every block of its /usr what was signed."""
    running = lab.version(machine)
    slot = next(slot for slot in lab.slots(machine) if slot.running)
    letter = slot.label[-1].lower()
    assert running in {lab.STABLE, lab.BETA}
    assert ask(machine, "cat /proc/cmdline").split()[0] == f"BOOT_IMAGE=/flatcar/vmlinuz-{letter}"
    ask(machine, f"cd /boot/flatcar && sha256sum -c --quiet sums-{letter}")
    table = ask(machine, "sudo dmsetup table usr").split()
    offset, root_hash = int(table[8]) * 4096, table[11]
    assert root_hash == lab.root_hash(running)
    device = ask(machine, "rootdev -s /usr")
    ask(machine, f"sudo veritysetup verify --hash-offset={offset} {device} {device} {root_hash}", timeout=300)
    assert ask(machine, f"sudo dd if=/boot/flatcar/vmlinuz-{letter} bs=1 skip=64 count=64 status=none") == root_hash
    # What the machine's owner had before the first cut is there still, and everything came up.
    assert ask(machine, "cat /etc/hostname") == "cut"
    assert ask(machine, "systemctl --failed --no-legend") == ""
    return running


def play(cuts: int, server: UpdateServer) -> None:
    """Cut that often, at moments spread evenly over an update and its reboot, in a random order."""
    seed = int(os.environ.get("FLATKIT_TEST_SEED", "0")) or secrets.randbelow(10**6)
    chance = random.Random(seed)
    print(f"\n{cuts} cuts, FLATKIT_TEST_SEED={seed}")
    machine = lab.boot("cut", server)
    try:
        ask(machine, "echo cut | sudo tee /etc/hostname; sync")
        before = lab.version(machine)
        for number, place in enumerate(chance.sample(range(cuts), cuts), start=1):
            lab.settings(machine, GROUP="beta" if before == lab.STABLE else "stable")
            when = cut(machine, (place + chance.random()) / cuts)
            machine.up()
            after = whole_version(machine)
            print(f"cut {number} of {cuts}, {when}: {before} -> {after}", flush=True)
            before = after
    finally:
        assert machine.down() == []


@pytest.mark.long  # one cut is in the demo powercut
@pytest.mark.timeout(5400)
def test_twenty_five_power_cuts(server: UpdateServer) -> None:
    play(25, server)
