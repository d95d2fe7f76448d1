"""Arguments of the names of `fk`: one of a wrong kind is refused in words, before it reaches code that would trip over it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flatkit.errors import UsageError
from flatkit.untrusted import printable

_SHOWN_MAX = 60


def must_be_text(what: str, value: Any, *, right: str) -> None:
    """Raise UsageError for a value that is not a text; `right` is a call that works."""
    if not isinstance(value, str):
        raise UsageError(f'{what} is "{_shown(value)}"; expected a text in quotes', hint=right)


def must_be_file(what: str, value: Any, *, right: str) -> None:
    """Raise UsageError for a value that is not the name of a file; `right` is a call that works."""
    if not isinstance(value, str | Path) or not str(value).strip():
        raise UsageError(f'{what} is "{_shown(value)}"; expected the name of a file in quotes', hint=right)


def must_be_machine(value: Any, *, right: str) -> None:
    """Raise UsageError for a value that is neither a machine nor None; `right` is a call that works."""
    if value is not None and not callable(getattr(value, "run", None)):
        raise UsageError(
            f'the machine is "{_shown(value)}"; expected the variable that holds the machine, without quotes',
            hint=right,
        )


def _shown(value: Any) -> str:
    return printable(str(getattr(value, "__name__", value)), limit=_SHOWN_MAX)
