"""What a machine may be, and what not."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest

from flatkit.errors import HostError, InputError, UsageError
from flatkit.fields import Fields, to_json
from flatkit.machines.spec import (
    Arch,
    DirectBoot,
    Forward,
    MachineSpec,
    check_name,
    parse_forward,
)


@pytest.mark.parametrize("name", ["a", "web", "web-2", "0", "a" * 32])
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "Web", "-web", "web-", "a b", "../x", "a" * 33, "ä", "web\n", "web.1"])
def test_bad_names_are_refused_with_an_example(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a machine's name") as caught:
        check_name(name)
    assert "flatkit up --name web" in str(caught.value)


def test_forwards_are_read() -> None:
    assert parse_forward("8080:80") == Forward(host=8080, guest=80)
    assert parse_forward(" 0:22 ") == Forward(host=0, guest=22)
    assert str(parse_forward("8080:80")) == "8080:80"


@pytest.mark.parametrize("text", ["", "80", "80:", ":80", "a:b", "1:2:3", "99999:80", "80:0", "80:99999", "-1:80"])
def test_bad_forwards_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_forward(text)
    assert "--forward 8080:80" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"memory_mib": 64}, UsageError, '"64" MiB of memory'),
        ({"cpus": 0}, UsageError, '"0" processors'),
        ({"disk_format": "vmdk"}, UsageError, '"vmdk" is not known'),
        ({"extra_disks_gib": (1, 0)}, UsageError, "smaller than 1 GiB"),
        ({"extra_disks_gib": (1,) * 9}, UsageError, '"9" extra disks'),
        ({"disk_gib": -1}, UsageError, "smaller than 1 GiB"),
        ({"forwards": (Forward(host=80, guest=1), Forward(host=80, guest=2))}, UsageError, '"80" is forwarded twice'),
        ({"ignition": "variant: flatcar\nversion: 1.0.0\n"}, InputError, "is not an Ignition config"),
        ({"ignition": "[1]"}, InputError, "is not an Ignition config"),
        ({"ignition": "3"}, InputError, "is not an Ignition config"),
    ],
)
def test_values_that_no_machine_can_have(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        MachineSpec(name="web", disk=Path("/d"), **change)


@pytest.mark.parametrize(
    "spec",
    [
        MachineSpec(name="web", disk=Path("/images/d.img")),
        MachineSpec(
            name="web",
            disk=Path("/d"),
            disk_format="qcow2",
            boot=DirectBoot(kernel=Path("/k"), initrd=Path("/i"), cmdline="quiet"),
            arch=Arch.AARCH64,
            forwards=(Forward(host=0, guest=80),),
            extra_disks_gib=(1, 2),
            disk_gib=20,
            ignition='{"ignition": {"version": "3.3.0"}}',
            label="lab",
            key_file=Path("/key"),
        ),
    ],
    ids=["least", "most"],
)
def test_a_spec_survives_json(spec: MachineSpec) -> None:
    assert Fields(json.loads(json.dumps(to_json(spec)))).build(MachineSpec) == spec


@pytest.mark.parametrize(
    ("machine", "arch"), [("x86_64", Arch.X86_64), ("arm64", Arch.AARCH64), ("AMD64", Arch.X86_64)]
)
def test_the_hosts_architecture(machine: str, arch: Arch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert Arch.of_host() is arch


def test_an_unknown_architecture_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(HostError, match='"riscv64"'):
        Arch.of_host()
