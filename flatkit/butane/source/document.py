"""The bytes of a config as text and as a YAML tree, with the byte order marks and the faults of yaml.v3's reader (readerc.go).

Why not bytes.decode? Its errors are worded otherwise, and characters that cannot be printed must be refused as well.
"""

from __future__ import annotations

import re
from functools import cached_property

from flatkit.butane import messages
from flatkit.butane.source.compose import compose
from flatkit.butane.source.node import Node, YamlFault

MAX_BYTES = 8 * 1024 * 1024

_NOT_ALLOWED = re.compile("[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def decode(data: bytes) -> str:
    """The text of a config; UTF-8, or UTF-16 with a byte order mark. The mark itself is dropped.

    Raises YamlFault for what yaml.v3 refuses, and for more than MAX_BYTES.
    """
    if len(data) > MAX_BYTES:
        raise YamlFault(messages.TOO_MANY_BYTES(count=str(len(data)), limit=str(MAX_BYTES)))
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = _decode_utf16(data[2:], "little" if data[:1] == b"\xff" else "big")
    else:
        text = _decode_utf8(data.removeprefix(b"\xef\xbb\xbf"))
    refused = _NOT_ALLOWED.search(text)
    if refused:
        raise _fault_at(text, refused.start(), "control characters are not allowed")
    return text


def _fault_at(text: str, at: int, problem: str) -> YamlFault:
    before = text[:at]
    message = messages.YAML_ENCODING(problem=problem)
    return YamlFault(message, line=before.count("\n") + 1, column=at - before.rfind("\n"))


def _decode_utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        refused = _NOT_ALLOWED.search(good)
        if refused:
            raise _fault_at(good, refused.start(), "control characters are not allowed") from None
        raise _fault_at(good, len(good), _utf8_complaint(data[error.start : error.start + 4])) from None


def _utf8_complaint(rest: bytes) -> str:
    """yaml.v3's words for the broken sequence at the start of `rest`."""
    lead = rest[0]
    width = 2 if lead & 0xE0 == 0xC0 else 3 if lead & 0xF0 == 0xE0 else 4 if lead & 0xF8 == 0xF0 else 0
    if width == 0:
        return "invalid leading UTF-8 octet"
    if width > len(rest):
        return "incomplete UTF-8 octet sequence"
    value = lead & (0xFF >> (width + 1))
    for octet in rest[1:width]:
        if octet & 0xC0 != 0x80:
            return "invalid trailing UTF-8 octet"
        value = value << 6 | octet & 0x3F
    if value < {2: 0x80, 3: 0x800, 4: 0x10000}[width]:
        return "invalid length of a UTF-8 sequence"
    return "invalid Unicode character"


def _decode_utf16(data: bytes, order: str) -> str:
    codec = "utf-16-le" if order == "little" else "utf-16-be"
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        if error.end >= len(data) and len(data) - error.start < 2:
            raise YamlFault(messages.YAML_ENCODING(problem="incomplete UTF-16 character")) from None
        unit = int.from_bytes(data[error.start : error.start + 2], "little" if order == "little" else "big")
        if unit & 0xFC00 == 0xDC00:
            raise YamlFault(messages.YAML_ENCODING(problem="unexpected low surrogate area")) from None
        if len(data) - error.start < 4:
            raise YamlFault(messages.YAML_ENCODING(problem="incomplete UTF-16 surrogate pair")) from None
        raise YamlFault(messages.YAML_ENCODING(problem="expected low surrogate area")) from None


class Document:
    """The bytes of a config, decoded and composed once, when first asked for."""

    def __init__(self, source: str | bytes) -> None:
        self.data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else bytes(source)

    @classmethod
    def of(cls, source: str | bytes | Document) -> Document:
        """Return the document itself, or a new one of this text."""
        return source if isinstance(source, Document) else cls(source)

    @cached_property
    def shown(self) -> str:
        """The text as reports show it; broken UTF-8 is escaped."""
        return self.data.decode("utf-8", "surrogateescape")

    @cached_property
    def _composed(self) -> Node | YamlFault | None:
        try:
            return compose(self.text)
        except YamlFault as fault:
            return fault

    @cached_property
    def text(self) -> str:
        """The decoded text. Raises YamlFault."""
        return decode(self.data)

    @property
    def root(self) -> Node | None:
        """The root node of the first document, None when there is none. Raises YamlFault."""
        if isinstance(self._composed, YamlFault):
            raise self._composed
        return self._composed

    @property
    def tree(self) -> Node | None:
        """The root node, None also for a text that cannot be read."""
        return None if isinstance(self._composed, YamlFault) else self._composed
