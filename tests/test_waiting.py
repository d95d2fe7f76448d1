"""Waits and locks: one look at least, the last result at the end, cancelling, and what somebody else holds."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.errors import Cancelled
from flatkit.locks import locked, try_lock
from flatkit.waiting import check_cancel, wait_until

HOLD = """
import sys
from filelock import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_the_first_good_result_ends_the_wait() -> None:
    results = iter([0, 0, 7, 9])
    assert wait_until(lambda: next(results), seconds=60, pause=0) == 7
    assert next(results) == 9


@pytest.mark.parametrize("seconds", [0, -1])
def test_without_time_there_is_one_look(seconds: float) -> None:
    looks: list[str] = []
    assert wait_until(lambda: looks.append("look"), seconds=seconds, pause=60) is None
    assert looks == ["look"]


def test_the_last_result_is_returned_when_the_time_is_over() -> None:
    numbers = iter(range(1000))
    last = wait_until(lambda: next(numbers), seconds=0.05, pause=0.001, ok=lambda number: number < 0)
    assert last == next(numbers) - 1


def test_an_error_of_a_look_is_raised_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 // 0, seconds=60)


def test_cancelling() -> None:
    check_cancel(None)
    cancel = threading.Event()
    check_cancel(cancel)
    cancel.set()
    with pytest.raises(Cancelled):
        check_cancel(cancel)


# Locks


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input ends."""
    words = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_what_another_process_holds_is_not_taken(other: subprocess.Popen[str], tmp_path: Path) -> None:
    assert try_lock(tmp_path / "lock") is None
    said: list[str] = []
    begun = locked(tmp_path / "lock", wait=0, waiting=lambda: said.append("waiting"))
    with pytest.raises(TimeoutError, match="another program holds the lock"), begun:
        pytest.fail("it is held")
    assert said == ["waiting"]


def test_a_wait_ends_when_the_other_process_ends(other: subprocess.Popen[str], tmp_path: Path) -> None:
    with locked(tmp_path / "lock", wait=60, waiting=other.kill):
        assert try_lock(tmp_path / "lock") is None
    assert try_lock(tmp_path / "lock") is not None


def test_a_wait_can_be_cancelled(other: subprocess.Popen[str], tmp_path: Path) -> None:
    cancel = threading.Event()
    with pytest.raises(Cancelled), locked(tmp_path / "lock", cancel=cancel, waiting=cancel.set):
        pytest.fail("it is held")


def test_a_lock_is_released_after_an_error_and_its_file_has_the_mode(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "lock", mode=0o600):
        raise KeyError
    lock = try_lock(tmp_path / "lock")
    assert lock is not None
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_an_unusable_place_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((NotADirectoryError, FileExistsError)), locked(tmp_path / "file" / "lock", wait=0):
        pytest.fail("there is no folder")
