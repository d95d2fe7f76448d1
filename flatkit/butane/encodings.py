"""The encoding of a config's bytes, named for learners when it is not plain UTF-8. Pure."""

from __future__ import annotations

_POWERSHELL = "PowerShell's > writes UTF-16; use the option -o FILE of the command instead"
_SAVE = "save it as UTF-8 without a byte order mark"


def encoding_of(data: bytes) -> str:
    """The name of an encoding other than UTF-8 without a byte order mark, "" for that and for plain ASCII."""
    for mark, name in (
        (b"\xef\xbb\xbf", "UTF-8 with a byte order mark"),
        (b"\xff\xfe", "UTF-16 (little-endian)"),
        (b"\xfe\xff", "UTF-16 (big-endian)"),
    ):
        if data.startswith(mark):
            return name
    head = data[:400]
    if len(head) >= 4 and b"\0" in head:
        # ASCII in UTF-16 has a zero in each second byte.
        even, odd = head[::2].count(0), head[1::2].count(0)
        if odd > len(head) // 3 and even < len(head) // 20 + 1:
            return "UTF-16 (little-endian, without a byte order mark)"
        if even > len(head) // 3 and odd < len(head) // 20 + 1:
            return "UTF-16 (big-endian, without a byte order mark)"
        return ""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        # Nothing marks it: but text in it has letters there, and some bytes have no meaning.
        try:
            return "Latin-1 or Windows-1252" if any(ch.isalpha() for ch in data.decode("cp1252") if ch > "\x7f") else ""
        except UnicodeDecodeError:
            return ""
    return ""


def encoding_words(data: bytes) -> str:
    """A sentence on the encoding and how to change it, "" if it is UTF-8 or not known."""
    name = encoding_of(data)
    if not name:
        return ""
    if name.startswith("UTF-16"):
        return f"This file is {name}: {_SAVE}. {_POWERSHELL}."
    if name.startswith("Latin"):
        return f"This file is not UTF-8; it looks like {name}: save it as UTF-8."
    return f"This file is {name}: {_SAVE}."
