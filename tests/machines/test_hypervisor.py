"""The door to libvirt, on its own test driver; and what is said when the door is shut."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flatkit.emulators import find_emulator
from flatkit.errors import HostError, MachineError, MachineNotFound, MissingDependency
from flatkit.machines import hypervisor as module
from flatkit.machines import libvirt_errors
from flatkit.machines.daemon import default_uri
from flatkit.machines.domain import METADATA_URI, Tag
from flatkit.machines.hypervisor import Hypervisor, explain
from flatkit.machines.ports import parse_refused_port
from flatkit.machines.states import DomainState

URI = "test:///default"


@pytest.fixture
def hypervisor() -> Iterator[Hypervisor]:
    pytest.importorskip("libvirt")
    connection = Hypervisor(URI)
    # All of a process that is connected to this driver share its domains: those of a connection that is still open, too.
    for found in connection.owned():
        connection.kill(found.domain)
        connection.undefine(found.domain)
    yield connection
    connection.close()


def xml(name: str = "flatkit-test-web", owner: str = "0123abcd") -> str:
    mark = f"<f:machine xmlns:f='{METADATA_URI}' owner='{owner}' name='web'/>"
    return (
        f"<domain type='test'><name>{name}</name><memory>8192</memory><os><type>hvm</type></os>"
        f"<metadata>{mark if owner else ''}</metadata></domain>"
    )


def test_a_domains_life(hypervisor: Hypervisor) -> None:
    name = "flatkit-test-web"
    assert hypervisor.status(name).state is DomainState.UNDEFINED
    hypervisor.define(xml())
    assert hypervisor.status(name).state is DomainState.STOPPED
    hypervisor.start(name)
    hypervisor.start(name)
    assert hypervisor.status(name).state is DomainState.RUNNING
    assert METADATA_URI in hypervisor.xml(name)
    hypervisor.destroy(name)
    hypervisor.destroy(name)
    assert hypervisor.status(name).state is DomainState.STOPPED
    assert "from outside" in hypervisor.status(name).reason
    hypervisor.undefine(name)
    hypervisor.undefine(name)
    assert hypervisor.status(name).state is DomainState.UNDEFINED


def test_a_killed_domain_is_off(hypervisor: Hypervisor) -> None:
    """The test driver has no process, so that this is the way out for hosts where QEMU cannot be reached."""
    hypervisor.define(xml())
    hypervisor.start("flatkit-test-web")
    hypervisor.kill("flatkit-test-web")
    assert hypervisor.status("flatkit-test-web").state is DomainState.STOPPED


def test_the_process_of_a_domain_is_found_by_its_whole_name(tmp_path: Path) -> None:
    for number, words in {
        10: ["/usr/bin/qemu-system-x86_64", "-name", "guest=flatkit-test-web2,debug-threads=on"],
        11: ["grep", "-name", "guest=flatkit-test-web,debug-threads=on"],
        12: ["/usr/bin/qemu-system-x86_64", "-name", "guest=flatkit-test-web,debug-threads=on", "-S"],
        13: [""],
    }.items():
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "cmdline").write_bytes("\0".join(words).encode())
    found = find_emulator("flatkit-test-web", proc=tmp_path)
    assert found
    assert found.pid == 12
    assert find_emulator("flatkit-test", proc=tmp_path) is None


def test_shutdown_is_orderly(hypervisor: Hypervisor) -> None:
    hypervisor.define(xml())
    hypervisor.start("flatkit-test-web")
    hypervisor.shutdown("flatkit-test-web")
    assert hypervisor.status("flatkit-test-web").reason == "the guest switched itself off"


def test_only_marked_domains_are_listed(hypervisor: Hypervisor) -> None:
    # The driver comes with a domain of its own, "test", which is not ours.
    hypervisor.define(xml("flatkit-x-one", "11111111"))
    hypervisor.define(xml("flatkit-y-two", "22222222"))
    hypervisor.define(xml("flatkit-looks-alike", ""))
    assert [found.domain for found in hypervisor.owned()] == ["flatkit-x-one", "flatkit-y-two"]
    (mine,) = hypervisor.owned("22222222")
    assert mine.tag == Tag(owner="22222222", name="web")
    assert mine.status.state is DomainState.STOPPED


def test_a_domain_that_is_not_there(hypervisor: Hypervisor) -> None:
    with pytest.raises(MachineNotFound, match='"gone"'):
        hypervisor.start("gone")
    with pytest.raises(MachineNotFound):
        hypervisor.xml("gone")
    assert hypervisor.activity("gone") == module.Activity()


def test_a_refusal_carries_libvirts_words(hypervisor: Hypervisor) -> None:
    with pytest.raises(MachineError, match="could not define the domain"):
        hypervisor.define("<domain type='nonsense'/>")


def test_nothing_is_printed(hypervisor: Hypervisor, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MachineError):
        hypervisor.define("<not-xml")
    assert capfd.readouterr() == ("", "")


def test_a_dead_connection_is_opened_again(hypervisor: Hypervisor) -> None:
    class Dead:
        def __init__(self, libvirt: Any) -> None:
            self.libvirt = libvirt

        def listAllDomains(self) -> None:  # noqa: N802  (libvirt's name)
            raise self.libvirt.libvirtError("client socket is closed")

        def isAlive(self) -> int:  # noqa: N802
            return 0

        def close(self) -> None:
            return None

    hypervisor.define(xml())
    alive, hypervisor._open = hypervisor._open, Dead(module.load_binding())
    assert [found.domain for found in hypervisor.owned()] == ["flatkit-test-web"]
    alive.close()


def test_versions(hypervisor: Hypervisor) -> None:
    assert all(version.count(".") == 2 for version in hypervisor.version())


def test_the_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    assert default_uri() == "qemu:///session"
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu+ssh://host/system")
    assert Hypervisor().uri == "qemu+ssh://host/system"
    assert "qemu+ssh" in repr(Hypervisor())


def test_without_the_binding_the_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **more: Any) -> Any:
        if name == "libvirt":
            raise ModuleNotFoundError("No module named 'libvirt'", name="libvirt")
        return real(name, *args, **more)

    monkeypatch.delitem(sys.modules, "libvirt", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependency, match="No module named 'libvirt'") as caught:
        Hypervisor(URI).connect()
    assert "apt install python3-libvirt" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (
            "Failed to connect socket to '/gone/libvirt-sock': No such file or directory",
            "does not run",
            "make setup",
        ),
        ("Failed to connect socket to '/gone/libvirt-sock': Connection refused", "does not run", "make setup"),
        ("Failed to connect socket to '/gone/libvirt-sock': Permission denied", "refuses you", "make setup"),
        ("authentication unavailable: no polkit agent available", "refuses you", "unset LIBVIRT_DEFAULT_URI"),
        ("no connection driver available for foo:///", "why is not known", "virsh -c qemu:///system uri"),
    ],
)
def test_why_libvirt_cannot_be_reached(said: str, message: str, hint: str) -> None:
    error = libvirt_errors.unreachable("qemu:///system", said)
    assert isinstance(error, HostError)
    assert message in error.message
    assert said in error.message
    assert hint in error.hint


def test_an_unknown_uri_is_a_host_error() -> None:
    pytest.importorskip("libvirt")
    with pytest.raises(HostError, match="nonsense"):
        Hypervisor("nonsense:///here").connect()


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        ("Cannot access storage file '/root/d' (as uid:64055): Permission denied", HostError, "FLATKIT_STATE"),
        ("Failed to connect socket to '/var/run/libvirt/virtlogd-sock': Connection refused", HostError, "make setup"),
        ("cannot set up guest memory 'pc.ram': Cannot allocate memory", HostError, "--memory"),
        ("operation failed: Unable to find any firmware to satisfy 'efi'", HostError, "ovmf"),
        ("something else", MachineError, "flatkit list"),
    ],
)
def test_what_libvirt_refuses_is_explained(said: str, kind: type[Exception], hint: str) -> None:
    class Refusal(Exception):
        # A real libvirtError takes its words from the last call of its thread.
        def get_error_code(self) -> int:
            return 1

    error = explain(pytest.importorskip("libvirt"), Refusal(said), "start the domain")
    assert type(error) is kind
    assert hint in error.hint
    assert error.details == said


def test_the_port_that_qemu_was_refused() -> None:
    said = (
        "internal error: process exited while connecting to monitor: qemu-system-x86_64: -netdev user,id=flatkit,"
        "hostfwd=tcp:127.0.0.1:20022-:22: Could not set up host forwarding rule 'tcp:127.0.0.1:20022-:22'"
    )
    assert parse_refused_port(MachineError("x", details=said)) == 20022
    assert parse_refused_port(MachineError("another trouble")) is None
