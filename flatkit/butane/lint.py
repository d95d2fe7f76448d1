"""A report with advice, quick fixes, and warnings about what Butane accepts without a word.

Butane's own messages stay as they are. `flatkit butane` uses none of this, `flatkit explain` and the editor do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from flatkit.butane import messages
from flatkit.butane.access import KEY_TYPES, allows_login, is_public_key
from flatkit.butane.advice import advise, without_ignored
from flatkit.butane.detect import Format, detect_format
from flatkit.butane.diagnostics import entry_of, path_text
from flatkit.butane.messages import Message
from flatkit.butane.further import all_faults
from flatkit.butane.quickfix import Trials, quick_fixes
from flatkit.butane.source.node import MAPPING, SCALAR, SEQUENCE, Node, Path, find_node
from flatkit.butane.transpile import Translation
from flatkit.report import Edit, Entry, Kind, Report, Span
from flatkit.untrusted import lines_of

_FCOS_ONLY = frozenset(("boot_device", "grub"))
_FCOS = "is sugar of Fedora CoreOS: on Flatcar the boot disk and GRUB are not changed by Butane."
_PASTED = {
    Format.CLOUD_CONFIG: "This is a cloud-config: Flatcar's Ignition reads Butane's result; write the same as a Butane config.",
    Format.CONTAINER_LINUX_CONFIG: "This is a Container Linux Config, the old format: start with variant: flatcar and version: "
    "1.1.0, and move what differs (files have no filesystem: any more; update, etcd and locksmith are written as files).",
    Format.IGNITION: "This is Ignition JSON, Butane's result: hand it to `flatkit up FILE.ign` as it is.",
}  # fmt: skip


def lint(translation: Translation) -> Report:
    """Return the report with advice and quick fixes, then warnings and notes of our own."""
    trials = Trials(translation)
    entries = [_advise(entry, translation, trials) for entry in all_faults(translation)]
    own = (*_notes(translation), *advise(translation))
    return Report(entries=(*entries, *without_ignored(own, translation)))


def _advise(entry: Entry, translation: Translation, trials: Trials) -> Entry:
    code, sentence = entry.code, messages.ADVICE.get(entry.code, "")
    if code in ("variant-missing", "ignition-json", "wrong-type") and not translation.is_printed:
        sentence = _PASTED.get(detect_format(translation.document), sentence)
    if code == messages.UNUSED_KEY.code and entry.path.removeprefix("$.") in _FCOS_ONLY:
        sentence = f"{entry.values['key']} {_FCOS}"
    edits = quick_fixes(code, entry, translation, trials)
    if code == messages.UNUSED_KEY.code and edits:
        sentence = f"Did you mean {edits[0].label.removeprefix('write ')}? {sentence}"
    if code == "yaml-start" and edits:
        code, sentence = "yaml-tab", messages.TABS_ADVICE
    return replace(entry, code=code, teach=sentence, edits=edits)


def _notes(translation: Translation) -> Iterator[Entry]:
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
        yield _no_way_in(translation)


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


def _no_way_in(translation: Translation) -> Entry:
    span = translation.root.span if translation.root is not None else None
    entry = entry_of(messages.NO_WAY_IN(), kind=Kind.INFO, path="$", span=span)
    return replace(entry, teach=messages.NO_WAY_IN.advice, edits=tuple(_add_user(translation)))


def _add_user(translation: Translation) -> Iterator[Edit]:
    root = translation.root
    if root is None or root.kind != MAPPING or root.flow or "passwd" in root.positions():
        return
    lines = translation.text.split("\n")
    if any(line.startswith(("---", "...")) for line in lines[root.line - 1 :]):
        return
    lead = "" if translation.text.endswith("\n") else "\n"
    text = f"{lead}passwd:\n  users:\n    - name: core\n      ssh_authorized_keys:\n        - ssh-ed25519 AAAA... you@laptop\n"
    end = Span(line=len(lines), column=len(lines[-1]) + 1, end_line=len(lines), end_column=len(lines[-1]) + 1)
    yield Edit(span=end, text=text, label="add the user core with a key")
