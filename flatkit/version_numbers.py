"""Version numbers, MAJOR.MINOR.PATCH, and their one order: of Flatcar's releases, Butane's versions, Ignition's specs. Pure.

Python's packages have an order of their own (PEP 440), which the library `packaging` knows.
"""

from __future__ import annotations

import re

VersionNumber = tuple[int, int, int]
Precedence = tuple[VersionNumber, bool, tuple[tuple[bool, int, str], ...]]
_BELOW_ALL: VersionNumber = (-1, 0, 0)


def split_version(text: str, *, digits: int = 9) -> tuple[VersionNumber, str] | None:
    """Return a version's three numbers and what follows them, such as "-experimental".

    None for any other text, and for a number of more than `digits` digits.
    """
    one = rf"([0-9]{{1,{digits}}})"
    match = re.match(rf"{one}\.{one}\.{one}(?![0-9])", text)
    return ((int(match[1]), int(match[2]), int(match[3])), text[match.end() :]) if match else None


def version_key(text: str) -> VersionNumber:
    """Return the sort key of a version: its three numbers. Other text sorts below all versions."""
    found = split_version(text)
    return found[0] if found else _BELOW_ALL


def precedence(text: str) -> Precedence:
    """Return the sort key of a semantic version (semver 2.0.0, section 11). Other text sorts below all versions.

    1.2.3-rc.2 comes before 1.2.3-rc.10, and both before 1.2.3; what follows a "+" does not count.
    """
    numbers, rest = split_version(text, digits=20) or (_BELOW_ALL, "")
    label = rest.partition("+")[0]
    if not label.startswith("-"):
        return numbers, True, ()
    parts = ((part, re.fullmatch("[0-9]+", part)) for part in label[1:].split("."))
    return numbers, False, tuple((False, int(part), "") if is_number else (True, 0, part) for part, is_number in parts)


def dotted(number: VersionNumber) -> str:
    """Return the numbers as text, such as "3.4.0"."""
    return ".".join(map(str, number))
