"""Data URLs: the shortest one for some bytes, and the bytes and faults of a given one.

Encoding chooses among percent, base64 and gzip as Butane does (base/util/url.go). The gzip bytes are zlib's: they unpack to the
same, and Go's own change from release to release. Where gzip saves only a few bytes the two may choose differently. Decoding is
that of Ignition's library (vincent-petithory/dataurl: a small lexer, then a decoder).
"""

from __future__ import annotations

import base64
import re
import string
import struct
import zlib
from urllib.parse import quote_from_bytes, unquote_to_bytes

_SAFE = "-_.!~*'()"
# Below this no gzip can be shorter: its header, trailer and block ends alone take as much.
_SMALLEST_GZIP = 44
_GO_END = 4


def data_url(data: bytes, compression: str | None) -> tuple[str, str]:
    """The URL, and the value for `compression`; a compression that the user gave is kept and nothing is packed."""
    chosen = "," + quote_from_bytes(data, safe=_SAFE)
    encoded_length = 8 + (len(data) + 2) // 3 * 4
    if encoded_length < len(chosen):
        chosen = ";base64," + base64.b64encode(data).decode()
    if compression:
        return "data:" + chosen, compression
    if len(chosen) > _SMALLEST_GZIP:
        packed = gzip(data)
        # Butane counts the word gzip, which `compression` then needs, and the empty block that ends Go's streams.
        if 8 + (len(packed) + _GO_END + 2) // 3 * 4 + 4 < len(chosen):
            return "data:;base64," + base64.b64encode(packed).decode(), "gzip"
    return "data:" + chosen, ""


def gzip(data: bytes) -> bytes:
    """Pack with the header that Go writes: no time, best compression, no known system."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush()
    trailer = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + body + trailer


_TOKEN = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`{|}~")
_TYPES = frozenset({"text", "image", "audio", "video", "application", "message", "multipart"})
_BAD_DATA = re.compile(r"[^!$-;=?-Z_a-z~%]")
_BASE64 = frozenset(string.ascii_letters + string.digits + "+/")
_HEX = frozenset(string.hexdigits)


class _Bad(Exception):
    """The message."""


def data_url_fault(url: str) -> str:
    """Return the fault of a data URL, in the library's words; "" if there is none."""
    if not url.startswith("data:"):
        return "missing data prefix"
    try:
        encoding, data = _head(url[5:])
        if _BAD_DATA.search(data):
            return "invalid data character"
        return _base64_fault(data) if encoding else _percent_fault(data)
    except _Bad as bad:
        return str(bad)


def decode_data_url(url: str, *, packed: bool = False) -> bytes | None:
    """The bytes of a data URL, unpacked if they are gzip; None if it is not a valid data URL."""
    if not url.startswith("data:") or data_url_fault(url):
        return None
    encoding, data = _head(url[5:])
    raw = base64.b64decode(data) if encoding else unquote_to_bytes(data)
    if not packed:
        return raw
    try:
        return zlib.decompress(raw, 47)
    except zlib.error:
        return None


def _head(rest: str) -> tuple[str, str]:
    """The encoding ("" or "base64") and the data."""
    at = 0
    if not rest:
        raise _Bad("missing comma before data")
    if rest[0] not in ";,":
        at = _media_type(rest)
        if at == len(rest):
            raise _Bad("incomplete media type")
    while True:
        if at == len(rest):
            raise _Bad("missing comma before data")
        if rest[at] == ",":
            return "", rest[at + 1 :]
        if rest[at] != ";":
            raise _Bad("expected semicolon or comma")
        at, encoded = _parameter(rest, at + 1)
        if encoded:
            return "base64", rest[at + 1 :]


def _skip_token(rest: str, at: int) -> int:
    while at < len(rest) and rest[at] in _TOKEN:
        at += 1
    return at


def _media_type(rest: str) -> int:
    """The place after type/subtype."""
    at = _skip_token(rest, 0)
    if at == len(rest):
        raise _Bad("missing media type slash")
    if rest[at] != "/":
        raise _Bad("invalid character for media type")
    kind = rest[:at]
    if kind not in _TYPES and kind[:2].lower() != "x-":
        raise _Bad("invalid media type")
    end = _skip_token(rest, at + 1)
    if end < len(rest) and rest[end] not in ";,":
        raise _Bad("invalid character for media subtype")
    return end


def _parameter(rest: str, at: int) -> tuple[int, bool]:
    """The place after a parameter; True when it was the word base64."""
    if at == len(rest) or rest[at] in "=,":
        raise _Bad("unterminated parameter sequence")
    end = _skip_token(rest, at)
    if end == len(rest):
        raise _Bad("unterminated parameter sequence")
    if rest[end] == ",":
        if rest[at:end] != "base64":
            raise _Bad(f"expected base64, got {rest[at:end]}")
        return end, True
    if rest[end] != "=":
        raise _Bad("invalid character for parameter attribute")
    return _parameter_value(rest, end + 1), False


def _parameter_value(rest: str, at: int) -> int:
    if rest[at : at + 1] == '"':
        return _quoted_value(rest, at + 1)
    if at == len(rest):
        raise _Bad("missing comma before data")
    end = _skip_token(rest, at)
    if end == len(rest):
        raise _Bad("missing comma before data")
    if end == at or rest[end] not in ";,":
        raise _Bad("invalid character for parameter value")
    return end


def _quoted_value(rest: str, at: int) -> int:
    while at < len(rest):
        if rest[at] == '"':
            return at + 1
        if rest[at] > "\x7f":
            raise _Bad("invalid character for parameter value")
        at += 2 if rest[at] == "\\" else 1
    raise _Bad("unclosed quoted string")


def _percent_fault(data: str) -> str:
    at = data.find("%")
    while at >= 0:
        if at + 2 >= len(data):
            return "rfc2396: unexpected end of unescape sequence"
        if data[at + 1] not in _HEX or data[at + 2] not in _HEX:
            return "rfc2396: invalid char 0x25 in unescape sequence"
        at = data.find("%", at + 3)
    return ""


def _base64_fault(data: str) -> str:
    """The place at which Go's base64.StdEncoding gives up."""
    size = len(data)
    stop = next((at for at, ch in enumerate(data) if ch not in _BASE64), size)
    held = stop % 4
    if stop == size:
        # Incomplete without padding: Go names the start of the last four.
        return _corrupt(size - held) if held else ""
    if data[stop] != "=" or held < 2:
        return _corrupt(stop)
    after = stop + 1
    if held == 2:
        if after == size:
            return _corrupt(size)
        if data[after] != "=":
            return _corrupt(stop)
        after += 1
    return _corrupt(after) if after < size else ""


def _corrupt(at: int) -> str:
    return f"illegal base64 data at input byte {at}"
