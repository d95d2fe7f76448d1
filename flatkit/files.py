"""Files that others may have touched: read only regular files, follow no link below a folder, write whole files or none."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar

from flatkit.errors import MissingDependency
from flatkit.usage import saying_disk_full

_PARTIAL = ".part"
_T = TypeVar("_T", dict[Any, Any], list[Any])
_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a block device",
}  # fmt: skip


def kind_of(mode: int) -> str:
    """Return what a file is by its mode, such as "a device"; "" for a regular file."""
    return "" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "of a kind that is not known")


def open_regular(path: str | os.PathLike[str], *, dir_fd: int | None = None, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, also for a FIFO, device or folder; with `follow=False` for a link.

    The open never blocks: a FIFO is refused with and without a writer.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket, or a device that is not there: "No such device or address"
            _refuse_kind(os.stat(path, dir_fd=dir_fd, follow_symlinks=follow).st_mode, path)
        raise
    try:
        _refuse_kind(os.fstat(descriptor).st_mode, path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _refuse_kind(mode: int, path: str | os.PathLike[str]) -> None:
    if kind := kind_of(mode):
        raise OSError(errno.EINVAL, f"not a regular file, but {kind}", os.fspath(path))


def open_below(folder: Path, inside: str) -> BinaryIO:
    """Open a regular file below a folder, following no link on the way from the folder. Raises OSError.

    `inside` is a relative path; `..`, absolute paths and empty ones are refused.
    """
    with _parent_below(folder, inside) as (parent, name):
        try:
            return open_regular(name, dir_fd=parent, follow=False)
        except OSError as error:
            raise _told(error, name, parent) from None


@contextmanager
def replace_below(folder: Path, inside: str, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Write a file below a folder; it replaces the old one when the block ends. Raises OSError.

    Missing folders are created. Links on the way are not followed, and a link in the file's place is replaced. After an
    exception the old file remains. A leftover of a killed writer (`.NAME.part`) is overwritten.
    """
    with _parent_below(folder, inside, make=True) as (parent, name):
        partial = f".{name}.part"
        with suppress(FileNotFoundError):
            os.unlink(partial, dir_fd=parent)
        descriptor = os.open(
            partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=parent
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                yield file
            os.replace(partial, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial, dir_fd=parent)
            raise


def remove_below(folder: Path, inside: str) -> None:
    """Remove a file below a folder, if there is one. Raises OSError.

    No link is followed; a link in the file's place is removed itself.
    """
    with suppress(FileNotFoundError), _parent_below(folder, inside) as (parent, name):
        os.unlink(name, dir_fd=parent)


@contextmanager
def _parent_below(folder: Path, inside: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Open the folder that contains a path below `folder`; yield its descriptor and the last part of the path."""
    parts = PurePosixPath(inside).parts
    if not parts or inside.startswith("/") or ".." in parts or "\0" in inside:
        raise OSError(errno.EINVAL, "not a path below the folder", inside)
    current = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=current)
            try:
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            except OSError as error:
                raise _told(error, part, current) from None
            os.close(current)
            current = below
        yield current, parts[-1]
    finally:
        os.close(current)


def _told(error: OSError, name: str, parent: int) -> OSError:
    """Return the error of an open, in clear words for a link: the system says "Not a directory" for some."""
    with suppress(OSError):
        if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            return OSError(errno.ELOOP, f'"{name}" is a symbolic link, which is not followed', name)
    return error


def read_head(path: str | os.PathLike[str], size: int) -> bytes:
    """Read at most the first `size` bytes of a regular file. Raises OSError, also where the kernel has none yet (/proc/kmsg)."""
    with open_regular(path) as file:
        data: bytes | None = file.read(size)
    if data is None:
        raise OSError(errno.EAGAIN, "it has no bytes to read now", os.fspath(path))
    return data


def read_regular(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes. Raises OSError (EFBIG for a larger one)."""
    data = read_head(path, limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit} bytes", os.fspath(path))
    return data


def read_named(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """Read a file that the user named, a pipe as well. Raises OSError (EFBIG for more than `limit` bytes, which are not read)."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        if error.errno == errno.ENXIO:
            _refuse_kind(os.stat(path).st_mode, path)  # noqa: PTH116
        raise
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit} bytes", os.fspath(path))
    return data


def read_data(path: Path, kind: type[_T]) -> _T:
    """Read the package's own data, JSON or (`.yaml`) YAML, whose top level is a dict or a list. Raises MissingDependency.

    The package's data are trusted: they have no bounds, and no checks of single fields.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = _parse_yaml(text) if path.suffix == ".yaml" else json.loads(text)
        if not isinstance(value, kind):
            raise ValueError(f"its top level is not a {kind.__name__}")  # noqa: TRY004
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise MissingDependency(
            f'"{path}", a file of flatkit itself, cannot be read: {why}; expected it as flatkit was installed',
            hint="pip install --force-reinstall flatkit",
        ) from None
    return value


def _parse_yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def write_atomic(path: Path, data: str | bytes, *, mode: int = 0o644) -> None:
    """Write a whole file: to a temporary file beside it, synced, then renamed. Raises OSError; leaves no partial file.

    A link at `path` is replaced, never written through. `mode` is set independently of the umask.
    """
    raw = data.encode() if isinstance(data, str) else data
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PARTIAL, dir=path.parent)
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


def save(path: Path, data: str | bytes, *, mode: int = 0o644) -> None:
    """Write one of flatkit's own files as `write_atomic` does. Raises OSError, and HostError if the disk is full."""
    with saying_disk_full(path.parent):
        write_atomic(path, data, mode=mode)


def remove_partials(path: Path) -> None:
    """Remove the temporary files that killed writers left beside `path`. Call it only when no other writer can be active."""
    with suppress(OSError):
        for found in path.parent.iterdir():
            if found.name.startswith(f".{path.name}.") and found.name.endswith(_PARTIAL):
                with suppress(OSError):
                    found.unlink()


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """Return the digest of a file in lower-case hex. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
