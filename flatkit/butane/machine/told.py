"""A sentence about a config before it has a place, and words that several explanations share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flatkit.butane.machine.plan import data_of
from flatkit.butane.source.node import Path


@dataclass(frozen=True, kw_only=True)
class Told:
    """A sentence about the item at `path` in the Ignition JSON.

    `failure` is what to say instead where Ignition fails on it, before the reason.
    """

    text: str
    path: Path
    reason: str = ""
    failure: str = ""
    fails: bool = False


def count(number: int, what: str) -> str:
    """Return "1 file" or "2 files"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """Return "a", "a and b", or "a, b and c"."""
    return " and ".join([*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]])


def source_in_words(resource: dict[str, Any]) -> str:
    """Return the origin of contents, in words."""
    source = str(resource.get("source") or "")
    if not source:
        return "empty"
    data = data_of(resource)
    if data is None:
        return f"fetched from {source}" + (", unpacked" if resource.get("compression") == "gzip" else "")
    return f"{count(len(data), 'byte')} from the config itself"
