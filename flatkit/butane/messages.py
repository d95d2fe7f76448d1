"""Every message that a report can contain: its stable code, its text, and one sentence of advice where beginners stumble.

messages.json has those about a config: by code their texts, Butane's, Ignition's or yaml.v3's to the letter, and our advice.
advice.json has the words of what Butane accepts and the machine refuses, ignores or loses (flatkit/butane/advice/). A text's
name is a name of this module: `messages.PATH_MISSING()`. Lint and quick fixes tell messages apart by code and values, never by
text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING


class Wording(str):
    """A message with its values filled in."""

    __slots__ = ("code", "values")
    code: str
    values: dict[str, str]


@dataclass(frozen=True)
class Message:
    """A message; `text` may have places for values: {key}."""

    code: str
    text: str
    advice: str = ""

    def __call__(self, **values: str) -> Wording:
        """Return the text with its values filled in."""
        wording = Wording(self.text.format_map(values) if values else self.text)
        wording.code, wording.values = self.code, values
        return wording


def _read(file: str) -> Iterator[tuple[str, Message]]:
    groups = json.loads(Path(__file__).with_name(file).read_text(encoding="utf-8"))
    for code, texts in (row for group in groups.values() for row in group.items()):
        advice = texts.pop("advice", "")
        for text in texts.pop("libyaml", ()):
            yield "", Message(code, text, advice)
        for name, text in texts.items():
            yield name, Message(code, text, advice)


_ALL, _ADVICE = list(_read("messages.json")), list(_read("advice.json"))
_LIBYAML = {message.text: message for name, message in _ALL if not name}
# Those about what Butane accepts, and all.
ADVICE_CATALOGUE = tuple(message for _, message in _ADVICE)
CATALOGUE = (*(message for _, message in _ALL), *ADVICE_CATALOGUE)
ADVICE = {message.code: message.advice for message in CATALOGUE}
NAMED = {name: message for name, message in (*_ALL, *_ADVICE) if name}
globals().update(NAMED)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Message: ...


def yaml_problem(problem: str) -> Wording:
    """The message for a problem that libyaml reports."""
    message = _LIBYAML.get(problem)
    return message() if message else NAMED["YAML_SYNTAX"](problem=problem)
