"""Text from outside: what counts as a line, a number, JSON; and what is safe to show."""

from __future__ import annotations

import re
import shlex
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.errors import InputError
from flatkit.untrusted import is_number, lines_of, parse_json, printable, printable_lines, shell_word

PACKAGE = Path(__file__).resolve().parent.parent / "flatkit"
OTHER_LINE_ENDS = ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]


@pytest.mark.parametrize("character", OTHER_LINE_ENDS)
def test_only_a_newline_ends_a_line(character: str) -> None:
    assert lines_of(f"a{character}b\nc\r\nd\n") == [f"a{character}b", "c", "d"]


@pytest.mark.parametrize(("text", "lines"), [("", []), ("\n", [""]), ("a", ["a"]), ("a\n\nb\n", ["a", "", "b"])])
def test_lines(text: str, lines: list[str]) -> None:
    assert lines_of(text) == lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", True),
        ("123", True),
        ("", False),
        ("-1", False),
        ("1\n", False),
        ("²", False),
        ("١", False),
        ("9" * 19, False),
    ],
)
def test_numbers_are_ascii_digits(text: str, expected: bool) -> None:
    assert is_number(text) is expected


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '"\\ud800"', b"\xff", "{", "1" * 5000, '{"a": "\\udfff"}', b'"\xed\xa0\x80"']
)
def test_json_that_cannot_be_used_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_json(text)


def test_json_has_a_limit() -> None:
    assert parse_json(b'["x"]', limit=5) == ["x"]
    with pytest.raises(ValueError, match="at most 4"):
        parse_json(b'["x"]', limit=4)


ATTACKS = [
    "\x1b]0;title\x07",
    "\x1b[2J",
    "a\nb",
    "a\rb",
    "\x9b31m",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\x7f",
    "\ud800",
    "\x00",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_printable_keeps_one_line_of_harmless_characters(attack: str) -> None:
    shown = printable(f"before {attack} after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert all(unicodedata.category(one) not in {"Cc", "Cf", "Cs"} for one in shown)


@given(st.text(st.characters(), max_size=700))
def test_printable_is_bounded_and_encodable(text: str) -> None:
    shown = printable(text, limit=100)
    shown.encode()
    assert len(shown) <= 103
    assert printable(shown, limit=200) == shown


def test_ordinary_words_stay_as_they_are() -> None:
    words = "Zürich 日本語 ✓ é 👩\u200d💻 a\u00a0b"
    assert printable(words) == words
    assert printable_lines("a\tb\nc") == "a\tb\nc"


def test_lines_are_bounded() -> None:
    shown = printable_lines("x" * 50_000 + "\ny\n" * 300, limit=80, lines=10)
    assert len(shown.split("\n")) == 11
    assert all(len(line) < 100 for line in shown.split("\n"))


def test_no_module_splits_or_counts_as_unicode_does() -> None:
    """`splitlines` and `isdigit` take what an attacker may write; a Butane or Python source has its own line rules."""
    own_rules = {"butane/detect.py", "butane/locate.py", "butane/quickfix.py"}
    found = [
        str(file.relative_to(PACKAGE))
        for file in sorted(PACKAGE.rglob("*.py"))
        if re.search(r"\.(splitlines|isdigit|isnumeric|isdecimal)\(", file.read_text(encoding="utf-8"))
    ]
    assert set(found) - own_rules == set()


@given(st.text(max_size=60))
def test_a_word_of_a_command_is_one_word_that_can_be_shown(text: str) -> None:
    word = shell_word(text)
    assert word == printable(word, limit=10_000)
    assert shlex.split(word) == [printable(text)]


@pytest.mark.parametrize("text", ["x; touch /tmp/x", "$(id)", "`id`", "a\n; id #", "'; id; '" * 10])
def test_a_hint_quotes_what_it_was_given(text: str) -> None:
    lexer = shlex.shlex(
        InputError("no", hint=f"flatkit lesson list {shell_word(text)}").hint, posix=True, punctuation_chars=True
    )
    lexer.whitespace_split = True
    assert len(list(lexer)) == 4
