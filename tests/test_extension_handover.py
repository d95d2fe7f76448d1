"""Extensions on their way to a machine: for which system they are built, and how versions are offered over HTTP."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import pytest

from flatkit import web
from flatkit.api.extensions import fitted, offer_extensions, put
from flatkit.errors import InputError, MachineError, UsageError
from flatkit.images.lab.extensions import recipe_for
from flatkit.images.sysext_tree import release_text
from flatkit.machines import RunResult
from flatkit.updates.server import UpdateServer


class Answering:
    """A machine that answers its os-release."""

    name = "m"

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def run(self, command: str, **_: Any) -> RunResult:
        return RunResult(command=command, stdout=self.answer, stderr="", status=0, seconds=0.0)


@pytest.mark.parametrize(
    ("answer", "release"),
    [
        ("flatcar-lab 1.0\n", ["ID=flatcar-lab", "SYSEXT_LEVEL=1.0"]),
        ("flatcar 1.0\n", ["ID=flatcar", "SYSEXT_LEVEL=1.0"]),
        ("flatcar 2.0\n", ["ID=flatcar", "SYSEXT_LEVEL=2.0"]),
        ("debian \n", ["ID=debian", "SYSEXT_LEVEL=1.0"]),
    ],
)
def test_an_extension_is_for_the_system_that_the_machine_runs(answer: str, release: list[str]) -> None:
    machine: Any = Answering(answer)
    assert release_text(fitted(recipe_for("tree"), machine)).splitlines()[:2] == release


def test_a_machine_that_says_nothing_is_an_error() -> None:
    machine: Any = Answering("\n")
    with pytest.raises(MachineError, match='"m" does not say which system it is'):
        fitted(recipe_for("tree"), machine)


def test_a_file_that_is_not_there_is_said_before_the_machine_is_asked(tmp_path: Any) -> None:
    machine: Any = Answering("")
    with pytest.raises(InputError, match=r'tree\.raw" cannot be read'):
        put(machine, tmp_path / "tree.raw", "/var/lib/extensions/tree.raw")
    os.mkfifo(tmp_path / "fifo.raw")
    with pytest.raises(InputError, match=r'fifo\.raw" cannot be read: not a regular file'):
        put(machine, tmp_path / "fifo.raw", "/var/lib/extensions/fifo.raw")
    with UpdateServer() as server, pytest.raises(InputError, match="not a regular file"):
        server.publish_extension(tmp_path / "fifo.raw")


def test_versions_are_offered_with_their_digests_and_a_config(tmp_path: Any) -> None:
    (tmp_path / "tree.raw").write_bytes(b"one without a version is not offered")
    (tmp_path / "greet-1.raw").write_bytes(b"one")
    with UpdateServer() as server:
        assert offer_extensions(server, tmp_path) == ("greet",)
        (tmp_path / "greet-2.raw").write_bytes(b"two")
        (tmp_path / "kubernetes-v1.33.2-x86-64.raw").write_bytes(b"k")
        assert offer_extensions(server, tmp_path) == ("greet", "kubernetes")
        place = f"{server.url}/extensions"
        assert web.get(f"{place}/greet/SHA256SUMS").text == "".join(
            f"{hashlib.sha256(data).hexdigest()}  greet-{n}.raw\n" for n, data in ((1, b"one"), (2, b"two"))
        )
        assert web.get(f"{place}/greet/greet-2.raw").text == "two"
        conf = web.get(f"{place}/greet.conf").text
        assert f"Path={server.guest_url}/extensions/greet/" in conf
        assert "CurrentSymlink=/etc/extensions/greet.raw" in conf
        (tmp_path / "greet-2.raw").write_bytes(b"other bytes of the same version")
        with pytest.raises(UsageError, match="published already"):
            offer_extensions(server, tmp_path)
