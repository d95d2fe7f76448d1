"""Faults of each kind on real machines: one point each here, all of them in test_faults_long.py."""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import faults
import pytest
from own_host import own_host

from flatkit.errors import MachineError
from flatkit.machines import Hypervisor, MachineState, get_machine
from flatkit.machines import power as power_module
from flatkit.machines.disks import ROOM_MIB

pytestmark = pytest.mark.vm


@pytest.fixture
def clean(lab_image, no_machines_left):
    """Holds that nothing is left that was not there before."""
    before = faults.count()
    yield
    faults.clear(before)


def test_two_ups_of_one_name_at_once_then_one_fault_after_the_other(clean, tmp_path, monkeypatch):
    # Two programs boot the same machine: one boots it, the other waits and finds it. What they say goes to files: a pipe that
    # nobody reads yet would hold the one that boots, and so both.
    files = [tmp_path / "one", tmp_path / "other"]
    with ExitStack() as stack:
        outputs = [stack.enter_context(file.open("w")) for file in files]
        both = [stack.enter_context(subprocess.Popen(faults.words_for("up"), stdout=output)) for output in outputs]
        for process in both:
            stack.callback(process.kill)
        assert [process.wait(timeout=600) for process in both] == [0, 0]
    said = [file.read_text() for file in files]
    assert sorted('"phase": "kernel"' in text for text in said) == [False, True]
    assert sum("is running already" in text for text in said) == 1
    assert len(faults.count().domains) == 1

    # SSH drops in the middle of a command: said, never run twice, and the next command has a new connection.
    machine = get_machine(faults.NAME)
    with pytest.raises(MachineError, match="the connection"):
        machine.run("echo once >> ran; sync; sudo pkill -KILL sshd; sleep 60", timeout=300)
    assert machine.run("cat ran", timeout=300).check().stdout == "once\n"

    # This host's clock jumps, back and forth with each look; the guest has jumped as well, and is put right.
    real, jumps = time.time, itertools.count()
    monkeypatch.setattr(time, "time", lambda: real() + (0 if next(jumps) % 2 else -86400))
    machine.run("sudo date -s '+3 days'").check()
    assert machine.checkpoint("jump").bytes > 50e6
    monkeypatch.undo()
    rewound = machine.rewind(to="jump")
    assert rewound.seconds < 3600, "of the 86400 of each jump"
    before = time.time()
    assert before - 5 < float(machine.run("date +%s.%N").stdout) < time.time() + 5

    # The program that saves a checkpoint is killed: libvirt ends the work, and the next one is whole.
    print("killed while saving:", faults.kill("checkpoint", "checkpoint"))

    # The domain is removed from outside, and while it starts again another program takes its port.
    machine = get_machine(faults.NAME)
    machine.run("echo kept > kept; sync").check()
    port = machine.host_port(22)
    hypervisor = Hypervisor()
    hypervisor.kill(machine.record.domain)
    hypervisor.undefine(machine.record.domain)
    hypervisor.close()
    assert machine.state is MachineState.STOPPED
    with ExitStack() as thief, monkeypatch.context() as patch:
        build, taken = power_module.build_domain, []

        def steal(*words, **more):
            if not taken:
                taken.append(thief.enter_context(socket.create_server(("127.0.0.1", port))))
            return build(*words, **more)

        patch.setattr(power_module, "build_domain", steal)
        machine.up()
        assert taken
    assert machine.host_port(22) != port
    assert machine.run("cat kept", timeout=300).check().stdout == "kept\n"

    # Its disk is deleted below it: a checkpoint cannot be saved, and a rewind is a first boot that says so.
    machine.folder.files(machine.spec).overlay.unlink()
    with pytest.raises(MachineError):
        machine.checkpoint("lost")
    assert machine.rewind().checkpoint == ""
    assert machine.run("ls", timeout=300).check().stdout == ""
    machine.close()


@pytest.fixture
def host(lab_image, own_folders: Path):
    """A host of the test's own, whose state folder is a small disk."""
    with tempfile.TemporaryDirectory(prefix="flatkit-host-", dir="/var/tmp") as folder:
        work = Path(folder)
        work.chmod(0o755)
        (work / "state").mkdir()
        with own_host(work) as host:
            host.run("mount", "-t", "tmpfs", "-o", "size=4000m,mode=755", "tmpfs", f"{work}/state")
            yield host


def test_libvirt_restarts_and_the_disk_fills_up(host):
    inside = {"FLATKIT_STATE": f"{host.work}/state", "LIBVIRT_DEFAULT_URI": "qemu:///system"}
    call = lambda *words, **more: host.run(*faults.CALL, *words, **inside, **more)  # noqa: E731
    overlay = f"{host.work}/state/machines/{faults.NAME}/overlay.qcow2"
    # Nearly all at once, and then the rest.
    fill = (
        f"cd {host.work}/state; fallocate -l $(($(df -k --output=avail . | tail -n 1) - 20000))K filler2; "
        "head -c 4G /dev/zero >filler3 2>/dev/null; true"
    )
    before = (host.domains(), host.processes(), host.ports())

    # While it boots the disk becomes full: QEMU holds the machine, and it is said why.
    booting = subprocess.Popen(
        host.argv(*faults.words_for("up"), **inside), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in booting.stdout:
        if '"phase": "kernel"' in line:
            host.run("sh", "-c", fill)
            break
    said = booting.communicate(timeout=300)[0]
    assert booting.returncode == 1, said[-2000:]
    assert "is the disk full?" in said
    assert '"state": "paused"' in call("list", "--json")
    host.run("sh", "-c", f"rm {host.work}/state/filler*")
    call("down", faults.NAME)
    assert (host.domains(), host.processes(), host.ports()) == before
    call("up", "--name", faults.NAME, "--image", "lab")

    # While it is saved, likewise: no checkpoint, and a machine that goes on. With much in its memory that takes long enough.
    call("ssh", faults.NAME, "--", "head -c 450M /dev/zero | tr '\\0' x >/dev/shm/much")
    free = int(host.run("df", "-m", "--output=avail", f"{host.work}/state").split()[-1])
    host.run("fallocate", "-l", f"{free - 1024 - ROOM_MIB - 64}M", f"{host.work}/state/filler")
    size = int(host.run("stat", "-c", "%b", overlay))
    saving = subprocess.Popen(
        host.argv(*faults.words_for("checkpoint"), **inside),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # QEMU writes all of it in half a second: it waits while the disk is filled.
    watch = f"until [ $(stat -c %b {overlay}) -gt {size + 2000} ]; do :; done"
    host.run("timeout", "60", "sh", "-c", f"{watch}; pkill -STOP qemu-system; {fill}; pkill -CONT qemu-system")
    said = saving.communicate(timeout=300)[0]
    assert saving.returncode != 0, said
    assert "the disk is full" in said
    host.run("sh", "-c", f"rm -f {host.work}/state/filler*")
    call("up", "--name", faults.NAME)
    assert call("ssh", faults.NAME, "--", "echo", "well") == "well\n"
    assert '"one"' not in call("list", "--json")
    call("checkpoint", faults.NAME, "one")

    # libvirt's daemon is gone for a while, and comes back: the machine never noticed.
    host.stop_libvirt()
    assert call("ssh", faults.NAME, "--", "echo", "alone") == "alone\n"
    asked = host.argv("sh", "-c", f"{sys.executable} -m flatkit list 2>&1", **inside)
    refused = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert refused.returncode == 3
    assert "does not run" in refused.stdout
    host.start_libvirt()
    assert '"state": "running"' in call("list", "--json")
    call("rewind", faults.NAME)
    call("down", faults.NAME)
    assert (host.domains(), host.processes(), host.ports()) == before
