"""What building removes from the cache, and what it must not: images that machines stand on, payloads that are served."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flatkit.images.lab import build, cache_gc, recipe
from flatkit.updates.payload import FILE_NAME

LONG_AGO = 1_000_000_000


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    (tmp_path / "cache/lab").mkdir(parents=True)
    return tmp_path / "cache/lab"


def image(lab: Path, name: str, *, base: str = "") -> Path:
    """An image of an earlier recipe that nobody has asked for since long ago."""
    folder = lab / name
    folder.mkdir()
    (folder / "image.json").write_text("{}")
    backing = f"{lab}/{base}/disk.qcow2".encode() if base else b""
    head = b"QFI\xfb" + (3).to_bytes(4, "big") + (200).to_bytes(8, "big") + len(backing).to_bytes(4, "big")
    (folder / "disk.qcow2").write_bytes(head.ljust(200, b"\0") + backing)
    os.utime(folder, (LONG_AGO, LONG_AGO))
    return folder


def machine(state: Path, name: str, disk: Path) -> None:
    folder = state / "machines" / name
    folder.mkdir(parents=True)
    (folder / "machine.json").write_text(json.dumps({"spec": {"disk": str(disk)}}))


def quick_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(work, release, observer, base):
        (work / "result").mkdir()
        facts = {"version": release.version, "channel": "stable", "root_hash": "", "hash_offset": 0, "usr_size": 0}
        (work / "result/image.json").write_text(json.dumps(facts))

    monkeypatch.setattr(build, "_build", quick)


def names(lab: Path) -> set[str]:
    return {path.parent.name for path in lab.glob("*/image.json")}


def test_a_new_recipe_takes_the_place_of_the_old_one(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image(lab, "110.2.0-old")
    image(lab, "120.1.0-old", base="110.2.0-old")
    quick_build(monkeypatch)
    kept = build.build_lab_image().folder.name
    assert names(lab) == {kept}


def test_an_image_that_a_machine_stands_on_stays_with_the_one_below_it(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may be one of another state folder that has the same cache."""
    image(lab, "110.2.0-old")
    image(lab, "110.2.0-older")
    disk = image(lab, "120.1.0-old", base="110.2.0-old") / "disk.qcow2"
    machine(tmp_path / "other", "kept", disk)
    with monkeypatch.context() as other:
        other.setenv("FLATKIT_STATE", str(tmp_path / "other"))
        cache_gc.note_use(lab, disk.parent)
    os.utime(disk.parent, (LONG_AGO, LONG_AGO))
    quick_build(monkeypatch)
    new = build.build_lab_image().folder.name
    assert names(lab) == {new, "110.2.0-old", "120.1.0-old"}


def test_an_image_that_was_just_asked_for_stays(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its machine may be in the making."""
    cache_gc.note_use(lab, image(lab, "110.2.0-old"))
    quick_build(monkeypatch)
    new = build.build_lab_image().folder.name
    assert names(lab) == {new, "110.2.0-old"}


def test_the_releases_of_this_recipe_stay(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick_build(monkeypatch)
    for release in recipe.RELEASES.values():
        os.utime(build.build_lab_image(release=release).folder, (LONG_AGO, LONG_AGO))
    assert len(build.list_lab_images()) == len(recipe.RELEASES) == len(names(lab))


def payload(folder: Path, *, age: int) -> Path:
    path = folder / FILE_NAME
    path.write_bytes(b"payload")
    os.utime(path, (LONG_AGO - age, LONG_AGO - age))
    return path


def test_of_the_payloads_the_last_one_stays_and_what_a_process_uses(lab: Path) -> None:
    old, served, ended, last = (image(lab, name) for name in ("100.3.0-x", "110.2.0-x", "120.1.0-x", "130.0.0-x"))
    for age, folder in enumerate((last, served, ended, old)):
        payload(folder, age=age)
    cache_gc.note_payload(served)
    code = (
        "from flatkit.images.lab import cache_gc; import sys, pathlib; cache_gc.note_payload(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(ended)], check=True, timeout=120)
    cache_gc.note_use(lab, last)
    assert {path.parent for path in lab.glob(f"*/{FILE_NAME}")} == {served, last}
