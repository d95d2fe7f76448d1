"""Building: cached, locked, nothing half-made left; with the slow part replaced, since the real one is tested on its result."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from flatkit.errors import HostError, ImageError, MissingDependency
from flatkit.events import Said, Tape
from flatkit.images.lab import build, tree
from flatkit.images.lab.packages import find_packages

FACTS = '{"version": "1.2.3", "channel": "stable", "root_hash": "00", "hash_offset": 4096, "usr_size": 8192}'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path))
    return tmp_path / "lab"


def leftovers(cache):
    return [path.name for path in cache.iterdir() if path.name.startswith((".build-", "packages"))]


def quick(work, release, observer, base):
    (work / "result").mkdir()
    (work / "result" / "image.json").write_text(FACTS)
    (work / "result" / "disk.qcow2").write_bytes(bytes(range(256)) * 64)


def test_built_once_then_found(cache, monkeypatch):
    calls = []
    monkeypatch.setattr(build, "_build", lambda *args: (calls.append(1), quick(*args)))
    first = build.build_lab_image()
    assert build.build_lab_image() == first == build.find_lab_image()
    assert len(calls) == 1
    assert leftovers(cache) == []


def test_two_at_once_build_once_and_both_get_it(cache, monkeypatch):
    inside, go, calls = threading.Event(), threading.Event(), []

    def slow(work, release, observer, base):
        calls.append(1)
        inside.set()
        assert go.wait(120)
        quick(work, release, observer, base)

    monkeypatch.setattr(build, "_build", slow)
    results, tape = [], Tape()
    first = threading.Thread(target=lambda: results.append(build.build_lab_image()))
    first.start()
    assert inside.wait(120)
    waiting = threading.Event()
    monkeypatch.setattr(tape, "notify", lambda event: (tape.events.append(event), waiting.set()))
    second = threading.Thread(target=lambda: results.append(build.build_lab_image(tape)))
    second.start()
    assert waiting.wait(120)
    go.set()
    first.join(120)
    second.join(120)
    assert len(calls) == 1
    assert len(results) == 2
    assert results[0] == results[1]
    assert any(isinstance(event, Said) and "waiting for it" in event.text for event in tape.events)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ImageError("no")])
def test_interrupted_leaves_nothing(cache, monkeypatch, error):
    def broken(work, release, observer, base):
        (work / "half").write_text("made")
        raise error

    monkeypatch.setattr(build, "_build", broken)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        build.build_lab_image()
    assert leftovers(cache) == []
    assert build.find_lab_image() is None


def test_leftovers_of_a_killed_build_go_with_the_next(cache, monkeypatch):
    (cache / ".build-killed" / "stage").mkdir(parents=True)
    monkeypatch.setattr(build, "_build", quick)
    build.build_lab_image()
    assert leftovers(cache) == []


def test_full_disk_is_said_before_anything_is_made(cache, monkeypatch):
    monkeypatch.setattr(build.shutil, "disk_usage", lambda path: SimpleNamespace(free=100 * 1024 * 1024))
    with pytest.raises(HostError, match=r'".*" has 100 MiB free') as caught:
        build.build_lab_image()
    assert "FLATKIT_CACHE" in caught.value.hint


def test_cache_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "file"))
    with pytest.raises(HostError, match="cannot be used"):
        build.build_lab_image()


def test_without_mmdebstrap_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="mmdebstrap") as caught:
        tree.bootstrap(tmp_path / "x.tar", Tape())
    assert "make setup" in caught.value.hint


def test_unreachable_mirror_is_said_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("FLATKIT_DEBIAN_MIRROR", "http://127.0.0.1:9/debian")
    with pytest.raises(ImageError, match="could not be fetched") as caught:
        tree.bootstrap(tmp_path / "x.tar", Tape())
    assert "FLATKIT_DEBIAN_MIRROR" in caught.value.hint


def test_packages_are_fetched_where_the_image_came_without_them(cache, monkeypatch):
    """As on a seat that took the built image from a pack, and then builds an extension."""
    monkeypatch.setattr(build, "_build", quick)
    build.build_lab_image()
    fetched = []
    monkeypatch.setattr(tree, "bootstrap", lambda path, observer: (fetched.append(1), path.write_bytes(b"tar")))
    archive = find_packages(Tape())
    assert archive.read_bytes() == b"tar"
    assert find_packages(Tape()) == archive
    assert fetched == [1]


def test_removing_says_what_it_frees(cache, monkeypatch):
    monkeypatch.setattr(build, "_build", quick)
    build.build_lab_image()
    assert build.remove_lab_images() > 0
    assert build.list_lab_images() == []
    assert build.remove_lab_images() == 0
