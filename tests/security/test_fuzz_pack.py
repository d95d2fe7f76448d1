"""Whatever a pack, a wheel or the state of the channels contains: a value, or an error of flatkit's in printable words."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from flatkit.errors import FetchError, FlatkitError, HostError, ImageError
from flatkit.images.pack_manifest import (
    MANIFEST,
    SUMS,
    PackedFile,
    PackedImage,
    PackedRelease,
    PackManifest,
    is_path,
    manifest_as_text,
    parse_manifest,
    sums_as_text,
)
from flatkit.packs.builder import measure
from flatkit.packs.check import check
from flatkit.packs.wheelfile import is_wheel_name, parse_wheel
from flatkit.packs.wheels import as_index, close_over
from flatkit.updates.channels import Channels
from flatkit.updates.model import Book, Group, MachineSeen, PublishedRelease, SeenEvent, book_as_json, parse_book
from flatkit.updates.omaha import Package, UpdateEvent

T = TypeVar("T")
# Characters that have fooled parsers: ends of lines, hidden ones, digits and letters beyond ASCII, HTML, paths, lone surrogates.
ODD = st.text(st.sampled_from("aZ09._-+/\\ \n\r\t\0\x1b\x85\u2028\u202e\ud800'\"<>&%#;()[]{}١²ſK"), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ODD | st.just("x" * 5000) | st.just(10**400)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD, inner, max_size=3), max_leaves=8
)

WHOLE = json.loads(
    manifest_as_text(
        PackManifest(
            made="now", flatkit="0.1.0", pythons=("3.12",), left_out=("x",),
            images=(PackedImage(name="lab", version="1.2.3", folder="lab/x", files=("disk",)),),
            releases=(PackedRelease(channel="beta", version="1.2.3", board="amd64-usr", files=("u.gz",)),),
            files=(PackedFile(path="a/b", size=1, sha256="0" * 64, sha1="0" * 40),),
        )
    )
)  # fmt: skip
PACKAGE = Package(name="u.gz", size=1, sha1="00", sha256="00")
EVENT = SeenEvent(at=1.0, version="1.2.3", event=UpdateEvent(type=3, result=2))
STATE = book_as_json(
    Book(
        offers={"amd64-usr": {"beta": PublishedRelease(version="1.2.3", packages=(PACKAGE,))}},
        known={"amd64-usr": {"1.2.3": PublishedRelease(version="1.2.3", packages=(PACKAGE,))}},
        groups={"g": Group(name="g", channel="beta")},
        machines={
            "m": MachineSeen(
                machine_id="m", version="1.2.3", channel="beta", first_seen=1.0, last_seen=2.0, events=(EVENT,)
            )
        },
    )
)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return [way, *(place for key, found in inner for place in places(found, (*way, key)))]


def with_change(document: Any, way: tuple[Any, ...], value: Any, *, name: str | None = None) -> str:
    """The document as JSON with another value at a place, or another key there."""
    if not way:
        return json.dumps(value)
    copy = json.loads(json.dumps(document))
    found = copy
    for part in way[:-1]:
        found = found[part]
    if name is not None and isinstance(found, dict):
        found[name] = found.pop(way[-1])
    else:
        found[way[-1]] = value
    return json.dumps(copy)


def in_words(error: Exception) -> bool:
    text = error.message if isinstance(error, FlatkitError) else str(error)
    return text.isprintable() and len(text) < 2000


def outcome(call: Callable[[], T], *kinds: type[Exception]) -> T | Exception:
    """What a call returns, or the error of one of these kinds that it raises; others fail the test."""
    try:
        return call()
    except kinds as error:
        return error


def changes(document: Any) -> st.SearchStrategy[str]:
    return st.builds(
        lambda way, value, name: with_change(document, way, value, name=name),
        st.sampled_from(places(json.loads(json.dumps(document)))), VALUES, st.none() | ODD,
    )  # fmt: skip


@settings(deadline=None)  # a busy host is slow, not wrong
@given(changes(WHOLE) | VALUES.map(json.dumps) | st.text() | st.binary())
def test_any_manifest(text: str | bytes) -> None:
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    manifest = outcome(lambda: parse_manifest(data), ImageError)
    if isinstance(manifest, Exception):
        assert in_words(manifest)
        return
    assert parse_manifest(manifest_as_text(manifest)) == manifest
    for file in manifest.files:
        assert is_path(file.path)
        assert Path("/pack", file.path).resolve().is_relative_to("/pack")
    assert len(sums_as_text(manifest).split("\n")) == len(manifest.files) + 1


@settings(deadline=None)  # a busy host is slow, not wrong
@given(ODD | st.text(st.characters(max_codepoint=127), max_size=30))
def test_any_path(text: str) -> None:
    if is_path(text):
        assert text.isascii()
        assert not {*text} & {*" \\:<>\"'|?*\n\r\t\0"}
        assert not any(part.startswith((".", "-")) or not part for part in text.split("/"))


@settings(deadline=None)  # a busy host is slow, not wrong
@given(
    st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode(errors="replace")), st.integers(0, 200)
)
def test_any_sums(data: bytes, kept: int) -> None:
    """Only the very text is right: neither a part of it nor one with something after it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a").write_text("a")
        manifest = PackManifest(made="now", flatkit="0", files=(measure(folder, "a"),))
        (folder / MANIFEST).write_text(manifest_as_text(manifest))
        right = sums_as_text(manifest).encode()
        written = right[:kept] + data
        (folder / SUMS).write_bytes(written)
        found = {finding.name: finding.ok for finding in check(folder).findings}
    assert found["files"]
    assert found["sums"] == (written == right)


@settings(deadline=None)  # a busy host is slow, not wrong
@given(ODD | st.from_regex(r"[a-z]{1,3}-[0-9.!+a-z]{1,5}(-[0-9]a?)?(-[a-z0-9._]{1,9}){3}\.whl", fullmatch=True))
def test_any_wheel_name(name: str) -> None:
    with wheel_file("Name: x\n") as file:
        wheel = outcome(lambda: parse_wheel(name, file), FetchError)
    if isinstance(wheel, Exception):
        assert in_words(wheel)
        return
    assert is_wheel_name(name)
    assert os.sep not in name
    assert not name.startswith("-")
    assert wheel.file_name == name
    assert len(wheel.tags) <= 200


def wheel_file(metadata: str | bytes) -> Any:
    file = tempfile.TemporaryFile()  # noqa: SIM115  (it is the test's)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(
            "x-1.dist-info/METADATA", metadata if isinstance(metadata, bytes) else metadata.encode(errors="replace")
        )
    file.seek(0)
    return file


NAMES = st.sampled_from(["a", "b", "os_name", "extra", "python_version", "'x'", "'3.12'", "1"])
OPERATORS = st.sampled_from(
    ["==", "~=", "in", "not in", ">=", "===", "and", "or", "@", ";", "(", ")", "[a]", ",", "<2"]
)
REQUIREMENTS = st.lists(NAMES | OPERATORS, max_size=8).map(" ".join) | ODD
HEADERS = st.lists(REQUIREMENTS.map(lambda text: f"Requires-Dist: {text}"), max_size=4).map("\n".join) | st.binary(
    max_size=80
)


@settings(deadline=None)  # a busy host is slow, not wrong
@given(HEADERS)
def test_any_metadata(metadata: str | bytes) -> None:
    with wheel_file(metadata) as file:
        wheel = outcome(lambda: parse_wheel("x-1-py3-none-any.whl", file), FetchError)
    if isinstance(wheel, Exception):
        assert in_words(wheel)
        return
    closure = outcome(lambda: close_over([wheel], root=wheel, python="3.12"), FetchError)
    if isinstance(closure, Exception):
        assert in_words(closure)
        return
    assert all(one.url is None for one in wheel.requires)
    assert not any(text.startswith("-") for text in closure.missing)


@settings(deadline=None)  # a busy host is slow, not wrong
@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 400))
def test_any_bytes_in_a_zip(data: bytes, start: int, length: int) -> None:
    """A wheel with a stretch of other bytes, or nothing but these."""
    with wheel_file("Name: x\nRequires-Dist: a\n") as file:
        whole = file.read()
        file.seek(0)
        file.truncate()
        file.write(whole[:start] + data + whole[start + length :])
        file.seek(0)
        wheel = outcome(lambda: parse_wheel("x-1-py3-none-any.whl", file), FetchError)
    assert in_words(wheel) if isinstance(wheel, Exception) else wheel.name == "x"


@settings(deadline=None)  # a busy host is slow, not wrong
@given(st.dictionaries(ODD, ODD, max_size=3), ODD)
def test_any_page_of_wheels(names: dict[str, str], base: str) -> None:
    safe = {key.encode(errors="replace").decode(): value for key, value in names.items()}
    page = as_index(safe, base=base)
    links = page.partition("</title>\n")[2]
    assert links.count("<") == links.count(">") == 3 * len(safe)
    assert links.count('"') == 2 * len(safe)


@settings(deadline=None)  # a busy host is slow, not wrong
@given(changes(STATE) | VALUES.map(json.dumps) | st.text() | st.binary())
def test_any_state_of_the_channels(text: str | bytes) -> None:
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "channels.json"
        path.write_bytes(data)
        channels = Channels(store=path)
        shown = outcome(lambda: str(channels), HostError)
        if isinstance(shown, Exception):
            assert in_words(shown)
            assert path.read_bytes() == data
            return
        assert "channel" in shown
        channels.set_group("group", channel="beta")
        assert Channels(store=path).machines == channels.machines


@settings(deadline=None)  # a busy host is slow, not wrong
@given(changes(STATE))
def test_a_state_is_a_book_or_a_fault_with_a_name(text: str) -> None:
    book = outcome(lambda: parse_book(json.loads(text)), ValueError)
    if isinstance(book, Exception):
        assert in_words(book)
        return
    assert parse_book(json.loads(json.dumps(book_as_json(book)))) == book
    for offers in book.offers.values():
        assert all(
            release.packages and bytes.fromhex(release.packages[0].sha256) is not None for release in offers.values()
        )


def test_the_documents_that_are_changed_are_right() -> None:
    """Otherwise every change would be refused, and nothing tried."""
    assert parse_manifest(json.dumps(WHOLE)).files[0].path == "a/b"
    assert parse_book(json.loads(json.dumps(STATE))).machines["m"].events == (EVENT,)
    with wheel_file("Requires-Dist: a\n") as file:
        assert parse_wheel("x-1-py3-none-any.whl", file).requires[0].name == "a"
