"""Downloads one large file: resumes where it stopped, hashes while writing, reports rate and time left.

A download may take any time as long as it makes progress (`Timeouts`). It never fills the last GiB of a disk
(`cache.KEPT_FREE`). Beside FILE.part is FILE.part.json with its address, entity tag and size. A part whose record does
not match is deleted. The result is not trusted yet: fetch.py verifies it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from flatkit import web
from flatkit.errors import Cancelled, FetchError, FlatkitError, HostError, ImageError
from flatkit.events import Observer, Progressed, Said
from flatkit.fields import Fields, to_json
from flatkit.files import open_regular, read_regular
from flatkit.images.cache import KEPT_FREE, measure_spare
from flatkit.images.mirrors import Timeouts, with_tries
from flatkit.untrusted import parse_json, printable

_CHUNK = 1024 * 1024
_RECORD_LIMIT = 64 * 1024
# Far larger than any file that Flatcar publishes: an endless download stops before it fills a large disk.
_LARGEST = 32 * 1024**3
_SAY_EVERY = 0.5
_RATE_OVER = 10.0


@dataclass(frozen=True, kw_only=True)
class PartRecord:
    """Source of a partial file; `size` in bytes, 0 when the server did not send it."""

    url: str
    etag: str = ""
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """A whole file, still under its partial name. `resumed`: put together from several answers. `rate` in bytes a second."""

    part: Path
    size: int
    sha512: str
    resumed: bool
    rate: float


class DownloadProgress:
    """Reports a download's progress to the observer, at most twice a second."""

    def __init__(self, observer: Observer, phase: str, *, total: int = 0) -> None:
        self._observer, self._phase, self.total = observer, phase, total
        self._points: deque[tuple[float, int]] = deque()
        self._said = 0.0

    def move(self, done: int, *, now: float | None = None) -> None:
        """Report that so many bytes are there."""
        at = time.monotonic() if now is None else now
        self._points.append((at, done))
        while at - self._points[0][0] > _RATE_OVER:
            self._points.popleft()
        if at - self._said >= _SAY_EVERY or done == self.total:
            self._said = at
            self._observer.notify(
                Progressed(
                    phase=self._phase,
                    done=round(done / 1e6, 1),
                    total=round(self.total / 1e6, 1),
                    unit="MB",
                    note=self.note,
                )
            )

    @property
    def rate(self) -> float:
        """Bytes a second over the last seconds, 0 when still unknown."""
        (begin, first), (end, last) = self._points[0], self._points[-1]
        return (last - first) / (end - begin) if end > begin else 0.0

    @property
    def note(self) -> str:
        """Rate and time left, in words."""
        if self.rate <= 0:
            return ""
        left = (self.total - self._points[-1][1]) / self.rate
        return f"{self.rate / 1e6:.1f} MB/s" + (f", {say_seconds(left)} left" if self.total else "")


def say_seconds(seconds: float) -> str:
    """Return a duration in words."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class Download:
    """A download from `url` (an address, or a path) to `part`. Not thread-safe; the caller holds a lock.

    `on_size` is called once, before the rest arrives, with the bytes that are here and the total (0: unknown). `limit`
    is the file's maximum size in bytes. `is_kept`: an error leaves the part for the next time.
    """

    def __init__(
        self,
        url: str,
        part: Path,
        *,
        observer: Observer,
        patience: Timeouts | None = None,
        cancel: threading.Event | None = None,
        limit: int = _LARGEST,
        is_kept: bool = True,
        on_size: Callable[[int, int], None] = lambda have, total: None,  # noqa: ARG005
    ) -> None:
        self._url, self._part, self._observer, self._cancel, self._on_size = url, part, observer, cancel, on_size
        self._patience = patience or Timeouts()
        self._limit, self._is_kept = limit, is_kept
        self._record_file = part.with_name(part.name + ".json")
        self._hash = hashlib.sha512()
        self._have = 0
        self._resumed = False
        self._announced = False

    def run(self) -> Downloaded:
        """Fetch to the end. Raises FetchError, ImageError (too large), HostError (no room), Cancelled.

        The part stays for the next time, unless it is too large.
        """
        try:
            return self._run()
        except Cancelled:
            raise self._cancelled() from None

    def _run(self) -> Downloaded:
        began = time.monotonic()
        self._begin()
        at_first = self._have
        while True:
            before = self._have
            try:
                size = with_tries(self._once, patience=self._patience, cancel=self._cancel, observer=self._observer)
                break
            except FetchError as error:
                # Only tries in a row without progress count: a slow line that keeps moving is usable.
                if not error.passing or self._have - before <= self._patience.least:
                    raise
        self._record_file.unlink(missing_ok=True)
        rate = (self._have - at_first) / max(time.monotonic() - began, 1e-6)
        return Downloaded(part=self._part, size=size, sha512=self._hash.hexdigest(), resumed=self._resumed, rate=rate)

    def _begin(self) -> None:
        """Take over the part of an earlier try, if its record has this address."""
        record = self._read_record()
        if record and record.url == self._url and self._part.is_file():
            with self._part.open("rb") as file:
                while piece := file.read(_CHUNK):
                    self._check_cancel()
                    self._hash.update(piece)
                    self._have += len(piece)
            self._resumed = self._have > 0
        else:
            self._start_over("")

    def _start_over(self, why: str) -> None:
        if why:
            self._observer.notify(Said(text=f"{why}: fetching it from the start"))
        self._part.unlink(missing_ok=True)
        self._record_file.unlink(missing_ok=True)
        self._hash, self._have, self._resumed = hashlib.sha512(), 0, False

    def _read_record(self) -> PartRecord | None:
        try:
            values = parse_json(read_regular(self._record_file, limit=_RECORD_LIMIT))
            return Fields(values, limit=_RECORD_LIMIT, strict=True).build(PartRecord)
        except (OSError, ValueError, TypeError):
            return None

    def _once(self) -> int:
        """Make one connection; return the whole size when all is there. Raises FetchError otherwise."""
        if not web.is_address(self._url):
            return self._copy()
        record = self._read_record()
        with web.open_stream(
            self._url,
            start=self._have,
            etag=record.etag if record else "",
            timeout=self._patience.timeout,
            cancel=self._cancel,
        ) as stream:
            if stream.status == 416:
                have, is_same = self._have, bool(record and record.etag and record.etag == stream.etag)
                self._start_over("the server has no such part of the file any more")
                if record and is_same:
                    # The same file, and nothing after the bytes that are here: the server had announced too large a
                    # size.
                    raise FetchError(
                        f'"{printable(self._url)}" ended after {have} of {record.size} bytes', passing=True
                    )
                raise FetchError(f'"{printable(self._url)}" has changed', passing=True)
            if stream.status not in {200, 206}:
                raise web.refusal(self._url, stream.status)
            self._fit(stream, record)
            first = stream.read(_CHUNK)
            if self._have == 0 and web.is_page(stream.headers, first):
                raise web.captive(self._url, stream.final_url)
            total = stream.total or 0
            self._prepare(PartRecord(url=self._url, etag=stream.etag, size=total))
            return self._receive(stream, first, total)

    def _fit(self, stream: web.Stream, record: PartRecord | None) -> None:
        """Start over unless the answer continues exactly where the part ends, and is of the same file."""
        if not self._have:
            if stream.start != 0:
                raise FetchError(f'"{printable(self._url)}" gave a part of the file that nobody asked for')
            return
        if stream.status == 200:
            self._start_over("the file on the server has changed, or the server cannot go on with a part")
            return
        is_same = record and record.etag == stream.etag and record.size == (stream.total or 0)
        if stream.start != self._have or not is_same:
            self._start_over("the file on the server has changed meanwhile")
            raise FetchError(f'"{printable(self._url)}" has changed', passing=True)
        self._resumed = True

    def _prepare(self, record: PartRecord) -> None:
        """Check the room on the disk, report the size, and record the part's source."""
        self._check_limit(record.size)
        missing = max(record.size - self._have, 0)
        spare = measure_spare(self._part.parent)
        if spare < missing:
            raise HostError(
                f'"{self._part.parent}" has {(spare + KEPT_FREE) // 10**6} MB free, and {(missing + KEPT_FREE) // 10**6} MB are '
                f"needed: {missing // 10**6} MB for the file, and {KEPT_FREE // 10**6} MB that stay free",
                hint="flatkit images list   (then flatkit images rm NAME, or set FLATKIT_CACHE to a larger disk)",
            )
        self._record_file.write_text(json.dumps(to_json(record)) + "\n")
        if not self._announced:
            self._announced = True
            self._on_size(self._have, record.size)

    def _receive(self, stream: web.Stream, first: bytes, total: int) -> int:
        progress = DownloadProgress(self._observer, "fetch", total=total)
        watch = _Watch(self._patience)
        with self._open_part() as file:
            piece = first
            while piece:
                self._check_cancel()
                self._write(file, piece)
                progress.move(self._have)
                watch.took(len(piece), url=self._url)
                piece = stream.read(_CHUNK)
        if total and self._have < total:
            raise FetchError(f'"{printable(self._url)}" ended after {self._have} of {total} bytes', passing=True)
        return self._have

    def _copy(self) -> int:
        """Copy from a folder: a mirror on a disk."""
        try:
            with open_regular(self._url) as file:
                total = os.fstat(file.fileno()).st_size
                self._start_over("")
                self._prepare(PartRecord(url=self._url, size=total))
                progress = DownloadProgress(self._observer, "fetch", total=total)
                with self._open_part() as target:
                    while piece := file.read(_CHUNK):
                        self._check_cancel()
                        self._write(target, piece)
                        progress.move(self._have)
        except FlatkitError:  # some are OSErrors as well
            raise
        except FileNotFoundError:
            raise FetchError(f'"{printable(self._url)}" is not there') from None
        except OSError as error:
            raise FetchError(f'"{printable(self._url)}" cannot be copied: {error.strerror}') from None
        return self._have

    def _open_part(self) -> BinaryIO:
        # Unbuffered: a buffer that a full disk refused would be written again on closing, and fail there without a
        # message.
        return cast("BinaryIO", self._part.open("ab", buffering=0))

    def _write(self, file: BinaryIO, piece: bytes) -> None:
        self._check_limit(self._have + len(piece))
        if measure_spare(self._part.parent) < len(piece):
            raise self._no_room()
        try:
            left = memoryview(piece)
            while left:
                left = left[file.write(left) :]
            file.flush()
        except OSError as error:
            raise disk_trouble(self._part.parent, error) from None
        self._hash.update(piece)
        self._have += len(piece)

    def _check_limit(self, size: int) -> None:
        if size > self._limit:
            self._start_over("")
            raise ImageError(
                f'"{printable(self._url)}" is larger than the {self._limit} bytes that it may have: it was removed',
                hint="report it to the operator of the server",
            )

    def _no_room(self) -> HostError:
        folder, kept = self._part.parent, KEPT_FREE // 10**6
        what = f'"{self._part}" was stopped after {self._have // 10**6} MB: {kept} MB of the disk stay free'
        if self._is_kept:
            words = shlex.join(["rm", "--", str(self._part), str(self._record_file)])
            return HostError(what, hint=f"{words}   (removes what has come), or free some space and try again")
        return HostError(
            f"{what}; it was removed", hint=f'free some space in "{folder}", or set FLATKIT_CACHE to a larger disk'
        )

    def _check_cancel(self) -> None:
        if self._cancel and self._cancel.is_set():
            raise self._cancelled()

    def _cancelled(self) -> Cancelled:
        if not self._is_kept:
            return Cancelled("the download was stopped")
        return Cancelled(
            "the download was stopped; what has come so far is kept", hint="the same command continues with it"
        )


def disk_trouble(folder: Path, error: OSError) -> HostError:
    """Return the error for a full or failing disk."""
    return HostError(
        f'"{folder}" cannot be written to: {error.strerror}',
        hint="free some space (flatkit images list, flatkit images rm NAME), or set FLATKIT_CACHE to a larger disk",
    )


class _Watch:
    """Detects a connection that is open and brings almost nothing."""

    def __init__(self, patience: Timeouts) -> None:
        self._patience = patience
        self._since, self._bytes = time.monotonic(), 0

    def took(self, count: int, *, url: str) -> None:
        """Count the bytes that arrived. Raises FetchError for far too few over a stretch of time."""
        self._bytes += count
        past = time.monotonic() - self._since
        if past < self._patience.stall:
            return
        if self._bytes < self._patience.slowest * past:
            least = self._patience.slowest
            raise FetchError(
                f'"{printable(url)}" is too slow: {self._bytes} bytes in {past:.0f} s; expected {least:.0f} bytes a second',
                passing=True,
            )
        self._since, self._bytes = time.monotonic(), 0
