"""A host has one room: its seats are the accounts `seat-NAME`, and its unit has one name. A second one would remove the first's.

A file outside of every state folder says where the room is, since FLATKIT_STATE may name another folder each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flatkit.files import read_regular, save
from flatkit.seats.accounts import list_accounts
from flatkit.seats.check import SizeFinding
from flatkit.seats.names import PREFIX
from flatkit.untrusted import printable, shell_word

PLACE = Path("/etc/flatkit-room")
_LIMIT, _SHOWN = 4096, 5


def claim(folder: Path) -> None:
    """Keep that the room of this host is in `folder`. Raises OSError."""
    save(PLACE, f"{folder}\n", mode=0o644)


def give_up(folder: Path) -> None:
    """Forget the room of this host, if it is the one in `folder`."""
    if _claimed() == folder:
        PLACE.unlink(missing_ok=True)


def find_obstacle(folder: Path) -> Iterator[SizeFinding]:
    """Yield why the room in `folder` cannot be on this host: another one is, or its seats are left."""
    other = _claimed()
    if other and other != folder and _is_there(other):
        words = f'it is in "{printable(other)}" already, and a host has one: both would have the accounts {PREFIX}NAME'
        fix = f"export FLATKIT_STATE={shell_word(other.parent)}   (then flatkit seats up uses it, flatkit seats down removes it)"
        yield SizeFinding(name="room", level="fail", words=words, fix=fix)
    elif not folder.exists() and (left := [user.pw_name for user in list_accounts(PREFIX)]):
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        words = (
            f"accounts of another room are left, and a learner who takes such a name would have its files: "
            f"{', '.join(left[:_SHOWN])}{more}"
        )
        fix = f"export FLATKIT_STATE=FOLDER   (of that room), or: userdel --remove {left[0]}   (with all of its files)"
        yield SizeFinding(name="room", level="fail", words=words, fix=fix)


def _claimed() -> Path | None:
    try:
        text = read_regular(PLACE, limit=_LIMIT).decode(errors="replace").strip()
    except OSError:
        return None
    return Path(text) if text.startswith("/") else None


def _is_there(folder: Path) -> bool:
    try:
        return (folder / "room.json").exists()
    except OSError:
        return True  # in a folder that only root may enter
