"""Keeps what the update server knows in one small file, which a notebook beside the server reads and changes as well.

A lock makes changes take turns, and a change replaces the file whole: who reads sees the state before or after it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flatkit.errors import HostError
from flatkit.updates.seen import Book, book_as_json, parse_book


class Store:
    """The file at `path`; its folder is made when something is first written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that all changes take. Raises HostError when the folder cannot be used."""
        from filelock import FileLock

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._path.with_name(f"{self._path.name}.lock"))
            lock.acquire(timeout=30)
        except OSError as error:  # Timeout is one
            raise self._fault(error) from None
        try:
            yield
        finally:
            lock.release()

    def read(self) -> Book | None:
        """What the file holds; None when that is not newer than what was read or written last, or there is no file.

        Raises HostError for a file that cannot be read.
        """
        try:
            found = self._mark()
            if found == self._seen:
                return None
            book = parse_book(json.loads(self._path.read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._fault(error) from None
        self._seen = found
        return book

    def write(self, book: Book) -> None:
        """Replace the file. Raises HostError."""
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            partial.touch(mode=0o600)
            partial.write_text(json.dumps(book_as_json(book)))
            partial.replace(self._path)
            self._seen = self._mark()
        except OSError as error:
            raise self._fault(error) from None
        finally:
            partial.unlink(missing_ok=True)

    def _mark(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _fault(self, error: Exception) -> HostError:
        reason = getattr(error, "strerror", None) or error
        return HostError(
            f'the state of the update server cannot be kept in "{self._path}": {reason}',
            hint=f"rm {self._path}   (it then starts with no channels and no machines)",
        )
