"""The newest version of each channel that was verified here. A release server that offers an older one is refused.

It is stored at the path of a release server's pointer (CHANNEL/BOARD/current/version.txt), so that a cache can serve as
a mirror. Only a version signed by a trusted key is stored (signed.py). `flatkit images rm seen` forgets all of them.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from flatkit.files import read_regular, write_atomic
from flatkit.images.releases import Board, Version, Wanted, parse_version_file
from flatkit.images.signed import VERSION_FILE, VERSION_MAX
from flatkit.images.store import flatcar_dir


def find_seen(wanted: Wanted, board: Board) -> Version | None:
    """Return the newest version seen here, None when there is none."""
    with suppress(OSError):
        return parse_version_file(read_regular(_file(wanted, board), limit=VERSION_MAX).decode(errors="replace"))
    return None


def note_seen(wanted: Wanted, board: Board, version: Version) -> None:
    """Store a verified version. Raises OSError."""
    path = _file(wanted, board)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, f"FLATCAR_VERSION={version}\n")


def forget_seen() -> int:
    """Forget the newest version of every channel; return the number of channels. Raises OSError."""
    found = sorted(flatcar_dir().glob(f"*/*/current*/{VERSION_FILE}"))
    for path in found:
        path.unlink()
    return len(found)


def _file(wanted: Wanted, board: Board) -> Path:
    return flatcar_dir() / str(wanted.channel) / str(board) / wanted.pointer / VERSION_FILE
