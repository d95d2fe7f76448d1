"""What can be served, and which bytes of it a request wants: entity tags and ranges as in RFC 9110.

A file is measured once, when it is published; if it changes afterwards it is not served any more, since its entity tag
and the hashes that were promised would be wrong.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from flatkit.errors import ImageError, InputError

_CHUNK = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Content:
    """A file or a text: `path` or `data`. Digests in hex."""

    size: int
    sha256: str
    sha1: str
    path: Path | None = None
    changed_ns: int = 0
    data: bytes = b""
    media_type: str = "application/octet-stream"

    @property
    def etag(self) -> str:
        """A strong entity tag: the same bytes have the same one, on every server."""
        return f'"{self.sha256[:40]}"'

    def open(self) -> BinaryIO:
        """The bytes to read. Raises ImageError when the file is gone or not the one that was published."""
        if self.path is None:
            return BytesIO(self.data)
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise ImageError(f'"{self.path}" was published and cannot be read any more: {error.strerror}') from None
        now = os.fstat(file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self.size, self.changed_ns):
            file.close()
            raise ImageError(f'"{self.path}" has changed since it was published', hint="publish it again")
        return file


def text_content(text: str, *, media_type: str = "text/plain") -> Content:
    """A text that is held in memory."""
    data = text.encode()
    return Content(
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        sha1=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        data=data,
        media_type=f"{media_type}; charset=utf-8",
    )


def file_content(path: Path) -> Content:
    """Measure a file: one pass for both digests, little memory. Raises InputError when it cannot be read."""
    # SHA-1 is what Omaha's protocol has a field for; what is checked are SHA-256 and the signature.
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    try:
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                sha256.update(piece)
                sha1.update(piece)
            found = os.fstat(file.fileno())
    except OSError as error:
        raise InputError(f'"{path}" cannot be published: {error.strerror}') from None
    return Content(
        size=found.st_size, sha256=sha256.hexdigest(), sha1=sha1.hexdigest(), path=path, changed_ns=found.st_mtime_ns
    )


def known_content(path: Path, *, size: int, sha256: str, sha1: str) -> Content:
    """A file whose digests somebody has taken already: nothing is read. Raises InputError when its size is another one."""
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f'"{path}" cannot be published: {error.strerror}') from None
    if found.st_size != size:
        raise InputError(f'"{path}" has {found.st_size} bytes; expected {size}')
    return Content(size=size, sha256=sha256, sha1=sha1, path=path, changed_ns=found.st_mtime_ns)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What to answer: a status (200, 206, 304, 416) and the stretch of bytes that goes with it."""

    status: int
    start: int = 0
    count: int = 0


def select(content: Content, *, wanted: str = "", if_range: str = "", if_none_match: str = "") -> Selection:
    """Judge the headers Range, If-Range and If-None-Match of a GET or HEAD.

    A Range that is not understood, or asks for several stretches, is left aside as RFC 9110 allows: the whole is sent.
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
    if not first:  # the last so many bytes
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
