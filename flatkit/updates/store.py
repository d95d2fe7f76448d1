"""Stores the update server's state in one small file, which a notebook beside the server also reads and changes.

A lock serializes changes, and a change replaces the file whole: a reader sees the state before or after it. An invalid
file is reported and never overwritten.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flatkit import paths
from flatkit.accounts import REFUSALS, why_refused
from flatkit.errors import HostError
from flatkit.files import read_regular, remove_partials, write_atomic
from flatkit.locks import locked
from flatkit.untrusted import parse_json, printable
from flatkit.updates.model import Book, book_as_json, parse_book

STATE_MAX = 64 * 1024 * 1024
_LOCK_SECONDS = 30.0


class Store:
    """The file at `path`; its folder is created by the first write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that all changes use. Raises HostError when the folder is unusable."""
        with ExitStack() as held:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(self._path.with_name(f"{self._path.name}.lock"), wait=_LOCK_SECONDS))
            except OSError as error:  # TimeoutError is one
                raise self._fault(error) from None
            yield

    def read(self) -> Book | None:
        """Return the book in the file; None when it is unchanged since the last read or write, or absent.

        Raises HostError for an unreadable or invalid file.
        """
        try:
            found = self._mark()
            if found == self._seen:
                return None
            book = parse_book(parse_json(read_regular(self._path, limit=STATE_MAX), limit=STATE_MAX))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._fault(error) from None
        except ValueError as error:
            aside = self._path.with_name(f"{self._path.name}.broken")
            raise HostError(
                f'the state of the update server cannot be kept in "{self._path}", which is not understood: '
                f"{printable(error)}",
                hint=f"mv {shlex.quote(str(self._path))} {shlex.quote(str(aside))}   "
                "(it then starts with no channels and no machines)",
            ) from None
        self._seen = found
        return book

    def write(self, book: Book) -> None:
        """Replace the file. Call it only while the lock is held. Raises HostError."""
        data = json.dumps(book_as_json(book)).encode()
        if len(data) > STATE_MAX:
            raise self._fault(OSError(0, f"it would have {len(data)} bytes; expected at most {STATE_MAX}"))
        remove_partials(self._path)  # of a killed process: no other process writes now
        try:
            write_atomic(self._path, data, mode=0o600)
            self._seen = self._mark()
        except OSError as error:
            raise self._fault(error) from None

    def _mark(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _fault(self, error: OSError) -> HostError:
        why = f'the state of the update server cannot be kept in "{self._path}": {why_refused(self._path, error)}'
        if error.errno in REFUSALS:
            return HostError(why, hint=paths.way_out(self._path, error))
        return HostError(
            why,
            hint=f"ls -l {shlex.quote(str(self._path.parent))}   (who may write there); df   (whether the disk is full)",
        )
