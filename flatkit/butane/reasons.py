"""The reason behind a fault, for learners who ask why, and a page to read on. The sentences are data, in reasons.json."""

from __future__ import annotations

import functools
import pathlib
from dataclasses import dataclass

from flatkit.butane.schema import get_schema
from flatkit.files import read_data

_FILE = pathlib.Path(__file__).with_name("reasons.json")
_PAGES = {
    "ignition": ("Ignition's reference", "https://coreos.github.io/ignition/configuration-v3_4/"),
    "systemd": (
        "systemd's manual on units",
        "https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html",
    ),
    "yaml": ("YAML's specification", "https://yaml.org/spec/1.2.2/"),
    "ssh": ("Flatcar's page on users", "https://www.flatcar.org/docs/latest/setup/customization/adding-users/"),
}


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A sentence, "" if none is known, and the title and address of a page."""

    why: str
    page: str
    link: str


@functools.cache
def _table() -> dict[str, tuple[str, str]]:
    return {code: (why, page) for code, (why, page) in read_data(_FILE, dict).items()}


def reason_for(code: str, version: str = "1.1.0") -> Reason:
    """Return the reason for an entry's code; for one that has none, the page of Butane's reference of that version."""
    why, page = _table().get(code, ("", "reference"))
    title, link = _PAGES.get(page) or ("Butane's reference", get_schema(version).reference)
    return Reason(why=why, page=title, link=link)
