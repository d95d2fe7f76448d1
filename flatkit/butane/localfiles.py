"""The files below --files-dir: the only thing outside the text that a translation reads.

Paths are joined and cleaned as Go does it, and errors are worded as Go words them, since Butane prints them as they are.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from flatkit.butane import messages
from flatkit.butane.wording import Wording

# More than this no Ignition config can carry; it also stops a link to something endless.
MAX_FILE = 512 * 1024 * 1024


class LocalFault(Exception):
    """A local file cannot be read."""

    def __init__(self, message: Wording) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeEntry:
    """One thing found in a tree. `fault` is set when it cannot be used."""

    relative: str
    source: str
    is_link: bool = False
    is_directory: bool = False
    executable: bool = False
    fault: Wording | None = None


def clean(path: str) -> str:
    """A path as Go's filepath.Clean gives it."""
    rooted = path.startswith("/")
    out: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if out and out[-1] != "..":
                out.pop()
            elif not rooted:
                out.append(part)
        else:
            out.append(part)
    return ("/" if rooted else "") + "/".join(out) or "."


def join(*parts: str) -> str:
    """Paths joined as Go's filepath.Join does."""
    kept = [part for part in parts if part]
    return clean("/".join(kept)) if kept else ""


def go_error(verb: str, path: str, error: OSError | ValueError) -> Wording:
    """An error in Go's words; a ValueError is about a NUL in the path."""
    if not isinstance(error, OSError):
        return messages.LOCAL_UNREADABLE(verb=verb, path=path, reason="invalid argument")
    text = os.strerror(error.errno) if error.errno else str(error)
    return messages.LOCAL_UNREADABLE(verb=verb, path=path, reason=text[:1].lower() + text[1:])


class LocalFiles:
    """Reads below one directory; "" or None: there is none."""

    def __init__(self, files_dir: str | os.PathLike[str] | None) -> None:
        self.base = os.fspath(files_dir) if files_dir is not None else ""

    def locate(self, local: str) -> str:
        """The path of a local file. Raises LocalFault when there is no directory, or when the path leaves it."""
        if not self.base:
            raise LocalFault(messages.NO_FILES_DIR())
        path = join(self.base, local)
        base = clean(os.path.join(os.getcwd(), self.base))  # noqa: PTH109, PTH118  (Go's rules, not pathlib's)
        whole = clean(os.path.join(os.getcwd(), path))  # noqa: PTH109, PTH118
        if whole != base and not whole.startswith(base.rstrip("/") + "/"):
            raise LocalFault(messages.OUTSIDE_FILES_DIR())
        return path

    def read(self, local: str) -> bytes:
        """The contents of a local file. Raises LocalFault."""
        return read_file(self.locate(local))

    def tree(self, local: str) -> Iterator[TreeEntry]:
        """Yield a local directory and its contents, in byte order of the names, depth first. Raises LocalFault."""
        top = self.locate(local)
        try:
            info = os.stat(top)  # noqa: PTH116
        except (OSError, ValueError) as error:
            raise LocalFault(go_error("stat", top, error)) from None
        if not stat.S_ISDIR(info.st_mode):
            raise LocalFault(messages.TREE_NOT_DIRECTORY())
        if os.path.islink(top):  # noqa: PTH114
            return iter((TreeEntry(relative=".", source=top, is_link=True),))
        return _walk(top)


def read_file(path: str) -> bytes:
    """Return a regular file's bytes. Raises LocalFault, for other kinds of files too: reading them may never end."""
    try:
        # Without O_NONBLOCK a FIFO that nobody writes to would stop us here for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise LocalFault(go_error("open", path, error)) from None
    try:
        info = os.fstat(handle)
        if stat.S_ISDIR(info.st_mode):
            raise LocalFault(go_error("read", path, OSError(errno.EISDIR, "")))
        if not stat.S_ISREG(info.st_mode):
            raise LocalFault(messages.LOCAL_UNREADABLE(verb="read", path=path, reason="not a regular file"))
        if info.st_size > MAX_FILE:
            reason = f"{info.st_size} bytes are more than the {MAX_FILE} that flatkit embeds"
            raise LocalFault(messages.LOCAL_UNREADABLE(verb="read", path=path, reason=reason))
        with os.fdopen(os.dup(handle), "rb") as file:
            return file.read(MAX_FILE)
    except OSError as error:
        raise LocalFault(go_error("read", path, error)) from None
    finally:
        os.close(handle)


def _walk(top: str) -> Iterator[TreeEntry]:
    # A stack of iterators, not recursion: a tree may be deeper than Python's stack.
    yield TreeEntry(relative=".", source=top, is_directory=True)
    stack = [_children(top, "")]
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
        elif isinstance(child, TreeEntry):
            yield child
        else:
            yield TreeEntry(relative=child[1], source=child[0], is_directory=True)
            stack.append(_children(*child))


def _children(folder: str, relative: str) -> Iterator[TreeEntry | tuple[str, str]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield TreeEntry(relative=relative, source=folder, fault=go_error("open", folder, error))
        return
    for entry in entries:
        path, below = f"{folder}/{entry.name}", f"{relative}/{entry.name}" if relative else entry.name
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except OSError as error:
            yield TreeEntry(relative=below, source=path, fault=go_error("lstat", path, error))
            continue
        if stat.S_ISDIR(mode):
            yield path, below
        elif stat.S_ISREG(mode):
            yield TreeEntry(relative=below, source=path, executable=bool(mode & 0o111))
        elif stat.S_ISLNK(mode):
            yield TreeEntry(relative=below, source=path, is_link=True)
        else:
            yield TreeEntry(relative=below, source=path, fault=messages.TREE_FILE_TYPE())
