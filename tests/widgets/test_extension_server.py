"""A notebook's server of extensions: what it offers, what a taken port says, and that the clean-up ends it."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import flatkit as fk
from flatkit.errors import HostError
from flatkit.machines.ports import find_free_port
from flatkit.widgets import extension_server


class Nearby:
    """A machine that needs no forwarded port; it remembers which one was meant."""

    name = "node"

    def lend_port(self, port: int) -> None:
        self.port = port


@pytest.fixture
def port() -> Iterator[int]:
    yield find_free_port()  # none that another lane's next connection may be given
    extension_server.stop()


def test_versions_are_offered_as_the_bakery_does(tmp_path: Path, port: int) -> None:
    (tmp_path / "kubernetes-v1.35.4-x86-64.raw").write_bytes(b"four")
    machine = Nearby()
    said = repr(extension_server.serve(tmp_path, machine, port=port))  # type: ignore[arg-type]
    assert f"offered to node at http://10.0.2.2:{port}/extensions:" in said
    assert "kubernetes/kubernetes-v1.35.4-x86-64.raw" in said
    assert machine.port == port
    (tmp_path / "kubernetes-v1.35.5-x86-64.raw").write_bytes(b"five")
    extension_server.serve(tmp_path, machine, port=port)  # type: ignore[arg-type]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/extensions/kubernetes/SHA256SUMS") as answer:
        listed = answer.read().decode()
    assert [line.split()[-1] for line in listed.splitlines()] == [
        "kubernetes-v1.35.4-x86-64.raw",
        "kubernetes-v1.35.5-x86-64.raw",
    ]


def test_a_folder_without_versions_says_so(tmp_path: Path, port: int) -> None:
    said = repr(extension_server.serve(tmp_path, Nearby(), port=port))  # type: ignore[arg-type]
    assert "no file of this folder is named NAME-VERSION.raw" in said


def test_a_taken_port_says_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(HostError) as caught:
            extension_server.serve(tmp_path, Nearby(), port=number)  # type: ignore[arg-type]
    assert f"m.serve_extensions({number + 1})" in caught.value.hint


def test_the_clean_up_ends_it(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    extension_server.serve(tmp_path, Nearby(), port=port)  # type: ignore[arg-type]
    fk.clean()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/")
