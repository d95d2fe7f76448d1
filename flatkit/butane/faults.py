"""Faults in a learner's words: one sentence or two more for each of Butane's messages, and the suggested edits. Pure.

Butane's own words stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import replace

from flatkit.butane import messages
from flatkit.butane.detect import Format, detect_format
from flatkit.butane.encodings import encoding_of, encoding_words
from flatkit.butane.fixes.values import NETWORK_FORMATS, is_remote
from flatkit.butane.foreign import IGNITION_2, PASTED, foreign_words, own_example
from flatkit.butane.places import home_of, path_of, struct_at
from flatkit.butane.quickfix import Trials, quick_fixes, suggest_key
from flatkit.butane.source.node import Node, Path, find_node
from flatkit.butane.source.textblocks import fallen_out
from flatkit.butane.templates import template_at_fault, template_words
from flatkit.butane.textwords import CURLY, bare_block_words, stray_line, unit_words
from flatkit.butane.translate import escape_path
from flatkit.butane.transpile import Translation
from flatkit.butane.typewords import type_words
from flatkit.report import Edit, Entry, Kind
from flatkit.untrusted import printable

_NETWORK = "A network filesystem is not made by Ignition: take it out here, and write a mount unit."

# The text as a whole: a file's own lines, a command.
_NOT_A_CONFIG = (
    "This is not a config: it begins with the lines variant: flatcar and version: 1.0.0. Lines of a file, such as NAME=value, "
    "follow inline: | of that file, indented further."
)

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
    code, advice = entry.code, messages.advice_for(entry.code, entry.message)
    if code in ("variant-missing", "ignition-json", "wrong-type") and not translation.is_printed:
        pasted = _pasted(translation)
        if pasted:
            return pasted
    if code == messages.WRONG_TYPE.code:
        return type_words(entry, translation) or (advice if path_of(entry) else _NOT_A_CONFIG)
    if code == messages.UNUSED_KEY.code:
        return _key_words(entry, translation, edits, advice)
    if code == messages.NO_TRANSLATOR.code and entry.values.get("version", "").startswith("1.2.0"):
        return _NEXT if entry.values.get("variant") == "flatcar" else advice
    if code == "yaml-encoding":
        return encoding_words(translation.document.data) or advice
    if code == "yaml-tab":
        return messages.TABS_ADVICE
    if code.startswith("yaml-") or code in ("unknown-anchor", "duplicate-key"):
        return _yaml_words(entry, translation) or advice
    if code == messages.UNIT_CONTENTS.code and (words := unit_words(entry, translation)):
        return words
    if code == messages.MODE_SPECIAL.code and _has_odd_digit(entry, translation):
        return (
            "An octal number has the digits 0 to 7 only, so this is read as a decimal: write for example 0644 or 0755."
        )
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


def _key_words(entry: Entry, translation: Translation, edits: tuple[Edit, ...], advice: str) -> str:
    key = entry.values["key"]
    if key == "<<":
        return "The merge works all the same: Butane's check of keys does not know <<. There is nothing to correct."
    struct = struct_at(path_of(entry)[: -1 - key.count(".")])
    says, example = foreign_words(struct.name if struct is not None else "", key)
    if says and key == "remote":
        says += _sum_words(entry, translation)
    if says:
        path = path_of(entry)
        node, parent = find_node(translation.root, path), find_node(translation.root, path[:-1])
        own = own_example(key, example, node, parent)
        return f"{says}\n{own}" if own else says
    if "\N{NO-BREAK SPACE}" in key:
        return "This line begins with no-break spaces, which look like spaces and are none for YAML: type the indentation again."
    if not edits:
        home, close = home_of(key), suggest_key(key, struct) if struct is not None else ""
        if close:
            return f"Did you mean {close}? {advice}"
        if home:
            return f"It belongs below {'.'.join(map(str, home))}. {advice}"
        return _anchor_words(entry, translation) or advice
    label = edits[0].label
    if label.startswith("write "):
        return f"Did you mean {label.removeprefix('write ')}? {advice}"
    return f"It is in the wrong place: {label}. {advice}"


def _sum_words(entry: Entry, translation: Translation) -> str:
    """The sum of a Container Linux Config's hash, if it has too few or too many digits."""
    node: Node | None = find_node(translation.root, path_of(entry))
    for key in ("verification", "hash"):
        node = node.child(key) if node is not None else None
    function, digest = (node.child(key) if node is not None else None for key in ("function", "sum"))
    digits = {"sha256": 64, "sha512": 128}.get(function.value, 0) if function is not None else 0
    if digest is None or not digits or len(digest.value) == digits:
        return ""
    return f" The sum here has {len(digest.value)} digits, and a {function.value if function else ''} has {digits}."


def _anchor_words(entry: Entry, translation: Translation) -> str:
    """A key that only carries an anchor for others."""
    path = path_of(entry)
    node = find_node(translation.root, path)
    if node is None or not node.anchor or len(path) != 1:
        return ""
    return f"Butane ignores the key itself; its anchor &{node.anchor} works. There is nothing to correct."


def _yaml_words(entry: Entry, translation: Translation) -> str:
    line = entry.span.line if entry.span is not None else 0
    if stray := stray_line(translation.text, line):
        return f"{stray} is not a part of the config: it marks where a text begins or ends. Take this line away."
    found = fallen_out(translation.text, line)
    if found is not None:
        lines = f"line {found.first} is" if found.first == found.last else f"lines {found.first} to {found.last} are"
        return (
            f"The text below {found.key}: (line {found.opened}) has to be indented deeper than {found.key}: itself; {lines} not. "
            "Give all its lines the same indentation."
        )
    template = template_at_fault(translation.text, line)
    return bare_block_words(translation.text, line) or template or _beside_dash_words(translation.text, line)


def _beside_dash_words(text: str, line: int) -> str:
    """A key that starts in the column of the dash above, and belongs to the dash's entry."""
    lines = text.split("\n")
    own = lines[line - 1] if 0 < line <= len(lines) else ""
    column = len(own) - len(own.lstrip(" "))
    if not re.match(r" +[A-Za-z_][\w-]*:(\s|$)", own):
        return ""
    for number in range(line - 1, 0, -1):
        above = lines[number - 1]
        indent = len(above) - len(above.lstrip(" "))
        if above.strip() and indent <= column:
            if indent < column or not above.lstrip().startswith("- "):
                return ""
            key = own.strip().partition(":")[0]
            return (
                f"{key}: starts in the column of the dash in line {number}: indent it, and what is below it, as far as the text "
                "behind that dash."
            )
    return ""


def _has_odd_digit(entry: Entry, translation: Translation) -> bool:
    node = find_node(translation.root, path_of(entry))
    return node is not None and node.value.startswith("0") and bool(set(node.value) & set("89"))


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
    if entry.code.startswith("path-") and path[:2] in (("storage", "files"), ("storage", "links")):
        words = _path_words(path, translation)
        if words:
            return words
    if entry.code in ("path-relative", "path-missing") and (path[-1:] == ("device",) or "devices" in path):
        return (
            "A device is the path of a disk or partition on the machine, such as /dev/sdb or /dev/disk/by-label/data."
        )
    if entry.message == str(messages.FILESYSTEM_FORMAT.text):
        return "Ignition makes ext4, btrfs, xfs, vfat and swap; none leaves the device as it is."
    node = find_node(translation.root, path)
    return template_words(node.value, whole=True) if node is not None else ""


def _path_words(path: Path, translation: Translation) -> str:
    """A path that ends as a directory's does, one that a shell would fill in, and a link's that was swapped with its target."""
    node, entry = find_node(translation.root, path), find_node(translation.root, path[:-1])
    text = node.value if node is not None else ""
    if path[1] == "files" and text.endswith("/") and text.startswith("/"):
        return "A path that ends in / is a directory's: list it below storage.directories, or write the file's name behind it."
    if (bare := text.strip(CURLY)) != text:
        return (
            "The quotes around this path are curly, and YAML takes them for a part of it: write "
            f'"{printable(bare, limit=60)}".'
        )
    rest = re.sub(r"^(?:~|\$HOME|\$\{HOME\})/", "", text)
    if rest != text:
        return f"Ignition fills in nothing: write the home itself, for example /home/core/{printable(rest, limit=60)}."
    target = entry.child("target") if entry is not None and path[1] == "links" else None
    if target is not None and target.value.startswith("/") and not text.startswith("/"):
        return "path is the link itself, and target is what it leads to: these two look swapped."
    return ""


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
