"""JSON-ready values for the editor's page: its state, and the messages that answer an edit."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Literal, NotRequired, TypedDict

from flatkit.butane import Translation
from flatkit.butane.explain import PHASES, TITLES, explain
from flatkit.butane.reasons import reason_for
from flatkit.butane.schema import VERSIONS, Shape, Struct, get_schema, snake, struct_of
from flatkit.butane.source.node import Path
from flatkit.report import Entry, Kind, Report, Span


class KeyState(TypedDict):
    """A key of the schema. `struct` is the type of its mapping, `list` whether it takes a list of them."""

    type: str
    doc: str
    default: str
    choices: list[str]
    struct: str
    list: bool


class VersionState(TypedDict):
    """A version of the schema: struct, key, and what is known about the key."""

    reference: str
    structs: dict[str, dict[str, KeyState]]


class EditorState(TypedDict):
    """The state that a page starts with. `place` is the file's path, `edition` the number of the text."""

    name: str
    place: str
    text: str
    edition: int
    schema: dict[str, VersionState]


class SpanState(TypedDict):
    """A place in the text, all from 1, columns in characters, the end exclusive."""

    line: int
    column: int
    endLine: int
    endColumn: int


class EditState(TypedDict):
    """A suggested edit."""

    span: SpanState
    text: str
    label: str


class ReasonState(TypedDict):
    """The reason behind an entry ("" if none is known), with the title and address of a page to read on."""

    why: str
    page: str
    link: str


class EntryState(TypedDict):
    """An entry of the report. `teach` may have more lines: an example, as it is written."""

    kind: Literal["error", "warning", "info"]
    message: str
    teach: str
    reason: ReasonState
    path: str
    span: SpanState | None
    edits: list[EditState]


class CheckedMessage(TypedDict):
    """The report on an edit. `start` and `solution` say whether the lesson has them."""

    kind: Literal["checked"]
    page: str
    seq: int
    edition: int
    ok: bool
    note: str
    conflict: bool
    report: list[EntryState]
    start: bool
    solution: bool
    ignition: str


# A line of the JSON, its place in the text as a list, the key there, and whether Butane added it.
OriginRow = tuple[int, tuple[int, int, int, int] | None, str, bool]


class SentenceState(TypedDict):
    """A sentence of the explanation."""

    text: str
    reason: str
    line: int | None


class GroupState(TypedDict):
    """The sentences of a phase of the first boot."""

    title: str
    sentences: list[SentenceState]


class DiffRow(TypedDict):
    """A line of a difference: the mark is "+", "-", " ", or "…" where equal lines are left out."""

    mark: str
    text: str


class MoreState(TypedDict, total=False):
    """Values that only one tab needs."""

    explain: list[GroupState]
    gets: list[str]
    start: list[DiffRow]
    solution: list[DiffRow]


class BecameMessage(TypedDict):
    """The Ignition of an edit; without `json` when the text has faults."""

    kind: Literal["became"]
    page: str
    seq: int
    more: MoreState
    json: NotRequired[str]
    origins: NotRequired[list[OriginRow]]


class ReplaceMessage(TypedDict):
    """Another text for a page, or for all of them with page ""."""

    kind: Literal["replace"]
    page: str
    text: str
    edition: int


class OthersMessage(TypedDict):
    """The other files of the folder."""

    kind: Literal["others"]
    page: str
    names: list[str]


class TakeMessage(TypedDict):
    """The text of another file, to be put in as the user's own edit."""

    kind: Literal["take"]
    page: str
    name: str
    text: str


class SaidMessage(TypedDict):
    """A sentence for the user."""

    kind: Literal["said"]
    page: str
    ok: bool
    text: str


EditorMessage = CheckedMessage | BecameMessage | ReplaceMessage | OthersMessage | TakeMessage | SaidMessage

_CONTENTS = frozenset(("inline", "local", "source"))


def entry_states(report: Report, failure: str = "", version: str = "1.1.0") -> list[EntryState]:
    """Return each entry with its place, reason and edits, and `failure` when no entry explains the missing result.

    `version` is that of the config: the reference has a page for each.
    """
    out = [_entry(entry, version) for entry in report]
    if failure and not report.is_fatal:
        out.append(_entry(Entry(kind=Kind.ERROR, path="", message=failure), version))
    return out


def _entry(entry: Entry, version: str) -> EntryState:
    reason = reason_for(entry.code, version)
    return {
        "kind": entry.kind.value,
        "message": entry.message,
        "teach": entry.teach,
        "reason": {"why": reason.why, "page": reason.page, "link": reason.link},
        "path": entry.path,
        "span": _span(entry.span) if entry.span else None,
        "edits": [{"span": _span(edit.span), "text": edit.text, "label": edit.label} for edit in entry.edits],
    }


def _span(span: Span) -> SpanState:
    return {"line": span.line, "column": span.column, "endLine": span.end_line, "endColumn": span.end_column}


def origins(translation: Translation) -> list[OriginRow]:
    """Return where each line of the pretty JSON that holds a value comes from.

    These are lists: a config of 2,000 lines has more than a thousand of them on every key that is typed.
    """
    provenance = translation.provenance
    out: list[OriginRow] = []
    for number, leaf in zip(_value_lines(translation.json), provenance.leaves(), strict=True):
        source, span = provenance.origin(leaf)
        place = (span.line, span.column, span.end_line, span.end_column) if span else None
        key = next((part for part in reversed(source) if isinstance(part, str)), "")
        out.append((number, place, key, is_added(leaf, source)))
    return out


def _value_lines(pretty: str) -> Iterator[int]:
    """Yield the numbers of lines with a value. In pretty JSON each value has a line; the others open or close something."""
    for number, line in enumerate(pretty.split("\n"), start=1):
        bare = line.strip().rstrip(",")
        if bare not in ("}", "]", "") and not bare.endswith(("{", "[")):
            yield number


def is_added(json_path: Path, yaml_path: Path) -> bool:
    """Tell whether Butane wrote a value of the JSON and not the user: its key is not the one in the text."""
    key = next((part for part in reversed(json_path) if isinstance(part, str)), "")
    written = next((part for part in reversed(yaml_path) if isinstance(part, str)), "")
    if key == "source" and written in _CONTENTS:
        return False
    # ssh_authorized_keys_local, contents_local: the same thing, read from a file.
    return json_path == ("ignition", "version") or not (written == snake(key) or written == f"{snake(key)}_local")


def explanation(translation: Translation) -> list[GroupState]:
    """Return what happens on the first boot, a group per phase."""
    sentences = explain(translation)
    groups: list[GroupState] = []
    for phase in PHASES:
        mine: list[SentenceState] = [
            {"text": one.text, "reason": one.reason, "line": one.span.line if one.span else None}
            for one in sentences
            if one.phase == phase
        ]
        if mine:
            groups.append({"title": TITLES[phase], "sentences": mine})
    return groups


def difference(text: str, other: str) -> list[DiffRow]:
    """Return what to change in `text` to get `other`."""
    out: list[DiffRow] = []
    lines, others = text.split("\n"), other.split("\n")
    groups = difflib.SequenceMatcher(None, lines, others, autojunk=False).get_grouped_opcodes(2)
    for number, group in enumerate(groups):
        if number or group[0][1]:
            out.append({"mark": "…", "text": ""})
        for tag, start, end, other_start, other_end in group:
            out += [{"mark": " " if tag == "equal" else "-", "text": line} for line in lines[start:end]]
            if tag != "equal":
                out += [{"mark": "+", "text": line} for line in others[other_start:other_end]]
    return out


def schema_state() -> dict[str, VersionState]:
    """Return each version's structs, for completion and hover."""
    schemas = {version: get_schema(version) for version in VERSIONS}
    return {
        version: {
            "reference": schema.reference,
            "structs": {name: _struct(struct) for name, struct in schema.structs.items()},
        }
        for version, schema in schemas.items()
    }


def _struct(struct: Struct) -> dict[str, KeyState]:
    out: dict[str, KeyState] = {}
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
