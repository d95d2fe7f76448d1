"""How another host is reached, told from libvirt's URI; what is asked of it is tested on a second libvirt (tests/vm)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flatkit.errors import Cancelled, CommandFailed, HostError, MachineError
from flatkit.machines.domain import DomainFiles, Tag, build_domain, with_forwards
from flatkit.machines.ports import parse_refused_port
from flatkit.machines.remote import RemoteHost, find_remote
from flatkit.machines.spec import Accelerator, Forward, MachineSpec
from flatkit.machines.ssh_tunnel import THERE

LINE_SAYS = "bind [127.0.0.1]:20022: Address already in use"


@pytest.mark.parametrize(
    ("uri", "way"),
    [
        ("qemu+ssh://host/session", "ssh host"),
        ("qemu+ssh://[::1]/session", "ssh ::1"),
        ("qemu+ssh://ada@host:2222/session?keyfile=/k%20x", "ssh -p 2222 -i '/k x' ada@host"),
        ("qemu+ssh://host/session?command=/opt/ssh&no_verify=1", "/opt/ssh -o StrictHostKeyChecking=no host"),
    ],
)
def test_the_suggested_command_has_the_options_of_the_uri(uri: str, way: str) -> None:
    host = find_remote(uri)
    assert host is not None
    assert host.way() == way
    error = host.unreachable("ssh: connect to host host port 22: Connection refused")
    assert error.hint.startswith(f"{way} true   (")


@pytest.mark.parametrize(
    ("uri", "target", "options"),
    [
        ("qemu+ssh://far/session", "far", []),
        ("qemu+ssh://ada@far.example/system", "ada@far.example", []),
        ("qemu+ssh://ada@far:2200/session", "ada@far", ["-p", "2200"]),
        ("qemu+ssh://far/session?keyfile=/k&no_verify=1", "far", ["-i", "/k", "-o", "StrictHostKeyChecking=no"]),
        ("qemu+ssh://far/session?known_hosts=/h", "far", ["-o", "UserKnownHostsFile=/h"]),
    ],
)
def test_the_uri_says_how_ssh_goes_there(uri: str, target: str, options: list[str]) -> None:
    host = find_remote(uri)
    assert host is not None
    assert host.target == target
    assert host.ssh[0] == "ssh"
    assert "BatchMode=yes" in host.ssh  # a question would be seen by nobody
    assert list(host.ssh[6:]) == options


@pytest.mark.parametrize("uri", ["qemu:///session", "test:///default", "qemu+unix:///system?socket=/x"])
def test_this_host_is_none(uri: str) -> None:
    assert find_remote(uri) is None


@pytest.mark.parametrize("uri", ["qemu+tcp://far/system", "qemu+tls://far/system", "qemu://far/system"])
def test_other_ways_are_refused_with_the_one_that_goes(uri: str) -> None:
    with pytest.raises(HostError, match="by SSH alone") as caught:
        find_remote(uri)
    assert "qemu+ssh://far/session" in caught.value.hint


@pytest.fixture
def near(tmp_path: Path) -> RemoteHost:
    """A "host" whose ssh runs what it is told on this one, as a login shell would."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\n[ "$1 $2" = "-- near" ] || exit 9\nshift 2\nexec sh -c "$*"\n')
    ssh.chmod(0o755)
    return RemoteHost(ssh=(str(ssh),), target="near")


def test_words_arrive_as_they_are(near: RemoteHost) -> None:
    assert near.run('printf "%s|" "$@"; cat', "a b", "$HOME", "it's", text="in").stdout == "a b|$HOME|it's|in"
    with pytest.raises(CommandFailed, match='failed on "near" with status 3: no'):
        near.run("echo no >&2; exit 3")


def test_a_file_arrives_wholly_or_not_at_all(near: RemoteHost, tmp_path: Path) -> None:
    source = tmp_path / "image.raw"
    source.write_bytes(os.urandom(3_000_000))
    os.truncate(source, 40_000_000)
    pieces: list[str] = []
    near.send(source, str(tmp_path / "there"), on_piece=pieces.append)
    arrived = tmp_path / "there/image.raw"
    assert arrived.read_bytes() == source.read_bytes()
    assert arrived.stat().st_blocks * 512 < 10_000_000  # holes stay holes

    def stop(_piece: str) -> None:
        raise Cancelled("cancelled")

    source.write_bytes(os.urandom(20_000_000))
    with pytest.raises(Cancelled):
        near.send(source, str(tmp_path / "second"), on_piece=stop)
    assert not (tmp_path / "second").exists()


def test_who_is_to_blame() -> None:
    assert RemoteHost.is_to_blame("ssh: Could not resolve hostname far: Name or service not known")
    assert RemoteHost.is_to_blame("ada@far: Permission denied (publickey).")
    assert not RemoteHost.is_to_blame("Failed to connect socket to '/run/libvirt/libvirt-sock': Connection refused")


def test_qemu_listens_where_no_program_of_that_host_does() -> None:
    spec = MachineSpec(name="far", disk=Path("/image"))
    files = DomainFiles(overlay=Path("/o"), console=Path("/c"))
    forwards = (Forward(host=20022, guest=22),)
    xml = build_domain(
        spec, tag=Tag(owner="o", name="far"), accelerator=Accelerator.TCG, files=files, forwards=forwards, address=THERE
    )
    assert f"hostfwd=tcp:{THERE}:20022-:22" in xml
    assert f"hostfwd=tcp:{THERE}:20023-:22" in with_forwards(xml, (Forward(host=20023, guest=22),), THERE)
    assert parse_refused_port(MachineError(f"Could not set up host forwarding rule 'tcp:{THERE}:20022-:22'")) == 20022
