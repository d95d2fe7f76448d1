"""From text to Ignition, stage by stage, stopping where butane stops.

Pure but for the files below --files-dir. Never raises about the user's text: faults are in the report, and `failure` is the
last line that butane prints.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from flatkit.butane import messages
from flatkit.butane.check_source import check_source, find_unused_keys
from flatkit.butane.diagnostics import Diagnostic, Diagnostics, entry_of, to_report
from flatkit.butane.ignition.go_json import dump
from flatkit.butane.ignition.validate import check_values, find_duplicates
from flatkit.butane.localfiles import LocalFiles
from flatkit.butane.provenance import Origin, Provenance
from flatkit.butane.schema import VERSIONS, FieldType, Schema, Shape, Struct, get_schema
from flatkit.butane.source.decode import TypeErrors, decode
from flatkit.butane.source.document import Document
from flatkit.butane.source.node import Node, YamlFault
from flatkit.butane.translate import translate_values
from flatkit.report import Report, Span

SOURCE_INVALID = "Error translating config: source config is invalid"
RESULT_INVALID = "Error translating config: config generated was invalid"
STRICT = "Config produced warnings and --strict was specified"
_SEMVER_PART = re.compile(r"[0-9A-Za-z.-]*\Z", re.ASCII)

# butane's first look at a config: variant and version alone.
_HEADER_FIELDS = {key: get_schema().root.fields[key] for key in ("variant", "version")}
_HEADER = FieldType(
    shape=Shape.STRUCT, go="config.commonFields", struct=Struct(name="commonFields", fields=_HEADER_FIELDS)
)


@dataclass(frozen=True, kw_only=True)
class Translation:
    """The result of a translation.

    `is_printed` is False for faults of YAML itself: butane reports them in `failure` alone. `ignition` is None and `json` is ""
    when it failed. Of a text with type errors `values` has what fits.
    """

    name: str
    document: Document
    report: Report = field(default_factory=Report)
    failure: str = ""
    is_printed: bool = True
    ignition: dict[str, Any] | None = None
    json: str = ""
    schema: Schema | None = None
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str | int, ...], Origin] = field(default_factory=dict)
    files_dir: str | os.PathLike[str] | None = None

    @property
    def ok(self) -> bool:
        """True when there is an Ignition config."""
        return not self.failure

    @property
    def text(self) -> str:
        """The text as reports show it."""
        return self.document.shown

    @property
    def root(self) -> Node | None:
        """The YAML tree, if there is one."""
        return self.document.tree

    @property
    def version(self) -> str:
        """The version of the schema, the newest where the text names none that is known."""
        return (self.schema or get_schema()).version

    def with_values(self, schema: Schema, values: dict[str, Any]) -> Translation:
        """Return it with other values, for `check_rest`."""
        return replace(self, schema=schema, values=values)

    @cached_property
    def provenance(self) -> Provenance:
        """The way from the JSON back to the YAML; empty when the translation failed."""
        schema = self.schema or get_schema()
        return Provenance(self.ignition or {}, self.origins, self.root, schema)


def translate(
    source: str | bytes | Document,
    *,
    files_dir: str | os.PathLike[str] | None = None,
    pretty: bool = False,
    strict: bool = False,
    name: str = "<stdin>",
) -> Translation:
    """Translate a Butane config. `name` is what reports call the file; `strict` makes any warning a failure."""
    started = Translation(name=name, document=Document.of(source), files_dir=files_dir)
    try:
        root = started.document.root
    except YamlFault as fault:
        return _yaml_failure(started, "Error unmarshaling yaml: yaml: ", fault)
    schema = _choose_schema(started, root)
    if isinstance(schema, Translation):
        return schema
    try:
        values = decode(root, FieldType(shape=Shape.STRUCT, go=f"{schema.package}.Config", struct=schema.root))
    except (YamlFault, TypeErrors) as fault:
        fitting = fault.values if isinstance(fault, TypeErrors) else {}
        return _yaml_failure(started.with_values(schema, fitting), "yaml: ", fault)
    done = _translate(replace(started, schema=schema, values=values), schema, LocalFiles(files_dir), pretty)
    if strict and done.ok and len(done.report):
        return replace(done, failure=STRICT, ignition=None, json="")
    return done


def check_rest(translation: Translation) -> Report:
    """Validate the values of a translation that stopped at a type error."""
    assert translation.schema is not None
    return _translate(translation, translation.schema, LocalFiles(translation.files_dir), pretty=False).report


def _yaml_failure(started: Translation, prefix: str, fault: YamlFault | TypeErrors) -> Translation:
    faults = fault.faults if isinstance(fault, TypeErrors) else [(fault.line, fault.column, fault.message)]
    report = Report(entries=tuple(entry_of(message, span=_point(line, column)) for line, column, message in faults))
    return replace(started, report=report, failure=f"Error translating config: {prefix}{fault}", is_printed=False)


def _point(line: int, column: int) -> Span | None:
    return Span(line=line, column=column, end_line=line, end_column=column + 1) if line and column else None


def _choose_schema(started: Translation, root: Node | None) -> Schema | Translation:
    try:
        header = decode(root, _HEADER)
    except (YamlFault, TypeErrors) as fault:
        return _yaml_failure(started, "Error unmarshaling yaml: yaml: ", fault)
    variant, version = header.get("variant", ""), header.get("version", "")
    key = "variant"
    normal = _normal_version(version)
    if not variant:
        message = messages.VARIANT_MISSING()
    elif normal is None:
        key, message = "version", messages.VERSION_INVALID()
    elif variant == "flatcar" and normal in VERSIONS:
        return get_schema(normal)
    elif (variant, normal) == ("rhcos", "0.1.0"):
        message = messages.RHCOS_VARIANT()
    else:
        key = "version" if variant == "flatcar" else "variant"
        unknown = messages.NOT_IN_FLATKIT if _is_known_to_butane(variant, normal) else messages.NO_TRANSLATOR
        message = unknown(variant=variant, version=normal)
    node = root.child(key) if root is not None else None
    entry = entry_of(message, path=f"$.{key}" if node else "", span=node.span if node else None)
    report = Report(entries=(entry,))
    return replace(started, report=report, failure=f"Error translating config: {message}", is_printed=False)


_OTHERS = {
    "fcos": re.compile(r"1\.[0-7]\.0|1\.8\.0-experimental"),
    "openshift": re.compile(r"4\.([89]|1[0-9]|2[0-2])\.0|4\.23\.0-experimental"),
    "r4e": re.compile(r"1\.[01]\.0|1\.2\.0-experimental"),
    "fiot": re.compile(r"1\.0\.0|1\.1\.0-experimental"),
}


def _is_known_to_butane(variant: str, version: str) -> bool:
    return variant in _OTHERS and _OTHERS[variant].fullmatch(version) is not None


def _normal_version(text: str) -> str | None:
    """A semver as coreos/go-semver reads and prints it, or None."""
    head, plus, meta = text.partition("+")
    head, dash, pre = head.partition("-")
    parts = head.split(".", 2)
    if len(parts) != 3 or not (_SEMVER_PART.match(pre) and _SEMVER_PART.match(meta)):
        return None
    if not all(re.fullmatch(r"[+-]?[0-9]{1,19}", part) for part in parts):
        return None
    numbers = ".".join(str(int(part)) for part in parts)
    return numbers + (f"-{pre}" if dash and pre else "") + (f"+{meta}" if plus and meta else "")


def _translate(started: Translation, schema: Schema, files: LocalFiles, pretty: bool) -> Translation:
    """The stages after the YAML: unused keys, source checks, translation, filter, Ignition's checks."""
    values, root, diagnostics = started.values, started.root, Diagnostics()
    find_unused_keys(values, root, schema=schema, diagnostics=diagnostics)
    check_source(values, schema=schema, diagnostics=diagnostics)
    if diagnostics.is_fatal:
        return replace(started, report=to_report(diagnostics, root), failure=SOURCE_INVALID)
    ignition, origins = translate_values(values, schema=schema, files=files, diagnostics=diagnostics)
    if not diagnostics.is_fatal:
        _refuse_luks(ignition, schema, diagnostics)
    if diagnostics.is_fatal:
        return replace(started, report=to_report(diagnostics, root), failure=SOURCE_INVALID)
    provenance = Provenance(ignition, origins, root, schema)
    found = Diagnostics()
    find_duplicates(ignition, schema=schema, diagnostics=found)
    check_values(ignition, schema=schema, diagnostics=found)
    for diagnostic in found:
        assert diagnostic.path is not None
        diagnostics.append(Diagnostic(diagnostic.kind, provenance.report_path(diagnostic.path), diagnostic.message))
    done = replace(started, report=to_report(diagnostics, root))
    if diagnostics.is_fatal:
        return replace(done, failure=RESULT_INVALID)
    return replace(done, ignition=ignition, json=dump(ignition, pretty=pretty), origins=origins)


def _refuse_luks(ignition: dict[str, Any], schema: Schema, diagnostics: Diagnostics) -> None:
    """Refuse the one field that Ignition knows and this version of variant flatcar does not allow."""
    field, message = ("cex", messages.CEX) if schema.is_experimental else ("clevis", messages.CLEVIS)
    for at, device in enumerate(ignition.get("storage", {}).get("luks", ())):
        if field in device:
            diagnostics.error(("storage", "luks", at, field), message())
