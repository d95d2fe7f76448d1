from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.errors import HostError, ImageError, UsageError
from flatkit.events import Observer
from flatkit.images.pack_manifest import (
    FILES_MAX,
    MANIFEST,
    MANIFEST_MAX,
    PACK_SIZE_MAX,
    SUMS,
    PackedFile,
    PackedImage,
    PackedRelease,
    PackManifest,
    left_out,
    manifest_as_text,
    parse_manifest,
)
from flatkit.packs.builder import PackBuilder

HEX = "0123456789abcdef"
FILE = st.builds(
    PackedFile,
    path=st.sampled_from(["a/b-1.raw", "a/c", "Z~x/_!@+"]), size=st.integers(0, 10**9),
    sha256=st.text(HEX, min_size=64, max_size=64), sha1=st.text(HEX, min_size=40, max_size=40),
)  # fmt: skip
WORDS = st.text("aB3 .:-é字😀\u200d", max_size=50)
MANIFESTS = st.builds(
    PackManifest,
    made=WORDS, flatkit=WORDS, pythons=st.lists(st.sampled_from(["3.11", "3.9"]), max_size=2).map(tuple),
    left_out=st.lists(st.text().map(left_out), max_size=2).map(tuple),
    files=st.lists(FILE, max_size=2, unique_by=lambda file: file.path).map(tuple),
    images=st.just((PackedImage(name="lab", version="1.2.3", folder="lab/x", files=("disk", "image.json")),)),
    releases=st.just((PackedRelease(channel="beta", version="1.2.3", board="amd64-usr", files=("u.gz",), for_lab=True),)),
)  # fmt: skip


@given(MANIFESTS)
def test_a_manifest_comes_back_as_it_was(manifest: PackManifest) -> None:
    assert parse_manifest(manifest_as_text(manifest)) == manifest


def with_file(path: str) -> str:
    file = PackedFile(path=path, size=1, sha256="0" * 64, sha1="0" * 40)
    return manifest_as_text(PackManifest(made="", flatkit="", files=(file,)))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1, "made": "", "flatkit": ""}', "<html>", with_file("../x")]
    + [with_file(path) for path in ("/etc/passwd", "a/../../x", "a//b", "", "a\nb", "a/.", "a/..", "a b")],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ImageError, match="is not understood") as caught:
        parse_manifest(text)
    assert caught.value.hint


def test_a_manifest_finds_its_files() -> None:
    manifest = parse_manifest(with_file("wheels/x.whl"))
    assert manifest.get_file("wheels/x.whl").size == 1
    assert [file.path for file in manifest.below("wheels")] == ["wheels/x.whl"]
    with pytest.raises(ImageError, match='has no "wheels/y'):
        manifest.get_file("wheels/y.whl")


def test_the_sums_are_those_of_sha256sum(pack: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=pack, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": OK") == len(parse_manifest((pack / MANIFEST).read_text()).files) == 9


def test_packing_again_copies_nothing_and_removes_what_is_not_wanted_any_more(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "pack"
    source.write_text("one")
    first = PackBuilder(folder, observer=Observer())
    first.copy(source, "a/one")
    first.text("a/old", "old")
    first.close(pythons=())
    before = (folder / "a/one").stat()
    (folder / "own-notes.txt").write_text("mine")
    again = PackBuilder(folder, observer=Observer())
    again.copy(source, "a/one")
    manifest = again.close(pythons=("3.11",))
    assert (folder / "a/one").stat().st_ino == before.st_ino
    assert not (folder / "a/old").exists()
    assert (folder / "own-notes.txt").read_text() == "mine"  # of no manifest's
    assert [file.path for file in manifest.files] == ["a/one"]
    source.write_text("two")
    os.utime(source, ns=(0, before.st_mtime_ns))
    last = PackBuilder(folder, observer=Observer())
    source.write_text("three")
    last.copy(source, "a/one")
    assert (folder / "a/one").read_text() == "three"
    assert [path.name for path in (folder / "a").iterdir()] == ["one"]  # nothing half-made


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="holds other things") as caught:
        PackBuilder(tmp_path, observer=Observer())
    assert caught.value.hint == f"flatkit room pack {tmp_path}/flatkit-pack"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_interrupted_pack_can_be_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    begun = PackBuilder(folder, observer=Observer())
    begun.text("a", "a")
    assert PackBuilder(folder, observer=Observer()).close(pythons=()).files == ()
    (folder / MANIFEST).write_text("{")
    PackBuilder(folder, observer=Observer())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="cannot be written: Not a directory"):
        PackBuilder(tmp_path / "file" / "pack", observer=Observer())
    if os.geteuid() != 0:
        tmp_path.chmod(0o555)
        with pytest.raises(HostError, match="Permission denied"):
            PackBuilder(tmp_path / "pack", observer=Observer())
        tmp_path.chmod(0o755)


def test_a_manifest_says_when_and_by_what(pack_in: Callable[[Path], PackManifest], tmp_path: Path) -> None:
    manifest = pack_in(tmp_path / "p")
    values = json.loads((tmp_path / "p" / MANIFEST).read_text())
    assert values["format"] == 1
    assert values["made"].endswith("Z")
    assert values["flatkit"]
    assert manifest.size == sum(file.size for file in manifest.files)


WHOLE = PackManifest(
    made="now", flatkit="0.1.0", pythons=("3.12",),
    images=(PackedImage(name="lab", version="1.2.3", folder="lab/x", files=("disk",)),),
    releases=(PackedRelease(channel="beta", version="1.2.3", board="amd64-usr", files=("u.gz",), for_lab=True),),
    left_out=("x: why",), files=(PackedFile(path="a/b", size=1, sha256="0" * 64, sha1="0" * 40),),
)  # fmt: skip


def changed(place: str, value: object) -> str:
    """The text of a whole manifest with one value changed; `place` as in "files.0.size"."""
    data = json.loads(manifest_as_text(WHOLE))
    *way, last = [int(part) if part.isdecimal() else part for part in place.split(".")]
    found = data
    for part in way:
        found = found[part]
    found[last] = value
    return json.dumps(data)


FORMS: dict[str, list[object]] = {
    "format": [2, 0, "1", True, 1.0, None, [1]],
    "made": [1, None, "a\nb", "\x1b[2J", "\u202e", "x" * 101, ["now"], "\ud800"],
    "flatkit": [1.0, "0\x00", "x" * 101],
    "pythons": ["3.12", {}, [3.12], ["3.12; rm"], ["2.7"], ["../x"], ["3.1"] * 11],
    "left_out": ["text", [1], ["a\nb"], ["\x9b"], ["x" * 1001], [[]]],
    "images": [{}, "x", [[]], [1], None],
    "images.0.name": ["", "Lab", "a b", "../x", "-x", 1, "<b>", "x" * 33],
    "images.0.version": ["1.2", "1.2.3/..", "v1.2.3", 1.2, "1.2.3\n", "١.2.3"],
    "images.0.folder": ["", "/", "../x", "a//b", "a/", 1, None],
    "images.0.files": [[], "disk", ["a/b"], [".."], ["a", "a"], [1], ["a\n"], [""]],
    "images.0.more": [1],
    "releases.0.channel": ["", "Beta", "beta\n", "b/../a", '"><script>'],
    "releases.0.version": ["", "1", "1.2.3 ", "1.2.3/../../x", "0" * 40],
    "releases.0.board": ["amd64", "amd64-usr\n", "../amd64-usr", 1],
    "releases.0.files": [[], ["x/../y"], ["u.gz", "u.gz"]],
    "releases.0.for_lab": [1, "true", None],
    "files.0.path": [
        "-rf",
        ".hidden",
        "a/.x",
        "a\\b",
        "a:b",
        "ä",
        "a\u0301",
        "a/b\n",
        "a b",
        "x/" * 8 + "x",
        "x" * 401,
        1,
    ],
    "files.0.size": [-1, "1", 1.0, True, 10**12, 10**30, None],
    "files.0.sha256": ["0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n", 0, '"><script>alert(1)</script>'],
    "files.0.sha1": ["0" * 39, "0" * 64, "", None],
    "files.0.more": ["x"],
    "more": [1],
}


@pytest.mark.parametrize(("place", "value"), [(place, value) for place, values in FORMS.items() for value in values])
def test_each_field_has_a_form_and_the_fault_names_it(place: str, value: object) -> None:
    assert parse_manifest(manifest_as_text(WHOLE)) == WHOLE
    with pytest.raises(ImageError, match="is not understood: ") as caught:
        parse_manifest(changed(place, value))
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400
    if value != "\ud800":
        *way, last = place.split(".")
        named = "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in [*way, last]).removeprefix(".")
        assert named in caught.value.message


@pytest.mark.parametrize("place", ["format", "made", "files", "images.0.folder", "releases.0.board", "files.0.sha256"])
def test_a_field_that_is_missing_is_named(place: str) -> None:
    data = json.loads(manifest_as_text(WHOLE))
    *way, last = place.split(".")
    found = data
    for part in way:
        found = found[int(part) if part.isdecimal() else part]
    del found[last]
    with pytest.raises(ImageError, match=rf"{last} is missing"):
        parse_manifest(json.dumps(data))


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        (("a", "a"), '"a" is listed beside "a"'),
        (("wheels/a", "wheels/A"), '"wheels/A" is listed beside "wheels/a"'),
        (("Wheels/a", "wheels/b"), 'the folder "wheels" is also written "Wheels"'),
        (("a/b/c", "A/b/d"), "is also written"),
        (("a", "a/b"), "is a file and a folder"),
        (("a/b/c", "A"), "is a file and a folder"),
        ((MANIFEST,), "is listed beside"),
        ((SUMS.lower(),), "is listed beside"),
        ((f"{SUMS}/x",), "is a file and a folder"),
    ],
)
def test_paths_that_meet_on_some_file_system_are_refused(paths: tuple[str, ...], says: str) -> None:
    files = tuple(PackedFile(path=path, size=1, sha256="0" * 64, sha1="0" * 40) for path in paths)
    with pytest.raises(ImageError, match=re.escape(says)):
        parse_manifest(manifest_as_text(PackManifest(made="", flatkit="", files=files)))


def test_a_manifest_is_bounded() -> None:
    files = tuple(PackedFile(path=f"a/{n}", size=1, sha256="0" * 64, sha1="0" * 40) for n in range(FILES_MAX + 1))
    text = manifest_as_text(PackManifest(made="", flatkit="", files=files)).replace("\n", "")
    assert len(text) < MANIFEST_MAX
    with pytest.raises(ImageError, match=r"files has 20001 entries; expected at most 20000"):
        parse_manifest(text)
    with pytest.raises(ImageError, match=f"expected at most {MANIFEST_MAX}"):
        parse_manifest(" " * (MANIFEST_MAX + 1))
    large = (replace(files[0], size=PACK_SIZE_MAX), replace(files[1], size=1))
    with pytest.raises(ImageError, match=f"its files have {PACK_SIZE_MAX + 1} bytes"):
        parse_manifest(manifest_as_text(PackManifest(made="", flatkit="", files=large)))


def test_what_could_not_be_packed_is_said_in_one_line(tmp_path: Path) -> None:
    """The words come from servers."""
    builder = PackBuilder(tmp_path / "pack", observer=Observer())
    builder.left_out.append("x\n\x1b[2J" + "y" * 5000)
    found = builder.close(pythons=()).left_out[0]
    assert found.startswith(r"x\n\x1b[2J")
    assert parse_manifest((tmp_path / "pack" / MANIFEST).read_bytes()).left_out == (found,)
