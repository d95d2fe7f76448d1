"""A learner's files: written whole or not at all, and never over a text that nobody has kept."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

from flatkit.errors import InputError
from flatkit.files import read_regular

# Of a learner's file, in bytes.
_BYTES_MAX = 16 * 1024 * 1024
_lock = threading.Lock()
# What flatkit itself wrote last into each file, in this process: such a text may be replaced.
_written: dict[Path, str] = {}


def read_draft(path: Path) -> str | None:
    """The file's text, or None when there is no file. Raises InputError."""
    try:
        # As it is: a file keeps the line ends that it has.
        return read_regular(path, limit=_BYTES_MAX).decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InputError(
            f'the file "{path}" cannot be read: {reason}', hint="take another name, or remove it"
        ) from None


def write_draft(path: Path, text: str) -> Path | None:
    """Write the file atomically. A text in it that flatkit did not write itself is kept beside it: its path, or None.

    Raises InputError when the file cannot be written.
    """
    with _lock:
        before = read_draft(path)
        if before == text:
            remember(path, text)
            return None
        kept = None
        try:
            if before is not None and before.strip() and _written.get(path.absolute()) != before:
                kept = path.with_name(path.name + "~")
                _replace(kept, before)
            _replace(path, text)
        except OSError as error:
            raise InputError(
                f'the file "{path}" cannot be written: {error.strerror}', hint="open the notebook in a folder of yours"
            ) from None
        remember(path, text)
        return kept


def remember(path: Path, text: str) -> None:
    """The text was read from the file, and shown: it may be replaced by what becomes of it."""
    _written[path.absolute()] = text


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
