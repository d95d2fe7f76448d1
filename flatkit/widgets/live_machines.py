"""The machines that this notebook holds: one LiveMachine for each name, however often a cell is run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from flatkit import paths
from flatkit.widgets.live import LiveMachine

_lock = threading.Lock()
# By state folder and name: another state folder is another world.
_held: dict[tuple[Path, str], LiveMachine] = {}


def get(name: str, make: Callable[[str], LiveMachine] = LiveMachine) -> LiveMachine:
    """The machine of that name, made when it is first asked for. Raises UsageError for a name that is none."""
    with _lock:
        key = (paths.state_dir(), name)
        if key not in _held:
            _held[key] = make(name)
        return _held[key]


def find(name: str) -> LiveMachine | None:
    """The machine of that name, if this notebook holds it."""
    with _lock:
        return _held.get((paths.state_dir(), name))


def held() -> list[LiveMachine]:
    """All of this state folder."""
    with _lock:
        state = paths.state_dir()
        return [machine for (folder, _), machine in _held.items() if folder == state]
