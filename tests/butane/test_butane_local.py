"""Files below --files-dir: what is embedded, and what a hostile folder gets."""

from __future__ import annotations

import base64
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flatkit.butane import Translation, translate
from flatkit.butane.dataurl import data_url, data_url_fault, decode_data_url, gzip
from flatkit.butane.localfiles import clean, join

HEAD = "variant: flatcar\nversion: 1.1.0\n"


def embed(local: str, folder: Path | str | None) -> Translation:
    return translate(HEAD + f"storage: {{files: [{{path: /a, contents: {{local: '{local}'}}}}]}}\n", files_dir=folder)


def tree(folder: Path) -> Translation:
    return translate(HEAD + "storage: {trees: [{local: t}]}\n", files_dir=folder)


def first_message(done: Translation) -> str:
    assert not done.ok
    return done.report.entries[0].message


@pytest.mark.parametrize(
    ("local", "said"),
    [
        ("missing", "no such file or directory"),
        ("folder", "is a directory"),
        ("file/x", "not a directory"),
        ("../outside", "local file path traverses outside the files directory"),
        ("folder/../../outside", "local file path traverses outside"),
        ("loop", "too many levels of symbolic links"),
        ("fifo", "not a regular file"),
        ("endless", "not a regular file"),
        ("x" * 300, "file name too long"),
    ],
)
def test_files_that_cannot_be_embedded(tmp_path: Path, local: str, said: str) -> None:
    base = tmp_path / "base"
    (base / "folder").mkdir(parents=True)
    (base / "file").write_text("x")
    (base / "loop").symlink_to("loop")
    (base / "endless").symlink_to("/dev/zero")
    os.mkfifo(base / "fifo")
    (tmp_path / "outside").write_text("secret")
    assert said in first_message(embed(local, base))


def test_a_nul_in_a_name(tmp_path: Path) -> None:
    text = HEAD + 'storage: {files: [{path: /a, contents: {local: "a\\0b"}}]}\n'
    assert "invalid argument" in first_message(translate(text, files_dir=tmp_path))


@pytest.mark.parametrize("folder", [None, ""])
def test_without_a_folder(folder: str | None) -> None:
    assert "--files-dir" in first_message(embed("a", folder))


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0)
    done = embed("a", tmp_path)
    # Root reads everything; anybody else is told.
    assert done.ok == (os.geteuid() == 0)
    assert done.ok or "permission denied" in first_message(done)


def test_a_tree_with_loops_is_walked_once(tmp_path: Path) -> None:
    deep = tmp_path / "t" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "up").symlink_to("../..")
    (deep / "f").write_bytes(b"\xff\x00")
    done = tree(tmp_path)
    assert done.ignition is not None
    assert [node["path"] for node in done.ignition["storage"]["links"]] == ["/a/b/up"]
    assert done.ignition["storage"]["files"][0]["contents"]["source"] == "data:,%FF%00"


def test_a_tree_with_a_socket_or_fifo(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    os.mkfifo(tmp_path / "t" / "p")
    assert first_message(tree(tmp_path)) == "trees may only contain files, directories, and symlinks"


def test_a_tree_that_is_a_file_or_missing(tmp_path: Path) -> None:
    assert "no such file" in first_message(tree(tmp_path))
    (tmp_path / "t").write_text("x")
    assert first_message(tree(tmp_path)) == "root of tree must be a directory"


def test_a_very_deep_tree(tmp_path: Path) -> None:
    place = tmp_path.joinpath("t", *["d"] * 300)
    place.mkdir(parents=True)
    (place / "f").write_text("x")
    depth = len(inspect.stack())
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 120)
    try:
        done = tree(tmp_path)
    finally:
        sys.setrecursionlimit(before)
    assert done.ok, done.report
    # Too deep for pytest's own clean-up, which would fail in some later run.
    subprocess.run(["rm", "-rf", tmp_path / "t"], check=True)


def test_the_folder_may_be_relative(here: Path) -> None:
    (here / "files").mkdir()
    (here / "files" / "a").write_text("hi")
    assert embed("a", "files").ok
    assert embed("/a", "./files/").ok


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("", "."),
        ("/", "/"),
        ("a//b/./c/..", "a/b"),
        ("../..", "../.."),
        ("/../a", "/a"),
        ("a/../..", ".."),
        ("./", "."),
    ],
)
def test_paths_are_cleaned_as_go_does(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned


def test_joining() -> None:
    assert join("", "a", "", "/b") == "a/b"
    assert join("", "") == ""


@pytest.mark.parametrize(
    ("data", "url"),
    [
        (b"", "data:,"),
        (b"a b", "data:,a%20b"),
        (b"(a)!*'~_-.", "data:,(a)!*'~_-."),
        (b"\x00\x01\x02\x03\x04", "data:,%00%01%02%03%04"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", "data:;base64,AAECAwQFBgcI"),
    ],
)
def test_the_shortest_data_url(data: bytes, url: str) -> None:
    assert data_url(data, None) == (url, "")


def test_compression() -> None:
    data = b"line\n" * 100
    url, compression = data_url(data, "")
    assert compression == "gzip"
    assert decode_data_url(url, packed=True) == data
    assert gzip(data)[:10] == bytes.fromhex("1f8b08000000000002ff")
    url, compression = data_url(data, "gzip")
    assert (compression, base64.b64decode(url.partition(",")[2])) == ("gzip", data)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("data:,a", ""),
        ("data:text/plain;charset=utf-8;base64,aGk=", ""),
        ('data:text/plain;name="a b",x', ""),
        ("DATA:,a", "missing data prefix"),
        ("data:", "missing comma before data"),
        ("data:;", "unterminated parameter sequence"),
        ("data:;=", "unterminated parameter sequence"),
        ("data:;a=", "missing comma before data"),
        ("data:;a=b", "missing comma before data"),
        ("data:;a= ,", "invalid character for parameter value"),
        ('data:;a="b', "unclosed quoted string"),
        ('data:;a="b"c', "expected semicolon or comma"),
        ("data:;a b,", "invalid character for parameter attribute"),
        ("data:text/", "incomplete media type"),
        ("data:text/a b,", "invalid character for media subtype"),
        ("data:x-own/y,", ""),
        ("data:;base64,A", "illegal base64 data at input byte 0"),
        ("data:;base64,AA=", "illegal base64 data at input byte 3"),
        ("data:;base64,AA==x", "illegal base64 data at input byte 4"),
        ("data:;base64,AA=A", "illegal base64 data at input byte 2"),
        ("data:;base64,A===", "illegal base64 data at input byte 1"),
        ("data:;base64,AAA=A", "illegal base64 data at input byte 4"),
        ("data:;base64,A%", "illegal base64 data at input byte 1"),
        ("data:,%4", "rfc2396: unexpected end of unescape sequence"),
        ("data:,%4g", "rfc2396: invalid char 0x25 in unescape sequence"),
    ],
)
def test_faults_of_data_urls(url: str, said: str) -> None:
    assert data_url_fault(url) == said
