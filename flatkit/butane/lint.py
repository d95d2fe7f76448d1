"""A report with advice, quick fixes, and warnings about what Butane accepts without a word.

Butane's own messages stay as they are. `flatkit butane` uses none of this, `flatkit explain` and the editor do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from flatkit.butane import advice_messages, messages
from flatkit.butane.access import KEY_TYPES, allows_login, is_public_key
from flatkit.butane.advice import advise, without_ignored
from flatkit.butane.diagnostics import entry_of, path_text
from flatkit.butane.faults import advise_fault, encoding_notes
from flatkit.butane.further import all_faults
from flatkit.butane.ownkeys import find_public_key
from flatkit.butane.quickfix import Trials, login_fixes
from flatkit.butane.source.node import SCALAR, SEQUENCE, Node, Path, find_node
from flatkit.butane.templates import template_notes
from flatkit.butane.textwords import is_folded
from flatkit.butane.transpile import Translation
from flatkit.butane.wording import Message
from flatkit.report import Entry, Kind, Report, Span
from flatkit.untrusted import lines_of


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
                for note in _key_notes(node, (*path, number)):
                    yield _with_own_key(note, user, number, translation, trials)
        yield from _password_notes(user, at, translation)
    yield from _text_notes(translation)
    if translation.ok and not allows_login(translation.ignition or {}):
        yield _no_way_in(translation, trials)


def _text_notes(translation: Translation) -> Iterator[Entry]:
    """Scripts whose lines > joins, and what is behind the first document."""
    for at, file in enumerate(translation.values.get("storage", {}).get("files", [])):
        if str(file.get("contents", {}).get("inline") or "").startswith("#!"):
            path: Path = ("storage", "files", at, "contents", "inline")
            node = find_node(translation.root, path)
            if node is not None and node.end_line - node.line > 2 and is_folded(node, translation.text):
                yield _warning(advice_messages.SCRIPT_FOLDED, path, node)
    root = translation.root
    lines = translation.text.split("\n") if root is not None and not root.flow else []
    behind = root.end_line - 1 if root is not None else 0
    for number, line in enumerate(lines[behind:], start=behind + 1):
        if re.match(r"---(\s|$)", line) and any(
            one.strip() and not one.lstrip().startswith("#") for one in lines[number:]
        ):
            entry = entry_of(
                advice_messages.DOCUMENTS(),
                kind=Kind.WARNING,
                path="$",
                span=Span(line=number, column=1, end_line=number, end_column=4),
            )
            yield replace(entry, teach=advice_messages.DOCUMENTS.advice)
            return


def _key_notes(node: Node, path: Path) -> Iterator[Entry]:
    text = node.value
    if "PRIVATE KEY" in text:
        yield _warning(messages.PRIVATE_KEY, path, node)
    elif text.strip() and not any(word.startswith(KEY_TYPES) for word in text.split()):
        yield replace(_warning(messages.NOT_A_KEY, path, node), teach=_key_words(text.strip()))
    elif not all(is_public_key(line) for line in lines_of(text) if line.strip() and not line.strip().startswith("#")):
        yield _warning(advice_messages.KEY_INVALID, path, node)


def _key_words(text: str) -> str:
    """The cure for a text that is not a key."""
    if text.startswith(("http://", "https://", "gh:", "lp:")):
        return "Butane fetches no keys: write the lines themselves that this address gives."
    if "SSH2 PUBLIC KEY" in text:
        return "This is PuTTY's form of a key: `ssh-keygen -i -f FILE` prints the line to write."
    if text.startswith("AAAA"):
        return "The type of the key is missing in front: ssh-ed25519 AAAA... or ssh-rsa AAAA..."
    return messages.NOT_A_KEY.advice


def _with_own_key(note: Entry, user: dict[str, Any], number: int, translation: Translation, trials: Trials) -> Entry:
    """Offer the learner's own key in place of core's only one that is not a key."""
    keys = user.get("ssh_authorized_keys") or []
    key = find_public_key() if user.get("name") == "core" and len(keys) == 1 and number == 0 else ""
    return replace(note, edits=login_fixes(translation, key, trials)) if key else note


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
    teach = messages.NO_WAY_IN.advice if key else f"{messages.NO_WAY_IN.advice} {messages.NO_KEY_FOUND}"
    return replace(entry, teach=teach, edits=login_fixes(translation, key, trials) if key else ())
