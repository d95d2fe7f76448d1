"""Values that are nearly right, and the YAML around them: modes, paths, names, hashes, the header, indentation. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flatkit.butane.check_source import octal_meant
from flatkit.butane.detect import Format, detect_format
from flatkit.butane.fixes import values
from flatkit.butane.fixes.writing import combined, insert, replace, scalar
from flatkit.butane.localfiles import clean
from flatkit.butane.places import path_of
from flatkit.butane.source.node import MAPPING, Node, find_node
from flatkit.butane.source.textblocks import fallen_out
from flatkit.butane.textwords import stray_line, suggest_bare_block
from flatkit.butane.transpile import Translation
from flatkit.report import Edit, Entry, Span
from flatkit.untrusted import is_number

_HEADER = "variant: flatcar\nversion: 1.1.0\n"
_SUFFIXES = {
    "Service": ".service", "Socket": ".socket", "Timer": ".timer", "Mount": ".mount", "Automount": ".automount",
    "Swap": ".swap", "Path": ".path", "Slice": ".slice",
}  # fmt: skip


def mode(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """644 becomes 0644."""
    node = find_node(translation.root, path_of(entry))
    found = scalar(node)
    if node is None or found is None or not is_number(found.value):
        return
    is_directory = entry.path.startswith("$.storage.directories")
    if octal_meant(int(found.value), is_directory=is_directory) is not None:
        yield replace(node, f"0{found.value}", f"write 0{found.value}")


def header(_: Entry, translation: Translation) -> Iterator[Edit]:
    """Add variant and version, or one of them."""
    root, format_ = translation.root, detect_format(translation.document)
    if format_ not in (Format.BUTANE, Format.UNKNOWN) or translation.text.lstrip().startswith("{"):
        return
    if root is not None and root.kind == MAPPING and not root.flow and "version" in root.positions():
        first = root.content[0]
        yield insert(first.line, first.column, "variant: flatcar\n", "add the variant")
    elif root is None or (root.kind == MAPPING and not root.flow):
        yield insert(1, 1, _HEADER, "add variant and version")


def version(_: Entry, translation: Translation) -> Iterator[Edit]:
    """Write the version, or add it."""
    root = translation.root
    if root is None or root.kind != MAPPING:
        return
    node, variant = root.child("version"), root.child("variant")
    if node is not None and scalar(node) is not None:
        yield replace(node, "1.1.0", "write 1.1.0")
    elif node is None and variant is not None:
        lead = ", " if root.flow else "\n"
        yield insert(variant.end_line, variant.end_column, f"{lead}version: 1.1.0", "add the version")


def translator(_: Entry, translation: Translation) -> Iterator[Edit]:
    """Write the variant and version that flatkit knows, in one edit if both are wrong."""
    root = translation.root
    edits: list[Edit] = []
    for key, text in (("variant", "flatcar"), ("version", "1.1.0")):
        node = root.child(key) if root is not None else None
        found = scalar(node)
        if (
            node is not None
            and found is not None
            and found.value != text
            and (key == "variant" or found.value != "1.0.0")
        ):
            edits.append(replace(node, text, f"write {key}: {text}"))
    if edits:
        yield combined(translation.text, edits, " and ".join(edit.label for edit in edits).replace("and write", "and"))


def tab(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """Indent a line with spaces."""
    if entry.span is None:
        return
    lines = translation.text.split("\n")
    line = lines[entry.span.line - 1] if entry.span.line <= len(lines) else ""
    lead = line[: len(line) - len(line.lstrip(" \t"))]
    if "\t" in lead:
        span = Span(line=entry.span.line, column=1, end_line=entry.span.line, end_column=len(lead) + 1)
        yield Edit(span=span, text=lead.replace("\t", "  "), label="indent with spaces")
        last = max((number for number, line in enumerate(lines, start=1) if line.startswith("\t")), default=0)
        if last > entry.span.line:
            spaced = (
                re.sub(r"^\t+", lambda tabs: "  " * len(tabs[0]), line) for line in lines[entry.span.line - 1 : last]
            )
            span = Span(line=entry.span.line, column=1, end_line=last, end_column=len(lines[last - 1]) + 1)
            yield Edit(span=span, text="\n".join(spaced), label="indent all lines with spaces")


def fallen(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """Indent the lines of a text that fell out of its block, or write | where it is missing."""
    yield from suggest_bare_block(entry, translation)
    found = fallen_out(translation.text, entry.span.line if entry.span else 0)
    if found is not None:
        lines = translation.text.split("\n")[found.first - 1 : found.last]
        text = "\n".join(found.indented(lines))
        span = Span(line=found.first, column=1, end_line=found.last, end_column=len(lines[-1]) + 1)
        yield Edit(span=span, text=text, label=f"indent {'this line' if len(lines) == 1 else 'these lines'}")


def start(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """A tab, a text that fell out of its block, or a text that needs quotes: "%wheel ALL"."""
    yield from tab(entry, translation)
    yield from fallen(entry, translation)
    if entry.span is None:
        return
    lines = translation.text.split("\n")
    line = lines[entry.span.line - 1] if entry.span.line <= len(lines) else ""
    match = re.match(r"(\s*(?:- )*(?:[\w-]+: +)?)([%@`*&][^#'\"]*[^#'\"\s])\s*$", line)
    if (
        match
        and not stray_line(translation.text, entry.span.line)
        and "{%" not in line
        and not match[2].startswith("%{")
    ):
        span = Span(
            line=entry.span.line, column=match.start(2) + 1, end_line=entry.span.line, end_column=match.end(2) + 1
        )
        yield Edit(span=span, text=f"'{match[2]}'", label="put quotes around it")


def path(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """An absolute path where it is clear which one; a device below /dev."""
    where = path_of(entry)
    node, parent = find_node(translation.root, where), find_node(translation.root, where[:-1])
    found = scalar(node)
    if node is None or found is None or not found.plain or not found.value:
        return
    text = found.value
    kind = parent.child("format") if parent is not None else None
    if where[-1] == "device" and values.is_remote(text, kind.value if kind is not None else ""):
        return
    if text.startswith("/") and text.endswith("/") and where[:2] == ("storage", "files"):
        # It is a directory: a file of that name is not what is meant.
        return
    if text.startswith("/"):
        better = clean(text)
    elif where[-1] == "device" or "devices" in where:
        better = values.device_path(text)
    else:
        better = values.absolute_path(text)
    if better:
        yield replace(node, better, f"write {better}")


def empty(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """`overwrite: true` of a file without contents."""
    where = path_of(entry)[:-1]
    node = find_node(translation.root, where)
    if node is not None and node.kind == MAPPING and not node.flow and "contents" not in node.positions():
        first = node.content[0]
        text = f'contents: {{inline: ""}}\n{" " * (first.column - 1)}'
        yield insert(first.line, first.column, text, "write an empty file")


def digest(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """A hash with the function that its length says."""
    node = find_node(translation.root, path_of(entry))
    found = scalar(node)
    better = values.hash_text(found.value) if found is not None else ""
    if node is not None and better:
        yield replace(node, better, f"write {better[:14]}...")


def unit_name(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """A unit's name with the suffix that its own section asks for."""
    where = path_of(entry)
    where = where if where[-1:] == ("name",) else (*where, "name")
    node, unit = find_node(translation.root, where), find_node(translation.root, where[:-1])
    contents = scalar(unit.child("contents")) if unit is not None else None
    sections = re.findall(r"^\s*\[(\w+)\]", contents.value, re.MULTILINE) if contents is not None else []
    suffixes = {_SUFFIXES[section] for section in sections if section in _SUFFIXES}
    found = scalar(node)
    if node is not None and found is not None and len(suffixes) == 1 and re.fullmatch(r"[\w@:\\-]+", found.value):
        yield _named(node, found.value + suffixes.pop())


def dropin_name(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """A drop-in's name with .conf."""
    where = path_of(entry)
    where = where if where[-1:] == ("name",) else (*where, "name")
    node = find_node(translation.root, where)
    found = scalar(node)
    if (
        node is not None
        and found is not None
        and re.fullmatch(r"[\w@:-]+(\.(service|socket|timer|mount|config))?", found.value)
    ):
        yield _named(node, re.sub(r"\.(service|socket|timer|mount|config)$", "", found.value) + ".conf")


def _named(node: Node, name: str) -> Edit:
    return replace(node, name, f"write {name}")


_FORMATS = {"fat32": "vfat", "fat": "vfat", "fat16": "vfat", "linux-swap": "swap"}


def filesystem(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """A format in capitals, or by another name."""
    node = find_node(translation.root, path_of(entry))
    found = scalar(node)
    if node is None or found is None or path_of(entry)[-1:] != ("format",):
        return
    lowered = found.value.lower()
    better = _FORMATS.get(lowered, lowered)
    if better != found.value:
        yield replace(node, better, f"write {better}")


def proxy(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """A proxy without its scheme."""
    node = find_node(translation.root, path_of(entry))
    found = scalar(node)
    if node is not None and found is not None and re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]+)?/?", found.value):
        yield replace(node, f"http://{found.value}", f"write http://{found.value}")
