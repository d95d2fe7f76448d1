"""Bytes -> the shortest data URL, chosen among percent, base64 and gzip as Butane chooses (base/util/url.go).

The gzip bytes are zlib's: they unpack to the same, and Go's own change from release to release. Only where the choice
hangs on a few bytes is Go's compressor imitated (goflate.py), to choose alike.
"""

from __future__ import annotations

import base64
import contextlib
import struct
import zlib
from urllib.parse import quote_from_bytes

_SAFE = "-_.!~*'()"
# Below this no gzip can be shorter: its header, trailer and block ends alone take as much.
_SMALLEST_GZIP = 44
# zlib's and Go's best differ by less than this share on what people put into configs (measured; see the tests).
_DOUBT = 0.04
_DOUBT_SMALL = 24
# Imitating Go takes about a second for each megabyte, so it is done for texts up to this size only.
_IMITATE_UP_TO = 256 * 1024


def data_url(data: bytes, compression: str | None) -> tuple[str, str]:
    """The URL, and the value for `compression`; a compression that the user gave is kept and nothing is packed."""
    chosen = "," + quote_from_bytes(data, safe=_SAFE)
    encoded_length = 8 + (len(data) + 2) // 3 * 4
    if encoded_length < len(chosen):
        chosen = ";base64," + base64.b64encode(data).decode()
    if compression:
        return "data:" + chosen, compression
    if len(chosen) > _SMALLEST_GZIP and (packed := _worthwhile(data, len(chosen))):
        return "data:;base64," + base64.b64encode(packed).decode(), "gzip"
    return "data:" + chosen, ""


def _worthwhile(data: bytes, length: int) -> bytes:
    """The gzip of `data` if Butane would take it against a URL of `length`, else nothing."""
    packed = gzip(data)
    wins = _url_length(len(packed) + 5) < length
    margin = abs(_url_length(len(packed) + 5) - length) / length
    if margin < _DOUBT + _DOUBT_SMALL / length and len(data) <= _IMITATE_UP_TO:
        from flatkit.butane.goflate import TooMuchWork, deflated_size

        with contextlib.suppress(TooMuchWork):
            wins = _url_length(18 + deflated_size(data)) < length
    return packed if wins else b""


def _url_length(size: int) -> int:
    """What Butane compares: ";base64," and the base64 text, and 4 for the word gzip."""
    return 8 + (size + 2) // 3 * 4 + 4


def gzip(data: bytes) -> bytes:
    """gzip with the header that Go writes: no time, best compression, no known system."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    body = packer.compress(data) + packer.flush()
    trailer = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + body + trailer
