"""A Butane config as a value: its faults at their lines, or what a machine gets from it and the Ignition it becomes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flatkit.butane import Translation, translate
from flatkit.butane.explain_units import starts_at_boot
from flatkit.butane.machine.plan import Plan
from flatkit.butane.render import render
from flatkit.report import Entry, Kind
from flatkit.untrusted import lines_of
from flatkit.widgets import html
from flatkit.widgets.display import Twin
from flatkit.widgets.results import Note

_AROUND = 1


def translate_text(text: str, path: Path) -> Translation:
    """Translate a text that is, or will be, in this file. Faults in the text raise nothing."""
    return translate(text, files_dir=path.parent, name=path.name, pretty=True)


def summary(ignition: dict[str, Any]) -> tuple[str, ...]:
    """Return what a machine gets on its first boot, one line per kind."""
    users = [
        _named(user["name"], f"with {_count(len(user.get('sshAuthorizedKeys', [])), 'SSH key')}")
        for user in ignition.get("passwd", {}).get("users", [])
    ]
    storage, plan = ignition.get("storage", {}), Plan(ignition)
    units = [
        _named(unit["name"], "starts on every boot" if starts_at_boot(plan, unit) else "")
        for unit in ignition.get("systemd", {}).get("units", [])
    ]
    kinds = {
        "user": users,
        "group": [group["name"] for group in ignition.get("passwd", {}).get("groups", [])],
        "disk": [disk["device"] for disk in storage.get("disks", [])],
        "file system": [system["device"] for system in storage.get("filesystems", [])],
        "folder": [folder["path"] for folder in storage.get("directories", [])],
        "file": [file["path"] for file in storage.get("files", [])],
        "link": [link["path"] for link in storage.get("links", [])],
        "systemd unit": units,
    }
    return tuple(f"{_count(len(names), kind)}: {', '.join(names)}" for kind, names in kinds.items() if names)


def _named(name: str, more: str) -> str:
    return f"{name} ({more})" if more else name


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def faults_in_words(translation: Translation) -> str:
    """Return the number of faults or warnings, in words."""
    errors = sum(entry.kind is Kind.ERROR for entry in translation.report)
    others = len(translation.report) - errors
    if errors or translation.failure:
        return _count(max(errors, 1), "fault")
    return _count(others, "warning") if others else "no faults"


def report_html(translation: Translation) -> str:
    """Return each entry with its line marked, and the lines around it."""
    lines = translation.text.split("\n")
    out = [_entry_html(entry, lines) for entry in translation.report]
    if translation.failure and not translation.report.is_fatal:
        out.append(f'<div class="fk-fault">{html.text(translation.failure)}</div>')
    return "".join(out)


def _entry_html(entry: Entry, lines: list[str]) -> str:
    kind = "fault" if entry.kind is Kind.ERROR else "note"
    place = f"line {entry.span.line}, column {entry.span.column}" if entry.span else entry.path
    head = html.line(html.text(f"{'✗' if kind == 'fault' else '!'} {place}: "), html.text(entry.message, "line"))
    shown = ""
    if entry.span and 1 <= entry.span.line <= len(lines):
        first, last = max(1, entry.span.line - _AROUND), min(len(lines), entry.span.line + _AROUND)
        rows = [
            html.text(f"{'>' if number == entry.span.line else ' '} {number:>3} | {lines[number - 1]}",
                      "line" if number == entry.span.line else "dim")
            for number in range(first, last + 1)
        ]  # fmt: skip
        shown = "<pre>" + "\n".join(rows) + "</pre>"
    teach = html.line(html.text(entry.teach)) if entry.teach else ""
    return f'<div class="fk-{kind}">{head}{shown}{teach}</div>'


def pretty_json(translation: Translation) -> str:
    """Return the Ignition, indented."""
    return json.dumps(translation.ignition, indent=2, ensure_ascii=False) if translation.ignition else ""


@dataclass(frozen=True, kw_only=True, repr=False)
class ConfigCard(Twin):
    """The value of a `%%butane` cell. `note` is a remark on the file, if there is one."""

    path: str
    translation: Translation
    note: str = ""

    @property
    def ok(self) -> bool:
        """True if a machine can be made from it."""
        return self.translation.ok

    @property
    def ignition(self) -> dict[str, Any] | None:
        """The Ignition config, or None when the text has faults."""
        return self.translation.ignition

    @property
    def explain(self) -> Note:
        """The config's effects on a machine, in plain words, in order."""
        from flatkit.butane.explain import explain_text

        return Note(lines=tuple(lines_of(explain_text(self.translation).rstrip())))

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        words = faults_in_words(self.translation)
        if not self.ok:
            return f"✗ {self.path}: {words}. Correct the lines that are marked, then run this cell again"
        version = (self.ignition or {}).get("ignition", {}).get("version", "")
        return f"✓ {self.path} is saved: {words}, becomes Ignition {version}"

    def as_text(self) -> str:
        """Return the text of the card."""
        lines = [self.headline]
        if len(self.translation.report) or not self.ok:
            lines.append(render(self.translation).rstrip())
        if self.ignition is not None:
            lines += ["On its first boot a machine gets", *(f"  {line}" for line in summary(self.ignition))]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        out = [html.line(html.text(self.headline, "ok" if self.ok else "bad")), report_html(self.translation)]
        if self.ignition is not None:
            rows = "".join(f"<li>{html.text(line)}</li>" for line in summary(self.ignition))
            out.append(html.line("On its first boot a machine gets") + f"<ul>{rows}</ul>" if rows else "")
            out.append(html.folded("The Ignition that the machine reads", html.pre(pretty_json(self.translation))))
        if self.note:
            out.append(html.line(html.text(self.note, "dim")))
        return html.block(*out)
