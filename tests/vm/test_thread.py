"""The whole thread on real machines: a config, `flatkit up`, SSH, a stop and a start, and nothing left afterwards."""

from __future__ import annotations

import functools
import http.server
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from flatkit import api, paths
from flatkit.cli import main
from flatkit.errors import BootFailed, MachineError
from flatkit.events import ConsoleLine, PhaseEnded, Said, Tape
from flatkit.machines import Forward, MachineState, get_machine, list_machines

pytestmark = pytest.mark.vm


@pytest.fixture
def file_server(tmp_path):
    """Files over HTTP on this host's loopback, which a guest reaches as 10.0.2.2."""
    (tmp_path / "served").mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "served")
    handler.log_message = lambda *args: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tmp_path / "served", server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def last_line(text: str) -> dict:
    return json.loads(text.strip().splitlines()[-1])


def flatkit(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "flatkit", *words], capture_output=True, text=True, timeout=300)


def test_from_config_to_machine_and_back(lab_image, no_machines_left, capsys, tmp_path):
    config = paths.examples_dir() / "web.bu"
    assert main(["up", str(config), "--name", "thread", "--forward", "0:80", "--disk", "1", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    result = lines[-1]
    assert result["event"] == "result"
    assert result["ok"] is True
    assert {"phase_started", "phase_ended", "said", "console_line", "waiting"} <= {line["event"] for line in lines}
    assert [phase["phase"] for phase in result["timeline"]] == [
        "config", "image", "create", "firmware", "slots", "kernel", "initrd", "ignition-fetch-offline", "ignition-fetch",
        "ignition-disks", "ignition-mount", "ignition-files", "ignition-umount", "switch-root", "units", "ssh", "checkpoint",
        "login",
    ]  # fmt: skip
    assert any("flatkit adds a login key" in line.get("text", "") for line in lines)

    machine = get_machine("thread")
    ask = lambda command: machine.run(command, timeout=300).check().stdout.strip()  # noqa: E731
    assert ask("hostname") == "web"
    assert ask("cat /opt/web/index.html").startswith("<h1>Hello")
    assert "ada@example" in ask("sudo cat /home/ada/.ssh/authorized_keys.d/ignition")
    assert sorted(ask("id -u; id -nG").split()) == ["500", "core", "docker", "sudo", "systemd-journal"]
    # the extra disk, empty and of the size that was asked for
    assert ask("cat /sys/class/block/vdb/size") == str(2 * 1024 * 1024)

    # As on Flatcar: /usr read-only under dm-verity with the root hash of the command line; ROOT holds no system.
    assert machine.run("touch /usr/x").status != 0
    assert ask("findmnt -no FSTYPE,OPTIONS /usr").split()[1].startswith("ro")
    status = ask("sudo dmsetup --target verity status usr").split()
    assert status[2:] == ["verity", "V"]
    assert lab_image.root_hash in ask("sudo dmsetup table usr")
    assert ask("findmnt -no FSTYPE /etc") == "overlay"
    assert ask("for c in apt dpkg rpm; do command -v $c; done; echo none") == "none"
    assert ask("systemctl --failed --no-legend") == ""

    # A machine that runs is returned, not booted again, also by its name alone; another config under its name is refused.
    for words in ([str(config), "--forward", "0:80", "--disk", "1"], []):
        assert main(["up", *words, "--name", "thread", "--json"]) == 0
        assert "kernel" not in capsys.readouterr().out.split('"event": "result"')[1]
    assert main(["up", "--name", "thread", "--image", "lab"]) == 1
    assert "exists already" in capsys.readouterr().err

    # The command's own status comes back, from the command line too.
    done = flatkit("ssh", "thread", "--", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert "err" in done.stderr

    assert main(["list", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["name"], row["state"]) for row in listed[:-1]] == [("thread", "running")]
    assert main(["console", "thread"]) == 0
    assert "Linux version" in capsys.readouterr().out
    watching = subprocess.Popen(
        [sys.executable, "-m", "flatkit", "console", "thread", "--follow"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert any("SSH host key" in line for line in watching.stdout)
    ask("echo '<5>said later' | sudo tee /dev/kmsg")
    assert any("said later" in line for line in watching.stdout)
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=300)
    assert (watching.returncode, err) == (0, "")

    # What was written survives a stop; the config is not applied again, and the host key stays.
    key = ask("sudo cat /etc/ssh/ssh_host_ed25519_key.pub")
    machine_id = ask("cat /etc/machine-id")
    ask("sudo sh -c 'echo changed > /etc/hostname'; sync")
    assert main(["stop", "thread"]) == 0
    assert get_machine("thread").state is MachineState.STOPPED
    assert main(["up", "--name", "thread"]) == 0  # as the message said
    machine = get_machine("thread")
    ask = lambda command: machine.run(command, timeout=300).check().stdout.strip()  # noqa: E731
    assert ask("hostname") == "changed"
    assert ask("sudo cat /etc/ssh/ssh_host_ed25519_key.pub") == key
    assert ask("cat /etc/machine-id") == machine_id
    capsys.readouterr()

    assert main(["clean", "--yes"]) == 0
    assert "thread" in capsys.readouterr().out
    assert main(["clean", "--yes"]) == 0
    assert "nothing to clean" in capsys.readouterr().out
    assert list_machines() == []


def test_ignition_fetches_over_http_in_the_initrd(lab_image, no_machines_left, file_server):
    folder, port = file_server
    (folder / "motto").write_text("provisioned, not installed\n")
    config = api.parse_config(
        "variant: flatcar\nversion: 1.1.0\nstorage:\n  files:\n    - path: /etc/motto\n      contents:\n"
        f"        source: http://10.0.2.2:{port}/motto\n",
        name="remote.bu",
    )
    tape = Tape()
    upped = api.boot(config, api.Wish(name="remote"), observer=tape)
    assert upped.machine.run("cat /etc/motto").check().stdout == "provisioned, not installed\n"
    # 3.4.0 was handed over as 3.3.0, and said so.
    assert any("3.3.0" in event.text for event in tape.events if isinstance(event, Said))
    phases = [event.phase for event in tape.events if isinstance(event, PhaseEnded)]
    assert phases.index("ignition-files") < phases.index("units")


def test_config_that_ignition_cannot_apply(lab_image, no_machines_left, file_server, capsys):
    _, port = file_server
    config = api.parse_config(
        "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: /x\n      contents:\n"
        f"        source: http://10.0.2.2:{port}/missing\n",
        name="broken.bu",
    )
    tape = Tape()
    with pytest.raises(BootFailed, match="Ignition") as caught:
        api.boot(config, api.Wish(name="broken"), observer=tape)
    assert "flatkit console broken" in caught.value.hint
    # Led back to the person's own line, and shown in few lines.
    assert f'"broken.bu", line 7: source: http://10.0.2.2:{port}/missing' in caught.value.message
    assert "it is not there (404)" in caught.value.message
    assert len(caught.value.details.splitlines()) <= 4
    assert any("GET result: Not Found" in event.text for event in tape.events if isinstance(event, ConsoleLine))
    # It is kept for looking at, with its console.
    machine = get_machine("broken")
    assert machine.state is MachineState.FAILED
    assert any("Ignition" in line for line in machine.console_tail(100))
    with pytest.raises(MachineError, match="failed to boot"):
        api.boot(config, api.Wish(name="broken"))
    assert main(["down", "broken"]) == 0


# What makes a machine itself, one a line; the last is a moment's randomness.
IDENTITY = (
    "cat /etc/machine-id /proc/sys/kernel/random/boot_id; sudo cat /sys/class/dmi/id/product_uuid; "
    "cat /etc/ssh/ssh_host_ed25519_key.pub; cat /sys/class/net/e*/address; head -c 16 /dev/urandom | base64"
)


def test_two_machines_at_once_share_nothing(lab_image, no_machines_left):
    """Both continue one template: the first of them makes it, if the image has none yet."""
    wishes = [api.Wish(name=name, forwards=(Forward(host=0, guest=80),)) for name in ("one", "two")]
    results: dict[str, api.Upped] = {}
    tapes = {wish.name: Tape() for wish in wishes}

    def boot(wish: api.Wish) -> None:
        results[wish.name] = api.boot(None, wish, observer=tapes[wish.name])

    threads = [threading.Thread(target=boot, args=(wish,)) for wish in wishes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert set(results) == {"one", "two"}
    templates = {
        event.phase: event.template for tape in tapes.values() for event in tape.events if isinstance(event, PhaseEnded)
    }
    assert templates["kernel"], [
        event.text for tape in tapes.values() for event in tape.events if isinstance(event, Said)
    ]
    assert not templates["ignition-files"]
    said = {name: upped.machine.run(IDENTITY).check().stdout.splitlines() for name, upped in results.items()}
    assert len(said["one"]) == len(said["two"]) == 6
    assert not set(said["one"]) & set(said["two"])
    for name, upped in results.items():
        assert said[name][2] == upped.machine.record.uuid
        before = time.time()
        assert before - 3 < float(upped.machine.run("date +%s.%N").stdout) < time.time() + 3
    ports = [forward.host for upped in results.values() for forward in upped.machine.forwards]
    assert len(set(ports)) == len(ports) == 4
    assert Path(results["one"].machine.spec.disk) == Path(results["two"].machine.spec.disk) == lab_image.disk
