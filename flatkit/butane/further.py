"""Faults behind the one at which Butane stops: a learner reads them at once, and no fix is blamed for them.

Butane stops at a wrong type, or at a missing header. Here the values that do not fit are left out, and the rest is validated.
What may be due to the left-out values is not reported.
"""

from __future__ import annotations

from flatkit.butane import messages
from flatkit.butane.detect import Format, detect_format
from flatkit.butane.diagnostics import entry_of, path_text
from flatkit.butane.places import misfits_at
from flatkit.butane.schema import FieldType, Shape, get_schema
from flatkit.butane.source.decode import TypeErrors, decode
from flatkit.butane.source.node import MAPPING, Path, YamlFault
from flatkit.butane.transpile import Translation, check_rest
from flatkit.report import Entry, Kind, Span

_HEADER = (messages.VARIANT_MISSING.code, messages.VERSION_INVALID.code, messages.NO_TRANSLATOR.code)
_BELOW_HEADER = frozenset(("variant", "version"))


def all_faults(translation: Translation) -> tuple[Entry, ...]:
    """Butane's report, and what it did not come to."""
    return (*translation.report, *find_further(translation))


def find_further(translation: Translation) -> tuple[Entry, ...]:
    """The entries behind the fault at which Butane stopped; () if it came to the end, or the YAML is broken."""
    root, codes = translation.root, {entry.code for entry in translation.report}
    if translation.ok or translation.is_printed or root is None or root.kind != MAPPING:
        return ()
    if codes & set(_HEADER):
        return _behind_header(translation)
    if codes <= {messages.WRONG_TYPE.code} and translation.schema is not None:
        return _behind_types(translation, translation.report.entries)
    return ()


def _behind_header(translation: Translation) -> tuple[Entry, ...]:
    root = translation.root
    variant = root.child("variant") if root is not None else None
    if detect_format(translation.document) is not Format.BUTANE or (variant and variant.value.lower() != "flatcar"):
        return ()
    schema = get_schema()
    kind = FieldType(shape=Shape.STRUCT, go=f"{schema.package}.Config", struct=schema.root)
    found: tuple[Entry, ...] = ()
    try:
        values = decode(root, kind)
    except TypeErrors as fault:
        values = fault.values
        found = tuple(
            entry_of(message, span=Span(line=line, column=column, end_line=line, end_column=column + 1))
            for line, column, message in fault.faults
        )
    except YamlFault:
        return ()
    return (*found, *_behind_types(translation.with_values(schema, values), found))


def _behind_types(translation: Translation, misfits: tuple[Entry, ...]) -> tuple[Entry, ...]:
    root, schema = translation.root, translation.schema or get_schema()
    assert root is not None
    left_out: set[str] = set()
    owners: set[str] = set()
    # An alias that is used often has its fault as often, at one place.
    spots = {(entry.span.line, entry.span.column, entry.values.get("type", "")) for entry in misfits if entry.span}
    for line, column, go in spots:
        places = misfits_at(root, schema, line, column, go)
        if not places:
            return ()
        left_out |= {path_text(place.path) for place in places}
        owners |= {path_text(_owner(place.path)) for place in places}
    return tuple(entry for entry in check_rest(translation) if not _may_be_due(entry, left_out, owners))


def _owner(path: Path) -> Path:
    """The file, unit or user that a value belongs to; the value itself where there is none."""
    numbers = [at for at, part in enumerate(path) if isinstance(part, int)]
    return path[: numbers[-1] + 1] if numbers else path


def _may_be_due(entry: Entry, left_out: set[str], owners: set[str]) -> bool:
    """True if an entry is about a left-out value, or an error of what the value belongs to."""
    parts = entry.path.split(".")
    stems = {".".join(parts[: at + 1]) for at in range(len(parts))}
    return bool(stems & (owners if entry.kind is Kind.ERROR else left_out)) or entry.path[2:] in _BELOW_HEADER
