"""Disks on a real machine: partitions, file systems, mount units, LUKS, kernel arguments and merged configs, over two boots."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from pathlib import Path

import lab_updates as lab
import pytest

from flatkit import api, paths
from flatkit.errors import BootFailed
from flatkit.events import PhaseEnded, Tape
from flatkit.machines import MachineState

pytestmark = pytest.mark.vm

# Merged from this host: what a config merges adds to it, and where both name the same file, the merged one wins.
BASE = {
    "ignition": {"version": "3.3.0"},
    "storage": {
        "files": [
            {"path": "/etc/from-base", "contents": {"source": "data:,merged"}},
            {"path": "/etc/motto", "contents": {"source": "data:,the%20base%27s"}},
        ]
    },
}
MORE = """\
variant: flatcar
version: 1.1.0
ignition:
  config:
    merge:
      - source: http://10.0.2.2:{port}/base.ign
kernel_arguments:
  should_exist: [flatkit.mark=7, audit=0]
  should_not_exist: [flatcar.autologin]
passwd:
  groups:
    - name: pilots
      gid: 1700
  users:
    - name: ada
      uid: 1234
      primary_group: pilots
      groups: [docker]
      shell: /bin/sh
storage:
  files:
    - path: /etc/motto
      overwrite: true
      contents:
        inline: its own
"""


@pytest.fixture
def base_server(tmp_path: Path):
    (tmp_path / "base.ign").write_text(json.dumps(BASE))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def merged(port: int) -> str:
    """The storage example, the sealed disk (as the second extra one) and more, in one config."""
    import yaml

    storage = yaml.safe_load((paths.examples_dir() / "storage.bu").read_text())["storage"]
    sealed = yaml.safe_load((paths.examples_dir() / "sealed-disk.bu").read_text())["storage"]
    sealed["luks"][0]["device"] = "/dev/vdc"
    whole = yaml.safe_load(MORE.format(port=port))
    for part in (storage, sealed):
        for key, rows in part.items():
            whole["storage"].setdefault(key, []).extend(rows)
    return yaml.safe_dump(whole, sort_keys=False)


def test_disks_luks_kernel_arguments_and_a_merge_hold_over_two_boots(lab_image, no_machines_left, base_server):
    tape = Tape()
    config = api.parse_config(merged(base_server), name="disks.bu")
    machine = api.boot(config, api.Wish(name="disks", disks_gib=(1, 1)), observer=tape).machine
    phases = [event.phase for event in tape.events if isinstance(event, PhaseEnded)]
    # The arguments are written, the machine restarts in its initrd, and the second time all is as it should be.
    assert phases.count("ignition-kargs") == 2
    assert phases.count("ignition-disks") == 1
    ask = functools.partial(lab.ask, machine, timeout=300)

    def holds() -> None:
        lab.wait_until_all_is_started(machine)
        assert ask("findmnt -no SOURCE,FSTYPE /var/lib/data") == "/dev/vdb1 ext4"
        assert ask("systemctl is-active var-lib-data.mount var-lib-vault.mount").split() == ["active", "active"]
        assert ask("stat -c '%U %a' /var/lib/data/inbox; readlink /srv/inbox").split() == [
            "core",
            "755",
            "/var/lib/data/inbox",
        ]
        assert ask("findmnt -no SOURCE /var/lib/vault") == "/dev/mapper/vault"
        assert ask("sudo cat /var/lib/vault/secret") == "what only this machine can read"
        assert "type:    LUKS2" in ask("sudo cryptsetup status vault")
        # Nothing of it can be read on the disk itself.
        assert ask("sudo grep -c 'only this machine' /dev/vdc || true") == "0"
        words = ask("cat /proc/cmdline").split()
        assert {"flatkit.mark=7", "audit=0"} <= set(words)
        assert "flatcar.autologin" not in words
        assert 'set linux_append="$linux_append flatkit.mark=7 audit=0"' in ask("cat /oem/grub.cfg")
        assert ask("cat /etc/from-base; echo; cat /etc/motto").split("\n") == ["merged", "the base's"]
        assert ask("id ada") == "uid=1234(ada) gid=1700(pilots) groups=1700(pilots),233(docker)"
        assert ask("systemctl --failed --no-legend") == ""

    holds()
    machine.run("echo kept > /var/lib/data/inbox/letter; sync").check()
    machine.stop()
    assert machine.state is MachineState.STOPPED
    machine.up()
    holds()
    assert ask("cat /var/lib/data/inbox/letter") == "kept"


@pytest.mark.long
def test_a_disk_that_does_not_come_up_ends_the_boot_with_its_line(lab_image, no_machines_left):
    text = (paths.examples_dir() / "storage.bu").read_text().replace("/dev/vdb", "/dev/disk/by-id/usb-stick")
    config = api.parse_config(text, name="diskless.bu")
    with pytest.raises(BootFailed, match=r"no such disk has come up") as caught:
        api.boot(config, api.Wish(name="diskless"))
    assert '"diskless.bu", line 6: - device: /dev/disk/by-id/usb-stick' in caught.value.message
