"""Reading YAML as yaml.v3 does: positions, values, and what is refused."""

from __future__ import annotations

import re
import sys
import time

import pytest

from flatkit.butane import translate
from flatkit.butane.source import compose as composing
from flatkit.butane.source.compose import compose
from flatkit.butane.source.document import MAX_BYTES, decode
from flatkit.butane.source.node import YamlFault, find_node, resolve, resolve_tag
from flatkit.butane.wording import go_quote
from flatkit.errors import MissingDependency

HEAD = "variant: flatcar\nversion: 1.1.0\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("|2-\n   b\n  c\n", " b\nc"),
        (">+\n  x\n  y\n\n   z\n\n", "x y\n\n z\n\n"),
        ("'it''s'", "it's"),
        ('"x\\ty \\u00e9 \\\n  z"', "x\ty é z"),
        ("b c\n  d\n\n  e\n", "b c d\ne"),
        ("\tb\tc\t# d\n", "b\tc"),
        ("http://x/?y=z", "http://x/?y=z"),
        ('["a?b"]', "a?b"),
        ('"a\\\\/b"', "a\\/b"),
    ],
)
def test_scalars_are_read(text: str, value: str) -> None:
    node = find_node(compose("a: " + text), ("a",))
    assert node is not None
    assert (node.content[0] if node.content else node).value == value


def test_without_libyaml_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml._yaml", None)
    with pytest.raises(MissingDependency) as caught:
        translate(HEAD)
    assert "libyaml" in caught.value.message
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b: c\n", "mapping values are not allowed in this context"),
        ("x: 1\na: [b\n", "line 1: did not find expected ',' or ']'"),
        ("x: 1\na:\n\t- b\n", "line 3: found character that cannot start any token"),
        ("x: 1\na: |\n\tb\n", "line 2: found a tab character where an indentation space is expected"),
        ('x: 1\na: "b\n', "line 2: found unexpected end of stream"),
        ('x: 1\na: "\\z"\n', "line 2: found unknown escape character"),
        ('x: 1\na: "\\ud83d"\n', "line 2: found invalid Unicode character escape code"),
        ("x: 1\na: |0\n  b\n", "line 2: found an indentation indicator equal to 0"),
        ("x: 1\na: *b\n", "unknown anchor 'b' referenced"),
        ("x: 1\n y: 2\n", "line 2: mapping values are not allowed in this context"),
        ("x: 1\ny:\n  - a\n  b: c\n", "line 2: did not find expected '-' indicator"),
        ("x: !<tag\n", "did not find the expected '>'"),
        ("%YAML 1.2\n---\na: b\n", "found incompatible YAML document"),
        ("# c\n%YAML 1.2\n---\na: b\n", "line 1: found incompatible YAML document"),
        ('x: 1\na: "b\\/c"\n', "line 2: found unknown escape character"),
        ("x: 1\na: [b?c]\n", "line 1: did not find expected ',' or ']'"),
        ("x: 1\na: {b?: c}\n", "line 1: did not find expected ',' or '}'"),
        # yaml.v3 scans two tokens further than it parses, and reports what it finds there first.
        ("x: 1\n: 1\n  a: 2\n", "line 3: mapping values are not allowed in this context"),
        ("x: 1\n--- a: b: c\n", "line 2: mapping values are not allowed in this context"),
        ("a: }\n", "did not find expected node content"),
    ],
)
def test_errors_have_the_words_of_yaml_v3(text: str, message: str) -> None:
    with pytest.raises(YamlFault) as caught:
        compose(text)
    assert str(caught.value) == message
    assert caught.value.line >= 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "invalid leading UTF-8 octet"),
        (b"a: \xc3(", "invalid trailing UTF-8 octet"),
        (b"a: \xe2\x82", "incomplete UTF-8 octet sequence"),
        (b"a: \xc0\x80", "invalid length of a UTF-8 sequence"),
        (b"a: \xed\xa0\x80", "invalid Unicode character"),
        (b"a: \x01", "control characters are not allowed"),
        (b"\xff\xfea", "incomplete UTF-16 character"),
        (b"\xff\xfe\x00\xdc", "unexpected low surrogate area"),
        (b"\xff\xfe\x00\xd8", "incomplete UTF-16 surrogate pair"),
        (b"\xff\xfe\x00\xd8\x00\x00", "expected low surrogate area"),
    ],
)
def test_broken_encodings(data: bytes, message: str) -> None:
    with pytest.raises(YamlFault) as caught:
        decode(data)
    assert str(caught.value) == message


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_encodings_that_are_read(codec: str) -> None:
    mark = b"\xfe\xff" if codec == "utf-16-be" else b""
    assert decode(mark + "ä: ö".encode(codec)) == "ä: ö"


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("", "!!null"), ("~", "!!null"), ("Null", "!!null"), ("nUll", "!!str"),
        ("true", "!!bool"), ("yes", "!!str"), ("TRUE", "!!bool"), ("on", "!!str"),
        ("0755", "!!int"), ("0o755", "!!int"), ("0x1F", "!!int"), ("0b11", "!!int"), ("1_000", "!!int"), ("-5", "!!int"),
        ("0888", "!!float"), ("1.5", "!!float"), (".5e3", "!!float"), (".inf", "!!float"), ("1e999", "!!str"),
        ("18446744073709551615", "!!int"), ("18446744073709551616", "!!float"), ("-9223372036854775809", "!!float"),
        ("2001-01-01", "!!timestamp"), ("2001-02-30", "!!str"), ("2001-1-1T1:2:3Z", "!!timestamp"),
        ("1:30", "!!str"), ("1.1.0", "!!str"), ("+", "!!str"), (".", "!!str"), ("<<", "!!str"),
    ],
)  # fmt: skip
def test_plain_scalars_mean(text: str, tag: str) -> None:
    assert resolve_tag(text) == tag


def test_explicit_tags() -> None:
    assert resolve("!!float", "3") == ("!!float", 3.0)
    assert resolve("!!str", "3") == ("!!str", "3")
    assert resolve("!own", "3") == ("!own", "3")


def test_positions_of_nodes() -> None:
    root = compose("a:\n  - b: 'x y'\n    c: |\n      t\n  - {d: e}\n")
    first, second = find_node(root, ("a", 0, "b")), find_node(root, ("a", 1))
    assert first is not None
    assert second is not None
    assert (first.line, first.column, first.end_column) == (2, 8, 13)
    assert (second.line, second.column, second.end_line, second.end_column) == (5, 5, 5, 11)
    assert find_node(root, ("a", 2)) is None


def test_quoting_is_gos() -> None:
    assert go_quote('a"\\\n\x00é\u200b\udcff') == r'"a\"\\\n\x00é\u200b\xff"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "x: " + "[" * 200_000, "exceeded max depth"),
        (HEAD + "x: " + "{a: " * 50_000, "exceeded max depth"),
        (HEAD + "".join("  " * n + "a:\n" for n in range(3000)), ""),
        (HEAD + "passwd: &p {<<: *p}\n", "contains itself"),
        (HEAD + "a:\n" * 100, "already defined"),
        ("\x00", "control characters"),
        ("variant: flatcar\nversion: 1.1.0\npasswd: {users: 5}", "cannot unmarshal !!int `5` into []v0_5.PasswdUser"),
    ],
)
def test_hostile_texts_are_judged(text: str, said: str) -> None:
    done = translate(text)
    assert said in done.failure + " ".join(entry.message for entry in done.report)
    assert done.ok or done.report.is_fatal


def test_alias_bombs_are_refused() -> None:
    dropins = ", ".join(["{name: x.conf}"] * 300)
    units = ", ".join(["*u"] * 300)
    done = translate(HEAD + f"u: &u {{name: u.service, dropins: [{dropins}]}}\nsystemd: {{units: [{units}]}}\n")
    assert "excessive aliasing" in done.failure


@pytest.mark.parametrize("depth", [2_000, 20_000])
def test_nesting_is_limited(depth: int) -> None:
    """At 1,000 or at 10,000 levels, by the libyaml at hand; the text is refused in any case."""
    failure = translate(HEAD + "x: " + "[" * depth).failure
    assert re.search("exceeded max depth of 1000(0)?$|did not find expected", failure)


def test_nesting_is_limited_where_libyaml_sets_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "MAX_DEPTH", 50)
    failure = translate(HEAD + "x: " + "[" * 51 + "]" * 51).failure
    assert failure.endswith("yaml: line 3: exceeded max depth of 50")
    assert translate(HEAD + "x: " + "[" * 49 + "]" * 49).ok


def test_a_text_that_is_too_large_is_refused_with_its_size() -> None:
    done = translate(b"#" * (MAX_BYTES + 1))
    assert str(MAX_BYTES + 1) in done.failure


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "x: [" + "a," * 1_050_000 + "]", f"more than {composing.MAX_NODES} values"),
        (HEAD + "x: " + "[" * 2_000_000, "exceeded max depth"),
        (HEAD + "x:\t\n" + "- a\n" * 300_000 + "]", "did not find expected"),
    ],
    ids=["values", "nesting", "broken"],
)
def test_large_texts_are_refused_in_time(text: str, said: str) -> None:
    began = time.process_time()
    done = translate(text)
    # Two seconds on most hosts; work that grows with the square would take hours.
    assert time.process_time() - began < 60
    assert said in done.failure


def test_a_large_file_is_no_fault() -> None:
    done = translate(HEAD + "storage: {files: [{path: /a, contents: {inline: '" + "a\tb c " * 400_000 + "'}}]}\n")
    assert done.ok
