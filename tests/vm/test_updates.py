"""Updates of the lab image on a real machine: refused ones, a good one, and three ways back. One machine, in this order."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import lab_updates as lab
import pytest
from lab_updates import ask

from flatkit.images.lab import recipe
from flatkit.images.lab.disk import offsets
from flatkit.machines import Machine, Patience
from flatkit.run import run
from flatkit.testing.updates import Fault, FaultyServer
from flatkit.updates import keys
from flatkit.updates.payload import FILE_NAME, make_payload
from flatkit.updates.seen import MachineState
from flatkit.updates.slots import USR_GUIDS
from flatkit.updates.status import Operation, parse_statuses

pytestmark = [pytest.mark.vm, pytest.mark.long]


class LosableServer(FaultyServer):
    """Hangs up in the middle of a large file when told so, and answers nobody until it is found again."""

    about_to_be_lost = lost = False

    def before_answer(self, path: str) -> int:
        if self.lost:
            raise ConnectionAbortedError
        return super().before_answer(path)

    def send_body(self, connection: socket.socket, file: BinaryIO, *, path: str, start: int, count: int) -> int:
        if self.about_to_be_lost and count > 50_000_000:
            self.lost, count = True, 40_000_000
        return super().send_body(connection, file, path=path, start=start, count=count)


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


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with payloads that must be refused, small so that refusing takes seconds: foreign, truncated, flipped."""
    folder = tmp_path_factory.mktemp("payloads")
    (folder / "part").write_bytes(bytes(64) + b"0" * 64 + bytes(200_000))
    keys.make_key(folder / "foreign.pem", folder / "foreign.pub")
    for name, key in {"foreign": folder / "foreign.pem", "truncated": recipe.payload_key()}.items():
        make_payload(
            folder / f"{name}.bin", version="121.1.0", usr=folder / "part", kernel=folder / "part",
            initrd=folder / "part", hash_offset=4096, root_hash="0" * 64, key=key,
        )  # fmt: skip
    whole = (folder / "truncated.bin").read_bytes()
    (folder / "flipped.bin").write_bytes(whole[:300_000] + bytes([whole[300_000] ^ 1]) + whole[300_001:])
    (folder / "truncated.bin").write_bytes(whole[:-1000])
    return folder


def ask_for_update(machine: Machine, *, channel: str) -> str:
    """Let the machine look for an update in a channel; returns what the journal says of it."""
    cursor = ask(machine, "sudo journalctl -n 0 --show-cursor -q | sed 's/^-- cursor: //'")
    ask(machine, f"sudo sed -i 's/^GROUP=.*/GROUP={channel}/' /etc/flatcar/update.conf")
    machine.run("update_engine_client -update", timeout=300)
    return ask(machine, f"sudo journalctl -u update-engine -o cat --after-cursor='{cursor}'")


def test_core_asks_without_sudo_and_gets_five_lines(machine: Machine) -> None:
    done = machine.run("update_engine_client --status").check()
    assert [line.partition("=")[0] for line in done.stdout.splitlines()] == [
        "LAST_CHECKED_TIME", "PROGRESS", "CURRENT_OP", "NEW_VERSION", "NEW_SIZE",
    ]  # fmt: skip
    assert "Querying Update Engine status" in done.stderr
    assert lab.status(machine).operation is Operation.IDLE
    assert machine.run("update_engine_client -no_such_flag").status == 1
    lab.wait_until_good(machine)
    assert "is exiting" in ask(machine, "sudo journalctl -u locksmithd -o cat")
    assert 'Reboot strategy is "off"' in ask(machine, "sudo journalctl -u locksmithd -o cat")


@pytest.mark.parametrize(
    ("channel", "says"),
    [("foreign", "signature is not by the key"), ("flipped", "signature"), ("truncated", "no whole lab payload")],
)
def test_a_wrong_payload_is_refused(
    machine: Machine, server: LosableServer, small: Path, channel: str, says: str
) -> None:
    number = {"foreign": "121.1.1", "flipped": "121.1.2", "truncated": "121.1.3"}[channel]
    before = (lab.bits(machine), lab.boot_files(machine, "a"))
    server.publish(channel, version=number, payload=small / f"{channel}.bin", name=FILE_NAME)
    assert says in ask_for_update(machine, channel=channel)
    assert (lab.bits(machine), lab.boot_files(machine, "a")) == before
    assert lab.status(machine).operation is Operation.IDLE
    assert server.machines[-1].state is MachineState.FAILED


def test_a_payload_that_was_changed_on_the_way_is_refused(machine: Machine, server: LosableServer, small: Path) -> None:
    server.publish("changed", version="121.1.4", payload=small / "foreign.bin", name=FILE_NAME)
    server.inject(Fault(path=f"121.1.4/{FILE_NAME}", flip_byte=200_000))
    before = lab.bits(machine)
    assert "another SHA-256 than the server promised" in ask_for_update(machine, channel="changed")
    assert lab.bits(machine) == before
    assert server.machines[-1].events[-1].event.error_code == 10


def test_a_full_disk_stops_an_update_before_it_begins(machine: Machine) -> None:
    before = lab.bits(machine)
    ask(machine, "sudo fallocate -l $(($(df --output=avail -B1 / | tail -1) - 50000000)) /var/full")
    assert "no space left" in ask_for_update(machine, channel="beta")
    ask(machine, "sudo rm /var/full")
    assert lab.bits(machine) == before


def test_a_lost_server_and_then_a_full_boot_partition(machine: Machine, server: LosableServer) -> None:
    """The download goes on where it stopped, and what then does not fit leaves the running slot alone as well."""
    before = (lab.bits(machine), lab.boot_files(machine, "a"))
    server.about_to_be_lost = True
    assert "failed after 40000000 of" in ask_for_update(machine, channel="beta")
    server.about_to_be_lost = server.lost = False
    assert lab.status(machine).operation is Operation.IDLE
    ask(machine, "sudo dd if=/dev/zero of=/boot/full bs=1M status=none; test -s /boot/full")
    asked = len(server.requested)
    assert "/boot has room for" in ask_for_update(machine, channel="beta")
    assert sum(path.endswith(FILE_NAME) for path in server.requested[asked:]) == 1
    ask(machine, "sudo rm /boot/full")
    assert (lab.bits(machine), lab.boot_files(machine, "a")) == before
    assert server.machines[-1].events[-1].event.error_code == 5


def test_the_unfinished_release_goes_back_by_itself(machine: Machine, server: LosableServer) -> None:
    """Staged, booted, never good, rebooted: nobody touches the machine in between; locksmith reboots it."""
    kept = lab.boot_files(machine, "a")
    ask(machine, "sudo sed -i 's/^REBOOT_STRATEGY=.*/REBOOT_STRATEGY=reboot/' /etc/flatcar/update.conf")
    ask(machine, "sudo systemctl restart locksmithd")
    since = machine.console_size
    ask(
        machine,
        "sudo sed -i 's/^GROUP=.*/GROUP=alpha/' /etc/flatcar/update.conf; update_engine_client -check_for_update",
    )
    machine.wait_for_boot(since=since)
    assert lab.version(machine) == lab.BROKEN
    assert lab.bits(machine) == [(1, 0, 1), (2, 0, 0)]
    since = machine.console_size
    assert ask(machine, "systemctl is-failed unfinished-feature") == "failed"
    assert machine.run("systemctl is-active update-engine").status != 0
    machine.wait_for_boot(since=since)
    assert lab.version(machine) == lab.STABLE
    assert lab.boot_files(machine, "a") == kept
    lab.wait_for(machine, "sudo journalctl -u update-engine -o cat | grep -q Rollback")
    said = ask(machine, "sudo journalctl -u update-engine -o cat")
    assert f"Rollback detected, still running {lab.STABLE} after update." in said
    lab.wait_until_good(machine)
    assert server.machines[-1].state is MachineState.ROLLED_BACK


def test_a_changed_byte_in_usr_panics_and_falls_back(machine: Machine) -> None:
    """The other slot gets one more try by hand (as Flatcar's documents show), with one byte of it changed from outside."""
    other = "/dev/disk/by-partlabel/USR-B"
    ask(machine, f"sudo cgpt add -T 1 {other} && sudo cgpt prioritize {other}")
    assert lab.bits(machine) == [(1, 0, 1), (2, 1, 0)]
    machine.stop()
    overlay = machine.folder.files(machine.spec).overlay
    run(["qemu-io", "-f", "qcow2", "-c", f"write -P 0x66 {offsets()['USR-B'] + 512} 512", str(overlay)])
    since = machine.console_size
    machine.up(patience=Patience(after_failure=60))  # the kernel waits ten seconds before it restarts
    console = machine.folder.console.read_bytes()[since:].decode(errors="replace")
    assert "slot b chosen: priority=2 tries=1 successful=0" in console
    assert "data block 0 is corrupted" in console
    assert "Kernel panic - not syncing" in console
    assert "slot a chosen: priority=1 tries=0 successful=1" in console
    assert lab.version(machine) == lab.STABLE
    assert machine.run("sudo touch /usr/x").status != 0
    assert machine.run("sudo mount -o remount,rw /usr").status != 0


def test_an_update_from_stable_to_beta(machine: Machine, server: LosableServer) -> None:
    lab.wait_until_good(machine)
    ask(
        machine,
        "sudo sed -i -e 's/^GROUP=.*/GROUP=beta/' -e 's/^REBOOT_STRATEGY=.*/REBOOT_STRATEGY=off/' /etc/flatcar/update.conf",
    )
    ask(machine, "sudo systemctl stop locksmithd")
    kept = lab.boot_files(machine, "a")
    said = ask(
        machine,
        "update_engine_client -watch_for_updates >/tmp/seen 2>/dev/null & update_engine_client -update >/dev/null;"
        " sleep 0.5; kill %1; cat /tmp/seen",
        timeout=300,
    )
    seen = parse_statuses(said)
    order = list(dict.fromkeys(status.operation for status in seen))
    assert order[-4:] == [Operation.DOWNLOADING, Operation.VERIFYING, Operation.FINALIZING, Operation.NEED_REBOOT]
    assert (seen[-1].new_version, seen[-1].new_size) == (lab.BETA, lab.payload("lab-beta").stat().st_size)
    downloading = [status.progress for status in seen if status.operation is Operation.DOWNLOADING]
    assert downloading == sorted(downloading)
    assert lab.status(machine).operation is Operation.NEED_REBOOT
    ask(machine, "test -e /run/reboot-required")
    assert lab.bits(machine) == [(1, 0, 1), (2, 1, 0)]
    assert lab.boot_files(machine, "a") == kept
    # A second wish changes nothing: an update waits already.
    assert "reboot needed" in machine.run("update_engine_client -update").check().stderr

    lab.reboot(machine)
    assert lab.version(machine) == lab.BETA
    assert [slot.label for slot in lab.slots(machine) if slot.running] == ["USR-B"]
    assert ask(machine, "rootdev -s /usr") == ask(machine, "readlink -f /dev/disk/by-partlabel/USR-B")
    assert USR_GUIDS["USR-B"] in ask(machine, "cat /proc/cmdline")
    lab.wait_until_good(machine)
    assert lab.bits(machine) == [(1, 0, 1), (2, 0, 1)]
    hash_ = ask(machine, "sudo dd if=/boot/flatcar/vmlinuz-b bs=1 skip=64 count=64 status=none")
    assert hash_ in ask(machine, "sudo dmsetup table usr")


def test_a_rollback_by_hand_is_one_command_and_a_reboot(machine: Machine) -> None:
    """Word for word what Flatcar's documents say."""
    ask(
        machine,
        'sudo cgpt prioritize "$(sudo cgpt find -t flatcar-usr | grep --invert-match "$(rootdev -s /usr)")"',
    )
    assert lab.bits(machine) == [(2, 0, 1), (1, 0, 1)]
    lab.reboot(machine)
    assert lab.version(machine) == lab.STABLE
    # To a version of one's own choice, with the payload at hand and no server, and no further updates afterwards.
    url = f"$(sed -n 's/^SERVER=//p' /etc/flatcar/update.conf | sed 's#/v1/update/##')/amd64-usr/{lab.BETA}/{FILE_NAME}"
    ask(machine, f"curl -fsS -o /var/tmp/payload {url}")
    done = machine.run(f"sudo flatcar-update -V {lab.BETA} -P /var/tmp/payload -A", timeout=300).check()
    assert "Done, please make sure to reboot" in done.stdout
    assert "SERVER=disabled" in ask(machine, "cat /etc/flatcar/update.conf")
    assert lab.bits(machine) == [(1, 0, 1), (2, 1, 0)]
    assert "still waiting for a reboot" in machine.run(f"sudo flatcar-update -V {lab.BETA}").stderr
