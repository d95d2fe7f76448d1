"""What the tests of machines share: folders of their own, libvirt's test driver, and a machine to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.machines import MachineSpec
from flatkit.testing.hypervisor import FakeHypervisor

IGNITION = '{"ignition": {"version": "3.3.0"}}'


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "state"


@pytest.fixture
def hypervisor(state: Path) -> Iterator[FakeHypervisor]:
    pytest.importorskip("libvirt")
    fake = FakeHypervisor()
    # Without a connection that stays open the test driver forgets its domains.
    fake.connect()
    yield fake
    fake.close()


@pytest.fixture
def spec(tmp_path: Path) -> MachineSpec:
    disk = tmp_path / "image.raw"
    disk.write_bytes(b"\0" * 1024 * 1024)
    return MachineSpec(name="web", disk=disk, ignition=IGNITION, label="fake 1.0", memory_mib=256)
