"""The presenter's notes on a second terminal: a running presentation writes its view into a file of the state folder.

<state>/present/PID.json can be read by its user alone, and is removed at the end. `flatkit present --notes` follows the
newest one.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from flatkit import paths
from flatkit.cli.stage_view import StageView
from flatkit.errors import UsageError
from flatkit.files import read_regular, save
from flatkit.machines.store import make_folder
from flatkit.run import is_alive
from flatkit.untrusted import is_number, parse_json

_BYTES_MAX = 1024 * 1024


class NotesFile:
    """The file of this presentation. One that cannot be written costs the notes alone."""

    def __init__(self) -> None:
        self.path = paths.state_dir() / "present" / f"{os.getpid()}.json"

    def write(self, view: StageView) -> None:
        """Write the view, whole or not at all."""
        with suppress(OSError):
            make_folder(paths.state_dir())
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            save(self.path, json.dumps(view.as_dict()) + "\n", mode=0o600)

    def remove(self) -> None:
        """Remove the file: the presentation is over."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def find_presentation() -> Path:
    """Return the file of the newest presentation that runs; those of dead ones are removed. Raises UsageError."""
    found: list[tuple[float, Path]] = []
    with suppress(OSError):
        for path in (paths.state_dir() / "present").glob("*.json"):
            with suppress(OSError):
                if _is_alive(path):
                    found.append((path.stat().st_ctime, path))
                else:
                    path.unlink()
    if not found:
        raise UsageError("no presentation runs here", hint="flatkit present provision   in another terminal")
    return max(found)[1]


def read_view(path: Path) -> StageView | None:
    """Return the view in a file; None when the presentation is over. Raises ValueError for a file that is not one."""
    try:
        data = read_regular(path, limit=_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(str(error)) from None
    if not _is_alive(path):
        return None
    try:
        return StageView.parse(parse_json(data))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not written by this flatkit: {error}") from None


def wait_for_change(path: Path, before: float, *, seconds: float = 1.0) -> float:
    """Wait until the file has changed since `before`, or the time is over; return when it was changed last (0: it is gone)."""
    until = time.monotonic() + seconds
    while True:
        try:
            changed = path.stat().st_mtime
        except OSError:
            return 0.0
        if changed != before or time.monotonic() >= until:
            return changed
        time.sleep(0.05)


def _is_alive(path: Path) -> bool:
    return is_number(path.stem, digits=9) and is_alive(int(path.stem))
