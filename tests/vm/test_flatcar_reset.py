"""flatcar-reset on one machine, in the ways that the demo does not show: forgotten again, and with a config by address."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import lab_updates as lab
import pytest
from lab_updates import ask

from flatkit import api
from flatkit.machines import Machine

pytestmark = pytest.mark.vm

CONFIG = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/first
      contents:
        inline: here
"""
NEXT = (
    '{"ignition":{"version":"3.3.0"},"storage":{"files":[{"path":"/etc/second","contents":{"source":"data:,here"}}]}}'
)
KEEP = "--keep-paths '/etc/ssh/ssh_host_.*' /home/core/.ssh /var/kept"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    config = api.parse_config(CONFIG, name="reset.bu")
    made = api.boot(config, api.Wish(name="reset", image="lab", keep_fresh=False)).machine
    yield made
    assert made.down() == []


def test_what_will_go_and_what_will_stay_is_told_first(machine: Machine) -> None:
    ask(machine, "sudo mkdir -p /var/kept/below && sudo touch /var/kept/below/it /var/gone")
    stays = ask(machine, f"sudo flatcar-reset --preview-keep {KEEP}").splitlines()
    assert {"/var/kept", "/var/kept/below", "/var/kept/below/it", "/home/core/.ssh"} <= set(stays)
    goes = ask(machine, f"sudo flatcar-reset --preview-delete {KEEP}").splitlines()
    assert {"/etc/first", "/var/gone"} <= set(goes)
    assert not set(goes) & set(stays)
    assert not any(path.startswith(("/usr/", "/proc/", "/dev/", "/run/")) for path in goes)


def test_a_staged_reset_can_be_forgotten(machine: Machine) -> None:
    assert "Need to be root" in machine.run("flatcar-reset").stderr
    assert "Staged OS reset, you can reboot now" in ask(machine, "sudo flatcar-reset")
    assert "staged already from a previous run" in ask(machine, "sudo flatcar-reset --stop")
    ask(machine, "! ls /selective-os-reset /boot/flatcar/first_boot")


def test_with_a_config_by_address_its_id_is_made_anew(machine: Machine) -> None:
    # systemd takes the ID of a virtual machine from its UUID, so a new one is told from a kept one by putting another in first.
    ask(machine, "echo 0123456789abcdef0123456789abcdef | sudo tee /etc/machine-id")
    before = ask(machine, "cat /etc/machine-id; ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub").splitlines()
    ask(machine, f"sudo flatcar-reset --ignition-url 'data:,{quote(NEXT)}' {KEEP}")
    lab.reboot(machine)
    assert ask(machine, "cat /etc/second") == "here"
    ask(machine, "ls /var/kept/below/it && ! ls /etc/first /var/gone /selective-os-reset /boot/flatcar/first_boot")
    after = ask(machine, "cat /etc/machine-id; ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub").splitlines()
    assert after[0] != before[0]
    assert after[1] == before[1]
    lab.wait_until_all_is_started(machine)
    assert ask(machine, "systemctl is-system-running; stat -c %U /home/core") == "running\ncore"
    assert lab.version(machine) == lab.STABLE
