"""What the tests of the notebook face share: machines on libvirt's test driver, and an IPython without a kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from notebook_parts import Shown, Web, join_threads

from flatkit import api
from flatkit.api import Config, Upped, Wish
from flatkit.events import Observer
from flatkit.images.image import Image, ImageKind
from flatkit.machines import Accelerator, Machine
from flatkit.testing.guest import FakeGuest
from flatkit.testing.hypervisor import FakeHypervisor
from flatkit.widgets import check_card, drafts, editor, live_machine, player, prediction_card
from flatkit.widgets.live_machine import LiveMachine
from flatkit.widgets.machine_commands import MachineDependencies


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, a state of its own, and nothing held from another test."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    work = tmp_path / "course"
    work.mkdir()
    monkeypatch.chdir(work)
    yield work
    player.stop_all()
    for machine in live_machine.held():
        machine.cancel(wait=True)
        machine.down()
    live_machine._held.clear()
    editor._editors.clear()
    player._players.clear()
    drafts._written.clear()
    check_card._cards.clear()
    prediction_card._cards.clear()


@pytest.fixture
def hypervisor(folder: Path) -> Iterator[FakeHypervisor]:
    pytest.importorskip("libvirt")
    fake = FakeHypervisor()
    fake.connect()
    yield fake
    for machine in live_machine.held():
        machine.cancel(wait=True)
        # As long as anything holds a connection the test driver keeps its domains, for the next test too.
        machine.down()
    join_threads("refresher")
    live_machine._held.clear()
    fake.close()


@pytest.fixture
def server() -> Web:
    return Web()


@pytest.fixture
def backend(
    hypervisor: FakeHypervisor, tmp_path: Path, server: Web, monkeypatch: pytest.MonkeyPatch
) -> MachineDependencies:
    """The real verbs, on a pretended hypervisor; `fk.up` uses it as well."""
    disk = tmp_path / "image.raw"
    disk.write_bytes(b"\0" * 1024 * 1024)
    image = Image(
        kind=ImageKind.LAB, label="lab 1", version="1", disk=disk, disk_format="raw", why="a test",
        ignition_spec=(3, 3, 0), memory_mib=256,
    )  # fmt: skip

    def boot(config: Config, wish: Wish, *, observer: Observer, cancel: threading.Event) -> Upped:
        spec = api.make_spec(config, image, wish, observer)
        machine = Machine(wish.name, hypervisor=hypervisor)
        machine.up(spec, observer=observer, cancel=cancel, accelerator=Accelerator.TCG, made_by=wish.made_by)
        return Upped(machine=machine)

    made = MachineDependencies(boot=boot, machine=lambda name: Machine(name, hypervisor=hypervisor), get=server.get)
    get = live_machine.get
    monkeypatch.setattr(live_machine, "get", lambda name: get(name, lambda name: LiveMachine(name, made)))
    return made


@pytest.fixture
def silent(hypervisor: FakeHypervisor) -> Callable[[], None]:
    """Makes every later boot hang before SSH."""

    def hang() -> None:
        hypervisor._make_guest = lambda: FakeGuest(serves=False, shows_key=False)

    return hang


@pytest.fixture
def shell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An IPython shell with flatkit imported in its first cell; `shell.shown` keeps the displays."""
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config as Settings

    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(config=Settings({"HistoryManager": {"enabled": False}}))
    made.shown = Shown()
    monkeypatch.setattr(made.display_pub, "publish", made.shown.publish)
    import flatkit

    flatkit._register_magics()
    made.user_ns["fk"] = flatkit
    yield made
    InteractiveShell.clear_instance()
