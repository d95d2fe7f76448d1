"""Steps of a demo that were played, kept on disk: after a restart of the kernel the demo continues where it was.

<state>/played/NAME.json is written whole or not at all, and removed when the demo is over or stopped. A malformed file is
ignored.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from flatkit import paths
from flatkit.files import read_regular, save
from flatkit.run import is_alive
from flatkit.steps import Demo
from flatkit.untrusted import parse_json

_BYTES_MAX = 16 * 1024 * 1024
_PID_MAX = 2**31
_SECONDS_MAX = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class StepShown:
    """A step with its result; `state` is waiting, next, running, ok, failed or skipped."""

    number: int
    title: str
    why: str
    command: str
    where: str
    state: str = "waiting"
    output: str = ""
    found: str = ""
    hint: str = ""
    seconds: float = 0.0

    @property
    def mark(self) -> str:
        """Its state as one character."""
        return {"ok": "✓", "failed": "✗", "running": "…", "next": "▶", "skipped": "–"}.get(self.state, "·")

    @property
    def prompt(self) -> str:
        """The prompt before its command in a terminal."""
        return "host$" if self.where == "host" else "core@machine$"


@dataclass(frozen=True, kw_only=True)
class PlayedSteps:
    """The steps that were played and passed; `recorded` when they came from a recording."""

    steps: tuple[StepShown, ...] = ()
    recorded: bool = False


def keep(demo: Demo, played: PlayedSteps) -> None:
    """Save the played steps. If the folder is not writable, only the place is lost."""
    values = {"pid": os.getpid(), "recorded": played.recorded, "steps": [asdict(step) for step in played.steps]}
    with suppress(OSError):
        file = _file(demo)
        file.parent.mkdir(parents=True, exist_ok=True)
        save(file, json.dumps(values) + "\n")


def forget(demo: Demo) -> None:
    """Remove the saved steps of a demo that is over."""
    with suppress(OSError):
        _file(demo).unlink(missing_ok=True)


def find(demo: Demo) -> PlayedSteps:
    """Return the steps that an earlier kernel played; none if that kernel is alive, or the demo has changed since."""
    try:
        values = parse_json(read_regular(_file(demo), limit=_BYTES_MAX))
        steps = tuple(_step(number, row) for number, row in enumerate(values["steps"], start=1))
        pid, recorded = values["pid"], values["recorded"]
        if type(pid) is not int or not 0 < pid < _PID_MAX or not isinstance(recorded, bool):
            raise ValueError("not written by this module")
    except (OSError, ValueError, KeyError, TypeError):
        return PlayedSteps()
    titles = [step.title for step in demo.steps][: len(steps)]
    whole = all(step.state == "ok" for step in steps) and len(steps) < len(demo.steps)
    if not whole or titles != [step.title for step in steps] or (pid != os.getpid() and is_alive(pid)):
        return PlayedSteps()
    return PlayedSteps(steps=steps, recorded=recorded)


def _step(number: int, row: dict[str, Any]) -> StepShown:
    """Return a saved step. Raises ValueError, KeyError, TypeError."""
    values = {field.name: row[field.name] for field in fields(StepShown)}
    seconds = values.pop("seconds")
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    if values.pop("number") != number or len(texts) != len(values):
        raise ValueError("not a step of this demo")
    if type(seconds) not in {int, float} or not 0 <= seconds < _SECONDS_MAX:
        raise ValueError("not a number of seconds")
    return StepShown(number=number, seconds=seconds, **texts)


def _file(demo: Demo) -> Path:
    return paths.state_dir() / "played" / f"{demo.name.replace('/', '_')}.json"
