"""The learners' work as one archive each. It is read as the seat's own user, so that no link leads to others' files."""

from __future__ import annotations

import os
import pwd
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flatkit.errors import FlatkitError, HostError
from flatkit.files import open_regular
from flatkit.run import run
from flatkit.seats.accounts import list_accounts
from flatkit.seats.ending import flatkit_as
from flatkit.seats.settings import Settings
from flatkit.untrusted import lines_of, printable
from flatkit.usage import FULL

# The file in the learner's own folder, to download from JupyterLab.
NAME = "my-work.zip"
# Larger files stay out, and what is beyond the sum; in bytes.
_FILE_MAX, _SUM_MAX, _FILES_MAX = 100 * 2**20, 500 * 2**20, 20000
_SECONDS = 300.0
_NAME_MAX = 200


@dataclass(frozen=True, kw_only=True)
class Archived:
    """One seat's archive; `fault` says why there is none. `left_out` has a line for each file that is not in it."""

    seat: str
    path: Path | None = None
    size: int = 0
    fault: str = ""
    left_out: tuple[str, ...] = ()


def pack(folder: Path) -> tuple[Path, list[str]]:
    """Write the archive of the course's folder into it; return its path, and a line for each file left out. Raises OSError."""
    target, left_out, total = folder / NAME, [], 0
    part = folder / f".{NAME}.part"

    def leave(path: str | Path, why: str) -> None:
        left_out.append(f"{printable(os.path.relpath(path, folder), limit=_NAME_MAX)}: {why}")

    def unread(error: OSError) -> None:
        leave(str(error.filename), error.strerror or str(error))

    part.unlink(missing_ok=True)  # of a run that was killed; nor is it written through a link or a FIFO
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for number, path in enumerate(_files(folder, unread)):
                try:
                    size = path.lstat().st_size
                    if path.is_symlink():
                        leave(path, "a link")
                    elif size > _FILE_MAX:
                        leave(path, f"larger than {_FILE_MAX // 2**20} MiB")
                    elif total + size > _SUM_MAX or number >= _FILES_MAX:
                        leave(path, "too much for one archive")
                    else:
                        archive.write(path, _stored_name(path.relative_to(folder)))
                        total += size
                except (OSError, ValueError) as error:
                    if getattr(error, "errno", None) in FULL:
                        raise  # the archive has no room, and would lack every file from here on
                    leave(path, getattr(error, "strerror", None) or str(error))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target, left_out


def _stored_name(path: Path) -> str:
    """Return the name in the archive, which is UTF-8: a byte that is not becomes its number, such as \\xff."""
    return os.fsencode(path.as_posix()).decode(errors="backslashreplace")


def _files(folder: Path, unread: Callable[[OSError], None]) -> Iterator[Path]:
    """Yield the files to keep: not hidden ones, nor earlier archives. Links are not followed."""
    for top, folders, names in os.walk(folder, onerror=unread):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        for name in sorted(names):
            path = Path(top) / name
            if name != NAME and not name.startswith(".") and (path.is_symlink() or path.is_file()):
                yield path


def archive_all(settings: Settings, *, now: datetime | None = None) -> list[Archived]:
    """Let each seat pack its work, and keep a copy for the trainer. A seat that cannot is in the result with its fault."""
    when = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S")
    folder = settings.archives / when
    users = list_accounts(settings.prefix)
    try:
        for path in (settings.archives, folder) if users else ():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
    except OSError as error:
        fault = f'the folder "{folder}" cannot be made: {error.strerror}'
        return [Archived(seat=user.pw_name.removeprefix(settings.prefix), fault=fault) for user in users]
    return [_archive_one(settings, user, folder) for user in users]


def _archive_one(settings: Settings, user: pwd.struct_passwd, folder: Path) -> Archived:
    seat = user.pw_name.removeprefix(settings.prefix)
    try:
        done = run(flatkit_as(settings, user, "seat", "pack"), cwd=Path("/"), timeout=_SECONDS, check=False)
        said = done.stdout.strip()
        if done.status:
            return Archived(seat=seat, fault=done.stderr.strip().removeprefix("flatkit: ") or f"status {done.status}")
        if not said:
            return Archived(seat=seat)  # this learner has no folder yet
        target = folder / f"{seat}.zip"
        _copy(Path(said), target, owner=user.pw_uid)
        left_out = tuple(printable(line) for line in lines_of(done.stderr) if line.strip())
        return Archived(seat=seat, path=target, size=target.stat().st_size, left_out=left_out)
    except (FlatkitError, OSError) as error:
        return Archived(seat=seat, fault=getattr(error, "message", None) or str(error))


def _copy(source: Path, target: Path, *, owner: int) -> None:
    """Copy a seat's archive. Its path comes from the seat: only a regular file of that user, not larger than allowed."""
    with open_regular(source) as file:
        about = os.fstat(file.fileno())
        if about.st_uid != owner or about.st_nlink != 1 or about.st_size > 2 * _SUM_MAX:
            raise HostError(f'"{printable(source)}" is not an archive of this seat')
        try:
            with target.open("xb") as copy:
                target.chmod(0o600)
                shutil.copyfileobj(file, copy)
        except OSError:
            with suppress(OSError):
                target.unlink()
            raise
