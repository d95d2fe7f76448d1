"""What kind of config a text is, to say so when one is handed over in place of another; and .ign files judged."""

from __future__ import annotations

from enum import Enum
from typing import Any

from flatkit.butane import messages
from flatkit.butane.diagnostics import Diagnostics, entry_of, to_report
from flatkit.butane.ignition.config import SEMVER, Misfit, fit, validate, version_of
from flatkit.butane.ignition.go_json import JsonFault, load
from flatkit.butane.messages import Wording
from flatkit.butane.source.compose import Document
from flatkit.butane.source.node import MAPPING, SEQUENCE, Node, YamlFault
from flatkit.butane.tables import get_schema
from flatkit.report import Report, Span
from flatkit.untrusted import lines_of


class Format(str, Enum):
    """What a text looks like."""

    BUTANE = "Butane"
    IGNITION = "Ignition"
    CLOUD_CONFIG = "cloud-config"
    CONTAINER_LINUX_CONFIG = "Container Linux Config"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


_CLOUD_KEYS = frozenset(
    (
        "coreos",
        "hostname",
        "write_files",
        "ssh_authorized_keys",
        "users",
        "runcmd",
        "packages",
        "bootcmd",
        "manage_etc_hosts",
    )
)
_CLC_KEYS = frozenset(("update", "etcd", "locksmith", "flannel", "docker", "networkd"))
# Far more than Ignition's own fields need: what is deeper cannot be written out again.
_MAX_DEPTH = 200
_SECTIONS = frozenset(("ignition", "passwd", "storage", "systemd", "kernel_arguments"))


def detect_format(source: str | bytes | Document) -> Format:
    """What the text looks like, from its first line and its top-level keys; faults in it do not matter."""
    document = Document.of(source)
    try:
        shown = document.text
    except YamlFault:
        return Format.UNKNOWN
    if shown.lstrip().startswith("#cloud-config"):
        return Format.CLOUD_CONFIG
    keys = _top_level(document)
    if "variant" in keys:
        return Format.BUTANE
    if shown.lstrip().startswith("{") and "ignition" in keys:
        return Format.IGNITION
    if keys & _CLOUD_KEYS and not keys & _SECTIONS:
        return Format.CLOUD_CONFIG
    if keys & _CLC_KEYS or _has_filesystem_key(document.tree):
        return Format.CONTAINER_LINUX_CONFIG
    return Format.BUTANE if keys & _SECTIONS or "version" in keys else Format.UNKNOWN


def _top_level(document: Document) -> set[str]:
    try:
        root = document.root
    except YamlFault:
        # While it is being typed a text is often broken: the lines without indentation tell enough.
        lines = (line for line in lines_of(document.text) if line[:1].isalpha())
        keys = {line.partition(":")[0].strip() for line in lines if ":" in line}
        if document.text.lstrip().startswith("{") and '"ignition"' in document.text:
            keys.add("ignition")
        return keys
    return set(root.positions()) if root is not None and root.kind == MAPPING else set()


def _has_filesystem_key(root: Node | None) -> bool:
    """`filesystem: root` in a file: every Container Linux Config had it, no Butane config has."""
    storage = root.child("storage") if root is not None else None
    files = storage.child("files") if storage is not None else None
    if files is None or files.kind != SEQUENCE:
        return False
    return any(item.child("filesystem") is not None for item in files.content)


def check_ignition(source: str | bytes | Document) -> tuple[dict[str, Any] | None, Report]:
    """Judge an .ign file: the config if a machine can be given it, and everything that was found.

    The version must be of spec 3; what flatkit knows (3.3.0 and 3.4.0) is validated as Ignition does it.
    """
    document = Document.of(source)
    shown = document.data.decode("utf-8", "replace")
    kind = detect_format(document)
    if kind in (Format.BUTANE, Format.CLOUD_CONFIG, Format.CONTAINER_LINUX_CONFIG) and not shown.lstrip().startswith(
        "{"
    ):
        return None, _refused(messages.NOT_IGNITION(format=str(kind)))
    diagnostics = Diagnostics()
    try:
        value = load(shown, max_depth=_MAX_DEPTH)
        version = version_of(value)
        match = SEMVER.match(version)
        if match is None or match.group(1) != "3" or match.group(4):
            diagnostics.error(("ignition", "version"), messages.IGNITION_RELEASED(version=version))
        else:
            schema = get_schema("1.0.0" if (int(match.group(1)), int(match.group(2))) <= (3, 3) else "1.1.0")
            diagnostics.extend(validate(value, fit(value, schema), schema))
    except JsonFault as fault:
        line, column = shown.count("\n", 0, fault.at) + 1, fault.at - shown.rfind("\n", 0, fault.at)
        return None, _refused(
            messages.IGNITION_JSON(problem=str(fault)),
            Span(line=line, column=column, end_line=line, end_column=column + 1),
        )
    except Misfit as fault:
        diagnostics.error(None, messages.IGNITION_JSON(problem=str(fault)))
    # The positions: JSON is YAML, near enough. Go takes broken UTF-8 in JSON, YAML does not.
    report = to_report(diagnostics, (Document(shown) if "\ufffd" in shown else document).tree)
    return (None if report.is_fatal else value), report


def _refused(message: Wording, span: Span | None = None) -> Report:
    return Report(entries=(entry_of(message, span=span),))
