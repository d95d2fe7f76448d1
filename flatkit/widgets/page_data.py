"""What the editor's page is told about a text, as JSON-ready values: faults, the Ignition with where each line comes from,
the explanation, a difference, and the schema that completion and hover read. Pure functions."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from flatkit.butane import Translation
from flatkit.butane.explain import PHASES, TITLES, explain
from flatkit.butane.schema import VERSIONS, Shape, Struct, get_schema, snake, struct_of
from flatkit.butane.source.node import Path
from flatkit.report import Entry, Report, Span

_CONTENTS = frozenset(("inline", "local", "source"))


def span_data(span: Span | None) -> list[int] | None:
    """[line, column, end line, end column], all from 1, columns in characters, the end exclusive."""
    return [span.line, span.column, span.end_line, span.end_column] if span else None


def report_data(report: Report, failure: str = "") -> list[dict[str, Any]]:
    """Each entry with its place and suggested edits; `failure` stands alone when no entry says why there is no result."""
    out = [_entry_data(entry) for entry in report]
    if failure and not report.is_fatal:
        out.append({"kind": "error", "message": failure, "teach": "", "path": "", "span": None, "edits": []})
    return out


def _entry_data(entry: Entry) -> dict[str, Any]:
    return {
        "kind": str(entry.kind),
        "message": entry.message,
        "teach": entry.teach,
        "path": entry.path,
        "span": span_data(entry.span),
        "edits": [{"span": span_data(edit.span), "text": edit.text, "label": edit.label} for edit in entry.edits],
    }


def origins(translation: Translation) -> list[list[Any]]:
    """For each line of the pretty JSON that holds a value: [its number from 1, its place in the text, the key there, whether
    Butane added it]. Lists, since a config of 2,000 lines has more than a thousand of them on every key that is typed."""
    provenance = translation.provenance
    out = []
    for number, leaf in zip(_value_lines(translation.json), provenance.leaves(), strict=True):
        source, span = provenance.origin(leaf)
        key = next((part for part in reversed(source) if isinstance(part, str)), "")
        out.append([number, span_data(span), key, is_added(leaf, source)])
    return out


def _value_lines(pretty: str) -> Iterator[int]:
    """Pretty JSON has each value on a line of its own; the other lines open or close something."""
    for number, line in enumerate(pretty.split("\n"), start=1):
        bare = line.strip().rstrip(",")
        if bare not in ("}", "]", "") and not bare.endswith(("{", "[")):
            yield number


def is_added(json_path: Path, yaml_path: Path) -> bool:
    """Whether a value of the JSON was written by Butane and not by the person: its key is not the one in the text."""
    key = next((part for part in reversed(json_path) if isinstance(part, str)), "")
    written = next((part for part in reversed(yaml_path) if isinstance(part, str)), "")
    if key == "source" and written in _CONTENTS:
        return False
    # ssh_authorized_keys_local, contents_local: the same thing, read from a file.
    return json_path == ("ignition", "version") or not (written == snake(key) or written == f"{snake(key)}_local")


def explanation_data(translation: Translation) -> list[dict[str, Any]]:
    """What happens on the first boot, a group a phase: sentences with their reasons and lines."""
    sentences = explain(translation)
    groups = []
    for phase in PHASES:
        mine = [
            {"text": one.text, "reason": one.reason, "line": one.span.line if one.span else None}
            for one in sentences
            if one.phase == phase
        ]
        if mine:
            groups.append({"title": TITLES[phase], "sentences": mine})
    return groups


def difference_data(text: str, other: str) -> list[list[str]]:
    """What to change in `text` to get `other`: [mark, line], the mark "+", "-", " ", or "…" where equal lines are left out."""
    out: list[list[str]] = []
    groups = difflib.SequenceMatcher(None, lines := text.split("\n"), others := other.split("\n"), autojunk=False)
    for number, group in enumerate(groups.get_grouped_opcodes(2)):
        if number or group[0][1]:
            out.append(["…", ""])
        for tag, start, end, other_start, other_end in group:
            if tag == "equal":
                out += [[" ", line] for line in lines[start:end]]
                continue
            out += [["-", line] for line in lines[start:end]]
            out += [["+", line] for line in others[other_start:other_end]]
    return out


def schema_data() -> dict[str, Any]:
    """Each version's structs for completion and hover: struct -> key -> its type, sentence, default and choices."""
    versions = {}
    for version in VERSIONS:
        schema = get_schema(version)
        versions[version] = {
            "reference": schema.reference,
            "structs": {name: _struct_data(struct) for name, struct in schema.structs.items()},
        }
    return versions


def _struct_data(struct: Struct) -> dict[str, Any]:
    out = {}
    for name, field in struct.fields.items():
        inner = struct_of(field.type)
        out[name] = {
            "type": field.type_name,
            "doc": field.doc,
            "default": field.default,
            "choices": list(field.choices),
            "struct": inner.name if inner else "",
            "list": field.type.shape is Shape.LIST,
        }
    return out
