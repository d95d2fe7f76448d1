"""The lab image out of a pack, from a folder and from a server: what is taken, what is refused, and when it is built instead."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flatkit.errors import ImageError, UsageError
from flatkit.events import Said, Tape
from flatkit.images.from_pack import unpack_lab_image
from flatkit.images.lab import recipe
from flatkit.images.lab.build import find_lab_image
from flatkit.images.mirrors import PACK_FOLDER, find_mirror
from flatkit.images.pack_manifest import (
    MANIFEST,
    SUMS,
    PackedFile,
    PackedImage,
    PackManifest,
    manifest_as_text,
    parse_manifest,
    sums_as_text,
)
from flatkit.packs.builder import measure
from flatkit.updates.server import UpdateServer

STABLE, BETA = recipe.RELEASES["lab"], recipe.RELEASES["lab-beta"]
FILES = ("disk.qcow2", "vmlinuz", "selector", "image.json")


def folder_of(release: recipe.Release) -> str:
    return f"lab/{release.version}-{recipe.digest(release)}"


def qcow2(path: Path, *, backing: str = "") -> None:
    on = ["-b", backing, "-F", "qcow2", "-u"] if backing else []
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *on, path, "1M"], check=True)


def write_manifest(pack: Path, files: list[PackedFile], images: list[PackedImage]) -> None:
    manifest = PackManifest(made="now", flatkit="0", files=tuple(files), images=tuple(images))
    (pack / MANIFEST).write_text(manifest_as_text(manifest))
    (pack / SUMS).write_text(sums_as_text(manifest))


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack with two small lab images of this recipe; the second disk names a backing file of the host that packed it."""
    pack, files, images = tmp_path / "pack", [], []
    for release in (STABLE, BETA):
        folder = pack / folder_of(release)
        folder.mkdir(parents=True)
        facts = {
            "version": release.version,
            "channel": release.channel,
            "root_hash": "00",
            "hash_offset": 1,
            "usr_size": 1,
        }
        for name in FILES[1:3]:
            (folder / name).write_text(f"{name} of {release.version}")
        (folder / "image.json").write_text(json.dumps(facts))
        qcow2(folder / "disk.qcow2", backing="" if release == STABLE else "/elsewhere/disk.qcow2")
        files += [measure(pack, f"{folder_of(release)}/{name}") for name in FILES]
        images.append(PackedImage(name=release.name, version=release.version, folder=folder_of(release), files=FILES))
    write_manifest(pack, files, images)
    return pack


@pytest.fixture(params=["folder", "server"])
def mirror(
    request: pytest.FixtureRequest, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], str]]:
    """Names the pack as FLATKIT_MIRROR, in each of two ways; what is served is what lies there when it is called."""
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    with UpdateServer() as server:

        def name() -> str:
            if request.param == "server":
                for path in (found for found in pack.rglob("*") if found.is_file()):
                    server.publish_file(f"/{path.relative_to(pack)}", path)
            place = str(pack) if request.param == "folder" else server.url
            monkeypatch.setenv("FLATKIT_MIRROR", place)
            return place

        yield name


def unpack(release: recipe.Release = STABLE) -> tuple[bool, str]:
    """Whether it is there now, and what was said."""
    tape = Tape()
    there = unpack_lab_image(release, observer=tape)
    return there, "\n".join(event.text for event in tape.events if isinstance(event, Said))


def trust(place: str, *releases: recipe.Release) -> str:
    """What is said about images that nobody signs."""
    return "\n".join(
        f'the lab image {release.version} comes from the mirror "{place}". It is checked against the checksums there, '
        "which nobody signs: it is only as trustworthy as the place you got it from"
        for release in releases
    )


def test_a_lab_image_comes_ready_built(mirror: Callable[[], str], pack: Path) -> None:
    place = mirror()
    assert find_lab_image() is None
    assert unpack() == (True, trust(place, STABLE))
    image = find_lab_image()
    assert image is not None
    assert image.version == STABLE.version
    assert image.kernel.read_text() == f"vmlinuz of {STABLE.version}"
    modes = {path.name: path.stat().st_mode & 0o777 for path in image.folder.iterdir()}
    # Beside the pack's files there is the folder for templates, which are made here.
    assert modes == {**dict.fromkeys(FILES, 0o444), "templates": 0o755}
    before = image.disk.stat()
    assert unpack() == (True, "")  # once more does nothing
    assert image.disk.stat().st_ino == before.st_ino


def test_another_release_stands_on_the_first_one_of_this_host(mirror: Callable[[], str]) -> None:
    place = mirror()
    assert unpack(BETA) == (True, trust(place, STABLE, BETA))
    stable, beta = find_lab_image(), find_lab_image(BETA)
    assert stable is not None
    assert beta is not None
    said = subprocess.run(["qemu-img", "info", "--output=json", beta.disk], capture_output=True, text=True, check=True)
    assert json.loads(said.stdout)["full-backing-filename"] == str(stable.disk)


def spoil_disk(pack: Path) -> None:
    path = pack / folder_of(STABLE) / "vmlinuz"
    path.write_text(path.read_text().replace("vmlinuz", "vmlinuX"))


def spoil_size(pack: Path) -> None:
    (pack / folder_of(STABLE) / "selector").write_text("short")


def spoil_sums(pack: Path) -> None:
    (pack / SUMS).write_text((pack / SUMS).read_text().replace("a", "b"))


def spoil_manifest(pack: Path) -> None:
    (pack / MANIFEST).write_text("{")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_disk, 'vmlinuz" from .* is not the file that the pack promises'),
        (spoil_size, 'selector" from .* is not the file that the pack promises'),
        (spoil_sums, "does not fit its manifest.json: nothing is taken from it"),
        (spoil_manifest, "is not understood"),
    ],
)
def test_what_is_not_as_promised_is_refused(
    mirror: Callable[[], str], pack: Path, tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(pack)
    mirror()
    with pytest.raises(ImageError, match=says) as caught:
        unpack()
    assert caught.value.hint
    assert find_lab_image() is None
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != ".lock"] == []


def test_a_pack_of_another_flatkit_is_said_and_left_alone(mirror: Callable[[], str], pack: Path) -> None:
    write_manifest(pack, [], [PackedImage(name="lab", version="110.2.0", folder="lab/110.2.0-old", files=FILES)])
    mirror()
    there, said = unpack()
    assert not there
    assert "no lab image of this version of flatkit: it is built here" in said


def test_a_mirror_of_flatcar_alone_is_no_pack(mirror: Callable[[], str], pack: Path) -> None:
    (pack / MANIFEST).unlink()
    mirror()
    assert unpack()[0] is False


def test_a_file_that_is_gone_means_building(mirror: Callable[[], str], pack: Path) -> None:
    (pack / folder_of(STABLE) / "vmlinuz").unlink()
    mirror()
    there, said = unpack()
    assert not there
    assert "the lab image is built here" in said


def test_without_a_mirror_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FLATKIT_MIRROR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert unpack() == (False, "")
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="there is no such folder"):
        unpack()


def test_an_unsigned_image_of_a_pack_that_merely_lies_here_is_not_taken(
    tmp_path: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    pack.rename(here / PACK_FOLDER)
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("FLATKIT_MIRROR", raising=False)
    monkeypatch.chdir(here)
    there, said = unpack()
    assert not there
    assert 'the pack "./flatkit-pack" may have a lab image, which nobody signs: it is built here' in said
    assert 'export FLATKIT_MIRROR="$PWD/flatkit-pack"' in said
    monkeypatch.setenv("FLATKIT_MIRROR", str(here / PACK_FOLDER))
    assert unpack()[0]


def test_a_pack_at_hand_is_found_and_a_named_one_comes_first(
    tmp_path: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    for folder in (here, home):
        (folder / PACK_FOLDER).mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("FLATKIT_MIRROR", raising=False)
    assert find_mirror() is None  # folders of that name, and no packs
    for folder in (home, here):
        write_manifest(folder / PACK_FOLDER, [], [])
        found = find_mirror()
        assert found is not None
        assert found.base == f"{folder}/{PACK_FOLDER}/flatcar/{{channel}}"
        assert found.name == f'the pack "{"." if folder == here else "~"}/{PACK_FOLDER}"'
        assert found.signed_only == (folder == here)
    monkeypatch.setenv("FLATKIT_MIRROR", str(pack))
    found = find_mirror()
    assert found is not None
    assert found.base.startswith(str(pack))
    assert not found.signed_only


def described(pack: Path, **changed: object) -> None:
    """Write the manifest of the pack again, as its maker would after a change; `changed` are values of its first image."""
    before = parse_manifest((pack / MANIFEST).read_bytes())
    files = [measure(pack, file.path) for file in before.files]
    write_manifest(pack, files, [replace(before.images[0], **changed), *before.images[1:]])


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ("[" * 50_000, "nested too deeply"),
        ("[" * 100_000, "larger than 65536 bytes"),
        ("[]", "expected an object"),
        ({"version": 1}, "version is 1"),
        ({"version": "9.9.9"}, 'version is "9.9.9"; expected "110.2.0"'),
        ({"root_hash": "00 init=/bin/sh"}, "root_hash is"),
        ({"hash_offset": True}, "hash_offset is true"),
        ({"usr_size": -1}, "usr_size is -1"),
        ({"folder": "/etc"}, "folder is not a known field"),
    ],
)
def test_facts_that_are_none_are_refused(
    mirror: Callable[[], str], pack: Path, facts: str | dict[str, object], says: str
) -> None:
    """The kernel's command line and the places of updates come from them."""
    path = pack / folder_of(STABLE) / "image.json"
    right = json.loads(path.read_text())
    path.write_text(facts if isinstance(facts, str) else json.dumps({**right, **facts}))
    described(pack)
    mirror()
    with pytest.raises(ImageError, match=re.escape(says)):
        unpack()
    assert find_lab_image() is None


@pytest.mark.parametrize("names", [(*FILES, "flatkit_production_update.gz"), FILES[:3], ("disk.qcow2",)])
def test_an_image_with_other_files_is_refused(mirror: Callable[[], str], pack: Path, names: tuple[str, ...]) -> None:
    """A payload beside the image would be taken for one that was made and signed here."""
    described(pack, files=names)
    mirror()
    with pytest.raises(ImageError, match=r"expected disk\.qcow2, image\.json, selector, vmlinuz"):
        unpack()


@pytest.mark.parametrize("name", [f"{folder_of(STABLE)}/vmlinuz", folder_of(STABLE), "lab", MANIFEST, SUMS])
def test_a_pack_on_a_disk_leads_nowhere_by_links(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The linked bytes are those that the pack promises, so that only the link is wrong."""
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLATKIT_MIRROR", str(pack))
    (pack / name).rename(tmp_path / "elsewhere")
    (pack / name).symlink_to(tmp_path / "elsewhere")
    there, said = unpack()
    assert not there
    assert "is a symbolic link, which is not followed; the lab image is built here" in said


@pytest.mark.parametrize("name", [f"{folder_of(STABLE)}/vmlinuz", MANIFEST, SUMS])
def test_a_pack_on_a_disk_that_has_a_fifo_is_not_waited_for(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLATKIT_MIRROR", str(pack))
    (pack / name).unlink()
    os.mkfifo(pack / name)
    there, said = unpack()
    assert not there
    assert "not a regular file, but a FIFO; the lab image is built here" in said
