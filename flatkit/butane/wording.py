"""A message of a report, with a stable code, its values and one sentence of advice; and texts quoted as Go quotes them."""

from __future__ import annotations

from dataclasses import dataclass


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


_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip


def go_quote(text: str) -> str:
    """The text as strconv.Quote writes it."""
    return '"' + "".join(_quoted(ch) for ch in text) + '"'


def _quoted(ch: str) -> str:
    if ch in _ESCAPES:
        return _ESCAPES[ch]
    if ch.isprintable():
        return ch
    code = ord(ch)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
