"""The promises of an update, on one real machine and in this order: refused, staged whole, booted, good, tampered with, back.

The slower ways to fail, and the other ways back, are in test_updates_long.py.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import lab_updates as lab
import pytest
import real_calls as real
from lab_updates import ask

from flatkit.events import Said, Tape
from flatkit.images.lab import recipe
from flatkit.machines import Machine
from flatkit.testing.updates import Fault, FaultyServer
from flatkit.updates.model import UpdateState
from flatkit.updates.payload import FILE_NAME
from flatkit.updates.slots import USR_GUIDS
from flatkit.updates.status import Operation, UpdateStatus, parse_status
from tests.payload_keys import make_key
from tests.real_tools import Answer, blocks, cgpt_calls

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        running.publish("beta", version=lab.BETA, payload=lab.payload("lab-beta"))
        yield running


@pytest.fixture(scope="module")
def machine(server: FaultyServer) -> Iterator[Machine]:
    made = lab.boot("updates", server)
    yield made
    assert made.down() == []


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with payloads that must be refused: foreign, truncated, flipped."""
    folder = tmp_path_factory.mktemp("payloads")
    make_key(folder / "foreign.pem", folder / "foreign.pub")
    lab.small_payload(folder / "foreign.bin", version="121.1.0", key=folder / "foreign.pem")
    whole = lab.small_payload(folder / "whole.bin", version="121.1.0", key=recipe.payload_key()).read_bytes()
    (folder / "flipped.bin").write_bytes(whole[:300_000] + bytes([whole[300_000] ^ 1]) + whole[300_001:])
    (folder / "truncated.bin").write_bytes(whole[:-1000])
    return folder


def test_core_asks_without_sudo_and_gets_five_lines(machine: Machine) -> None:
    done = machine.run("update_engine_client --status").check()
    assert [line.partition("=")[0] for line in done.stdout.splitlines()] == [
        "LAST_CHECKED_TIME", "PROGRESS", "CURRENT_OP", "NEW_VERSION", "NEW_SIZE",
    ]  # fmt: skip
    assert "Querying Update Engine status" in done.stderr
    assert lab.status(machine).operation is Operation.IDLE
    assert machine.run("update_engine_client -no_such_flag").status == 1
    lab.wait_until_good(machine)
    assert 'Reboot strategy is "off" - locksmithd is exiting' in ask(machine, "sudo journalctl -u locksmithd -o cat")


# Each call on the disk as it was, and everything in one exchange.
_PLAY = """
systemctl stop update-engine
keep() {{
    dd if=/dev/vda bs=512 count=40 status=none >"$1.first"
    dd if=/dev/vda bs=512 skip=$((sectors - 40)) status=none >"$1.last"
}}
put() {{
    dd if="$1.first" of=/dev/vda bs=512 conv=notrunc status=none
    dd if="$1.last" of=/dev/vda bs=512 seek=$((sectors - 40)) conv=notrunc,fsync status=none
}}
sectors=$(blockdev --getsz /dev/vda)
cd "$(mktemp -d)"
keep fresh
cgpt add -i 4 -P 2 -S 0 -T 1 /dev/vda
keep staged
play() {{
    put "$1"
    bash -c "$2" >out 2>err
    printf '{{"status": %d, "out": "%s", "err": "%s", "bits": "%s"}}\n' $? "$(base64 -w 0 out)" "$(base64 -w 0 err)" \
        "$(od -An -v -tu1 -w130 -j 1334 -N 130 /dev/vda)"
}}
{calls}
put fresh
systemctl start update-engine
"""


def bits_of(table: list[int]) -> str:
    """Priority, tries and successful of USR-A and of USR-B: two bytes of each one's entry, 128 bytes apart."""
    return "\n".join(f"{table[at] & 15} {table[at] >> 4} {table[at + 1] & 1}" for at in (0, 128))


def answers_of(machine: Machine, calls: list[tuple[str, str]]) -> list[Answer]:
    """What the machine answers to each (state of the disk, command)."""
    lines = "\n".join(f"play {state} {shlex.quote(command)}" for state, command in calls)
    script = base64.b64encode(_PLAY.format(calls=lines).encode()).decode()
    said = ask(machine, f"echo {script} | base64 -d | sudo bash", timeout=900)
    rows = [json.loads(line) for line in said.splitlines()]
    return [
        Answer(
            status=row["status"],
            out=base64.b64decode(row["out"]).decode(),
            err=base64.b64decode(row["err"]).decode(),
            bits=bits_of([int(byte) for byte in row["bits"].split()]),
        )
        for row in rows
    ]


@pytest.mark.parametrize("step", [8, pytest.param(1, marks=pytest.mark.long)], ids=["every-eighth", "all"])
def test_cgpt_and_rootdev_answer_as_flatcars_own(
    machine: Machine, capsys: pytest.CaptureFixture[str], step: int
) -> None:
    """The recorded calls, on a real disk (tests/golden/real); what differs has a reason in docs/fidelity.md.

    Each takes three seconds on an emulated machine. On a disk image file test_lab_cgpt plays all of them.
    """
    lab.wait_until_good(machine)
    assert len(cgpt_calls()) > 100, "the record is not whole"
    cgpt, rootdev = cgpt_calls()[::step], blocks("rootdev.txt")[::step]
    answers = answers_of(
        machine, [(call.disk, call.command) for call in cgpt] + [("fresh", head) for head, _ in rootdev]
    )
    assert len(answers) == len(cgpt) + len(rootdev)
    differ = [
        f"{call.command} ({call.disk}): {answer}"
        for call, answer in zip(cgpt, answers, strict=False)
        if answer.masked() != call.answer.masked()
    ]
    share = 1 - len(differ) / len(cgpt)
    for (head, lines), answer in zip(rootdev, answers[len(cgpt) :], strict=True):
        real = lines[0].split(" | ", 2)
        found = (str(answer.status), answer.out.replace("\n", "~"), answer.err.replace("\n", "~")[: len(real[2])])
        # The record cuts long errors off.
        if found != (real[0], real[1].strip(), real[2]) or (answer.err and not real[2]):
            differ.append(f"{head}: {answer}")
    share_rootdev = 1 - sum(line.startswith("rootdev") for line in differ) / len(rootdev)
    with capsys.disabled():
        print(f"\ncgpt agrees in {share:.0%} of {len(cgpt)} calls, rootdev in {share_rootdev:.0%} of {len(rootdev)}")
    assert min(share, share_rootdev) >= 0.98, differ


def test_the_first_check_comes_after_two_to_twelve_minutes(machine: Machine) -> None:
    said = ask(machine, "sudo journalctl -b -u update-engine -o cat | grep -m 1 '^Next update check in'")
    found = re.fullmatch(r"Next update check in (\d+)m(\d+)s", said)
    assert found
    assert 120 <= int(found[1]) * 60 + int(found[2]) <= 720


# Which settings of update.conf make the client's recorded outcomes.
OUTCOMES = {
    "noupdate": "s#GROUP=.*#GROUP=stable#",
    "unknown-group": "s#GROUP=.*#GROUP=nosuch#",
    "paused": "s#GROUP=.*#GROUP=paused#",
    "refused": "s#SERVER=.*#SERVER=http://127.0.0.1:9/v1/update/#",
    "http404": "s#SERVER=\\(.*\\)/v1/update/#SERVER=\\1/nosuch/#",
}


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.long)], ids=["every-third", "all"])
def test_the_other_programs_answer_as_flatcars_own(
    machine: Machine, server: FaultyServer, capsys: pytest.CaptureFixture[str], step: int
) -> None:
    """The recorded calls of locksmithctl, flatcar-update, flatcar-reset and the update client."""
    ask(machine, "sudo cp -a /etc/flatcar/update.conf /var/kept.conf")
    server.channels.set_group("paused", channel="beta", paused=True)
    tools = [real.locksmithctl(), real.flatcar_update(f"{server.guest_url}/nosuch"), real.flatcar_reset()]
    tools = [replace(tool, calls=tool.calls[::step]) for tool in tools] + [real.update_engine_client()]
    tools += [
        replace(
            real.update_engine_client((name,)),
            before=f"sudo cp -a /var/kept.conf /etc/flatcar/update.conf; sudo sed -i '{change}' /etc/flatcar/update.conf",
        )
        for name, change in list(OUTCOMES.items())[:: 4 if step > 1 else 1]
    ]
    differ, counts = [], dict.fromkeys((tool.name for tool in tools), 0)
    for tool in tools:
        assert tool.calls
        counts[tool.name] += len(tool.calls)
        differ += real.differences(machine, tool)
    ask(machine, "sudo cp -a /var/kept.conf /etc/flatcar/update.conf && sudo rm -rf /var/tmp/flatcar-update")
    ask(machine, "sudo flatcar-reset --stop")
    with capsys.disabled():
        for name, count in counts.items():
            wrong = sum(line.startswith(name) for line in differ)
            print(f"\n{name} agrees in {count - wrong} of {count} calls", end="")
    assert differ == []


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        ("foreign", "signature is not by the key"),
        ("flipped", "signature is not by the key"),
        ("truncated", "no whole lab payload"),
        ("changed", "another SHA-256 than the server promised"),
    ],
)
def test_a_wrong_payload_is_refused(
    machine: Machine, server: FaultyServer, small: Path, channel: str, says: str
) -> None:
    file = {"changed": "foreign"}.get(channel, channel)
    number = {"foreign": "121.1.1", "flipped": "121.1.2", "truncated": "121.1.3", "changed": "121.1.4"}[channel]
    before = (lab.bits(machine), lab.boot_files(machine, "a"))
    server.publish(channel, version=number, payload=small / f"{file}.bin", name=FILE_NAME)
    if channel == "changed":
        server.inject(Fault(path=f"{number}/{FILE_NAME}", flip_byte=200_000))
    assert says in lab.ask_for_update(machine, channel=channel)
    assert (lab.bits(machine), lab.boot_files(machine, "a")) == before
    assert lab.status(machine).operation is Operation.IDLE
    assert server.machines[-1].state is UpdateState.FAILED


def watched(said: str) -> list[UpdateStatus]:
    """What -watch_for_updates logs: six lines for each change, on stderr; stdout stays empty."""
    assert said.startswith("I")
    found = []
    for part in said.split("] Got status update:\n")[1:]:
        values = dict(re.findall(r"\]   (\w+): (\S*)", part))
        lines = [f"{key.upper()}={values[key]}" for key in ("last_checked_time", "progress", "new_version", "new_size")]
        found += [parse_status("\n".join([*lines, f"CURRENT_OP={values['current_operation']}"]) + "\n")]
    return found


def test_an_update_from_stable_to_beta(machine: Machine) -> None:
    lab.settings(machine, GROUP="beta")
    kept = lab.boot_files(machine, "a")
    said = ask(
        machine,
        "update_engine_client -watch_for_updates 2>/tmp/seen >/tmp/said & update_engine_client -update >/dev/null;"
        " until grep -A 9 NEED_REBOOT /tmp/seen | grep -q new_size; do sleep 0.1; done; kill %1; cat /tmp/said /tmp/seen",
        timeout=300,
    )
    seen = watched(said)
    order = list(dict.fromkeys(status.operation for status in seen))
    assert order[-4:] == [Operation.AVAILABLE, Operation.DOWNLOADING, Operation.FINALIZING, Operation.NEED_REBOOT]
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


def test_the_way_back_by_hand_is_one_command(machine: Machine) -> None:
    """Word for word what Flatcar's documents say; the reboot into it is in test_updates_long.py."""
    ask(machine, 'sudo cgpt prioritize "$(sudo cgpt find -t flatcar-usr | grep --invert-match "$(rootdev -s /usr)")"')
    assert lab.bits(machine) == [(2, 0, 1), (1, 0, 1)]
    assert ask(machine, "sudo cgpt next") == USR_GUIDS["USR-A"]
    ask(machine, 'sudo cgpt prioritize "$(rootdev -s /usr)"')
    assert lab.bits(machine) == [(1, 0, 1), (2, 0, 1)]


def test_nothing_writes_to_usr(machine: Machine) -> None:
    assert "Read-only file system" in machine.run("sudo touch /usr/x").stderr
    assert machine.run("sudo mount -o remount,rw /usr").status != 0
    assert machine.run("command -v apt || command -v dpkg || command -v dnf").status != 0
    assert ask(machine, "findmnt -no OPTIONS /usr | tail -n 1").split(",")[0] == "ro"
    assert ask(machine, "sudo dmsetup --target verity status usr").split()[3] == "V"


def test_a_tampered_usr_panics_and_falls_back(machine: Machine) -> None:
    """What kola does (cl.verity/corruption), on a slot that is in its one try, so that the other one's turn comes."""
    ask(machine, 'sudo systemctl stop update-engine && sudo cgpt add -S0 -T0 "$(rootdev -s /usr)"')
    assert lab.bits(machine) == [(1, 0, 1), (2, 0, 0)]
    since, tape = machine.console_size, Tape()
    tamper = (
        'dd if=/dev/zero of="$(rootdev -s /usr)" bs=1M count=100 conv=notrunc,fsync status=none;'
        " echo 3 >/proc/sys/vm/drop_caches; cat /usr/lib/os-release; ls -R /usr"
    )
    # Begun and left alone: nobody will be told how it ends.
    ask(machine, f"sudo systemd-run --quiet --no-block sh -c {shlex.quote(tamper)}")
    machine.wait_for_boot(since=since, observer=tape)
    console = machine.folder.console.read_bytes()[since:].decode(errors="replace")
    assert "is corrupted" in console
    assert "Kernel panic - not syncing" in console
    assert "slot a chosen: priority=1 tries=0 successful=1" in console
    said = [event.text for event in tape.events if isinstance(event, Said)]
    assert any("dm-verity found a changed block: it has restarted" in text for text in said)
    assert lab.version(machine) == lab.STABLE
    assert lab.bits(machine)[1][1:] == (0, 0)  # its one try is used up
