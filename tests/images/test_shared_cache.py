"""A cache that several users only read: looked at first, never written to; the rest is made in the user's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit import paths
from flatkit.diskfile import find_format
from flatkit.errors import HostError, ImageError
from flatkit.host.space import check_folders
from flatkit.images import store, sysext
from flatkit.images.lab import build, cache_gc, packages, recipe
from flatkit.images.sysext_tree import Recipe
from flatkit.updates.payload import FILE_NAME
from tests.other_users import open_parents
from tests.people import Person, person

BETA = recipe.RELEASES["lab-beta"]


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shared cache with the stable image, and the folders of a user beside it."""
    folder = tmp_path / "shared"
    (folder / "lab").mkdir(parents=True)
    for path in (folder, folder / "lab"):
        path.chmod(0o755)
    put_image(folder / "lab", recipe.STABLE)
    monkeypatch.setenv("FLATKIT_SHARED_CACHE", str(folder))
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    return folder


def put_image(lab: Path, release: recipe.Release, *, backing: Path | None = None) -> Path:
    image = lab / f"{release.version}-{recipe.digest(release)}"
    image.mkdir(mode=0o755)
    facts = {"version": release.version, "channel": release.channel, "root_hash": "00", "hash_offset": 1, "usr_size": 2}
    (image / "image.json").write_text(json.dumps(facts))
    words = ["-b", str(backing), "-F", "qcow2"] if backing else []
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words, str(image / "disk.qcow2"), "1M"], check=True)
    (image / "disk.qcow2").chmod(0o444)
    image.chmod(0o755)
    return image


def test_the_shared_image_is_found_first_and_missing_ones_are_made_in_the_own_cache(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bases: list[Path | None] = []

    def quick(work: Path, release: recipe.Release, observer: object, base: Path | None) -> None:
        bases.append(base)
        (work / "result").mkdir()
        facts = {
            "version": release.version,
            "channel": release.channel,
            "root_hash": "",
            "hash_offset": 0,
            "usr_size": 0,
        }
        (work / "result" / "image.json").write_text(json.dumps(facts))

    monkeypatch.setattr(build, "_build", quick)
    stable = build.build_lab_image()
    assert stable.folder.parent == shared / "lab"
    beta = build.build_lab_image(release=BETA)
    assert beta.folder.parent == tmp_path / "own" / "lab"
    assert bases == [stable.disk]  # stored as its difference from the shared one


def test_a_release_may_stand_on_the_shared_image_and_on_nothing_else(shared: Path, tmp_path: Path) -> None:
    stable = build.find_lab_image()
    assert stable
    own = tmp_path / "own" / "lab"
    own.mkdir(parents=True)
    beta = put_image(own, BETA, backing=stable.disk)
    assert find_format(beta / "disk.qcow2", below=packages.lab_layers()) == "qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(tmp_path / "else.qcow2"), "1M"], check=True)
    evil = put_image(own, recipe.RELEASES["lab-alpha"], backing=tmp_path / "else.qcow2")
    with pytest.raises(ImageError, match="which is not followed"):
        find_format(evil / "disk.qcow2", below=packages.lab_layers())


def test_an_update_of_a_shared_image_is_made_in_the_own_cache(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.disk, "take_apart", lambda disk, usr_size, work: {})
    monkeypatch.setattr(build, "make_payload", lambda path, **_facts: path.write_bytes(b"signed"))
    before = sorted(shared.rglob("*"))
    payload = build.build_payload(release=recipe.STABLE)
    assert payload == tmp_path / "own" / "lab" / payload.parent.name / FILE_NAME
    assert payload.read_bytes() == b"signed"
    assert [path for path in sorted(shared.rglob("*")) if path not in before and path.name != ".machines"] == []
    assert build.build_payload(release=recipe.STABLE) == payload


def test_extensions_packages_and_flatcar_images_are_found_in_both(shared: Path, tmp_path: Path) -> None:
    tool = Recipe(name="tool", files={"/usr/share/tool": "x"})
    name = f"tool-{sysext._digest(tool)}"
    folder = shared / "lab" / "sysext"
    folder.mkdir()
    (folder / f"{name}.raw").write_bytes(b"image")
    (folder / f"{name}.json").write_text(json.dumps({"name": "tool", "version": "1", "packages": [], "missing": []}))
    assert sysext.build(tool).path == folder / f"{name}.raw"
    archive = shared / "lab" / f"packages-{recipe.bootstrap_digest()}.tar"
    archive.touch()
    assert packages.find_packages() == archive
    record = store.ImageRecord(
        file="image.img", size=1, changed_ns=1, sha512="", trust="", subkey="", signed=1, source="", fetched=1.0
    )
    for top, version in ((shared, "4593.2.5"), (tmp_path / "own", "4593.2.4")):
        image = top / "flatcar" / "stable" / "amd64-usr" / version
        image.mkdir(parents=True)
        store.write_record(image, record)
    found = store.list_cached()
    assert [str(image.version) for image in found] == ["4593.2.5", "4593.2.4"]
    store.remove_images(found)
    assert [str(image.version) for image in store.list_cached()] == ["4593.2.5"]


def test_a_shared_cache_keeps_every_update_and_what_others_machines_use(shared: Path, tmp_path: Path) -> None:
    lab = shared / "lab"
    for number in range(2):
        (lab / f"{number}").mkdir()
        (lab / f"{number}" / FILE_NAME).touch()
    (lab / cache_gc.KEEP_PAYLOADS).touch()
    cache_gc.remove_old_payloads(lab)
    assert len(list(lab.glob(f"*/{FILE_NAME}"))) == 2
    (lab / cache_gc.KEEP_PAYLOADS).unlink()
    cache_gc.remove_old_payloads(lab)
    assert len(list(lab.glob(f"*/{FILE_NAME}"))) == 1
    old = put_image(lab, BETA)
    os.utime(old, (0, 0))
    machines = tmp_path / "home" / "machines"
    (machines / "web").mkdir(parents=True)
    (machines / "web" / "machine.json").write_text(json.dumps({"disk": f"{old}/disk.qcow2"}))
    cache_gc.note_machines(lab, machines)
    cache_gc.remove_superseded(lab, current=set())
    assert old.is_dir()


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_shared_cache_that_others_may_write_to_is_refused(shared: Path, mode: int) -> None:
    shared.chmod(mode)
    with pytest.raises(HostError, match="can be written by others") as caught:
        paths.cache_layers()
    assert caught.value.hint.startswith("unset FLATKIT_SHARED_CACHE")


def test_a_shared_cache_that_is_missing_or_the_own_one_is_none(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_SHARED_CACHE", str(tmp_path / "missing"))
    assert paths.cache_layers() == (tmp_path / "own",)
    monkeypatch.setenv("FLATKIT_SHARED_CACHE", str(tmp_path / "own"))
    assert paths.cache_layers() == (tmp_path / "own",)
    (tmp_path / "own").write_text("a file")
    with pytest.raises(HostError):
        paths.shared_cache_dir()


def test_doctor_names_the_shared_cache(shared: Path, tmp_path: Path) -> None:
    open_parents(shared)
    assert f"read first: {shared}" in check_folders().found


@pytest.fixture
def ada(tmp_path: Path) -> Iterator[Person]:
    with person() as one:
        open_parents(tmp_path / "shared")
        yield one


ASK = """
import json
from flatkit.host.space import check_folders
from flatkit.images.lab import build, recipe
from flatkit.images.sysext import build as build_sysext
from flatkit.images.sysext_tree import Recipe
image, payload = build.build_lab_image(), build.build_payload(release=recipe.STABLE)
print(json.dumps([str(image.folder), str(payload), check_folders().state.value]))
"""


def test_another_user_reads_roots_cache_and_writes_nothing_there(shared: Path, ada: Person) -> None:
    image = build.find_lab_image()
    assert image
    (image.folder / FILE_NAME).write_bytes(b"signed")
    before = sorted(shared.rglob("*"))
    words = ada.argv(sys.executable, "-c", ASK, FLATKIT_SHARED_CACHE=str(shared))
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")
    assert done.stderr == ""
    assert json.loads(done.stdout) == [str(image.folder), str(image.folder / FILE_NAME), "ok"]
    assert sorted(shared.rglob("*")) == before
