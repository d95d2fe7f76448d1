"""The whole way from text to Ignition, stage by stage, stopping where butane stops.

Pure but for the files below --files-dir. Never raises about a person's text: what is wrong is in the report, and `failure`
is the last line that butane would print.
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
    """What became of a config.

    `report` holds every diagnostic; `is_printed` is False for the faults of YAML itself, which butane tells in `failure` only.
    `ignition` is None and `json` is "" when it failed.
    """

    name: str
    document: Document
    report: Report
    failure: str = ""
    is_printed: bool = True
    ignition: dict[str, Any] | None = None
    json: str = ""
    schema: Schema | None = None
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str | int, ...], Origin] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is an Ignition config."""
        return not self.failure

    @property
    def text(self) -> str:
        """The text as reports show it."""
        return self.document.shown

    @property
    def root(self) -> Node | None:
        """The YAML tree, if there is one."""
        return self.document.tree

    @cached_property
    def provenance(self) -> Provenance:
        """From the JSON to the YAML and back; empty when the translation failed."""
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
    document = Document.of(source)
    try:
        root = document.root
    except YamlFault as fault:
        return _yaml_failure(name, document, "Error unmarshaling yaml: yaml: ", fault)
    schema = _choose_schema(name, document, root)
    if isinstance(schema, Translation):
        return schema
    try:
        values = decode(root, FieldType(shape=Shape.STRUCT, go=f"{schema.package}.Config", struct=schema.root))
    except (YamlFault, TypeErrors) as fault:
        return _yaml_failure(name, document, "yaml: ", fault)
    done = _Run(name, document, schema, values).translate(LocalFiles(files_dir), pretty=pretty)
    if strict and done.ok and len(done.report):
        return replace(done, failure=STRICT, ignition=None, json="")
    return done


def _yaml_failure(name: str, document: Document, prefix: str, fault: YamlFault | TypeErrors) -> Translation:
    faults = fault.faults if isinstance(fault, TypeErrors) else [(fault.line, fault.column, fault.message)]
    entries = tuple(entry_of(message, span=_point(line, column)) for line, column, message in faults)
    failure = f"Error translating config: {prefix}{fault}"
    return Translation(name=name, document=document, report=Report(entries=entries), failure=failure, is_printed=False)


def _point(line: int, column: int) -> Span | None:
    return Span(line=line, column=column, end_line=line, end_column=column + 1) if line and column else None


def _choose_schema(name: str, document: Document, root: Node | None) -> Schema | Translation:
    try:
        header = decode(root, _HEADER)
    except (YamlFault, TypeErrors) as fault:
        return _yaml_failure(name, document, "Error unmarshaling yaml: yaml: ", fault)
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
    failure = f"Error translating config: {message}"
    return Translation(name=name, document=document, report=Report(entries=(entry,)), failure=failure, is_printed=False)


_OTHERS = {
    "fcos": re.compile(r"1\.[0-7]\.0|1\.8\.0-experimental"),
    "flatcar": re.compile(r"1\.2\.0-experimental"),
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


class _Run:
    """The stages after the YAML is read."""

    def __init__(self, name: str, document: Document, schema: Schema, values: dict[str, Any]) -> None:
        self.name, self.document, self.schema, self.values = name, document, schema, values
        self.root = document.tree
        self.diagnostics = Diagnostics()

    def translate(self, files: LocalFiles, *, pretty: bool) -> Translation:
        """Unused keys, source checks, translation, filter, Ignition's checks."""
        schema, diagnostics, values = self.schema, self.diagnostics, self.values
        find_unused_keys(values, self.root, schema=schema, diagnostics=diagnostics)
        check_source(values, schema=schema, diagnostics=diagnostics)
        if diagnostics.is_fatal:
            return self.result(SOURCE_INVALID)
        ignition, origins = translate_values(values, schema=schema, files=files, diagnostics=diagnostics)
        if not diagnostics.is_fatal:
            self.filter_fields(ignition)
        if diagnostics.is_fatal:
            return self.result(SOURCE_INVALID)
        provenance = Provenance(ignition, origins, self.root, schema)
        found = Diagnostics()
        find_duplicates(ignition, schema=schema, diagnostics=found)
        check_values(ignition, schema=schema, diagnostics=found)
        for diagnostic in found:
            assert diagnostic.path is not None
            diagnostics.append(Diagnostic(diagnostic.kind, provenance.report_path(diagnostic.path), diagnostic.message))
        if diagnostics.is_fatal:
            return self.result(RESULT_INVALID)
        return replace(self.result(""), ignition=ignition, json=dump(ignition, pretty=pretty), origins=origins)

    def filter_fields(self, ignition: dict[str, Any]) -> None:
        """What Ignition knows but Flatcar does not support."""
        for at, device in enumerate(ignition.get("storage", {}).get("luks", ())):
            if "clevis" in device:
                path = ("storage", "luks", at, "clevis")
                self.diagnostics.error(path, messages.CLEVIS())

    def result(self, failure: str) -> Translation:
        """The report so far."""
        return Translation(
            name=self.name, document=self.document, report=to_report(self.diagnostics, self.root), failure=failure,
            schema=self.schema, values=self.values,
        )  # fmt: skip
