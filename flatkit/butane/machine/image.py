"""Contents of Flatcar's image, as data (image.json, each group with its source), and questions to it.

Explanations, advice and `flatkit up` ask here, so that one table says it for all. A name that is not in the table is
unknown, not missing: an extension or a later release may have it.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from flatkit.butane.machine.unit_file import template_of
from flatkit.files import read_data

_FILE = Path(__file__).with_name("image.json")


class UnitState(str, Enum):
    """State of a unit in the image."""

    UNKNOWN = "unknown"
    STATIC = "static"
    # It can be enabled, but what wants it then is not part of every boot.
    KNOWN = "known"
    INSTALLABLE = "install"
    STARTS = "starts"


@dataclass(frozen=True, kw_only=True)
class ImagePath:
    """A path whose files do not stay or cannot be written, and what to use instead.

    `kind` is read-only, kernel, volatile or partition.
    """

    path: str
    kind: str
    instead: str
    source: str
    since: str = ""


@dataclass(frozen=True, kw_only=True)
class Existing:
    """A file that the image has, so that a config's file needs `overwrite: true`; `instead` is the better way, if any."""

    path: str
    source: str
    instead: str = ""
    since: str = ""
    reader: str = "Flatcar"
    # A unit of the image: with a drop-in for it the file may be read.
    unless: str = ""


@dataclass(frozen=True, kw_only=True)
class Sysext:
    """An extension that Flatcar offers: its name in enabled-sysext.conf, on the machine, and the first release."""

    name: str
    machine: str
    since: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that the image no longer has or never had, and the extension that brings it."""

    name: str
    instead: str
    extension: str
    source: str
    since: str = ""


@dataclass(frozen=True, kw_only=True)
class FolderReader:
    """A folder of settings: its reader, and the endings of the names that it reads ("!." means no dot at all)."""

    folder: str
    name: str
    endings: tuple[str, ...]
    source: str
    # The only section of its files.
    section: str = ""

    def reads(self, file: str) -> bool:
        """Return True if the reader takes a file of this name."""
        return "." not in file and not file.endswith("~") if self.endings == ("!.",) else file.endswith(self.endings)

    @property
    def fix(self) -> str:
        """The cure, in words."""
        if self.endings == ("!.",):
            return "Write a name without a dot: sudo leaves out the others."
        return f"The name must end in {' or '.join(self.endings)}."


@cache
def _data() -> dict[str, Any]:
    return read_data(_FILE, dict)


def users() -> frozenset[str]:
    """Return the image's users."""
    return frozenset((*_data()["users"]["in_etc"], *_data()["users"]["in_usr"]))


def groups() -> frozenset[str]:
    """Return the image's groups that useradd and usermod know: those in /etc/group."""
    return frozenset(_data()["groups"]["in_etc"])


def hidden_groups() -> frozenset[str]:
    """Return the image's groups below /usr, which useradd and usermod do not find."""
    return frozenset(_data()["groups"]["in_usr"])


def user_ids() -> dict[str, int]:
    """Return the numbers of the users in /etc/passwd."""
    return dict(_data()["users"]["ids"])


def group_ids() -> dict[str, int]:
    """Return the numbers of the groups in /etc/group."""
    return dict(_data()["groups"]["ids"])


def groups_of_core() -> tuple[str, ...]:
    """Return the groups in /etc/group that core is a member of."""
    return tuple(_data()["groups"]["of_core"])


def lacks_shell(path: str) -> bool:
    """Return True for a login shell that the image does not have."""
    return path.rpartition("/")[2] in _data()["shells"]["missing"]


def unit_state(name: str) -> UnitState:
    """Return what the image does with a unit; an instance is what its template is."""
    units = _data()["units"]
    for one in (name, template_of(name)):
        for state in (UnitState.STARTS, UnitState.INSTALLABLE, UnitState.STATIC, UnitState.KNOWN):
            if one and one in units[state.value]:
                return state
    return UnitState.UNKNOWN


def is_in_extension(name: str) -> bool:
    """Return True for a unit that is not in /usr itself but in an extension of the image."""
    return name in _data()["units"]["in_extension"]


def needed_by(name: str) -> str:
    """Return the unit of the image that does not start if this one is masked (Requires=), "" if none is known."""
    return str(_data()["units"]["needed_by"].get(name, ""))


def is_oneshot(name: str) -> bool:
    """Return True for a service of the image with Type=oneshot."""
    return name in _data()["units"]["oneshot"]


@cache
def _places() -> tuple[ImagePath, ...]:
    return tuple(ImagePath(**row) for row in _data()["paths"])


def place_of(path: str) -> ImagePath | None:
    """Return the place that a path is in, if it is a special one."""
    return next((place for place in _places() if path == place.path or path.startswith(place.path + "/")), None)


@cache
def _existing() -> dict[str, Existing]:
    return {row["path"]: Existing(**row) for row in _data()["overwrite"]}


def existing_file(path: str) -> Existing | None:
    """Return what is known about a file that the image has."""
    return _existing().get(path)


@cache
def _readers() -> dict[str, FolderReader]:
    rows = _data()["readers"]
    return {row["folder"]: FolderReader(**{**row, "endings": tuple(row["endings"])}) for row in rows}


def reader_of(folder: str) -> FolderReader | None:
    """Return what reads the files of a folder, if it goes by their names."""
    return _readers().get(re.sub(r"^/etc/sysupdate\.[^/]+\.d$", "/etc/sysupdate.d", folder))


@cache
def _unread() -> tuple[Existing, ...]:
    return tuple(Existing(**row) for row in _data()["unread"])


def unread_file(path: str) -> Existing | None:
    """Return what is known about a file of a program that the image does not have."""
    return next((one for one in _unread() if path == one.path or path.startswith(one.path + "/")), None)


@cache
def sysexts() -> tuple[Sysext, ...]:
    """Return the extensions that enabled-sysext.conf may name."""
    return tuple(Sysext(**row) for row in _data()["sysexts"])


def is_sysext(name: str) -> bool:
    """Return True for a name that enabled-sysext.conf may have."""
    return any(fnmatch.fnmatchcase(name, one.name) for one in sysexts())


@cache
def _programs() -> dict[str, Program]:
    return {row["name"]: Program(**row) for row in _data()["programs"]}


def moved_program(path: str) -> Program | None:
    """Return what is known about a program that is not in the image, by its path or name."""
    folder, _, name = path.rpartition("/")
    return _programs().get(name) if folder in ("", "/bin", "/sbin", "/usr/bin", "/usr/sbin") else None
