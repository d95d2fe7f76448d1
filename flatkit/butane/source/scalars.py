"""How yaml.v3 reads scalars: plain, quoted and block. One half of the pure parser; scanner.py is the other.

Each method replaces PyYAML's of the same name and follows the rules of yaml.v3's scannerc.go: where tabs may stand, how
lines are folded, which escapes there are.
"""

from __future__ import annotations

from typing import Any

from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import ScalarToken

BREAKS = "\r\n\x85\u2028\u2029"
BLANKS = " \t"
BREAKZ = "\0" + BREAKS
BLANKZ = BLANKS + BREAKZ
_PLAIN_END_IN_FLOW = ",?[]{}"
_HEX = frozenset("0123456789ABCDEFabcdef")
_ESCAPES = {
    "0": "\0", "a": "\x07", "b": "\x08", "t": "\t", "\t": "\t", "n": "\n", "v": "\x0b", "f": "\x0c", "r": "\r",
    "e": "\x1b", " ": " ", '"': '"', "'": "'", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_ESCAPE_LENGTHS = {"x": 2, "u": 4, "U": 8}


class _Folding:
    """Blanks and line breaks between the words of a scalar, joined as YAML folds lines."""

    def __init__(self) -> None:
        self.blanks = self.first = self.rest = ""
        self.broken = False

    def take(self) -> str:
        """What stands for them; starts anew."""
        if not self.broken:
            text = self.blanks
        elif self.first[:1] == "\n":
            text = self.rest or " "
        else:
            text = self.first + self.rest
        self.blanks = self.first = self.rest = ""
        self.broken = False
        return text


class ScalarScanner(Reader, Scanner):
    """The scalar half of a yaml.v3 scanner. PyYAML's classes carry no types, so most here is Any."""

    # What the two bases keep; declared for the type checker.
    buffer: Any
    pointer: Any
    index: Any
    line: Any
    column: Any
    indent: Any
    flow_level: Any
    allow_simple_key: Any
    peek: Any
    prefix: Any
    forward: Any
    get_mark: Any
    scan_line_break: Any

    def _skip_until(self, stop: str) -> str:
        """Go on to the next character of `stop` and give what was passed."""
        buffer, start = self.buffer, self.pointer
        end = start
        while buffer[end] not in stop:
            end += 1
        text: str = buffer[start:end]
        # No line break is passed, so the position moves by plain sums; this is what makes the pure route bearable.
        self.pointer = end
        self.index += end - start
        self.column += end - start - text.count("\ufeff")
        return text

    def _at_document_mark(self) -> bool:
        return self.column == 0 and self.prefix(3) in ("---", "...") and self.peek(3) in BLANKZ

    def _scan_gap(self, folding: _Folding, indent: int | None, start: Any) -> None:
        """Take blanks and breaks; `indent` is where a plain scalar's lines must begin (None: quoted)."""
        while (ch := self.peek()) in BLANKS or ch in BREAKS:
            if ch in BLANKS:
                if folding.broken and ch == "\t" and indent is not None and self.column < indent:
                    problem = "found a tab character that violates indentation"
                    raise ScannerError("while scanning a plain scalar", start, problem, self.get_mark())
                if not folding.broken:
                    folding.blanks += ch
                self.forward()
            elif folding.broken:
                folding.rest += self.scan_line_break()
            else:
                folding.first = self.scan_line_break()
                folding.broken = True

    def scan_plain(self) -> ScalarToken:
        """A scalar without quotes."""
        chunks: list[str] = []
        start = end = self.get_mark()
        indent = self.indent + 1
        folding = _Folding()
        while not self._at_document_mark() and self.peek() != "#":
            word = self._scan_plain_word()
            if word:
                chunks += (folding.take(), word)
                end = self.get_mark()
            if self.peek() not in BLANKS and self.peek() not in BREAKS:
                break
            self._scan_gap(folding, indent, start)
            if not self.flow_level and self.column < indent:
                break
        if folding.broken:
            self.allow_simple_key = True
        return ScalarToken("".join(chunks), True, start, end)

    def _scan_plain_word(self) -> str:
        stop = BLANKZ + ":" + (_PLAIN_END_IN_FLOW if self.flow_level else "")
        word = ""
        while True:
            word += self._skip_until(stop)
            if self.peek() != ":" or self.peek(1) in BLANKZ:
                return word
            word += ":"
            self.forward()

    def scan_flow_scalar(self, style: str) -> ScalarToken:
        """A scalar in quotes."""
        chunks: list[str] = []
        start = self.get_mark()
        self.forward()
        while True:
            if self._at_document_mark():
                problem = "found unexpected document indicator"
                raise ScannerError("while scanning a quoted scalar", start, problem, self.get_mark())
            if self.peek() == "\0":
                problem = "found unexpected end of stream"
                raise ScannerError("while scanning a quoted scalar", start, problem, self.get_mark())
            folding = _Folding()
            folding.broken = self._scan_quoted_words(style, chunks, start)
            if self.peek() == style:
                break
            self._scan_gap(folding, None, start)
            chunks.append(folding.take())
        self.forward()
        return ScalarToken("".join(chunks), False, start, self.get_mark(), style)

    def _scan_quoted_words(self, style: str, chunks: list[str], start: Any) -> bool:
        """Up to a blank or the closing quote; True after an escaped line break."""
        stop = BLANKZ + (style if style == "'" else style + "\\")
        while True:
            chunks.append(self._skip_until(stop))
            if style == "'":
                if self.prefix(2) != "''":
                    return False
                chunks.append("'")
                self.forward(2)
            elif self.peek() != "\\":
                return False
            elif self.peek(1) in BREAKS:
                self.forward()
                self.scan_line_break()
                return True
            else:
                chunks.append(self._scan_escape(start))

    def _scan_escape(self, start: Any) -> str:
        ch = self.peek(1)
        context = "while parsing a quoted scalar"
        if ch in _ESCAPES:
            self.forward(2)
            return _ESCAPES[ch]
        if ch not in _ESCAPE_LENGTHS:
            raise ScannerError(context, start, "found unknown escape character", self.get_mark())
        self.forward(2)
        length = _ESCAPE_LENGTHS[ch]
        if not _HEX.issuperset(self.buffer[self.pointer : self.pointer + length]):
            raise ScannerError(context, start, "did not find expected hexdecimal number", self.get_mark())
        code = int(self.prefix(length), 16)
        if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
            raise ScannerError(context, start, "found invalid Unicode character escape code", self.get_mark())
        self.forward(length)
        return chr(code)

    def scan_block_scalar(self, style: str) -> ScalarToken:
        """A scalar after "|" or ">"."""
        start = self.get_mark()
        self.forward()
        chomping, increment = self._scan_block_header(start)
        indent = increment + max(self.indent, 0) if increment else 0
        trailing, indent, end = self._scan_block_breaks(indent, start)
        chunks: list[str] = []
        leading_break, leading_blank = "", False
        while self.column == indent and self.peek() != "\0":
            blank = self.peek() in BLANKS
            if style == ">" and leading_break[:1] == "\n" and not leading_blank and not blank:
                chunks.append("" if trailing else " ")
            else:
                chunks.append(leading_break)
            chunks.append(trailing)
            leading_blank = blank
            chunks.append(self._skip_until(BREAKZ))
            leading_break = self.scan_line_break()
            trailing, indent, end = self._scan_block_breaks(indent, start)
        if chomping != "-":
            chunks.append(leading_break)
        if chomping == "+":
            chunks.append(trailing)
        return ScalarToken("".join(chunks), False, start, end, style)

    def _scan_block_header(self, start: Any) -> tuple[str, int]:
        chomping, increment = "", 0
        for _ in range(2):
            ch = self.peek()
            if ch in "+-" and not chomping:
                chomping = ch
            elif ch in "0123456789" and not increment:
                if ch == "0":
                    problem = "found an indentation indicator equal to 0"
                    raise ScannerError("while scanning a block scalar", start, problem, self.get_mark())
                increment = int(ch)
            else:
                break
            self.forward()
        self._skip_blanks()
        if self.peek() == "#":
            self._skip_until(BREAKZ)
        if self.peek() not in BREAKZ:
            problem = "did not find expected comment or line break"
            raise ScannerError("while scanning a block scalar", start, problem, self.get_mark())
        self.scan_line_break()
        return chomping, increment

    def _skip_blanks(self) -> None:
        while self.peek() in BLANKS:
            self.forward()

    def _scan_block_breaks(self, indent: int, start: Any) -> tuple[str, int, Any]:
        """The empty lines before the next line of text; finds the indentation when it is not yet known (0)."""
        breaks, end, widest = "", self.get_mark(), 0
        while True:
            while (indent == 0 or self.column < indent) and self.peek() == " ":
                self.forward()
            widest = max(widest, self.column)
            if (indent == 0 or self.column < indent) and self.peek() == "\t":
                problem = "found a tab character where an indentation space is expected"
                raise ScannerError("while scanning a block scalar", start, problem, self.get_mark())
            if self.peek() not in BREAKS:
                break
            breaks += self.scan_line_break()
            end = self.get_mark()
        return breaks, indent or max(widest, self.indent + 1, 1), end
