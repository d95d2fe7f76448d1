"""Bytes -> the shortest data URL, chosen among percent, base64 and gzip as Butane chooses (base/util/url.go).

The gzip bytes are zlib's: they unpack to the same, and Go's own change from release to release. Where gzip saves only a few
bytes the two may choose differently.
"""

from __future__ import annotations

import base64
import struct
import zlib
from urllib.parse import quote_from_bytes

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
