"""Machines on another host: a second libvirt, with a network and files of its own, reached through sshd alone."""

from __future__ import annotations

import gc
import json
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
from own_host import OwnHost, let_in, own_host

from flatkit import api, paths
from flatkit.cli import main
from flatkit.events import PhaseEnded, Said, Tape
from flatkit.machines import Forward, MachineState, find_machines, get_machine
from flatkit.updates.server import UpdateServer
from flatkit.waiting import wait_until

pytestmark = pytest.mark.vm


@pytest.fixture
def other(lab_image, own_folders: Path, monkeypatch: pytest.MonkeyPatch):
    """The other host; flatkit's folders are empty there, so that what is found was placed there."""
    with tempfile.TemporaryDirectory(prefix="flatkit-host-", dir="/var/tmp") as folder:
        work = Path(folder)
        work.chmod(0o755)
        hidden = (paths.cache_dir(), own_folders, Path("/var/lib/flatkit"))
        with own_host(work, hide=tuple(path for path in hidden if path.exists())) as host:
            let_in(host)
            monkeypatch.setenv("LIBVIRT_DEFAULT_URI", host.uri())
            yield host


def test_a_machine_on_another_host(other: OwnHost, no_machines_left, capsys):
    before = (other.domains(), other.processes(), other.ports())
    tape = Tape()
    wish = api.Wish(name="far", forwards=(Forward(host=0, guest=80),))
    machine = api.boot(paths.examples_dir() / "web.bu", wish, observer=tape).machine
    copied = [event.seconds for event in tape.events if isinstance(event, PhaseEnded) and event.phase == "place"]
    print("images copied in", [f"{seconds:.1f} s" for seconds in copied])
    assert copied
    said = [event.text for event in tape.events if isinstance(event, Said)]
    assert any("root@other.test" in text for text in said)

    # It runs there and not here; console, SSH and ports lead there.
    assert [name for name in other.domains() if name.endswith("-far")]
    assert not machine.folder.files(machine.spec).overlay.exists()
    assert machine.run("hostname", timeout=300).check().stdout.strip() == "web"
    assert any("SSH host key" in line for line in machine.console_tail(2000))
    assert [one.name for one in machine.checkpoints] == ["fresh"]
    machine.run("echo one > one; sync", timeout=300).check()

    # What it asks of 10.0.2.2 comes here, once the port was lent.
    with UpdateServer() as server:
        port = int(server.guest_url.rsplit(":", 1)[1])
        machine.lend_port(port)
        machine.lend_port(port)
        url = f"http://10.0.2.2:{port}/v1/update/"
        status = machine.run(f"curl -m 20 -s -o /dev/null -w '%{{http_code}}' {url}", timeout=300).stdout
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=120) as answer:
            assert answer.status == 200
        assert status not in {"", "000"}

    # The line is cut, as by a laptop that was closed: the next verb opens it again.
    assert main(["list", "--json"]) == 0
    (row, _) = [json.loads(line) for line in capsys.readouterr().out.splitlines()[-2:]]
    assert (row["name"], row["state"]) == ("far", "running")
    machine.close()
    machine.place.close_line()
    machine.run("echo '<5>said without a line' | sudo tee /dev/kmsg", timeout=300).check()
    assert get_machine("far").run("cat one", timeout=300).check().stdout == "one\n"
    assert wait_until(
        lambda: any("said without a line" in line for line in get_machine("far").console_tail(50)), seconds=120
    )

    rewound = machine.rewind()
    print(rewound, f"(first answer after {rewound.seconds:.1f} s)")
    assert machine.run("ls", timeout=300).check().stdout == ""
    machine.unplug()
    assert machine.state is MachineState.STOPPED
    tape = Tape()
    machine.up(observer=tape)
    assert not [event for event in tape.events if isinstance(event, PhaseEnded) and event.phase == "place"]
    assert machine.run("hostname", timeout=300).check().stdout.strip() == "web"

    machine.close()
    there = Path(machine.place.files(machine.spec).overlay).parent
    assert machine.down() == []
    assert find_machines() == []
    assert not machine.folder.exists()
    assert other.run("ls", str(there.parent)) == ""
    machine.hypervisor.close()
    deadline = time.monotonic() + 120  # what served the last connection ends a moment after it
    while other.processes() != before[1] and time.monotonic() < deadline:
        gc.collect()
    assert (other.domains(), other.processes(), other.ports()) == before
