"""The usual length of commands and demo steps on this host, for those who wait: <state>/usual-times.json.

A command is stored by its hash alone: what a learner types is nobody's business. A folder that cannot be used costs an estimate.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress

from flatkit import paths
from flatkit.errors import HostError
from flatkit.files import read_regular, save
from flatkit.locks import locked
from flatkit.machines.store import make_folder
from flatkit.untrusted import parse_json

# Weight of the newest time against all earlier ones.
_WEIGHT = 0.5
_ENTRIES_MAX = 300
_BYTES_MAX = 1024 * 1024
_LONGEST = 86400.0
_LOCK_SECONDS = 5.0


def key_of(command: str, machine: str) -> str:
    """Return the key of a command on a machine."""
    return hashlib.sha256(f"{machine}\n{command.strip()}".encode()).hexdigest()[:16]


def recall(key: str) -> float:
    """Return the usual seconds; 0 when unknown."""
    return _read().get(key, 0.0)


def remember(key: str, seconds: float) -> None:
    """Add a time that something took. Only the newest entries are kept."""
    with suppress(OSError, HostError):  # TimeoutError is an OSError
        file = make_folder(paths.state_dir()) / "usual-times.json"
        with locked(file.with_name("usual-times.json.lock"), wait=_LOCK_SECONDS):
            known = _read()
            before = known.pop(key, seconds)
            known[key] = round(before * (1 - _WEIGHT) + seconds * _WEIGHT, 1)
            newest = dict(list(known.items())[-_ENTRIES_MAX:])
            save(file, json.dumps(newest, indent=1) + "\n")


def in_words(elapsed: float, usual: float) -> str:
    """Return the seconds so far, and the usual ones where they are known."""
    return f"{elapsed:.0f} s" + (f", usually {usual:.0f} s" if usual >= 1 else "")


def share(elapsed: float, usual: float) -> float | None:
    """Return the part that is over, from 0 to 1; None when the usual time is unknown or over."""
    return elapsed / usual if usual >= 1 and elapsed < usual else None


def _read() -> dict[str, float]:
    with suppress(OSError, ValueError, HostError):
        known = parse_json(read_regular(paths.state_dir() / "usual-times.json", limit=_BYTES_MAX))
        if isinstance(known, dict):
            return {
                key: float(seconds)
                for key, seconds in known.items()
                if type(seconds) in {int, float} and 0 <= seconds < _LONGEST
            }
    return {}
