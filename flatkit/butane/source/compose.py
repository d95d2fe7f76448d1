"""Text -> nodes, from libyaml's events: yaml.v3 is a port of libyaml, and reads almost everything as it does.

Why not yaml.compose? It resolves tags by YAML 1.1, and it recurses: nested brackets would exhaust the stack.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.scanner import ScannerError
from yaml.tokens import BlockEndToken, StreamStartToken

from flatkit.butane import messages
from flatkit.butane.source.node import (
    ALIAS,
    MAPPING,
    MERGE,
    SCALAR,
    SEQUENCE,
    STR,
    Node,
    YamlFault,
    resolve_tag,
    short_tag,
)
from flatkit.errors import MissingDependency

MAX_DEPTH: Final = 10_000
# So many values take two to four seconds; a config that a machine can use has a few thousand.
MAX_NODES: Final = 700_000

# libyaml stops at 1,000 levels from 0.2.6 on; the limit is compiled in. yaml.v3 words its own limit like this.
_PROBLEMS = {"exceeded maximum nesting depth": "exceeded max depth of 1000"}
# An escape that libyaml knows and yaml.v3 does not: a backslash (itself not escaped) before a slash.
_ESCAPED_SLASH = re.compile(r"(?<!\\)(?:\\\\)*(\\/)")


def _parser(text: str) -> Any:
    try:
        from yaml._yaml import CParser
    except ImportError:
        raise MissingDependency(
            "this PyYAML was built without libyaml, which flatkit reads YAML with",
            hint="pip install --force-reinstall --only-binary :all: pyyaml",
        ) from None
    return CParser(text)


def compose(text: str) -> Node | None:
    """Return the root node of the first document, or None when there is none. Raises YamlFault."""
    try:
        return _Composer(text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        earlier = _look_ahead(text, mark.index) if mark is not None and not isinstance(error, ScannerError) else None
        raise _fault(earlier or error) from None
    except yaml.YAMLError:
        raise YamlFault(messages.YAML_ENCODING(problem="control characters are not allowed")) from None


def _look_ahead(text: str, index: int) -> yaml.MarkedYAMLError | None:
    """The error in the two tokens after the one at `index`: yaml.v3 scans that far before it parses a token."""
    parser, scanned = _parser(text), 0
    try:
        while scanned < 3 and (token := parser.get_token()) is not None:
            # Tokens without text of their own share the place of the next one.
            scanned += token.start_mark.index >= index and not isinstance(token, (StreamStartToken, BlockEndToken))
    except ScannerError as error:
        return error
    return None


def _fault(error: yaml.MarkedYAMLError) -> YamlFault:
    """The fault that yaml.v3 reports: it counts lines from 0, and forgets to add one for errors of its parser."""
    problem = error.problem or "unknown problem parsing YAML content"
    problem = _PROBLEMS.get(problem, problem)
    shown = error.problem_mark or error.context_mark
    offset = 1 if isinstance(error, ScannerError) else 0
    lines = [mark.line for mark in (error.context_mark, error.problem_mark) if mark is not None and mark.line]
    return YamlFault(
        messages.yaml_problem(problem),
        line=shown.line + 1 if shown else 0,
        column=shown.column + 1 if shown else 0,
        printed=lines[0] + offset if lines else 0,
    )


class _Composer:
    """Builds nodes from events, without recursion."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.next_event = _parser(text).get_event
        self.anchors: dict[str, Node] = {}
        self.open_nodes: list[Node] = []
        self.has_slash_escape = "\\/" in text

    def document(self) -> Node | None:
        next_event, open_nodes = self.next_event, self.open_nodes
        next_event()
        start = next_event()
        if isinstance(start, StreamEndEvent):
            return None
        if start.version not in (None, (1, 1)):
            raise _fault(
                yaml.MarkedYAMLError(problem="found incompatible YAML document", problem_mark=start.start_mark)
            )
        root: Node | None = None
        count = 0
        while True:
            event = next_event()
            kind = event.__class__
            if kind is ScalarEvent:
                node = self._scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                node = self._collection(event, kind is MappingStartEvent)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                _close(open_nodes.pop(), event)
                continue
            elif kind is AliasEvent:
                node = self._alias(event)
            else:
                # The end of the document. A fault close behind it counts.
                error = (
                    _look_ahead(self.text, event.start_mark.index) if event.start_mark.index < len(self.text) else None
                )
                if error is not None:
                    raise error
                return root
            count += 1
            if open_nodes:
                open_nodes[-1].content.append(node)
            else:
                root = node
            if count > MAX_NODES:
                raise YamlFault(messages.TOO_MANY_VALUES(limit=str(MAX_NODES)))
            if kind is MappingStartEvent or kind is SequenceStartEvent:
                open_nodes.append(node)
                if len(open_nodes) > MAX_DEPTH:
                    raise ScannerError(None, None, f"exceeded max depth of {MAX_DEPTH}", event.start_mark)

    def _scalar(self, event: Any) -> Node:
        mark = event.start_mark
        value = event.value
        tag = event.tag
        plain = not event.style
        if tag and tag != "!":
            tag = short_tag(tag)
        elif not plain:
            tag = STR
        else:
            tag = MERGE if value == "<<" else resolve_tag(value)
        node = Node(SCALAR, tag, value, mark.line + 1, mark.column + 1)
        node.plain = plain
        mark = event.end_mark
        node.end_line = mark.line + 1
        node.end_column = mark.column + 1
        if event.anchor:
            self.anchors[event.anchor] = node
            node.anchor = event.anchor
        if plain and "?" in value:
            self._refuse_question_mark(event)
        if self.has_slash_escape and event.style == '"':
            self._refuse_escaped_slash(event)
        return node

    def _refuse_question_mark(self, event: Any) -> None:
        """In yaml.v3 a question mark ends a plain scalar in brackets and starts a key, which cannot follow there."""
        parent = self.open_nodes[-1] if self.open_nodes else None
        if parent is not None and parent.flow:
            closing = "}" if parent.kind == MAPPING else "]"
            message = messages.yaml_problem(f"did not find expected ',' or '{closing}'")
            start = event.start_mark
            printed = parent.line - 1 or start.line
            raise YamlFault(message, line=start.line + 1, column=start.column + 1, printed=printed)

    def _refuse_escaped_slash(self, event: Any) -> None:
        start = event.start_mark
        if _ESCAPED_SLASH.search(self.text[start.index : event.end_mark.index]):
            raise ScannerError("while parsing a quoted scalar", start, "found unknown escape character", start)

    def _collection(self, event: Any, is_mapping: bool) -> Node:
        mark = event.start_mark
        kind, tag = (MAPPING, "!!map") if is_mapping else (SEQUENCE, "!!seq")
        if event.tag and event.tag != "!":
            tag = short_tag(event.tag)
        node = Node(kind, tag, "", mark.line + 1, mark.column + 1)
        node.flow = bool(event.flow_style)
        if event.anchor:
            self.anchors[event.anchor] = node
            node.anchor = event.anchor
        return node

    def _alias(self, event: Any) -> Node:
        mark = event.start_mark
        node = Node(ALIAS, "", event.anchor, mark.line + 1, mark.column + 1)
        node.target = self.anchors.get(event.anchor)
        if node.target is None:
            raise YamlFault(messages.UNKNOWN_ANCHOR(name=event.anchor), line=node.line, column=node.column)
        node.end_line = event.end_mark.line + 1
        node.end_column = event.end_mark.column + 1
        return node


def _close(node: Node, event: Any) -> None:
    # The end event of a block collection lies at the next token, lines below: its last value is where it ends.
    if node.flow or not node.content:
        node.end_line = event.end_mark.line + 1
        node.end_column = event.end_mark.column + 1
    else:
        last = node.content[-1]
        node.end_line = last.end_line
        node.end_column = last.end_column
