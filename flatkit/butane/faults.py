"""Faults in a learner's words: one sentence or two more for each of Butane's messages, and the suggested edits. Pure.

Butane's own words stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

from flatkit.butane import messages
from flatkit.butane.detect import Format, detect_format
from flatkit.butane.fixes.foreignkeys import IGNITION_2, PASTED, foreign_words
from flatkit.butane.fixes.plain import fallen_out
from flatkit.butane.fixes.values import NETWORK_FORMATS, is_remote
from flatkit.butane.places import Place, home_of, misfits_at, node_at, path_of, struct_at, type_named
from flatkit.butane.quickfix import Trials, quick_fixes
from flatkit.butane.schema import FieldType, Shape, Struct, get_schema
from flatkit.butane.source.document import encoding_of, encoding_words
from flatkit.butane.source.node import MAPPING, SCALAR, SEQUENCE, Node, find_node
from flatkit.butane.templates import template_at_fault, template_in, template_words
from flatkit.butane.translate import escape_path
from flatkit.butane.transpile import Translation
from flatkit.report import Edit, Entry, Kind

_FOUND = {MAPPING: "a mapping (key: value)", SEQUENCE: "a list", SCALAR: "a single value"}
_STRUCTS = {
    "Resource": "inline: (the text itself), local: (a file of yours) or source: (a URL)",
    "NodeUser": "name: or id:",
    "NodeGroup": "name: or id:",
    "Verification": "hash:",
    "HTTPHeader": "name: and value:",
    "Tree": "local: and path:",
}
_NUMBERS = {
    "mode": 'An octal number is wanted here, with a leading zero and without quotes: 0644, not "0644" and not rw-r--r--.',
    "size_mib": "A number of MiB is wanted here, without a unit: 1024 is 1 GiB, and 0 is the rest of the disk.",
    "start_mib": "A number of MiB is wanted here, without a unit: 1024 is 1 GiB, and 0 is the first free place.",
    "uid": "A number is wanted here; the user's name goes below name:.",
    "gid": "A number is wanted here; the group's name goes below name:.",
    "id": "A number is wanted here; a name goes below name:.",
    "number": "A number is wanted here: the partition's, from 1 on; its name goes below label:.",
    "http_total": "A number of seconds is wanted here, without a unit.",
    "http_response_headers": "A number of seconds is wanted here, without a unit.",
}
_NETWORK = "A network filesystem is not made by Ignition: take it out here, and write a mount unit."

_NEXT = (
    "Butane itself reads 1.2.0-experimental, which may still change; flatkit reads 1.0.0 and 1.1.0. In these, quadlets are files "
    "below /etc/containers/systemd, and a TPM is bound with systemd-cryptenroll in a oneshot unit."
)


def advise_fault(entry: Entry, translation: Translation, trials: Trials) -> Entry:
    """Add the learner's words and the edits to an entry of Butane's."""
    code, edits = entry.code, quick_fixes(entry.code, entry, translation, trials)
    if code == "yaml-start" and _has_tab(entry, translation):
        code = "yaml-tab"
    return replace(entry, code=code, teach=_words(replace(entry, code=code), translation, edits), edits=edits)


def _words(entry: Entry, translation: Translation, edits: tuple[Edit, ...]) -> str:
    code, advice = entry.code, messages.ADVICE.get(entry.code, "")
    if code in ("variant-missing", "ignition-json", "wrong-type") and not translation.is_printed:
        pasted = _pasted(translation)
        if pasted:
            return pasted
    if code == messages.WRONG_TYPE.code:
        return type_words(entry, translation) or advice
    if code == messages.UNUSED_KEY.code:
        return _key_words(entry, edits, advice)
    if code == messages.NO_TRANSLATOR.code and entry.values.get("version", "").startswith("1.2.0"):
        return _NEXT if entry.values.get("variant") == "flatcar" else advice
    if code == "yaml-encoding":
        return encoding_words(translation.document.data) or advice
    if code == "yaml-tab":
        return advice
    if code.startswith("yaml-") or code in ("unknown-anchor", "duplicate-key"):
        return _yaml_words(entry, translation) or advice
    if code in ("path-relative", "path-missing", "path-not-simple", "filesystem", "filesystem-device"):
        return _device_words(entry, translation) or advice
    node = find_node(translation.root, path_of(entry))
    template = template_words(node.value, whole=True) if node is not None else ""
    return f"{template} {advice}".strip()


def _pasted(translation: Translation) -> str:
    format_ = detect_format(translation.document)
    if format_ is Format.IGNITION:
        encoding = encoding_words(translation.document.data)
        root = translation.root
        section = root.child("ignition") if root is not None else None
        version = section.child("version") if section is not None else None
        if version is not None and version.value.startswith("2."):
            return IGNITION_2
        if encoding:
            return f"This is Ignition JSON, Butane's result. {encoding}"
    return PASTED.get(format_, "")


def _key_words(entry: Entry, edits: tuple[Edit, ...], advice: str) -> str:
    key = entry.values["key"]
    struct = struct_at(path_of(entry)[: -1 - key.count(".")])
    says, example = foreign_words(struct.name if struct is not None else "", key)
    if says:
        return f"{says}\n{example}" if example else says
    if not edits:
        home = home_of(key)
        return f"It belongs below {'.'.join(map(str, home))}. {advice}" if home else advice
    label = edits[0].label
    if label.startswith("write "):
        return f"Did you mean {label.removeprefix('write ')}? {advice}"
    return f"It is in the wrong place: {label}. {advice}"


def _yaml_words(entry: Entry, translation: Translation) -> str:
    line = entry.span.line if entry.span is not None else 0
    found = fallen_out(translation.text, line)
    if found is not None:
        lines = f"line {found.first} is" if found.first == found.last else f"lines {found.first} to {found.last} are"
        return (
            f"The text below {found.key}: (line {found.opened}) has to be indented deeper than {found.key}: itself; {lines} not. "
            "Give all its lines the same indentation."
        )
    return template_at_fault(translation.text, line)


def _device_words(entry: Entry, translation: Translation) -> str:
    path = path_of(entry)
    if path[:2] == ("storage", "filesystems") and len(path) > 2:
        device, kind = (find_node(translation.root, (*path[:3], key)) for key in ("device", "format"))
        what, type_ = device.value if device is not None else "", kind.value if kind is not None else ""
        if is_remote(what, type_):
            where = find_node(translation.root, (*path[:3], "path"))
            unit = _mount_unit(
                what, type_ if type_ in NETWORK_FORMATS else "nfs", where.value if where is not None else ""
            )
            return _NETWORK if path[-1] == "device" and type_ in NETWORK_FORMATS else f"{_NETWORK}\n{unit}"
    if entry.code != "path-not-simple" and (path[-1:] == ("device",) or "devices" in path):
        return (
            "A device is the path of a disk or partition on the machine, such as /dev/sdb or /dev/disk/by-label/data."
        )
    if entry.message == str(messages.FILESYSTEM_FORMAT.text):
        return "Ignition makes ext4, btrfs, xfs, vfat and swap; none leaves the device as it is."
    node = find_node(translation.root, path)
    return template_words(node.value, whole=True) if node is not None else ""


def _mount_unit(what: str, kind: str, where: str) -> str:
    """The unit that mounts a network filesystem, as Butane."""
    where = where if where.startswith("/") and where.isprintable() else "/mnt/share"
    what = what if what.isprintable() and what else "192.0.2.1:/export"
    return (
        f"systemd:\n  units:\n    - name: {escape_path(where)}.mount\n      enabled: true\n      contents: |\n        [Unit]\n"
        "        Wants=network-online.target\n        After=network-online.target\n        [Mount]\n"
        f"        What={what}\n        Where={where}\n        Type={kind}\n        [Install]\n"
        "        WantedBy=remote-fs.target"
    )


def _has_tab(entry: Entry, translation: Translation) -> bool:
    lines = translation.text.split("\n")
    line = lines[entry.span.line - 1] if entry.span is not None and entry.span.line <= len(lines) else ""
    return "\t" in line[: len(line) - len(line.lstrip())]


def encoding_notes(translation: Translation) -> tuple[Entry, ...]:
    """A note on a text that Butane can read and most other programs cannot."""
    name = encoding_of(translation.document.data)
    if (
        not name
        or detect_format(translation.document) is Format.IGNITION
        or any(entry.code == "yaml-encoding" for entry in translation.report)
    ):
        return ()
    message = messages.ENCODING(encoding=name)
    return (
        Entry(
            kind=Kind.INFO,
            path="",
            message=str(message),
            code=message.code,
            teach=encoding_words(translation.document.data),
        ),
    )


def type_words(entry: Entry, translation: Translation) -> str:
    """Say what is wanted at a type error, and what is there."""
    root, schema = translation.root, translation.schema or get_schema()
    if root is None or entry.span is None:
        return ""
    go, line, column = entry.values["type"], entry.span.line, entry.span.column
    place = next(iter(misfits_at(root, schema, line, column, go)), None)
    node = place.node if place is not None else node_at(root, line, column)
    kind = place.kind if place is not None else type_named(go, schema)
    if node is None or kind is None:
        return ""
    lines = translation.text.split("\n")
    written = lines[node.line - 1] if 0 < node.line <= len(lines) else ""
    if node.kind == MAPPING and node.flow and template_in(written):
        return template_words(written) + ' In YAML "{" starts a mapping; a text that begins with it needs quotes.'
    if node.kind == SCALAR and (template := template_words(node.value, whole=True)):
        return f"{template} {_wanted(place, kind, node)}"
    return _wanted(place, kind, node)


def _wanted(place: Place | None, kind: FieldType, node: Node) -> str:
    name = place.name if place is not None else ""
    if kind.shape is Shape.LIST:
        return _list_words(name, kind, node)
    if kind.struct is not None:
        return _mapping_words(name, place, kind.struct, node)
    if kind.shape is Shape.TEXT:
        return _text_words(name, place, node)
    if kind.shape is Shape.NUMBER:
        return _NUMBERS.get(name, "A whole number is wanted here, without quotes.")
    return "true or false is wanted here, without quotes."


def _list_words(name: str, kind: FieldType, node: Node) -> str:
    found = _FOUND.get(node.kind, "something else")
    words = f'A list is wanted here, and this is {found}: begin each entry with "- ".'
    item = kind.item
    if item is not None and item.struct is not None:
        keys = [key for key in ("name", "path", "device", "local", "source", "inline") if key in item.struct.fields]
        if item.struct.name == "Resource":
            keys = ["inline"] if name == "append" else ["source"]
        example = f"{name}:\n  - {keys[0] if keys else next(iter(item.struct.fields))}: ..."
        if item.struct.name == "HTTPHeader":
            example = f"{name}:\n  - name: Authorization\n    value: Bearer ..."
        return f"{words}\n{example}"
    value = node.value if node.kind == SCALAR and "\n" not in node.value and len(node.value) < 60 else "..."
    return f"{words}\n{name}:\n  - {value}" if name else words


def _mapping_words(name: str, place: Place | None, wanted: Struct, node: Node) -> str:
    struct = wanted.name
    keys = _STRUCTS.get(struct) or ", ".join(f"{key}:" for key in list(wanted.fields)[:4])
    found = _FOUND.get(node.kind, "something else")
    words = f"Keys are wanted here: {keys}."
    if name:
        words = f"Keys are wanted here, and this is {found}: write {keys} below it."
    if place is not None and isinstance(place.path[-1], int) and struct == "Resource":
        words = (
            "Each entry has a key: write - source: (a URL), - local: (a file of yours) or - inline: (the text itself)."
        )
    elif place is not None and isinstance(place.path[-1], int):
        key = next((key for key in ("name", "path", "device", "local", "number") if key in wanted.fields), "")
        words = f"Each entry has keys, and this is {found}: begin it with - {key}: and write its other keys below."
    elif node.kind == SEQUENCE and struct == "Resource":
        words = f"No list is wanted here: take the dash away, and write {keys} below it."
    if node.kind == SCALAR and node.value.strip().startswith("file:"):
        words += " Ignition does not fetch file: URLs; local: embeds a file of your computer."
    return words


def _text_words(name: str, place: Place | None, node: Node) -> str:
    owner = place.owner.name if place is not None and place.owner is not None else ""
    if name == "contents" and owner in ("Unit", "Dropin"):
        return (
            "The text itself is wanted here: write contents: | and its lines indented below, without inline: or local:."
        )
    if name == "hash":
        return "One text is wanted here, of the function and the digest: hash: sha512-... (128 digits)."
    if name == "source":
        return "The URL itself is wanted here: source: https://..."
    if node.kind == SEQUENCE:
        return "One text is wanted here, and this is a list: take the dash away."
    if place is not None and isinstance(place.path[-1], int):
        return 'A text is wanted here, and this is a mapping (key: value): a text with ": " in it needs quotes.'
    return "A text is wanted here, and this is a mapping (key: value). Quote a text that has a colon or a brace in it."
