"""How far a learner is, kept on disk: written whole or not at all, shared by several kernels, and never in the way.

<state>/progress.json. A file that cannot be read is kept aside under another name, and a new one begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from flatkit import paths
from flatkit.errors import HostError
from flatkit.lessons.exercise import State
from flatkit.machines.store import write_atomically

_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """How far one task is. `start` is what its check said right after the setup; `answers` are a quiz's choices."""

    state: State = State.NOT_TRIED
    is_set_up: bool = False
    start: str = ""
    hints: int = 0
    is_solved_for: bool = False
    answers: tuple[int | None, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {**asdict(self), "state": str(self.state), "answers": list(self.answers)}


def parse_record(values: Any) -> Record:
    """A record from JSON values; what is not known is left out. Raises ValueError, TypeError."""
    known = {field.name: values[field.name] for field in fields(Record) if field.name in values}
    record = Record(**known)
    answers = tuple(record.answers)
    if not all(answer is None or isinstance(answer, int) for answer in answers) or not isinstance(record.hints, int):
        raise ValueError("no record")
    return replace(record, state=State(record.state), answers=answers)


class Progress:
    """The progress of one learner, in one file. Safe for several processes."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or paths.state_dir() / "progress.json"

    def get(self, task: str) -> Record:
        """How far this task is; a fresh record when nothing is known."""
        return self._load().get(task, Record())

    def all(self) -> dict[str, Record]:
        """Every task that was begun."""
        return self._load()

    def change(self, task: str, change: Callable[[Record], Record]) -> Record:
        """Change a record under a lock, and write it down. Raises HostError when the folder cannot be written."""
        with self._locked():
            records = self._load()
            records[task] = change(records.get(task, Record()))
            tasks = {name: record.as_dict() for name, record in sorted(records.items())}
            write_atomically(self.file, json.dumps({"format": _FORMAT, "tasks": tasks}, indent=1) + "\n")
        return records[task]

    def _load(self) -> dict[str, Record]:
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError):
            self._keep_aside()
            return {}
        try:
            found = json.loads(text)
            if found["format"] != _FORMAT:
                raise ValueError("another format")
            return {str(name): parse_record(values) for name, values in found["tasks"].items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._keep_aside()
            return {}

    def _keep_aside(self) -> None:
        """What cannot be read is somebody's work all the same."""
        for number in range(1, 1000):
            aside = self.file.with_name(f"{self.file.name}.broken-{number}")
            if not aside.exists():
                try:
                    self.file.rename(aside)
                except OSError:
                    return
                return

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock

        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.file}.lock"):
                yield
        except HostError:  # a full disk is said already
            raise
        except OSError as error:
            raise HostError(
                f'your progress cannot be written to "{self.file}": {error.strerror or error}',
                hint="set FLATKIT_STATE to a folder that you can write to",
            ) from None
