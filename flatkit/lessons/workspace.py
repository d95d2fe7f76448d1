"""A bench in a real folder, with or without a machine; a learner's text there is never lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from flatkit.errors import InputError, MachineError
from flatkit.files import read_regular, save
from flatkit.lessons.exercise import Answer

# Maximum size of a learner's file, in bytes.
_BYTES_MAX = 16 * 1024 * 1024


class Guest(Protocol):
    """The part of a machine that an exercise needs; both `Machine` and the notebook's machine have it."""

    def run(self, command: str) -> Any:
        """Type a command there."""


class FolderBench:
    """The learner's folder and, where given, a machine. Raises InputError for files, MachineError for the machine."""

    def __init__(self, folder: Path, guest: Guest | None = None) -> None:
        self.folder = folder
        self.guest = guest
        self._written: dict[str, str] = {}

    def read(self, file: str) -> str | None:
        """Return the file's text, or None when there is no file."""
        try:
            return read_regular(self.folder / file, limit=_BYTES_MAX).decode("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise _unusable(file, error) from None

    def write(self, file: str, text: str) -> None:
        """Write the file whole; a text in it that flatkit did not write is kept as FILE~."""
        try:
            self._keep(file, text)
            save(self.folder / file, text)
        except OSError as error:
            raise _unusable(file, error) from None
        self._written[file] = text

    def remove(self, file: str) -> None:
        """Remove the file; a text in it that flatkit did not write is kept as FILE~."""
        try:
            self._keep(file, "")
            (self.folder / file).unlink(missing_ok=True)
        except OSError as error:
            raise _unusable(file, error) from None

    def _keep(self, file: str, text: str) -> None:
        before = self.read(file)
        if before and before.strip() and before not in {text, self._written.get(file)}:
            save(self.folder / f"{file}~", before)

    def run(self, command: str) -> Answer:
        """Type a command on the machine."""
        if self.guest is None:
            raise MachineError(
                "this exercise looks at a machine, and was given none",
                hint='m = fk.up("web.bu", ...), then name it: fk.check("...", m)',
            )
        answer: Answer = self.guest.run(command)
        return answer


def _unusable(file: str, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
    return InputError(f'the file "{file}" cannot be used: {reason}', hint="open the notebook in a folder of yours")
