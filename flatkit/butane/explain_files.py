"""Sentences about directories, files and links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flatkit.butane.machine.plan import EXTENSION_DIRS, SYSTEMD_DIR, Plan, StorageNode
from flatkit.butane.machine.told import Told, count, source_in_words
from flatkit.butane.machine.unit_file import unit_type
from flatkit.butane.source.node import Path
from flatkit.butane.transpile import Translation
from flatkit.version_numbers import split_version

# Ignition masks the others for configs before spec 3.6.0, whatever machine reads them (config/v3_6/translate).
_PLAIN = 0o777
_SPECIAL_SINCE = (3, 6, 0)


def explain_files(plan: Plan, translation: Translation) -> Iterator[Told]:
    """Yield a sentence for each directory, file and link."""
    spec = split_version(str(plan.ignition["ignition"].get("version", "")))
    kept = 0o7777 if spec and spec[0] >= _SPECIAL_SINCE else _PLAIN
    for node in plan.nodes:
        if node.kind == "directories":
            subject = f"The directory {node.path}"
            text = f"{subject} is made, with mode {_mode(node.item, 0o755, kept)}{_owner(node.item)}{_if_there(node.item)}."
            yield Told(text=text, path=node.json_path, failure=f"{subject} cannot be made.")
        elif node.kind == "files":
            subject = f"The file {node.path}"
            reason = _file_reason(node, translation)
            yield Told(
                text=_file(node, subject, kept),
                path=node.json_path,
                reason=reason,
                failure=f"{subject} cannot be written.",
            )
        else:
            kind = "hard link" if node.item.get("hard") else "link"
            subject = f"The {kind} {node.path}"
            text = f"{subject} to {node.item.get('target')} is made{_effect(node)}."
            reason = _tree_reason(node.json_path, translation)
            yield Told(text=text, path=node.json_path, reason=reason, failure=f"{subject} cannot be made.")


def _if_there(item: dict[str, Any]) -> str:
    """Say what happens to a directory that exists: only a given mode and owner are set (SetPermissions in Ignition's file.go)."""
    if item.get("overwrite"):
        return "; what is there already is deleted"
    return "" if "mode" in item or _owner(item) else ", unless it exists"


def _effect(node: StorageNode) -> str:
    """Say what a link to /dev/null turns off."""
    if node.item.get("target") != "/dev/null":
        return ""
    folder, _, name = node.path.rpartition("/")
    if folder in EXTENSION_DIRS:
        return ", so that this extension is left out"
    return ", so that nothing can start the unit" if folder + "/" == SYSTEMD_DIR and unit_type(name) else ""


def _mode(item: dict[str, Any], default: int, kept: int) -> str:
    mode = item.get("mode", default)
    dropped = f" (the special bits of {mode:04o} are dropped)" if mode & ~kept else ""
    return f"{mode & kept:04o}{dropped}"


def _owner(item: dict[str, Any]) -> str:
    named = [(words, item.get(key, {})) for words, key in (("owner", "user"), ("group", "group"))]
    found = [
        f"{words} {value.get('name') or value.get('id')}"
        for words, value in named
        if value.get("name") or value.get("id")
    ]
    return f" and {' and '.join(found)}" if found else ""


def _file(node: StorageNode, subject: str, kept: int) -> str:
    item = node.item
    pieces = item.get("append", ())
    contents = item.get("contents", {})
    if pieces and not contents.get("source"):
        return f"{subject} gets {count(len(pieces), 'piece')} of text added at its end."
    mode = f"mode {_mode(item, 0o644, kept)}"
    if not contents.get("source") and not item.get("overwrite"):
        made = "" if "mode" in item else f", with {mode}"
        given = f"{mode if 'mode' in item else ''}{_owner(item)}".removeprefix(" and ")
        return f"{subject} is made, empty{made}, unless it exists{f', and gets {given}' if given else ''}."
    how = f"with {mode}{_owner(item)}"
    verb = "replaced" if item.get("overwrite") else "written"
    added = f", and gets {count(len(pieces), 'piece')} of text added at its end" if pieces else ""
    return f"{subject} is {verb} ({source_in_words(contents)}), {how}{added}."


def _file_reason(node: StorageNode, translation: Translation) -> str:
    reason = _tree_reason(node.json_path, translation)
    source = node.item.get("contents", {}).get("source", "")
    origin = translation.provenance.to_yaml((*node.json_path, "contents", "source"))
    if reason or not source.startswith("data:") or origin[-1] == "source":
        return reason
    packed = ", packed with gzip, since that is shorter" if node.item["contents"].get("compression") == "gzip" else ""
    named = "the file's contents travel" if origin[-1] == "local" else "the text travels"
    escaped = ", with odd characters as %XX" if "%" in source else ""
    how = packed or (", in base64" if source.startswith("data:;base64,") else escaped)
    return f"Ignition knows only URLs, so {named} inside the config as a data URL{how}."


def _tree_reason(path: Path, translation: Translation) -> str:
    origin = translation.provenance.to_yaml((*path, "path"))
    return "It is in a local directory that storage.trees embeds." if origin[:2] == ("storage", "trees") else ""
