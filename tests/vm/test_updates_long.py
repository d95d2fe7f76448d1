"""Updates that fail late, and the ways back that take reboots, on one real machine and in this order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import lab_updates as lab
import pytest
from lab_updates import ask

from flatkit.errors import BootFailed
from flatkit.images.lab.disk import offsets
from flatkit.machines import Machine
from flatkit.run import run
from flatkit.testing.updates import FaultyServer
from flatkit.updates.http_app import Body
from flatkit.updates.model import UpdateState
from flatkit.updates.payload import FILE_NAME
from flatkit.updates.status import Operation

pytestmark = [pytest.mark.vm, pytest.mark.long]


class LosableServer(FaultyServer):
    """Hangs up in the middle of a large file when told so, and answers nobody until it is found again."""

    about_to_be_lost = lost = False

    def before_answer(self, path: str) -> int:
        if self.lost:
            raise ConnectionAbortedError
        return super().before_answer(path)

    def alter_body(self, body: Body, *, path: str) -> Body:
        if self.about_to_be_lost and body.count > 50_000_000:
            self.lost, body = True, replace(body, count=40_000_000)
        return super().alter_body(body, path=path)


@pytest.fixture(scope="module")
def server() -> Iterator[LosableServer]:
    with LosableServer() as running:
        running.publish("beta", version=lab.BETA, payload=lab.payload("lab-beta"))
        running.publish("alpha", version=lab.BROKEN, payload=lab.payload("lab-broken"))
        yield running


@pytest.fixture(scope="module")
def machine(server: LosableServer) -> Iterator[Machine]:
    made = lab.boot("updates", server)
    yield made
    assert made.down() == []


def test_a_full_disk_stops_an_update_before_it_begins(machine: Machine) -> None:
    before = lab.bits(machine)
    ask(machine, "sudo fallocate -l $(($(df --output=avail -B1 / | tail -1) - 50000000)) /var/full")
    assert "no space left" in lab.ask_for_update(machine, channel="beta")
    ask(machine, "sudo rm /var/full")
    assert lab.bits(machine) == before


def test_a_lost_server_and_then_a_full_boot_partition(machine: Machine, server: LosableServer) -> None:
    """The download goes on where it stopped, and what then does not fit leaves the running slot alone as well."""
    before = (lab.bits(machine), lab.boot_files(machine, "a"))
    server.about_to_be_lost = True
    assert "failed after 40000000 of" in lab.ask_for_update(machine, channel="beta")
    server.about_to_be_lost = server.lost = False
    assert lab.status(machine).operation is Operation.IDLE
    ask(machine, "sudo dd if=/dev/zero of=/boot/full bs=1M status=none; test -s /boot/full")
    asked = len(server.requested)
    assert "/boot has room for" in lab.ask_for_update(machine, channel="beta")
    assert sum(path.endswith(FILE_NAME) for path in server.requested[asked:]) == 1
    ask(machine, "sudo rm /boot/full")
    assert (lab.bits(machine), lab.boot_files(machine, "a")) == before
    assert server.machines[-1].events[-1].event.error_code == 5


def test_the_unfinished_release_goes_back_by_itself(machine: Machine, server: LosableServer) -> None:
    """Staged, booted, never good, rebooted: nobody touches the machine in between; locksmith reboots it."""
    kept = lab.boot_files(machine, "a")
    lab.settings(machine, REBOOT_STRATEGY="reboot", GROUP="alpha")
    ask(machine, "sudo systemctl restart locksmithd")
    since = machine.console_size
    ask(machine, "update_engine_client -check_for_update")
    machine.wait_for_boot(since=since)
    assert lab.version(machine) == lab.BROKEN
    assert lab.bits(machine) == [(1, 0, 1), (2, 0, 0)]
    since = machine.console_size
    assert ask(machine, "systemctl is-failed unfinished-feature") == "failed"
    assert machine.run("systemctl is-active update-engine").status != 0
    machine.wait_for_boot(since=since)
    assert lab.version(machine) == lab.STABLE
    assert lab.boot_files(machine, "a") == kept
    lab.wait_until_good(machine)
    # The rollback is reported with the next check; the channel of the broken release would stage it again.
    lab.settings(machine, REBOOT_STRATEGY="off", GROUP="stable")
    ask(machine, "update_engine_client -check_for_update")
    lab.wait_for(machine, "sudo journalctl -u update-engine -o cat | grep -q Rollback")
    said = ask(machine, "sudo journalctl -u update-engine -o cat")
    assert f"Rollback detected, still running {lab.STABLE} after update." in said
    assert server.machines[-1].state is UpdateState.ROLLED_BACK


def change(machine: Machine, label: str, pattern: str) -> None:
    """From outside: set a few bytes in the first block of a partition that the switched-off machine has."""
    overlay = machine.folder.files(machine.spec).overlay
    run(["qemu-io", "-f", "qcow2", "-c", f"write -P {pattern} {offsets()[label] + 512} 512", str(overlay)])


def test_a_changed_byte_in_a_slot_under_trial_falls_back(machine: Machine) -> None:
    """The other slot gets one more try by hand (as Flatcar's documents show), with one byte of it changed from outside."""
    other = "/dev/disk/by-partlabel/USR-B"
    ask(machine, f"sudo cgpt add -T 1 {other} && sudo cgpt prioritize {other}")
    assert lab.bits(machine) == [(1, 0, 1), (2, 1, 0)]
    machine.stop()
    change(machine, "USR-B", "0x66")
    since = machine.console_size
    machine.up()
    console = machine.folder.console.read_bytes()[since:].decode(errors="replace")
    assert "slot b chosen: priority=2 tries=1 successful=0" in console
    assert "data block 0 is corrupted" in console
    assert "Kernel panic - not syncing" in console
    assert "slot a chosen: priority=1 tries=0 successful=1" in console
    assert lab.version(machine) == lab.STABLE


def test_to_a_version_of_ones_own_choice_and_back_by_hand(machine: Machine) -> None:
    """With the payload at hand and no server, and no further updates afterwards; back with what Flatcar's documents say."""
    lab.settings(machine, REBOOT_STRATEGY="off")
    ask(machine, "sudo systemctl stop locksmithd")
    url = f"$(sed -n 's/^SERVER=//p' /etc/flatcar/update.conf | sed 's#/v1/update/##')/amd64-usr/{lab.BETA}/{FILE_NAME}"
    ask(machine, f"curl -fsS -o /var/tmp/payload {url}")
    done = machine.run(f"sudo flatcar-update -V {lab.BETA} -P /var/tmp/payload -A", timeout=300).check()
    assert "Done, please make sure to reboot" in done.stdout
    assert "SERVER=disabled" in ask(machine, "cat /etc/flatcar/update.conf")
    assert lab.bits(machine) == [(1, 0, 1), (2, 1, 0)]
    assert "wasn't applied yet" in machine.run(f"sudo flatcar-update -V {lab.BETA}").stderr
    lab.reboot(machine)
    assert lab.version(machine) == lab.BETA
    lab.wait_until_good(machine)
    ask(machine, 'sudo cgpt prioritize "$(sudo cgpt find -t flatcar-usr | grep --invert-match "$(rootdev -s /usr)")"')
    assert lab.bits(machine) == [(2, 0, 1), (1, 0, 1)]
    lab.reboot(machine)
    assert lab.version(machine) == lab.STABLE


def test_a_changed_byte_in_a_good_slot_is_a_loop(machine: Machine) -> None:
    """Flatcar's rule knows nothing of what a slot holds: one that was good is chosen again at each boot."""
    machine.stop()
    change(machine, "USR-A", "0x66")
    since = machine.console_size
    with pytest.raises(BootFailed, match="dm-verity found a changed block"):
        machine.up()
    console = machine.folder.console.read_bytes()[since:].decode(errors="replace")
    assert console.count("slot a chosen: priority=2 tries=0 successful=1") == 3
    assert "slot b chosen" not in console
    machine.unplug()
    change(machine, "USR-A", "0")  # as it was
    machine.up()
    assert lab.version(machine) == lab.STABLE
