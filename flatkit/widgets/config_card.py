"""A Butane config as a value: its faults at their lines, or what a machine gets from it and the Ignition it becomes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from flatkit.butane import Translation, translate
from flatkit.butane.explain_units import starts_at_boot
from flatkit.butane.lint import lint
from flatkit.butane.machine.plan import Plan
from flatkit.butane.reasons import reason_for
from flatkit.report import Entry, Kind, Report
from flatkit.untrusted import lines_of
from flatkit.widgets import html
from flatkit.widgets.display import Twin
from flatkit.widgets.results import Note

_AROUND = 1
_MARKS = {Kind.ERROR: "✗", Kind.WARNING: "!", Kind.INFO: "·"}


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


def report_of(translation: Translation) -> Report:
    """Return the faults, warnings and remarks as the editor shows them: each at its line, with advice and fixes."""
    report = lint(translation)
    if translation.failure and not report.is_fatal:
        report += Report(entries=(Entry(kind=Kind.ERROR, path="", message=translation.failure),))
    return report


def faults_in_words(report: Report) -> str:
    """Return the number of faults or warnings, in words."""
    kinds = [entry.kind for entry in report]
    errors, warnings = kinds.count(Kind.ERROR), kinds.count(Kind.WARNING)
    if errors:
        return _count(errors, "fault")
    return _count(warnings, "warning") if warnings else "no faults"


def _place(entry: Entry) -> str:
    return f"line {entry.span.line}, column {entry.span.column}" if entry.span else entry.path or "the whole file"


def _around(entry: Entry, lines: list[str]) -> list[tuple[int, str]]:
    """Return the entry's line and those around it, with their numbers."""
    if entry.span is None or not 1 <= entry.span.line <= len(lines):
        return []
    first, last = max(1, entry.span.line - _AROUND), min(len(lines), entry.span.line + _AROUND)
    return [(number, lines[number - 1]) for number in range(first, last + 1)]


def _help_of(entry: Entry, version: str) -> list[str]:
    """Return advice, reason and fixes, a line each."""
    why = reason_for(entry.code, version).why
    return [*lines_of(entry.teach), *([f"Why: {why}"] if why else []), *(f"Fix: {edit.label}" for edit in entry.edits)]


def _entry_text(entry: Entry, translation: Translation) -> list[str]:
    lines = [f"{_MARKS[entry.kind]} {_place(entry)}: {entry.message}"]
    for number, line in _around(entry, translation.text.split("\n")):
        lines.append(f"  {'>' if entry.span and number == entry.span.line else ' '} {number:>3} | {line.rstrip()}")
    return [*lines, *(f"    {line}" for line in _help_of(entry, translation.version))]


def _entry_html(entry: Entry, translation: Translation) -> str:
    kind = "fault" if entry.kind is Kind.ERROR else "note"
    head = html.line(html.text(f"{_MARKS[entry.kind]} {_place(entry)}: "), html.text(entry.message, "line"))
    rows = [
        html.text(f"> {number:>3} | {line}", "line")
        if entry.span and number == entry.span.line
        else html.text(f"  {number:>3} | {line}", "dim")
        for number, line in _around(entry, translation.text.split("\n"))
    ]
    shown = "<pre>" + "\n".join(rows) + "</pre>" if rows else ""
    more = "".join(html.line(html.text(line)) for line in _help_of(entry, translation.version))
    return f'<div class="fk-{kind}">{head}{shown}{more}</div>'


def pretty_json(translation: Translation) -> str:
    """Return the Ignition, indented."""
    return json.dumps(translation.ignition, indent=2, ensure_ascii=False) if translation.ignition else ""


@dataclass(frozen=True, kw_only=True, repr=False)
class ConfigCard(Twin):
    """The value of a `%%butane` cell. `note` is a remark on the file, if there is one."""

    path: str
    translation: Translation
    note: str = ""
    is_saved: bool = True

    @cached_property
    def report(self) -> Report:
        """The faults, warnings and remarks."""
        return report_of(self.translation)

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
        words, saved = faults_in_words(self.report), "is saved" if self.is_saved else "is not saved"
        if not self.ok:
            which = "the lines that are marked" if words != "1 fault" else "what is marked"
            return f"✗ {self.path} {saved}, with {words}: correct {which}, then run this cell again"
        version = (self.ignition or {}).get("ignition", {}).get("version", "")
        if words != "no faults":
            return f"! {self.path} {saved}, with {words}: a machine can be made from it, and may not be what you want"
        return f"{'✓' if self.is_saved else '!'} {self.path} {saved}: no faults, becomes Ignition {version}"

    @property
    def _main(self) -> list[Entry]:
        return [entry for entry in self.report if entry.kind is not Kind.INFO]

    def as_text(self) -> str:
        """Return the text of the card."""
        lines = [self.headline]
        for entry in self._main:
            lines += _entry_text(entry, self.translation)
        if self.ignition is not None:
            lines += ["On its first boot a machine gets", *(f"  {line}" for line in summary(self.ignition))]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        kind = {"✓": "ok", "✗": "bad"}.get(self.headline[0], "line")
        out = [html.line(html.text(self.headline, kind))]
        out += [_entry_html(entry, self.translation) for entry in self._main]
        if self.ignition is not None:
            rows = "".join(f"<li>{html.text(line)}</li>" for line in summary(self.ignition))
            out.append(html.line("On its first boot a machine gets") + f"<ul>{rows}</ul>" if rows else "")
            out.append(html.folded("The Ignition that the machine reads", html.pre(pretty_json(self.translation))))
        remarks = [_entry_html(entry, self.translation) for entry in self.report if entry.kind is Kind.INFO]
        if remarks:
            out.append(html.folded(_count(len(remarks), "remark"), "".join(remarks)))
        if self.note:
            out.append(html.line(html.text(self.note, "dim")))
        return html.block(*out)
