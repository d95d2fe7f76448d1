"""KVM that refuses: what opens its device, and which messages are KVM's own."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from flatkit.host.system import System
from flatkit.host.virtual import check_accelerator
from flatkit.machines import accelerator as accelerator_module
from flatkit.machines.libvirt_errors import is_kvm_refused

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("Could not access KVM kernel module: No such file or directory", True),
        ("qemu-system-x86_64: failed to initialize kvm: Operation not permitted", True),
        ("could not find capabilities for domaintype=kvm", True),
        ("unable to open '/dev/kvm': Permission denied", True),
        ("invalid argument: KVM is not supported by '/usr/bin/qemu-system-x86_64' on this host", True),
        ('could not start the domain "flatkit-0a1b2c-kvm": Failed to get "write" lock', False),
        ("Cannot access storage file '/images/kvm/initialize kvm.qcow2': Permission denied", False),
    ],
)
def test_kvm_is_blamed_for_its_own_refusals_alone(said: str, refused: bool) -> None:
    assert is_kvm_refused(said) is refused


@pytest.mark.parametrize(
    ("mode", "gid", "fix"),
    [
        (0o660, 12, "sudo usermod -aG {group} "),
        (0o600, 12, "sudo chmod 0666 {device}"),
        (0o660, 0, "sudo chmod 0666 {device}"),
    ],
)
@AS_ROOT
def test_what_opens_a_device(tmp_path: Path, mode: int, gid: int, fix: str) -> None:
    device = tmp_path / "kvm"
    device.touch()
    device.chmod(mode)
    os.chown(device, 0, gid)
    found, _note = accelerator_module.find_device_cure(device)
    assert found.startswith(fix.format(group=device.group(), device=device))


def test_a_device_that_a_container_keeps_is_not_a_matter_of_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> int:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr("os.open", refuse)
    chosen = accelerator_module.choose(accelerator_module.Arch.of_host(), device=device)
    assert chosen.why == f"{device} cannot be opened: Operation not permitted"


def test_in_a_container_the_group_comes_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = accelerator_module.Acceleration(
        accelerator=accelerator_module.Accelerator.TCG, why="/dev/kvm may not be opened by you", proved=False
    )
    monkeypatch.setattr("flatkit.machines.choose", lambda *_args, **_more: refused)
    found = check_accelerator(System.CONTAINER, kernel=None)
    assert found.fix == ""
    assert "docker run --group-add NUMBER" in found.note
