"""Users of this host, and why the system refuses one of them a file: whose the obstacle is, and what opens the way."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REFUSALS = frozenset({errno.EACCES, errno.EPERM})


def user_name(uid: int) -> str:
    """Return the login name of a user ID, or its number in words."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"user {uid}"


def group_name(gid: int) -> str:
    """Return the name of a group ID, or its number in words."""
    try:
        import grp

        return grp.getgrgid(gid).gr_name
    except (ImportError, KeyError):
        return f"group {gid}"


def my_uid() -> int:
    """Return the user ID that files are opened as; -1 on a system without them."""
    return os.geteuid() if hasattr(os, "geteuid") else -1


def my_name() -> str:
    """Return the login name of the user that files are opened as. USER may name another one after su or sudo."""
    return user_name(my_uid())


def home_of(uid: int) -> Path | None:
    """Return the home that the user database names, if that folder exists."""
    try:
        import pwd

        home = Path(pwd.getpwuid(uid).pw_dir)
        return home if home.is_dir() else None
    except (ImportError, KeyError, OSError):
        return None


def is_listed_member(group: str) -> bool:
    """Return True if the group database lists this user, also when this login began before that."""
    try:
        import grp

        return my_name() in grp.getgrnam(group).gr_mem
    except (ImportError, KeyError):
        return False


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """The file or folder that refuses a user: `path`, its owner, and its mode."""

    path: Path
    uid: int
    gid: int
    mode: int

    def __str__(self) -> str:
        return self.of(None)

    def of(self, asked: Path | None) -> str:
        """Describe it in a sentence about the path `asked`, which may be the obstacle itself."""
        it = "it" if asked == self.path else f'"{self.path}"'
        if self.uid == my_uid():
            if self.mode & 0o700 == 0o700:
                return f"{it} is yours, and something else than its mode {self.mode:04o} refuses you"
            return f"{it} is yours, and its mode {self.mode:04o} refuses you"
        return f'{it} belongs to "{user_name(self.uid)}" (mode {self.mode:04o}), and you are "{my_name()}"'

    @property
    def is_in_my_home(self) -> bool:
        """True for what is in this user's home. Accounts of services have a home of root's, such as /usr/sbin or /."""
        home = home_of(my_uid())
        return home is not None and home in self.path.parents and home.stat().st_uid == my_uid()

    @property
    def cure(self) -> str:
        """The command that gives this user the file or folder with all that is in it, if it may be given to this user.

        What another account keeps outside of this user's home stays with that account.
        """
        path = shlex.quote(str(self.path))
        if self.uid == my_uid():
            return f"chmod -R u+rwX {path}"
        if not self.is_in_my_home:
            return f"ls -ld {path}   (shows whose it is: that user can let you in)"
        return f"sudo chown -R {my_name() if my_name().isalnum() else my_uid()}: {path}"


def find_obstacle(path: Path, *, write: bool = True) -> Obstacle | None:
    """Return the first file or folder on the way to `path` that refuses this user; None if nothing there does.

    What does not exist yet needs a folder above it that can be written to. A file system that is mounted read-only is no
    matter of rights.
    """
    there = Path("/")
    for below in (*reversed(path.absolute().parents), path.absolute()):
        try:
            about = below.stat()
        except FileNotFoundError:
            break
        except OSError:
            return None
        there = below
        if stat.S_ISDIR(about.st_mode) and not _allows(below, os.X_OK):
            return _obstacle(below, about)
    if write and os.statvfs(there).f_flag & os.ST_RDONLY:
        write = False
    needed = os.R_OK | (os.W_OK if write else 0)
    return None if _allows(there, needed) else _obstacle(there, there.stat())


def _allows(path: Path, mode: int) -> bool:
    if os.access in os.supports_effective_ids:
        return os.access(path, mode, effective_ids=True)
    return os.access(path, mode)


def _obstacle(path: Path, about: os.stat_result) -> Obstacle:
    return Obstacle(path=path, uid=about.st_uid, gid=about.st_gid, mode=stat.S_IMODE(about.st_mode))


def find_closed(path: Path, *, uid: int, gids: Sequence[int] = ()) -> Path | None:
    """Return the first folder on the way to a file that another user may not enter, by its mode; None if there is none."""
    for folder in reversed(path.absolute().parents):
        try:
            about = folder.stat()
        except OSError:
            return folder
        shift = 6 if about.st_uid == uid else 3 if about.st_gid in gids else 0
        if uid != 0 and not about.st_mode >> shift & 0o1:
            return folder
    return None


def why_refused(path: Path, error: OSError) -> str:
    """Return the reason for a refused file in words; the system's own words for anything but rights."""
    if error.errno in REFUSALS:
        obstacle = find_obstacle(path) or find_obstacle(path.parent)
        if obstacle:
            return obstacle.of(path)
    return error.strerror or str(error)
