"""A learner's files: written atomically, and never over a text that is kept nowhere else."""

from __future__ import annotations

import threading
from pathlib import Path

from flatkit import lessons, paths
from flatkit.errors import InputError
from flatkit.files import read_regular, write_atomic

# Of a learner's file, in bytes.
_BYTES_MAX = 16 * 1024 * 1024
_lock = threading.Lock()
# The text that flatkit last wrote or read of each file, in this process: such a text may be replaced.
_written: dict[Path, str] = {}


def read_draft(path: Path) -> str | None:
    """Return the file's text, or None without a file. Raises InputError."""
    try:
        # As bytes: a file keeps its line ends.
        return read_regular(path, limit=_BYTES_MAX).decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f'the file "{path}" cannot be read: {reason}', hint="take another name, or remove it"
        ) from None


def write_draft(path: Path, text: str) -> Path | None:
    """Write the file atomically. Return the path where the text before was kept, or None if flatkit had written it itself.

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
                write_atomic(kept, before)
            write_atomic(path, text)
        except OSError as error:
            raise InputError(
                f'the file "{path}" cannot be written: {error.strerror}',
                hint="open the notebook in a folder of your own",
            ) from None
        remember(path, text)
        return kept


def remember(path: Path, text: str) -> None:
    """Remember that this text was read from the file and shown: it may be replaced."""
    _written[path.absolute()] = text


def forget(path: Path) -> None:
    """Take the text in the file for one that nobody has seen: it is kept beside when another one is written."""
    _written.pop(path.absolute(), None)


def explain_name(name: str) -> str:
    """Return a note for a file that is named without its suffix, and so is another one than the lesson's; "" for others."""
    return "" if Path(name).suffix else f'the file is named "{name}", without .bu: {name}.bu is another file'


def find_texts(name: str) -> tuple[str | None, str | None]:
    """Return the start of a file by its name (of its exercise, else of an example) and its solution; None without one."""
    start, solution = lessons.find_texts(name)
    example = paths.examples_dir() / name
    if start is None and example.is_file():
        start = example.read_text(encoding="utf-8")
    return start, solution
