"""PyYAML's complaints in the words, and with the line numbers, of yaml.v3.

yaml.v3 counts lines from 0 inside and forgets to add one for errors of its parser; butane prints what it says, so do we.
"""

from __future__ import annotations

import re

import yaml
from yaml.scanner import ScannerError

from flatkit.butane.source.node import YamlFault

# (what PyYAML says, what yaml.v3 says); the first that matches counts. libyaml's words are yaml.v3's already.
_WORDS = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"found character .* that cannot start any token", "found character that cannot start any token"),
        (r"sequence entries are not allowed here", "block sequence entries are not allowed in this context"),
        (r"mapping keys are not allowed here", "mapping keys are not allowed in this context"),
        (r"expected the node content, but found", "did not find expected node content"),
        (r"expected ',' or '\]'", "did not find expected ',' or ']'"),
        (r"expected ',' or '}'", "did not find expected ',' or '}'"),
        (r"expected '<document start>'", "did not find expected <document start>"),
        (r"found undefined tag handle", "found undefined tag handle"),
        (r"duplicate tag handle", "found duplicate %TAG directive"),
        (r"found duplicate YAML directive", "found duplicate %YAML directive"),
        (r"found incompatible YAML document", "found incompatible YAML document"),
        (r"expected a comment or a line break", "did not find expected comment or line break"),
        (r"expected a digit or '\.'", "did not find expected digit or '.' character"),
        (r"expected a digit", "did not find expected version number"),
        (r"expected URI escape sequence", "did not find URI escaped octet"),
        (r"expected URI", "did not find expected tag URI"),
        (r"expected '!'", "did not find expected '!'"),
        (r"expected '>'", "did not find the expected '>'"),
        (r"can't decode byte", "found an incorrect leading UTF-8 octet"),
    )
)


def fault_from(error: yaml.MarkedYAMLError) -> YamlFault:
    """The fault that yaml.v3 would report."""
    problem = _problem(error)
    context_mark = error.problem_mark if problem.startswith("found character that") else error.context_mark
    scanner = isinstance(error, ScannerError)
    number = 0
    for mark in (context_mark, error.problem_mark):
        if mark is not None and mark.line:
            number = mark.line + (1 if scanner else 0)
            break
    shown = error.problem_mark or error.context_mark
    text = f"line {number}: {problem}" if number else problem
    return YamlFault(text, line=shown.line + 1 if shown else 0, column=shown.column + 1 if shown else 0)


def _problem(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "unknown problem parsing YAML content"
    context = error.context or ""
    if problem.startswith("expected <block end>"):
        return f"did not find expected {'key' if 'mapping' in context else chr(39) + '-' + chr(39) + ' indicator'}"
    if problem.startswith("expected alphabetic or numeric character"):
        if "directive" not in context:
            return "did not find expected alphabetic or numeric character"
        return "could not find expected directive name" if "%" not in problem else "found unexpected character"
    if problem.startswith("expected ' '"):
        return "did not find expected whitespace" + ("" if "directive" in context else " or line break")
    for pattern, text in _WORDS:
        if pattern.match(problem):
            return text
    return problem
