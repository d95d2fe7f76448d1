"""A report with advice, quick fixes, and warnings about what Butane accepts without a word.

Butane's own messages stay as they are. `flatkit butane` uses none of this, `flatkit explain` and the editor do. The reasons
behind faults, for learners who ask why, are in reasons.json.
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from flatkit.butane import messages
from flatkit.butane.access import KEY_TYPES, allows_login, is_public_key
from flatkit.butane.advice import advise, without_ignored
from flatkit.butane.diagnostics import entry_of, path_text
from flatkit.butane.faults import advise_fault, encoding_notes
from flatkit.butane.messages import Message
from flatkit.butane.ownkeys import find_public_key
from flatkit.butane.quickfix import Trials, login_fixes
from flatkit.butane.schema import get_schema
from flatkit.butane.source.node import SCALAR, SEQUENCE, Node, Path, find_node
from flatkit.butane.templates import template_notes
from flatkit.butane.transpile import Translation, all_faults
from flatkit.report import Entry, Kind, Report
from flatkit.untrusted import lines_of

# Said in place of an edit where the user has no key.
_NO_KEY_FOUND = (
    "No public key of yours was found in ~/.ssh or in an SSH agent: `ssh-keygen -t ed25519` makes one, and "
    "~/.ssh/id_ed25519.pub then contains the line to write."
)
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


def lint(translation: Translation, *, ignore: Iterable[str] = ()) -> Report:
    """Return the report with advice and quick fixes, then warnings and notes of our own, but for the codes to ignore."""
    trials = Trials(translation)
    entries = [advise_fault(entry, translation, trials) for entry in all_faults(translation)]
    templates = tuple(template_notes(translation))
    unfilled = [entry.span for entry in (*templates, *entries)]
    notes = [note for note in _notes(translation, trials) if note.code != "not-a-key" or note.span not in unfilled]
    own = (*templates, *notes, *advise(translation), *encoding_notes(translation))
    return Report(entries=(*entries, *without_ignored(own, translation, ignore)))


def _notes(translation: Translation, trials: Trials) -> Iterator[Entry]:
    if translation.schema is not None and translation.schema.is_experimental:
        node = find_node(translation.root, ("version",))
        assert node is not None
        entry = entry_of(
            messages.EXPERIMENTAL(version=translation.schema.version),
            kind=Kind.WARNING,
            path="$.version",
            span=node.span,
        )
        yield replace(entry, teach=messages.EXPERIMENTAL.advice)
    users = translation.values.get("passwd", {}).get("users", [])
    for at, user in enumerate(users):
        path: Path = ("passwd", "users", at, "ssh_authorized_keys")
        keys = find_node(translation.root, path)
        for number, node in enumerate(keys.content if keys is not None and keys.kind == SEQUENCE else ()):
            if node.kind == SCALAR:
                yield from _key_notes(node, (*path, number))
        yield from _password_notes(user, at, translation)
    if translation.ok and not allows_login(translation.ignition or {}):
        yield _no_way_in(translation, trials)


def _key_notes(node: Node, path: Path) -> Iterator[Entry]:
    text = node.value
    if "PRIVATE KEY" in text:
        yield _warning(messages.PRIVATE_KEY, path, node)
    elif text.strip() and not any(word.startswith(KEY_TYPES) for word in text.split()):
        yield _warning(messages.NOT_A_KEY, path, node)
    elif not all(is_public_key(line) for line in lines_of(text) if line.strip() and not line.strip().startswith("#")):
        yield _warning(messages.KEY_INVALID, path, node)


def _password_notes(user: dict[str, Any], at: int, translation: Translation) -> Iterator[Entry]:
    value = user.get("password_hash", "")
    path: Path = ("passwd", "users", at, "password_hash")
    node = find_node(translation.root, path)
    if value and not value.startswith(("$", "*", "!", "_")) and node is not None:
        yield _warning(messages.PLAIN_PASSWORD, path, node)


def _warning(message: Message, path: Path, node: Node) -> Entry:
    entry = entry_of(message(), kind=Kind.WARNING, path=path_text(path), span=node.span)
    return replace(entry, teach=message.advice)


def _no_way_in(translation: Translation, trials: Trials) -> Entry:
    span = translation.root.span if translation.root is not None else None
    entry = entry_of(messages.NO_WAY_IN(), kind=Kind.INFO, path="$", span=span)
    key = find_public_key()
    teach = messages.NO_WAY_IN.advice if key else f"{messages.NO_WAY_IN.advice} {_NO_KEY_FOUND}"
    return replace(entry, teach=teach, edits=login_fixes(translation, key, trials) if key else ())


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A sentence, "" if none is known, and the title and address of a page."""

    why: str
    page: str
    link: str


@functools.cache
def _table() -> dict[str, tuple[str, str]]:
    return {code: (why, page) for code, (why, page) in json.loads(_FILE.read_text(encoding="utf-8")).items()}


def reason_for(code: str, version: str = "1.1.0") -> Reason:
    """Return the reason for an entry's code; for one that has none, the page of Butane's reference of that version."""
    why, page = _table().get(code, ("", "reference"))
    title, link = _PAGES.get(page) or ("Butane's reference", get_schema(version).reference)
    return Reason(why=why, page=title, link=link)
