"""systemd unit text, read as go-systemd's lexer reads it, with its errors and its limit of 2,048 bytes a line.

The limit is only looked at between the lexer's steps and only for what its 4,096 byte buffer holds, so the buffer is
part of the behaviour.
"""

from __future__ import annotations

from collections.abc import Iterator

from flatkit.butane.wording import go_quote

_LINE_MAX = 2048
_BUFFER = 4096
_SPACE = frozenset(" \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))))


class UnitFault(Exception):
    """The text is not a valid unit; the message is go-systemd's."""


class _Buffered:
    """Go's bufio.Reader over bytes: the window is data[r:w]."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.r = 0
        self.w = 0

    def check_line(self) -> None:
        """Between two steps: is a line too long?"""
        if self.w - self.r < _LINE_MAX:
            return
        ahead = self.data[self.r : self.r + _LINE_MAX]
        if b"\n" not in ahead and b"\r" not in ahead:
            raise UnitFault(f"line too long (max {_LINE_MAX} bytes)")

    def rune(self) -> str:
        """The next character, "" at the end; a broken byte is a character of its own."""
        while self.w < self.size and not self._has_rune():
            self.w = min(self.r + _BUFFER, self.size)
        if self.r >= self.size:
            return ""
        width = _width(self.data, self.r)
        text = self.data[self.r : self.r + width].decode("utf-8", "surrogateescape")
        self.r += width
        return text

    def _has_rune(self) -> bool:
        held = self.w - self.r
        return held >= 4 or (held > 0 and held >= _expected(self.data[self.r]))

    def until(self, delimiter: bytes) -> tuple[bytes, bool]:
        """Everything up to and with the delimiter; False when the end came first."""
        found = self.data.find(delimiter, self.r)
        end = found + 1 if found >= 0 else self.size
        start = self.r
        while self.w < end:
            # The window fills up to 4,096 bytes; a full one is handed out before more is read.
            if self.w - self.r >= _BUFFER:
                self.r = self.w
            self.w = min(self.r + _BUFFER, self.size)
        self.r = end
        return self.data[start:end], found >= 0

    def line(self) -> bytes:
        """The rest of the line."""
        return self.until(b"\n")[0].removesuffix(b"\r").removesuffix(b"\n")


def _expected(lead: int) -> int:
    return 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


def _width(data: bytes, at: int) -> int:
    wanted = _expected(data[at])
    if wanted > 1:
        try:
            data[at : at + wanted].decode("utf-8")
        except UnicodeDecodeError:
            return 1
        return min(wanted, len(data) - at)
    return 1


def parse_unit(text: str) -> list[tuple[str, str]]:
    """The options of a unit as (section, name). Raises UnitFault."""
    return list(_options(_Buffered(text.encode("utf-8", "surrogateescape"))))


def _options(source: _Buffered) -> Iterator[tuple[str, str]]:
    section: str | None = None
    while True:
        source.check_line()
        before = source.r
        ch = source.rune()
        if ch == "":
            return
        if ch == "[":
            source.check_line()
            section = _section(source)
        elif ch in "#;":
            source.check_line()
            while source.line().removesuffix(b" ").endswith(b"\\"):
                pass
        elif section is not None and ch not in _SPACE:
            source.r = before
            source.check_line()
            yield section, _option_name(source)
            _skip_value(source)


def _section(source: _Buffered) -> str:
    name, closed = source.until(b"]")
    if not closed:
        raise UnitFault("unable to find end of section")
    source.check_line()
    garbage = source.line().decode("utf-8", "surrogateescape").strip("".join(_SPACE))
    if garbage:
        raise UnitFault(f"found garbage after section name : {go_quote(garbage)}")
    return name[:-1].decode("utf-8", "surrogateescape")


def _option_name(source: _Buffered) -> str:
    name = []
    while (ch := source.rune()) != "=":
        if ch == "":
            raise UnitFault("EOF")
        if ch in "\r\n":
            raise UnitFault("unexpected newline encountered while parsing option name")
        name.append(ch)
    return "".join(name).strip()


def _skip_value(source: _Buffered) -> None:
    while True:
        source.check_line()
        line = source.line()
        if not line.strip() or not line.endswith(b"\\"):
            return


def has_install_option(options: list[tuple[str, str]]) -> bool:
    """Return True if [Install] has an option."""
    return any(section == "Install" for section, _ in options)
