"""Facts about this host that flatkit measures: the verdict on KVM, and how long boots take. JSON files in the state folder.

Not in the cache: that may be for reading only. What is in a shared cache is used until this user has measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from flatkit import paths
from flatkit.errors import HostError
from flatkit.files import read_regular, save
from flatkit.machines.store import make_folder
from flatkit.untrusted import parse_json

ACCELERATOR, BOOT_TIMES = "accelerator.json", "boot-times.json"
_LIMIT = 1024 * 1024


def read_rows(name: str) -> dict[str, dict[str, Any]]:
    """Return the rows of a file of facts. The user's own replace those of a shared cache; a broken file has none."""
    shared = paths.shared_cache_dir()
    rows = _read(shared / name) if shared else {}
    return rows | _read(paths.state_dir() / name)


def save_rows(name: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Store the rows. A state folder that cannot be written costs only another measurement."""
    with suppress(OSError, HostError):
        save(make_folder(paths.state_dir()) / name, json.dumps(rows, indent=2) + "\n", mode=0o600)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    with suppress(OSError, ValueError):
        found = parse_json(read_regular(path, limit=_LIMIT))
        if isinstance(found, dict) and all(isinstance(row, dict) for row in found.values()):
            return found
    return {}
