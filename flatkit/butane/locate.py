"""From what Ignition complains about back to the person's own text: the line of the Butane file that it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flatkit.butane.provenance import Provenance
from flatkit.butane.source.node import Path

# Keys whose value names the thing itself, before those that merely mention it.
_NAMING = ("path", "name", "device", "source", "hash")


@dataclass(frozen=True, kw_only=True)
class Location:
    """A place in a config: its path in the Ignition JSON, and its line in the person's text (from 1; 0 when not known)."""

    json_path: str
    line: int = 0
    text: str = ""


def locate(
    ignition: dict[str, Any], clues: Sequence[str], *, provenance: Provenance | None = None, text: str = ""
) -> Location | None:
    """Where the config says one of these values, best first; a clue that begins with "$." is a path of the JSON.

    Without `provenance` (a config that was Ignition from the start) the path alone is found.
    """
    path = next((found for clue in clues if (found := _find_path(ignition, clue)) is not None), None)
    return None if path is None else location_of(path, provenance=provenance, text=text)


def location_of(path: Path, *, provenance: Provenance | None = None, text: str = "") -> Location:
    """The place of a value of the Ignition JSON."""
    span = provenance.span(path) if provenance else None
    lines = text.splitlines()
    line = span.line if span else 0
    shown = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return Location(json_path="$" + "".join(f".{part}" for part in path), line=line, text=shown)


def _find_path(ignition: dict[str, Any], clue: str) -> Path | None:
    if clue.startswith("$."):
        return tuple(int(part) if part.isdigit() else part for part in clue[2:].split("."))
    found = [path for path, value in _leaves(ignition, ()) if value == clue or _is_hash(value, clue)]
    return min(found, key=lambda path: (path[-1] not in _NAMING, len(path))) if found else None


def _is_hash(value: str, clue: str) -> bool:
    return len(clue) >= 64 and value.partition("-")[2] == clue


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(item, str):
            yield (*path, key), item
        else:
            yield from _leaves(item, (*path, key))
