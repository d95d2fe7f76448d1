"""Ignition's rules that the recorded cases touch little: URLs, unit text, JSON, modes."""

from __future__ import annotations

import pytest

from flatkit.butane import translate
from flatkit.butane.check_source import octal_meant
from flatkit.butane.ignition.go_json import JsonFault, dump, load
from flatkit.butane.ignition.units import UnitFault, has_install_option, parse_unit
from flatkit.butane.ignition.urls import parse_url, source_fault


@pytest.mark.parametrize(
    "url",
    [
        "http://h/p?q#f", "//h/p", "/p", "p", "", "*", "mailto:x y", "http://u:p@h:80/", "http://[::1]:80/", "http://[fe80::1%25en0]/",
        "http://%C3%A9/", "http://h/%41", "a/b:c", "http://ü/", "s3://b/k?versionId=",
    ],
)  # fmt: skip
def test_urls_that_go_reads(url: str) -> None:
    assert parse_url(url) is not None


@pytest.mark.parametrize(
    "url",
    [
        ":x", "a:b\n", "1a:b", "http://h:x/", "http://h/%zz", "http://[::1", "http://x[::1]/", "http://[1.2.3.4]/", "http://h%41/",
        "http://u|@h/", "http://h|/", "x#%z", "http://[::1]x/", "http://u%z@h/", "http://[::1%25]/", "a b:c/d",
    ],
)  # fmt: skip
def test_urls_that_go_refuses(url: str) -> None:
    assert parse_url(url) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tftp://h/x", ""),
        ("gs://b/x", ""),
        ("HTTP://h", ""),
        ("s3://b/k?versionId=1", ""),
        ("s3://b/k?versionId=", "invalid S3 object VersionId"),
        ("arn:aws:s3:::b/k", ""),
        ("arn:aws:s3:::b", "invalid S3 ARN format"),
        ("arn:aws:ec2:::b/k", "invalid S3 ARN format"),
        ("arn:aws:s3:us:1:accesspoint/x", "invalid S3 ARN format"),
        ("arn:aws:s3:us:1:accesspoint/x/object/k", ""),
        ("arn:x", "invalid S3 ARN format"),
        ("ftp://h", "invalid url scheme"),
        ("/x", "invalid url scheme"),
    ],
)
def test_sources(url: str, said: str) -> None:
    assert (source_fault(url, with_arn=True) or "") == said


def test_arn_sources_are_new_in_3_4_0() -> None:
    assert source_fault("arn:aws:s3:::b/k", with_arn=False) == "invalid url scheme"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("[A]\nb=c\nd=e\\\n f\n[Install]\nx=y\n", [("A", "b"), ("A", "d"), ("Install", "x")]),
        ("junk\n# [A]\n; x\\\n[B]\ny=z", []),
        ("[A]\n\n  b = c\n#\n", [("A", "b")]),
        ("", []),
        ("[A]\né=1\n", [("A", "é")]),
        ("[A]\n\udcff=1\n", [("A", "\udcff")]),
    ],
)
def test_units_are_read(text: str, options: list[tuple[str, str]]) -> None:
    assert parse_unit(text) == options
    assert has_install_option(options) is any(section == "Install" for section, _ in options)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[A", "unable to find end of section"),
        ("[A]\nb", "EOF"),
        ("[A]\nb\n", "unexpected newline encountered while parsing option name"),
        ("[A] x\n", 'found garbage after section name : "x"'),
        ("[A]\nb=" + "x" * 5000, "line too long (max 2048 bytes)"),
    ],
)
def test_units_that_are_refused(text: str, said: str) -> None:
    with pytest.raises(UnitFault) as caught:
        parse_unit(text)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "unexpected end of JSON input"),
        ("{", "unexpected end of JSON input"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("{1}", "invalid character '1' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 2}', "invalid character '2' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("1 2", "invalid character '2' after top-level value"),
        ("nul", "unexpected end of JSON input"),
        ("trux", "invalid character 'x' in literal true (expecting 'e')"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1ex", "invalid character 'x' in exponent of numeric literal"),
        ('"\\q"', "invalid character 'q' in string escape code"),
        ('"\\u00g"', "invalid character 'g' in \\u hexadecimal character escape"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
        ("'", "invalid character '\\'' looking for beginning of value"),
        ("NaN", "invalid character 'N' looking for beginning of value"),
    ],
)
def test_json_faults_have_gos_words(text: str, said: str) -> None:
    with pytest.raises(JsonFault) as caught:
        load(text)
    assert str(caught.value) == said


def test_json_values() -> None:
    text = r' {"a": [1, -2.5, 1e2, true, false, null, "\u00e9\ud83d\ude00\ud800\n\/"], "b": {}, "c": []} '
    assert load(text) == {"a": [1, -2.5, 100.0, True, False, None, "é😀\ufffd\n/"], "b": {}, "c": []}


def test_json_is_written_as_go_writes_it() -> None:
    value = {"a": 'x<>&"\\\b\f\n\x1f\x7f\u2028é\udcff\\b', "b": [], "c": {}}
    assert dump(value) == (
        r'{"a":"x\u003c\u003e\u0026\"\\\u0008\u000c\n\u001f' + "\x7f" + r"\u2028é\ufffd\\b" + '","b":[],"c":{}}\n'
    )
    assert dump({"a": [{}, 1]}, pretty=True) == '{\n  "a": [\n    {},\n    1\n  ]\n}\n'


@pytest.mark.parametrize(
    ("mode", "is_directory", "meant"),
    [
        (644, False, 0o644), (755, False, 0o755), (600, False, 0o600), (755, True, 0o755), (1777, True, 0o1777),
        (0o644, False, None), (0o755, True, None), (888, False, None), (0, False, None), (-1, False, None), (10000, False, None),
    ],
)  # fmt: skip
def test_modes_that_look_decimal(mode: int, is_directory: bool, meant: int | None) -> None:
    assert octal_meant(mode, is_directory=is_directory) == meant


def test_translating_is_pure() -> None:
    text = "variant: flatcar\nversion: 1.1.0\nstorage: {files: [{path: /a, contents: {inline: x}}]}\n"
    one, other = translate(text), translate(text)
    assert (one.ignition, one.json, one.report, one.origins) == (
        other.ignition,
        other.json,
        other.report,
        other.origins,
    )


def test_strict_and_names() -> None:
    done = translate("variant: flatcar\nversion: 1.1.0\nbogus: 1\n", strict=True, name="x.bu")
    assert (done.ok, done.ignition, done.json, done.report.is_fatal) == (False, None, "", False)
    assert done.name == "x.bu"


def test_text_and_bytes_are_the_same() -> None:
    text = "variant: flatcar\nversion: 1.1.0\nstorage: {files: [{path: /é}]}\n"
    assert translate(text).json == translate(text.encode()).json
    assert not translate("\ud800").ok
