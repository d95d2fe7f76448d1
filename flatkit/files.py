"""Files that others may have touched: read regular files alone, follow no link below a folder, write whole files or none."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO


def open_regular(path: str | os.PathLike[str], *, dir_fd: int | None = None, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, also for a FIFO, device or folder; with `follow=False` for a link.

    The open itself never waits: a FIFO without a writer is refused like one that has a writer.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags, dir_fd=dir_fd)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def open_below(folder: Path, inside: str) -> BinaryIO:
    """Open a regular file below a folder, following no link on the way from the folder. Raises OSError.

    `inside` is a relative path; `..`, absolute paths and empty ones are refused.
    """
    parts = PurePosixPath(inside).parts
    if not parts or inside.startswith("/") or ".." in parts or "\0" in inside:
        raise OSError(errno.EINVAL, "not a path below the folder", inside)
    current = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            os.close(current)
            current = below
        return open_regular(parts[-1], dir_fd=current, follow=False)
    finally:
        os.close(current)


def read_regular(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes. Raises OSError (EFBIG for a larger one)."""
    with open_regular(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit} bytes", os.fspath(path))
    return data


def write_atomic(path: Path, data: str | bytes, *, mode: int = 0o644) -> None:
    """Write a whole file: to a temporary file beside it, synced, then renamed. Raises OSError; leaves no partial file.

    A link at `path` is replaced, never written through. `mode` is set whatever the umask says.
    """
    raw = data.encode() if isinstance(data, str) else data
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """Return the digest of a file in lower-case hex. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
