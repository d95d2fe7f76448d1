"""A learner's progress on disk: written whole or not at all, shared by several kernels, never in the way.

<state>/progress.json. An unreadable file is kept under another name, and its readable parts remain in use.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flatkit import paths
from flatkit.accounts import REFUSALS, why_refused
from flatkit.errors import HostError
from flatkit.files import read_regular, save
from flatkit.lessons.exercise import State
from flatkit.locks import locked
from flatkit.untrusted import escape_hidden, parse_json

# A change takes milliseconds, but some file systems (/proc) never grant a lock.
_LOCK_SECONDS = 30
_FORMAT = 1
_BYTES_MAX = 16 * 1024 * 1024
_HINTS_MAX = 1000
_BOX_MAX = 100
_START_MAX = 2000


@dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """Progress in one task. `start` is the check's result right after the setup; `answers` are a quiz's choices.

    `at` is when it was last changed, "" in records of older versions; `box` how well a question is known (review.py).
    """

    state: State = State.NOT_TRIED
    is_set_up: bool = False
    start: str = ""
    hints: int = 0
    is_solved_for: bool = False
    answers: tuple[int | None, ...] = ()
    box: int = 0
    at: str = field(default="", compare=False)

    @property
    def changed(self) -> datetime | None:
        """The time of the last change; None in records of older versions."""
        with suppress(ValueError):
            found = datetime.fromisoformat(self.at)
            return found if found.tzinfo else None
        return None

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {**asdict(self), "state": str(self.state), "answers": list(self.answers)}


def parse_record(values: Any) -> TaskRecord:
    """Return a record from JSON values; unknown fields are ignored. Raises ValueError for wrong types and values."""
    known = {name: values[name] for name in _TYPES if name in values} if isinstance(values, dict) else {"state": None}
    record = TaskRecord(**known)
    for name, kind in _TYPES.items():
        value = getattr(record, name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            raise ValueError(f'"{name}" is not of the type {kind}')
    answers = tuple(record.answers)
    if not all(answer is None or type(answer) is int for answer in answers) or not 0 <= record.hints <= _HINTS_MAX:
        raise ValueError("an answer or the number of hints is not usable")
    if not 0 <= record.box <= _BOX_MAX:
        raise ValueError("there is no such box")
    return replace(record, state=State(record.state), answers=answers)


_TYPES: dict[str, Any] = {
    "state": str, "is_set_up": bool, "start": str, "hints": int, "is_solved_for": bool, "answers": list | tuple,
    "box": int, "at": str,
}  # fmt: skip


def remembered(finding: object) -> str:
    """Return a finding in the form stored in `start`: a finding may quote a machine at any length."""
    return escape_hidden(str(finding)[:_START_MAX])


class Progress:
    """The progress of one learner, in one file. Safe for several processes."""

    def __init__(self, file: Path | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.file = file or paths.state_dir() / "progress.json"
        self._now = now

    def get(self, task: str) -> TaskRecord:
        """Return the progress in this task; a new record when there is none."""
        return self.all().get(task, TaskRecord())

    def all(self) -> dict[str, TaskRecord]:
        """Return the record of every task that was begun. Raises HostError for a file that is not readable."""
        tasks, is_whole = self._read()
        if not is_whole:
            with suppress(HostError), self._locked():  # meanwhile another kernel may have written a whole one
                tasks = self._load()
        return {name: parse_record(values) for name, values in tasks.items()}

    def change(self, task: str, change: Callable[[TaskRecord], TaskRecord]) -> TaskRecord:
        """Change a record under a lock, and write it to disk. Raises HostError when the folder is not writable."""
        with self._locked():
            tasks = self._load()
            before = tasks.get(task, {})
            record = replace(change(parse_record(before)), at=self._now().isoformat(timespec="seconds"))
            # Fields written by a later version stay.
            self._write({**tasks, task: {**before, **record.as_dict()}})
        return record

    def _write(self, tasks: dict[str, dict[str, Any]]) -> None:
        values = {"format": _FORMAT, "tasks": dict(sorted(tasks.items()))}
        save(self.file, json.dumps(values, indent=1) + "\n")

    def _load(self) -> dict[str, dict[str, Any]]:
        """Return the tasks in the file, under the lock. An invalid file is kept aside; its valid parts remain in use."""
        good, is_whole = self._read()
        if not is_whole:
            self._keep_aside()
            if good:
                with suppress(OSError, HostError):
                    self._write(good)
        return good

    def _read(self) -> tuple[dict[str, dict[str, Any]], bool]:
        """Return the valid tasks in the file, and whether all of it is valid."""
        try:
            data = read_regular(self.file, limit=_BYTES_MAX)
        except FileNotFoundError:
            return {}, True
        except OSError as error:
            if error.errno in REFUSALS:  # another user's file is not broken
                raise paths.refused(self.file, error, doing="read") from None
            return {}, False
        return _usable(data)

    def _keep_aside(self) -> None:
        """Rename the file, so that no work in it is lost."""
        for number in range(1, 1000):
            aside = self.file.with_name(f"{self.file.name}.broken-{number}")
            if not os.path.lexists(aside):
                with suppress(OSError):
                    self.file.rename(aside)
                return

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.file.with_name(f"{self.file.name}.lock"), wait=_LOCK_SECONDS):
                yield
        except HostError:  # a full disk was reported already
            raise
        except OSError as error:
            raise HostError(
                f'your progress cannot be written to "{self.file}": {why_refused(self.file, error)}',
                hint=paths.way_out(self.file, error, variable="FLATKIT_STATE"),
            ) from None


def _usable(data: bytes) -> tuple[dict[str, dict[str, Any]], bool]:
    """Return the valid tasks, and whether everything was valid."""
    try:
        found = parse_json(data)
        tasks = found["tasks"] if found["format"] == _FORMAT else None
    except (ValueError, TypeError, KeyError):
        return {}, False
    if not isinstance(tasks, dict):
        return {}, False
    good = {}
    for name, values in tasks.items():
        with suppress(ValueError):
            parse_record(values)
            good[name] = values
    return good, len(good) == len(tasks)
