"""A unit's text as systemd itself reads it: sections, assignments with their lines, and what it ignores.

`ignition/units.py` is another reader: it has the faults for which Butane refuses a unit. Source of the rules:
systemd.syntax(7) and systemd's src/shared/conf-parser.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from flatkit.files import read_data

TYPES = ("service", "socket", "mount", "automount", "swap", "timer", "path", "slice", "scope", "target", "device")

_FILE = Path(__file__).with_name("unit_keys.json")


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A line `key=value` of a section. `line` counts from 1 in its text."""

    section: str
    key: str
    value: str
    line: int


@dataclass(frozen=True, kw_only=True)
class UnitText:
    """The assignments of a text, its sections in order, and the line of a broken section header (0: none)."""

    assignments: tuple[Assignment, ...]
    sections: tuple[tuple[str, int], ...]
    broken_line: int = 0


def unit_type(name: str) -> str:
    """Return the type of a unit by its name, "" if it has none."""
    kind = name.rpartition(".")[2]
    return kind if kind in TYPES and "." in name else ""


def is_template(name: str) -> bool:
    """Return True for name@.type."""
    return name.rpartition(".")[0].endswith("@")


def template_of(name: str) -> str:
    """Return web@.service for web@1.service, "" for a unit that is not an instance."""
    stem, _, kind = name.rpartition(".")
    before, at, instance = stem.partition("@")
    return f"{before}@.{kind}" if at and instance else ""


@lru_cache(maxsize=1024)
def parse(text: str) -> UnitText:
    """Read a unit or a drop-in. Never raises: what systemd ignores is left out."""
    assignments: list[Assignment] = []
    sections: list[tuple[str, int]] = []
    section = ""
    for number, line in _logical_lines(text):
        if line.startswith("["):
            if not line.endswith("]"):
                return UnitText(assignments=tuple(assignments), sections=tuple(sections), broken_line=number)
            section = line[1:-1]
            sections.append((section, number))
            continue
        key, equals, value = line.partition("=")
        if section and equals and key.strip():
            assignments.append(Assignment(section=section, key=key.strip(), value=value.strip(), line=number))
    return UnitText(assignments=tuple(assignments), sections=tuple(sections))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield what is not blank or a comment, with continuations joined by a space, and the number of the first line."""
    pending, begun = "", 0
    for number, raw in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), start=1):
        bare = raw.strip(" \t\r")
        if bare.startswith(("#", ";")):
            continue
        begun = begun or number
        joined = pending + raw
        if _is_continued(joined):
            pending = joined[:-1] + " "
            continue
        pending = ""
        if whole := joined.strip(" \t\r"):
            yield begun, whole
        begun = 0
    if whole := pending.strip(" \t\r"):
        yield begun, whole


def _is_continued(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


@dataclass(frozen=True)
class Unit:
    """A unit as systemd puts it together: its file, then the drop-ins in the order of their names."""

    name: str
    texts: tuple[UnitText, ...]

    @property
    def kind(self) -> str:
        """The unit's type."""
        return unit_type(self.name)

    def values(self, section: str, key: str) -> tuple[str, ...]:
        """Return the values of a list; an empty one takes back those before it."""
        found: list[str] = []
        for item in self._assignments(section, (key,)):
            if item.value:
                found.append(item.value)
            else:
                found.clear()
        return tuple(found)

    def pool(self, section: str, keys: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return (key, value) of keys that share a list, as those of timers do: an empty one of any clears them all."""
        found: list[tuple[str, str]] = []
        for item in self._assignments(section, tuple(keys)):
            if item.value:
                found.append((item.key, item.value))
            else:
                found.clear()
        return tuple(found)

    def words(self, section: str, key: str) -> tuple[str, ...]:
        """Return the words of a list that are separated by spaces, on one line or several."""
        return tuple(word for value in self.values(section, key) for word in value.split())

    def last(self, section: str, key: str) -> str:
        """Return the value that counts of a setting that can be given once, "" if there is none."""
        return next((item.value for item in reversed(self._assignments(section, (key,)))), "")

    def has(self, section: str, keys: Iterable[str]) -> bool:
        """Return True if one of the keys is given."""
        return bool(self._assignments(section, tuple(keys)))

    def _assignments(self, section: str, keys: tuple[str, ...]) -> list[Assignment]:
        return [
            item for text in self.texts for item in text.assignments if item.section == section and item.key in keys
        ]

    @property
    def installs(self) -> bool:
        """True if `systemctl enable` would make a link: an [Install] section that names something."""
        return any(self.values("Install", key) for key in ("WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also"))


def unit_of(name: str, contents: str, dropins: Iterable[tuple[str, str]] = ()) -> Unit:
    """Return the unit of some contents and drop-ins (name, text)."""
    pieces = [contents, *(text for _, text in sorted(dropins))]
    return Unit(name, tuple(parse(piece) for piece in pieces if piece))


@cache
def _keys() -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    data = read_data(_FILE, dict)
    sections = {section: frozenset(names) for section, names in data["sections"].items()}
    return sections, frozenset(data["unit_lists"])


def sections_of(kind: str) -> tuple[str, ...]:
    """Return the sections that systemd reads in units of this type."""
    own = kind.capitalize()
    return ("Unit", own, "Install") if own in _keys()[0] else ("Unit", "Install")


def keys_of(section: str) -> frozenset[str]:
    """Return the keys of a section."""
    return _keys()[0].get(section, frozenset())


@cache
def _kinds() -> dict[str, frozenset[str]]:
    data = read_data(_FILE, dict)
    return {kind: frozenset(keys) for kind, keys in data["kinds"].items()}


def is_kind(kind: str, section: str, key: str) -> bool:
    """Return True if systemd reads the value as a BOOLEAN, or as SECONDS."""
    return f"{section}.{key}" in _kinds()[kind]


def is_unit_list(section: str, key: str) -> bool:
    """Return True if the value is a list of unit names, separated by spaces."""
    return f"{section}.{key}" in _keys()[1] or (
        section == "Install" and key in ("WantedBy", "RequiredBy", "UpheldBy", "Also")
    )
