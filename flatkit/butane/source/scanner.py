"""PyYAML's pure parser, taught to read as yaml.v3 does: tabs, simple keys, flow scalars, look-ahead.

The slow route (libyaml is the fast one): for what libyaml reads otherwise, for the wording of errors, and for Pythons
without it. Where a method replaces PyYAML's it follows the rules of yaml.v3's scannerc.go.
"""

from __future__ import annotations

from typing import Any

from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import (
    BlockEndToken,
    BlockMappingStartToken,
    FlowEntryToken,
    FlowMappingEndToken,
    FlowSequenceEndToken,
    KeyToken,
    StreamEndToken,
    ValueToken,
)

from flatkit.butane.source.scalars import BLANKS, BLANKZ, BREAKZ, ScalarScanner

MAX_DEPTH = 10_000
_NO_PLAIN_START = BLANKZ + "-?:,[]{}#&*!|>'\"%@`"


class PureParser(ScalarScanner, Parser):
    """Gives the events of a text; `get_event()` as PyYAML's parsers have it."""

    # What the bases keep; declared for the type checker, since PyYAML's classes carry no types.
    possible_simple_keys: Any
    tokens: Any
    state: Any
    check_token: Any
    get_token: Any
    peek_token: Any
    get_event: Any
    parse_flow_node: Any
    process_empty_scalar: Any

    def __init__(self, text: str) -> None:
        self.level_of_key: dict[int, int] = {}
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def next_event(self) -> Any:
        """The next event."""
        return self.get_event()

    # Look-ahead and simple keys.

    def need_more_tokens(self) -> bool:
        """yaml.v3 reads ahead until three tokens are queued, and further while the first may be a key."""
        if self.done:
            return False
        if len(self.tokens) < 3:
            return True
        level = self.level_of_key.get(self.tokens_taken, -1)
        key = self.possible_simple_keys.get(level)
        return key is not None and key.token_number == self.tokens_taken and self._is_valid(key, level)

    def save_possible_simple_key(self) -> None:
        """Note the level of each key, to find it by its token."""
        super().save_possible_simple_key()
        key = self.possible_simple_keys.get(self.flow_level)
        if key is not None:
            self.level_of_key[key.token_number] = self.flow_level

    def _is_valid(self, key: Any, level: int) -> bool:
        if key.line == self.line and self.index - key.index <= 1024:
            return True
        if key.required:
            raise ScannerError("while scanning a simple key", key.mark, "could not find expected ':'", self.get_mark())
        del self.possible_simple_keys[level]
        return False

    def stale_possible_simple_keys(self) -> None:
        """Nothing: yaml.v3 looks at a key only when it matters."""

    def fetch_stream_end(self) -> None:
        """The end counts as a new line of its own."""
        if self.column:
            self.line += 1
            self.column = 0
        self.unwind_indent(-1)
        self.remove_possible_simple_key()
        self.allow_simple_key = False
        self.possible_simple_keys = {}
        mark = self.get_mark()
        self.tokens.append(StreamEndToken(mark, mark))
        self.done = True

    def unwind_indent(self, column: int) -> None:
        """Close the block collections that end here."""
        if self.flow_level:
            return
        while self.indent > column:
            mark = self.get_mark()
            self.indent = self.indents.pop()
            self.tokens.append(BlockEndToken(mark, mark))

    def add_indent(self, column: int) -> bool:
        """Open a block collection; there may be only so many."""
        if self.indent >= column:
            return False
        self.indents.append(self.indent)
        self.indent = column
        if len(self.indents) > MAX_DEPTH:
            key = self.possible_simple_keys.get(self.flow_level)
            mark = key.mark if key else None
            raise ScannerError("while increasing indent level", mark, _TOO_DEEP, self.get_mark())
        return True

    def fetch_flow_collection_start(self, token_class: Any) -> None:
        """Open a flow collection; there may be only so many."""
        self.save_possible_simple_key()
        self.flow_level += 1
        if self.flow_level > MAX_DEPTH:
            raise ScannerError("while increasing flow level", None, _TOO_DEEP, self.get_mark())
        self.allow_simple_key = True
        start = self.get_mark()
        self.forward()
        self.tokens.append(token_class(start, self.get_mark()))

    def fetch_flow_collection_end(self, token_class: Any) -> None:
        """Close a flow collection; a bracket too many is the parser's business."""
        self.remove_possible_simple_key()
        self.flow_level = max(0, self.flow_level - 1)
        self.allow_simple_key = False
        start = self.get_mark()
        self.forward()
        self.tokens.append(token_class(start, self.get_mark()))

    def fetch_value(self) -> None:
        """A ":": the end of a simple key, or the value of a complex one."""
        key = self.possible_simple_keys.get(self.flow_level)
        if key is not None and self._is_valid(key, self.flow_level):
            del self.possible_simple_keys[self.flow_level]
            at = key.token_number - self.tokens_taken
            self.tokens.insert(at, KeyToken(key.mark, key.mark))
            if not self.flow_level and self.add_indent(key.column):
                self.tokens.insert(at, BlockMappingStartToken(key.mark, key.mark))
            self.allow_simple_key = False
        else:
            if not self.flow_level:
                mark = self.get_mark()
                if not self.allow_simple_key:
                    raise ScannerError(None, mark, "mapping values are not allowed in this context", mark)
                if self.add_indent(self.column):
                    self.tokens.append(BlockMappingStartToken(mark, mark))
            self.allow_simple_key = not self.flow_level
        start = self.get_mark()
        self.forward()
        self.tokens.append(ValueToken(start, self.get_mark()))

    def check_plain(self) -> bool:
        """Whether a plain scalar starts here."""
        first, second = self.peek(), self.peek(1)
        if first not in _NO_PLAIN_START:
            return True
        if first == "-":
            return second not in BLANKS
        return not self.flow_level and first in "?:" and second not in BLANKZ

    def scan_to_next_token(self) -> None:
        """Skip blanks, comments and line breaks; tabs only where no indentation can be meant."""
        while True:
            if self.column == 0 and self.peek() == "\ufeff":
                self.forward()
            tabs = self.flow_level or not self.allow_simple_key
            while self.peek() == " " or (tabs and self.peek() == "\t"):
                self.forward()
            if self.peek() == "#":
                self._skip_until(BREAKZ)
            if not self.scan_line_break():
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def scan_yaml_directive_value(self, start_mark: Any) -> tuple[int, int]:
        """The version in %YAML: anything but 1.1 is given as 2, which the parser refuses."""
        major, minor = super().scan_yaml_directive_value(start_mark)
        return (1, 1) if (major, minor) == (1, 1) else (2, 0)

    # Where the parser differs: an empty value in a flow mapping is at the next token.

    def parse_flow_mapping_value(self) -> Any:
        """The value after a key of a flow mapping."""
        return self._flow_value(self.parse_flow_mapping_key, FlowMappingEndToken)

    def parse_flow_sequence_entry_mapping_value(self) -> Any:
        """The value of `[key: value]`."""
        return self._flow_value(self.parse_flow_sequence_entry_mapping_end, FlowSequenceEndToken)

    def _flow_value(self, then: Any, closing: Any) -> Any:
        if self.check_token(ValueToken):
            self.get_token()
            if not self.check_token(FlowEntryToken, closing):
                self.states.append(then)
                return self.parse_flow_node()
        self.state = then
        return self.process_empty_scalar(self.peek_token().start_mark)

    def parse_flow_mapping_empty_value(self) -> Any:
        """A key of a flow mapping without a value."""
        self.state = self.parse_flow_mapping_key
        return self.process_empty_scalar(self.peek_token().start_mark)


_TOO_DEEP = f"exceeded max depth of {MAX_DEPTH}"
