from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.errors import HostError, ImageError, UsageError
from flatkit.events import Observer
from flatkit.images.packed import (
    MANIFEST,
    SUMS,
    Manifest,
    PackedFile,
    PackedImage,
    PackedRelease,
    left_out,
    manifest_as_text,
    parse_manifest,
)
from flatkit.room.parcel import Parcel

HEX = "0123456789abcdef"
FILE = st.builds(
    PackedFile,
    path=st.sampled_from(["a/b-1.raw", "a/c", "Z~x/_!@+"]), size=st.integers(0, 10**9),
    sha256=st.text(HEX, min_size=64, max_size=64), sha1=st.text(HEX, min_size=40, max_size=40),
)  # fmt: skip
WORDS = st.text("aB3 .:-é字😀\u200d", max_size=50)
MANIFESTS = st.builds(
    Manifest,
    made=WORDS, flatkit=WORDS, pythons=st.lists(st.sampled_from(["3.11", "3.9"]), max_size=2).map(tuple),
    left_out=st.lists(st.text().map(left_out), max_size=2).map(tuple),
    files=st.lists(FILE, max_size=2, unique_by=lambda file: file.path).map(tuple),
    images=st.just((PackedImage(name="lab", version="1.2.3", folder="lab/x", files=("disk", "image.json")),)),
    releases=st.just((PackedRelease(channel="beta", version="1.2.3", board="amd64-usr", files=("u.gz",), for_lab=True),)),
)  # fmt: skip


@given(MANIFESTS)
def test_a_manifest_comes_back_as_it_was(manifest: Manifest) -> None:
    assert parse_manifest(manifest_as_text(manifest)) == manifest


def with_file(path: str) -> str:
    file = PackedFile(path=path, size=1, sha256="0" * 64, sha1="0" * 40)
    return manifest_as_text(Manifest(made="", flatkit="", files=(file,)))


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
    first = Parcel(folder, observer=Observer())
    first.copy(source, "a/one")
    first.text("a/old", "old")
    first.close(pythons=())
    before = (folder / "a/one").stat()
    (folder / "own-notes.txt").write_text("mine")
    again = Parcel(folder, observer=Observer())
    again.copy(source, "a/one")
    manifest = again.close(pythons=("3.11",))
    assert (folder / "a/one").stat().st_ino == before.st_ino
    assert not (folder / "a/old").exists()
    assert (folder / "own-notes.txt").read_text() == "mine"  # of no manifest's
    assert [file.path for file in manifest.files] == ["a/one"]
    source.write_text("two")
    os.utime(source, ns=(0, before.st_mtime_ns))
    last = Parcel(folder, observer=Observer())
    source.write_text("three")
    last.copy(source, "a/one")
    assert (folder / "a/one").read_text() == "three"
    assert [path.name for path in (folder / "a").iterdir()] == ["one"]  # nothing half-made


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="holds other things") as caught:
        Parcel(tmp_path, observer=Observer())
    assert caught.value.hint == f"flatkit room pack {tmp_path}/flatkit-pack"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_interrupted_pack_can_be_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    begun = Parcel(folder, observer=Observer())
    begun.text("a", "a")
    assert Parcel(folder, observer=Observer()).close(pythons=()).files == ()
    (folder / MANIFEST).write_text("{")
    Parcel(folder, observer=Observer())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="cannot be written: Not a directory"):
        Parcel(tmp_path / "file" / "pack", observer=Observer())
    if os.geteuid() != 0:
        tmp_path.chmod(0o555)
        with pytest.raises(HostError, match="Permission denied"):
            Parcel(tmp_path / "pack", observer=Observer())
        tmp_path.chmod(0o755)


def test_a_manifest_says_when_and_by_what(pack_in: Callable[[Path], Manifest], tmp_path: Path) -> None:
    manifest = pack_in(tmp_path / "p")
    values = json.loads((tmp_path / "p" / MANIFEST).read_text())
    assert values["format"] == 1
    assert values["made"].endswith("Z")
    assert values["flatkit"]
    assert manifest.size == sum(file.size for file in manifest.files)
