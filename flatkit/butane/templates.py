"""Templates that nobody filled in: Jinja, Go, ERB, Terraform, the shell, and words such as <your key>. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from flatkit.butane import messages
from flatkit.butane.diagnostics import entry_of, path_text
from flatkit.butane.places import Place, known_places
from flatkit.butane.schema import Shape, get_schema
from flatkit.butane.source.node import SCALAR
from flatkit.butane.transpile import Translation
from flatkit.report import Entry, Kind

_GO_WORDS = "range|if|else|end|with|template|define|block|include|toYaml|printf|index|quote|default"
_TERRAFORM, _SHELL = "Terraform", "the shell or envsubst"
# (what fills it in, what it looks like), the certain ones first. Bounded, so that a hostile text takes no time.
_KINDS = (
    ("ERB", re.compile(r"<%[^%\n]{1,200}%>")),
    ("Jinja (Ansible, Salt)", re.compile(r"\{%[^%\n]{1,200}%\}|\{#[^#\n]{1,200}#\}")),
    (
        "Go's templates (Helm, consul-template)",
        re.compile(rf"\{{\{{-?\s{{0,9}}(?:[.$]|(?:{_GO_WORDS})\b)[^{{}}\n]{{0,200}}\}}\}}"),
    ),
    ("Jinja (Ansible, Salt)", re.compile(r"\{\{[^{}\n]{1,200}\}\}")),
    (_TERRAFORM, re.compile(r"%\{\s{0,9}(?:for|if|else|endfor|endif)\b[^}\n]{0,200}\}")),
    (_TERRAFORM, re.compile(r"\$\{[^{}.(\[\n]{0,100}[.(\[][^{}\n]{0,200}\}")),
    (f"{_TERRAFORM}, {_SHELL}", re.compile(r"\$\{[A-Za-z_]\w{0,100}\}")),
)
_WHOLE = (
    (_SHELL, re.compile(r"\$[A-Za-z_]\w*|\$\(.+\)|`.+`|\$\{[A-Za-z_]\w*[:#%/^,-].*\}")),
    ("a script", re.compile(r"@@?[A-Z_]+@@?|__[A-Z][A-Z0-9_]*__|%[A-Z_]+%")),
    (
        "you",
        re.compile(
            r"<[A-Za-z][^<>]*>|\[?(?:CHANGE[_-]?ME|REPLACE[_-]?ME|INSERT[_-]\w+|YOUR[_-][\w-]+)\]?", re.IGNORECASE
        ),
    ),
)
# A config without these has none, and is not searched.
_MARKS = re.compile(
    r"\$[A-Za-z_({]|\{[{%#]|<[%A-Za-z]|%\{|@[A-Z]|__[A-Z]|%[A-Z]|`|(?i:change[_-]?me|replace[_-]?me|insert[_-]|your[_-])"
)
# In the text of files and units such marks are often meant for the machine.
_FREE_TEXT = frozenset(("inline", "contents"))
# Where a template may start a line of the YAML itself.
_CONTROL = re.compile(r"\s*(?:- )?(?:\{%|\{\{|<%|%\{)")


def template_in(text: str, *, whole: bool = False) -> tuple[str, str] | None:
    """The tool that fills in a text, and the piece of it that is a template; None without one.

    `whole`: the text is a value by itself, so that "$HOSTNAME" and "<your key>" count.
    """
    for name, pattern in _KINDS:
        match = pattern.search(text)
        if match:
            return name, match[0]
    for name, pattern in _WHOLE if whole else ():
        if pattern.fullmatch(text.strip()):
            return name, text.strip()
    return None


def template_words(text: str, *, whole: bool = False) -> str:
    """A sentence about the template in a text, "" if there is none."""
    found = template_in(text, whole=whole)
    if found is None:
        return ""
    name, piece = found
    if name == "you":
        return f'"{_short(piece)}" is a placeholder: write the value itself.'
    tool = "the program that fills it in" if name == "a script" else name
    return (
        f'"{_short(piece)}" is a template that was not filled in: let {tool} write the config first, '
        "then give flatkit the result."
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def template_at_fault(text: str, line: int) -> str:
    """The sentence about a template at, or just before, the line of a YAML fault."""
    lines = text.split("\n")
    for number in (line, line - 1, line - 2, line + 1):
        words = template_words(lines[number - 1]) if 1 <= number <= len(lines) else ""
        # In a script "${x}" says nothing about the YAML.
        if words and ("${" not in words or _CONTROL.match(lines[number - 1])):
            return words
    control = next((one for one in lines if _CONTROL.match(one)), "")
    return template_words(control)


def template_notes(translation: Translation) -> Iterator[Entry]:
    """Yield a warning for each value that is a template, or has one in a name, path, address or key."""
    root = translation.root
    if root is None or not _MARKS.search(translation.text):
        return
    for place in known_places(root, translation.schema or get_schema()):
        found = _template_of(place) if not place.is_shared else None
        if found is not None:
            message, path = messages.TEMPLATE(found=_short(found)), path_text(place.path)
            entry = entry_of(message, kind=Kind.WARNING, path=path, span=place.node.span)
            yield replace(entry, teach=template_words(place.node.value, whole=True))


def _template_of(place: Place) -> str | None:
    node = place.node
    if node.kind != SCALAR or place.kind.shape is not Shape.TEXT or "\n" in node.value.strip():
        return None
    found = template_in(node.value, whole=True)
    if found is None:
        return None
    name, piece = found
    is_whole = piece == node.value.strip()
    if place.name in _FREE_TEXT and (not is_whole or (name == _SHELL and piece.startswith(("`", "$(")))):
        return None
    return piece
