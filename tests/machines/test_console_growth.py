"""A console that has grown to a gigabyte is followed and shown within a few megabytes of memory."""

from __future__ import annotations

import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from flatkit.errors import Cancelled
from flatkit.events import ConsoleLine, Event, Observer
from flatkit.machines.console import ConsoleReader, read_tail
from flatkit.machines.hypervisor import Activity
from flatkit.machines.ready import Booting, ReadyWait
from flatkit.machines.states import DomainState, Status
from flatkit.machines.store import Folder

GIB = 1024**3
LAST = "[ 9999.000000] the last words"
MOST_BYTES = 24 * 1024 * 1024


def sparse(path: Path) -> Path:
    """A gigabyte without a line's end, and then a line: takes no room on the disk."""
    with path.open("wb") as file:
        os.truncate(path, GIB)
        file.seek(GIB)
        file.write(f"\n{LAST}\n".encode())
    return path


def peak_of(action: Callable[[], object]) -> int:
    """The most bytes of Python's memory that an action held at a time."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def follow(path: Path) -> ConsoleReader:
    with ConsoleReader(path) as reader:
        size = path.stat().st_size
        while reader.total < size:
            reader.read()
    return reader


def test_a_gigabyte_without_a_line_is_followed(tmp_path: Path) -> None:
    readers: list[ConsoleReader] = []
    path = sparse(tmp_path / "console.log")
    assert peak_of(lambda: readers.append(follow(path))) < MOST_BYTES
    assert readers[0].tail[-1] == LAST
    assert len(readers[0].tail) == 2


@pytest.mark.parametrize("mebibytes", [16, pytest.param(1024, marks=pytest.mark.long)])
def test_lines_without_number_are_followed(tmp_path: Path, mebibytes: int) -> None:
    path = tmp_path / "console.log"
    piece = b"".join(b"[%12.6f] systemd[1]: Started unit number %d of many.\n" % (n, n) for n in range(16000))
    with path.open("wb") as file:
        while file.tell() < mebibytes * 1024 * 1024:
            file.write(piece)
        file.write(f"{LAST}\n".encode())
    readers: list[ConsoleReader] = []
    assert peak_of(lambda: readers.append(follow(path))) < MOST_BYTES
    assert readers[0].tail[-1] == LAST


def test_the_tail_of_a_gigabyte_is_read_from_its_end(tmp_path: Path) -> None:
    path = sparse(tmp_path / "console.log")
    assert peak_of(lambda: read_tail(path, lines=40)) < MOST_BYTES
    assert read_tail(path)[-1] == LAST


def test_all_of_a_gigabyte_is_never_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flatkit.machines import Machine

    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    machine = Machine("loud")
    folder: Folder = machine.folder
    folder.path.mkdir(parents=True)
    sparse(folder.console)
    # Eight megabytes of bytes, their text and their lines.
    assert peak_of(lambda: machine.console_tail(10**6)) < 5 * MOST_BYTES
    assert machine.console_tail(10**6)[-1] == LAST


class StopAfter(Observer):
    """Cancels after so many lines."""

    def __init__(self, lines: int) -> None:
        self.left, self.cancel = lines, threading.Event()

    def notify(self, event: Event) -> None:
        if isinstance(event, ConsoleLine):
            self.left -= 1
            if self.left == 0:
                self.cancel.set()


def test_a_console_that_never_stops_can_be_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    done = threading.Event()

    def babble() -> None:
        with path.open("ab") as file:
            while not done.is_set():
                file.write(b"and so on\n" * 1000)
                file.flush()

    writer = threading.Thread(target=babble)
    writer.start()
    observer = StopAfter(5000)
    booting = Booting(
        name="loud",
        console=path,
        port=1,
        knock_port=None,
        status=lambda: Status(state=DomainState.RUNNING),
        activity=Activity,
    )
    try:
        with pytest.raises(Cancelled):
            ReadyWait(booting, observer=observer, cancel=observer.cancel).wait()
    finally:
        done.set()
        writer.join()
    # Stopped at the next look, not after all that there is to read.
    assert observer.left > -20000
