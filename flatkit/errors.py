"""Every error that flatkit raises, each with what to do next.

User configs are validated into a Report (report.py). An error means that flatkit cannot continue.

    FlatkitError                    status 1
    ├── InputError (ValueError)     the input was refused                     1
    │   └── ConfigFaults            a config with faults; carries its report  1
    ├── UsageError (ValueError)     the call was wrong                        2
    ├── HostError (OSError)         this host cannot do it                    3
    │   └── MissingDependency           something is not installed            3
    ├── FetchError (OSError)        a download failed                         1
    ├── ImageError                  an image could not be made or trusted     1
    ├── MachineError                a machine did not do what was asked       1
    │   ├── MachineNotFound (LookupError)
    │   ├── BootFailed
    │   │   └── KernelPanicked
    │   ├── WaitTimeout (TimeoutError)
    │   │   └── BootStalled
    │   └── CommandFailed           a child process or a remote command failed
    └── Cancelled                   the user stopped it                       1
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, ClassVar

from flatkit.untrusted import escape_hidden, lines_of, printable

if TYPE_CHECKING:
    from flatkit.report import Report


# Longest message, and longest tail of the output kept as details, in characters.
_MESSAGE_MAX = 4000
_DETAILS_MAX = 256 * 1024
# A cell's width in a window of 900 pixels, beside JupyterLab's list of files: it breaks longer lines within a word.
_COLUMNS = 54


class FlatkitError(Exception):
    """Base of all errors: what happened (value in quotes) and what was expected. `hint` is the next command or cell to run.

    `details` contains a program's output. Messages quote names, servers and machines. So message and hint are one line
    each, and no part of an error contains a hidden character.
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", details: str = "") -> None:
        self.message = printable(message, limit=_MESSAGE_MAX)
        self.hint = printable(hint, limit=_MESSAGE_MAX)
        self.details = escape_hidden(details[-_DETAILS_MAX:])
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n  Next: {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows instead of a traceback: a learner needs the message and the next step only."""
        lines = _wrap(f"{type(self).__name__}: {self.message}", "  ")
        if self.hint:
            # A line to type stays one line, so that it can be copied; remarks are in parentheses.
            first, *more = re.split(r"(?<=\S) {3,}(?=\S)", self.hint)
            lines.append(f"  Next: {first}")
            for part in more:
                lines += _wrap(f"    {part}", "    ") if part.startswith("(") else [f"    {part}"]
        if self.details:
            lines += ["", *("  " + printable(line) for line in lines_of(self.details.rstrip())[-20:])]
        return lines


def _wrap(text: str, indent: str) -> list[str]:
    """Return the text in lines that fit a cell. What three spaces set apart begins a line of its own."""
    if len(text) <= _COLUMNS:
        return [text]
    lines: list[str] = []
    for part in re.split(r"(?<=\S) {3}(?=\S)", text):
        first = indent if lines else ""
        lines += textwrap.wrap(part, _COLUMNS, initial_indent=first, subsequent_indent=indent,
                               break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return lines


class InputError(FlatkitError, ValueError):
    """The input was refused."""


class ConfigFaults(InputError):
    """A config cannot be used; `report` lists every error with its line and column."""

    def __init__(self, message: str, *, report: Report, hint: str = "", details: str = "") -> None:
        super().__init__(message, hint=hint, details=details)
        self.report = report


class UsageError(FlatkitError, ValueError):
    """Wrong usage, such as an unknown option or an invalid name."""

    exit_status = 2


class Unanswered(UsageError):
    """A prediction was shown and not answered."""


class HostError(FlatkitError, OSError):
    """This host cannot do it; `flatkit doctor` reports why."""

    exit_status = 3


class MissingDependency(HostError):
    """A program or Python package is not installed; the hint is the line that installs it."""


class FetchError(FlatkitError, OSError):
    """A download failed; `passing` when a retry may succeed."""

    def __init__(self, message: str, *, hint: str = "", details: str = "", passing: bool = False) -> None:
        super().__init__(message, hint=hint, details=details)
        self.passing = passing


class ImageError(FlatkitError):
    """An image could not be built, found or trusted."""


class MachineError(FlatkitError):
    """A machine did not do what was asked."""


class MachineNotFound(MachineError, LookupError):
    """No machine of that name was made by flatkit."""


class BootFailed(MachineError):
    """The machine stopped or hung before it was ready."""


class KernelPanicked(BootFailed):
    """The guest's kernel panicked and does not restart."""


class WaitTimeout(MachineError, TimeoutError):
    """A condition was not met in time."""


class BootStalled(WaitTimeout):
    """A machine runs, nothing moves on it, it is not ready, and nothing that it said tells why."""


class CommandFailed(MachineError):
    """A child process or a remote command ended with an unexpected status."""


class Cancelled(FlatkitError):
    """The user stopped it."""
