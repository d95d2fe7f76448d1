"""JSON as Go writes and reads it: its escapes when writing, its complaints when reading.

Why not json.loads for reading? It takes what Go refuses (NaN, lone surrogates pass), and people meet Go's words: Ignition
prints them at boot.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 10_000
_ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_NEEDS_ESCAPE = re.compile("[<>&\u2028\u2029]")
_BROKEN = re.compile("[\ud800-\udfff]")
_SHORT = re.compile(r"\\(.)")
_CONTROL = {"b": "\\u0008", "f": "\\u000c"}


def dump(value: dict[str, Any], *, pretty: bool = False) -> str:
    """The text that Butane prints, with its one newline at the end."""
    text = json.dumps(
        value, ensure_ascii=False, indent=2 if pretty else None, separators=(",", ": " if pretty else ":")
    )
    if _NEEDS_ESCAPE.search(text):
        text = text.translate(_ESCAPED)
    if "\\b" in text or "\\f" in text:
        text = _SHORT.sub(lambda match: _CONTROL.get(match.group(1), match.group()), text)
    if _BROKEN.search(text):
        text = _BROKEN.sub(r"\\ufffd", text)
    return text + "\n"


class JsonFault(Exception):
    """The text is not valid JSON; the message is Go's, `at` the place in the text."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


_SPACE = " \t\r\n"
_CLOSING = {dict: "}", list: "]"}
_ELEMENTS = {dict: "object key:value pair", list: "array element"}
_LITERALS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_STRING = re.compile(r'[^"\\\x00-\x1f]*')


def load(text: str, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value; numbers with a fraction or exponent are floats. Raises JsonFault."""
    reader = _Reader(text)
    value = reader.value(max_depth)
    reader.skip()
    if reader.at < len(text):
        raise reader.unexpected("after top-level value")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self) -> str:
        """Return the next character but spaces, "" at the end."""
        text, at = self.text, self.at
        while at < len(text) and text[at] in _SPACE:
            at += 1
        self.at = at
        return text[at : at + 1]

    def unexpected(self, where: str) -> JsonFault:
        """The fault for the character at this place."""
        ch = self.text[self.at : self.at + 1]
        if not ch:
            return JsonFault("unexpected end of JSON input", self.at)
        shown = {"'": "'\\''", '"': "'\"'"}.get(ch) or f"'{json.dumps(ch, ensure_ascii=False)[1:-1]}'"
        return JsonFault(f"invalid character {shown} {where}", self.at)

    def value(self, max_depth: int) -> Any:
        """Any value, without recursion: Go takes more levels than Python's stack."""
        open_values: list[dict[str, Any] | list[Any]] = []
        keys: list[str] = []
        while True:
            value = self._start(open_values, max_depth)
            if isinstance(value, (dict, list)) and self.skip() != _CLOSING[type(value)]:
                open_values.append(value)
                keys.append(self._key() if isinstance(value, dict) else "")
                continue
            self.at += isinstance(value, (dict, list))
            while open_values:
                holder = open_values[-1]
                if isinstance(holder, dict):
                    holder[keys[-1]] = value
                else:
                    holder.append(value)
                ch = self.skip()
                if ch == ",":
                    self.at += 1
                    keys[-1] = self._key() if isinstance(holder, dict) else ""
                    break
                if ch != _CLOSING[type(holder)]:
                    raise self.unexpected(f"after {_ELEMENTS[type(holder)]}")
                self.at += 1
                keys.pop()
                value = open_values.pop()
            else:
                return value

    def _start(self, open_values: list[Any], max_depth: int) -> Any:
        """A scalar, or an empty collection when a bracket opens one."""
        ch = self.skip()
        if ch in ("{", "["):
            if len(open_values) >= max_depth:
                raise self.unexpected("exceeded max depth")
            self.at += 1
            return {} if ch == "{" else []
        if ch == '"':
            return self._string()
        if ch in _LITERALS:
            return self._literal(*_LITERALS[ch])
        if ch and ch in "-0123456789":
            return self._number()
        raise self.unexpected("looking for beginning of value")

    def _key(self) -> str:
        if self.skip() != '"':
            raise self.unexpected("looking for beginning of object key string")
        key = self._string()
        if self.skip() != ":":
            raise self.unexpected("after object key")
        self.at += 1
        return key

    def _literal(self, word: str, value: Any) -> Any:
        for offset, wanted in enumerate(word):
            if self.text[self.at : self.at + 1] != wanted:
                raise self.unexpected(f"in literal {word} (expecting '{word[offset]}')")
            self.at += 1
        return value

    def _number(self) -> int | float:
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            self.at += 1
            raise self.unexpected("in numeric literal")
        end = match.end()
        follow = self.text[end : end + 1]
        if follow == "." or (follow in ("e", "E") and follow):
            self.at = end + 1
            if follow == ".":
                raise self.unexpected("after decimal point in numeric literal")
            if self.text[self.at : self.at + 1] in ("+", "-"):
                self.at += 1
            raise self.unexpected("in exponent of numeric literal")
        self.at = end
        number = match.group()
        return float(number) if re.search("[.eE]", number) else int(number[:4000])

    def _string(self) -> str:
        self.at += 1
        parts = []
        while True:
            match = _STRING.match(self.text, self.at)
            assert match is not None
            parts.append(match.group())
            self.at = match.end()
            ch = self.text[self.at : self.at + 1]
            if ch == '"':
                self.at += 1
                return "".join(parts)
            if ch != "\\":
                raise self.unexpected("in string literal")
            parts.append(self._escape())

    def _escape(self) -> str:
        self.at += 1
        ch = self.text[self.at : self.at + 1]
        if ch == "u":
            for _ in range(4):
                self.at += 1
                if self.text[self.at : self.at + 1] not in tuple("0123456789abcdefABCDEF"):
                    raise self.unexpected("in \\u hexadecimal character escape")
            self.at += 1
            return self._surrogates(int(self.text[self.at - 4 : self.at], 16))
        if not ch or ch not in '"\\/bfnrt':
            raise self.unexpected("in string escape code")
        self.at += 1
        return {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}.get(ch, ch)

    def _surrogates(self, code: int) -> str:
        if not 0xD800 <= code < 0xE000:
            return chr(code)
        low = re.match(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})", self.text[self.at : self.at + 6])
        if code < 0xDC00 and low:
            self.at += 6
            return chr(0x10000 + ((code - 0xD800) << 10) + int(low.group(1), 16) - 0xDC00)
        return "\ufffd"
