"""Text -> nodes: libyaml's events where it reads as yaml.v3 does, the pure parser's otherwise and for every error.

Why not yaml.compose? It resolves tags by YAML 1.1, and with libyaml it ends the process on 100,000 nested brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from flatkit.butane.source.node import ALIAS, MAPPING, SCALAR, SEQUENCE, Node, YamlFault
from flatkit.butane.source.resolve import MERGE, STR, resolve_tag, short_tag
from flatkit.butane.source.scanner import MAX_DEPTH, PureParser
from flatkit.butane.source.wording import fault_from

_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "binary"))

# The pure parser reads about half a megabyte a second; beyond this much text, libyaml's reading has to do.
PURE_LIMIT = 1024 * 1024
# So many values take two to four seconds; a config that a machine can use has a few thousand.
MAX_NODES = 700_000

# What libyaml reads otherwise than yaml.v3, found by comparing both on mutated texts: tabs, directives, "?" in flow
# collections, the escape \/, odd line breaks, marks inside the text. A text with any of it goes the slow way.
_SLOW = re.compile("\t|^%|\ufeff|\x85|[\u2028\u2029]|\r(?!\n)|[?]|\\\\/", re.MULTILINE)

# From 0.2.6 on libyaml stops at 1,000 levels; yaml.v3 goes to 10,000.
_TOO_DEEP = "exceeded maximum nesting depth"


try:
    from yaml._yaml import CParser
except ImportError:  # pragma: no cover  (a PyYAML without libyaml, as in browsers)
    CParser = None  # type: ignore[assignment,misc]


def compose(text: str) -> Node | None:
    """The root node of the first document, or None when there is none. Raises YamlFault."""
    if CParser is not None and (len(text) > PURE_LIMIT or not _SLOW.search(text)):
        try:
            return _Composer(CParser(text).get_event, fast=True).document()
        except yaml.MarkedYAMLError as error:
            if len(text) > PURE_LIMIT and error.problem != _TOO_DEEP:
                raise fault_from(error) from None
        except (_Slow, YamlFault, yaml.YAMLError, ValueError) as error:
            if len(text) > PURE_LIMIT and isinstance(error, YamlFault):
                raise
    return compose_pure(text)


def compose_pure(text: str) -> Node | None:
    """The same by the pure parser alone."""
    if len(text) > PURE_LIMIT:
        raise YamlFault(f"the config has {len(text)} characters, more than the {PURE_LIMIT} that can be read here")
    try:
        return _Composer(PureParser(text).next_event, fast=False).document()
    except yaml.MarkedYAMLError as error:
        raise fault_from(error) from None
    except yaml.YAMLError:
        raise YamlFault("control characters are not allowed") from None


class _Slow(Exception):
    """The text is to be read by the pure parser."""


class _Composer:
    """Builds nodes from events, without recursion."""

    def __init__(self, next_event: Callable[[], Any], *, fast: bool) -> None:
        self.next_event = next_event
        self.fast = fast
        self.anchors: dict[str, Node] = {}

    def document(self) -> Node | None:
        next_event = self.next_event
        next_event()
        if isinstance(next_event(), StreamEndEvent):
            return None
        root: Node | None = None
        open_nodes: list[Node] = []
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
            elif kind is DocumentEndEvent:
                # yaml.v3 looks further ahead than libyaml: a fault close behind the document still counts.
                if self.fast and not isinstance(next_event(), StreamEndEvent):
                    raise _Slow
                return root
            else:  # pragma: no cover  (a parser gives nothing else inside a document)
                raise YamlFault("unknown problem parsing YAML content")
            count += 1
            if open_nodes:
                open_nodes[-1].content.append(node)
            else:
                root = node
            if count > MAX_NODES:
                raise YamlFault(f"the config has more than {MAX_NODES} values")
            if kind is MappingStartEvent or kind is SequenceStartEvent:
                open_nodes.append(node)
                if self.fast and len(open_nodes) > MAX_DEPTH:
                    raise _Slow

    def _scalar(self, event: Any) -> Node:
        mark = event.start_mark
        value = event.value
        tag = event.tag
        plain = not event.style
        if tag and tag != "!":
            tag = self._explicit(tag)
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
        return node

    def _explicit(self, tag: str) -> str:
        if self.fast and tag not in _PLAIN_TAGS:
            raise _Slow
        return short_tag(tag)

    def _collection(self, event: Any, is_mapping: bool) -> Node:
        mark = event.start_mark
        kind, tag = (MAPPING, "!!map") if is_mapping else (SEQUENCE, "!!seq")
        if event.tag and event.tag != "!":
            tag = self._explicit(event.tag)
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
            raise YamlFault(f"unknown anchor '{event.anchor}' referenced", line=node.line, column=node.column)
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
