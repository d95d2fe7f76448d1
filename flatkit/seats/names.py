"""Names of seats: what learners may call theirs, and the Unix account that belongs to it."""

from __future__ import annotations

import re

from flatkit.errors import UsageError
from flatkit.untrusted import printable

PREFIX = "seat-"
TRAINER = "trainer"
_NAME = re.compile(r"[a-z][a-z0-9]{1,19}")
EXPECTED = "2 to 20 letters (a to z) and digits, beginning with a letter"


def parse_name(text: str) -> str:
    """Return the name of a seat, in lower case and without spaces around it. Raises UsageError."""
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise UsageError(f'"{printable(text, limit=60)}" cannot be the name of a seat; expected {EXPECTED}')
    return name


def is_name(text: str) -> bool:
    """Return True for the name of a seat, as it is stored."""
    return _NAME.fullmatch(text) is not None


def account_of(name: str, *, prefix: str = PREFIX) -> str:
    """Return the Unix account of a seat. The prefix keeps every account that the host has out of reach.

    Raises UsageError for a name that no seat can have.
    """
    if not is_name(name):
        raise UsageError(f'"{printable(name, limit=60)}" is not the name of a seat; expected {EXPECTED}')
    return f"{prefix}{name}"
