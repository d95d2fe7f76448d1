"""Ports and addresses that cannot be had: the cause is asked, not guessed, with real namespaces."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import subprocess
import sys

import people
import pytest

from flatkit.errors import HostError
from flatkit.listening import explain_bind, try_port
from flatkit.machines import ports
from flatkit.machines.spec import Forward
from flatkit.updates.server import UpdateServer

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


@pytest.mark.parametrize(
    ("number", "port", "words", "is_of_port"),
    [
        (errno.EADDRINUSE, 20000, "another program holds it", True),
        (errno.EACCES, 80, "are for root on this host", True),
        (errno.EACCES, 65000, "is not one of root's", False),
        (errno.EPERM, 65000, "a security policy or a container may forbid", False),
        (errno.EADDRNOTAVAIL, 20000, 'this host has no address "127.0.0.1"', False),
        (errno.EAFNOSUPPORT, 20000, "this host has no IPv4", False),
        (errno.EMFILE, 20000, "too many files are open", False),
        (errno.ENETDOWN, 20000, "was tried, and the system answered: Network is down", False),
    ],
)
def test_each_error_of_bind_has_its_own_words(number: int, port: int, words: str, is_of_port: bool) -> None:
    found = explain_bind(OSError(number, os.strerror(number)), "127.0.0.1", port)
    assert words in found.words
    assert found.is_of_port is is_of_port
    assert found.is_taken is (number == errno.EADDRINUSE)


@pytest.mark.parametrize(
    ("prepare", "words", "cure"),
    [
        ("true", "the loopback device lo of this host is down", "sudo ip link set lo up"),
        (
            "ip link set lo up; ip link set lo down",
            "the loopback device lo of this host is down",
            "sudo ip link set lo up",
        ),
        (
            "ip link set lo up; ip address del 127.0.0.1/8 dev lo",
            'this host has no address "127.0.0.1": its loopback device lo lacks it',
            "sudo ip address add 127.0.0.1/8 dev lo",
        ),
    ],
    ids=["never up", "down", "no address"],
)
@AS_ROOT
def test_a_host_whose_loopback_is_off(prepare: str, words: str, cure: str) -> None:
    code = """
from flatkit.errors import HostError
from flatkit.host.space import check_ports
from flatkit.machines import ports
from flatkit.machines.spec import Forward
from flatkit.updates.server import UpdateServer
for act in (ports.find_free_port, check_ports, lambda: ports.check_free([Forward(host=8080, guest=80)]), UpdateServer().start):
    try: act()
    except HostError as error: print(error)
    else: print("no error")
"""
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode or not shutil.which(
        "ip"
    ):
        pytest.skip("no network namespace can be made, or ip is not installed")
    script = f'{prepare}; exec "$0" -c "$1"'
    said = subprocess.check_output(["unshare", "--net", "sh", "-c", script, sys.executable, code], text=True)
    assert said.count(words) == 4
    assert said.count(f"Next: {cure}") == 4
    for guess in ("another program", "0 picks a free port", "no error"):
        assert guess not in said


def test_a_port_below_1024_is_not_taken(ada: people.Person) -> None:
    code = "from flatkit.machines import ports, Forward; print(ports.port_taken(Forward(host=81, guest=80)))"
    said = subprocess.check_output(ada.argv(sys.executable, "-c", code), text=True, cwd="/")
    if "is free now" in said:
        pytest.skip("this host lets everybody listen on port 81")
    assert re.search(r"ports below \d+ are for root on this host \(Permission denied\)", said)
    assert "another program" not in said


@AS_ROOT
def test_for_root_a_low_port_is_refused_to_qemu_alone() -> None:
    if try_port(81) is not None:
        pytest.skip("port 81 is taken here")
    error = ports.port_taken(Forward(host=81, guest=80))
    assert "are for root, and QEMU runs as a user of its own" in error.message or "it is free now" in error.message


def test_a_taken_port_names_its_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(HostError, match=rf"\(process {os.getpid()}\) holds it"):
            ports.check_free([Forward(host=port, guest=80)])
        with pytest.raises(HostError, match="already in use"):
            UpdateServer(port=port).start()
    assert try_port(port) is None


def test_an_address_of_another_host() -> None:
    with pytest.raises(HostError, match=r'this host has no address "192\.0\.2\.1"') as caught:
        UpdateServer(listen="192.0.2.1").start()
    assert "another port" not in caught.value.hint


def test_an_ipv6_address_is_tried_as_one() -> None:
    try:
        taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this host has no IPv6")
    with taken:
        port = taken.getsockname()[1]
        refusal = try_port(port, "::1")
        assert refusal
        assert refusal.is_taken
    assert try_port(port, "::1") is None
    assert "has no address" in str(try_port(port, "2001:db8::1"))
