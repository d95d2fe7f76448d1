"""Content to serve, and the bytes of it for a request: entity tags and ranges as in RFC 9110.

A file is hashed once, when it is published. If its bytes change afterwards it is not served any more, since its entity
tag and the published hashes would be wrong. The bytes come from the very file that was checked. It is regular, and
below a given folder (a pack, which may come from others) without a link on the way.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from flatkit.errors import ImageError, InputError
from flatkit.files import open_below, open_regular

_Stamp = tuple[int, ...]
# A link that another process makes or removes changes a file's state too, and not its bytes.
_READINGS = 5
_CHUNK = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Content:
    """A file or a text: `path` or `data`. Digests in hex."""

    size: int
    sha256: str
    sha1: str
    path: Path | None = None
    below: Path | None = None
    data: bytes = b""
    media_type: str = "application/octet-stream"
    # Known states of the file, and whether its bytes were the published ones. A file system may change a file's inode
    # number, and a backup its modification time. Then the bytes decide, once for each state.
    stamps: dict[_Stamp, bool] = field(default_factory=dict, repr=False, compare=False)

    @property
    def etag(self) -> str:
        """A strong entity tag: equal bytes have the same one, on every server."""
        return f'"{self.sha256[:40]}"'

    def open(self) -> BinaryIO:
        """Open the bytes for reading. Raises ImageError when the file is gone or not the published one."""
        if self.path is None:
            return BytesIO(self.data)
        try:
            file = _open(self.path, self.below)
        except OSError as error:
            raise ImageError(f'"{self.path}" was published and cannot be read any more: {error.strerror}') from None
        try:
            if not self._is_known(file, self.path):
                raise ImageError(f'"{self.path}" has changed since it was published', hint="publish it again")
        except BaseException:
            file.close()
            raise
        return file

    def _is_known(self, file: BinaryIO, path: Path) -> bool:
        now = os.fstat(file.fileno())
        if now.st_size != self.size:
            return False
        stamp = _stamp(now)
        if stamp not in self.stamps:
            try:
                found = _measure(file, path)
                file.seek(0)
            except (OSError, InputError):
                return False
            self.stamps[stamp] = found.sha256 == self.sha256
        return self.stamps[stamp]


def _open(path: Path, below: Path | None) -> BinaryIO:
    return open_below(below, str(path.relative_to(below))) if below else open_regular(path)


def _stamp(found: os.stat_result) -> _Stamp:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def text_content(text: str, *, media_type: str = "text/plain") -> Content:
    """Return a text as content, kept in memory."""
    data = text.encode()
    return Content(
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        sha1=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        data=data,
        media_type=f"{media_type}; charset=utf-8",
    )


def file_content(path: Path) -> Content:
    """Return a file as content: one pass for both digests, little memory. Raises InputError when it cannot be read."""
    try:
        with open_regular(path) as file:
            return _measure(file, path)
    except OSError as error:
        raise _refused(path, f"cannot be published: {error.strerror}", None) from None


def known_content(path: Path, *, size: int, sha256: str, sha1: str, below: Path | None = None) -> Content:
    """Return a file with known size and digests as content; with `below`, one of that folder, reached without a link.

    Raises InputError when it cannot be read, or does not match.
    """
    try:
        with _open(path, below) as file:
            found = os.fstat(file.fileno()).st_size
            if found != size:
                raise _refused(path, f"has {found} bytes; expected {size}", below)
            content = _measure(file, path, below=below)
    except OSError as error:
        raise _refused(path, f"cannot be published: {error.strerror}", below) from None
    if (content.sha256, content.sha1) != (sha256, sha1):
        what = f"is not the file that was promised: its SHA-256 is {content.sha256}; expected {sha256}"
        raise _refused(path, what, below)
    return content


def _refused(path: Path, what: str, below: Path | None) -> InputError:
    """The error for a file that is not served; for one of a pack, the next step is to look at all of the pack."""
    shown = shlex.quote(str(below or path))
    return InputError(f'"{path}" {what}', hint=f"flatkit room check {shown}" if below else f"ls -l {shown}")


def _measure(file: BinaryIO, path: Path, *, below: Path | None = None) -> Content:
    """Take the digests of an open file of its present size. Raises OSError, InputError when it changes meanwhile."""
    for _ in range(_READINGS):
        content = _read_through(file, path, below)
        if content is not None:
            return content
        file.seek(0)
    raise _refused(path, "cannot be published: it changes while it is read", below)


def _read_through(file: BinaryIO, path: Path, below: Path | None) -> Content | None:
    """Return a file as content, None if it was changed meanwhile."""
    # Omaha's protocol has a field for SHA-1. SHA-256 and the signature are what is checked.
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    before = os.fstat(file.fileno())
    left = before.st_size
    while left and (piece := file.read(min(_CHUNK, left))):
        left -= len(piece)
        sha256.update(piece)
        sha1.update(piece)
    if left or _stamp(os.fstat(file.fileno())) != _stamp(before):
        return None
    return Content(
        size=before.st_size, sha256=sha256.hexdigest(), sha1=sha1.hexdigest(), path=path, below=below,
        stamps={_stamp(before): True},
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The answer: a status (200, 206, 304, 416) and the range of bytes that goes with it."""

    status: int
    start: int = 0
    count: int = 0


def select(content: Content, *, wanted: str = "", if_range: str = "", if_none_match: str = "") -> Selection:
    """Evaluate the headers Range, If-Range and If-None-Match of a GET or HEAD.

    A Range that is invalid, or asks for several ranges, is ignored as RFC 9110 allows: the whole is sent.
    """
    if if_none_match and _matches(content.etag, if_none_match):
        return Selection(status=304)
    whole = Selection(status=200, count=content.size)
    if not wanted or (if_range and if_range.strip() != content.etag):
        return whole
    match = re.fullmatch(r"\s*bytes\s*=\s*([0-9]{0,18})-([0-9]{0,18})\s*", wanted, re.IGNORECASE)
    if not match or not any(match.groups()):
        return whole
    first, last = match.groups()
    if not first:  # a suffix range: the last bytes
        count = min(int(last), content.size)
        return Selection(status=206, start=content.size - count, count=count) if count else Selection(status=416)
    if last and int(last) < int(first):
        return whole
    if int(first) >= content.size:
        return Selection(status=416)
    end = min(int(last) + 1, content.size) if last else content.size
    return Selection(status=206, start=int(first), count=end - int(first))


def _matches(etag: str, listed: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in listed.split(",")}
    return "*" in tags or etag in tags
