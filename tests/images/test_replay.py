"""An older release, properly signed, offered under a newer number: refused, and nothing of it stays."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from flatcar_parts import DATA, STABLE

from flatkit.cli import main
from flatkit.errors import ImageError
from flatkit.images import store
from flatkit.images.keyring import KeyFinder
from flatkit.images.releases import Board, Channel, Version, find_wanted
from flatkit.images.signed import find_seen, note_seen, verify_cached
from flatkit.images.signing import find_trust
from flatkit.testing.flatcar_site import IMAGE
from flatkit.testing.signing import SigningKey

OLD, NEW = "4593.2.4", "4593.2.9"


@pytest.fixture
def folder(site):
    """The folder of a version that was never released, which `current` leads to; it holds the old release."""
    path = site.folder / "stable/amd64-usr" / NEW
    shutil.copytree(site.folder / "stable/amd64-usr" / OLD, path)
    (site.folder / "stable/amd64-usr/current/version.txt").write_text(f"FLATCAR_VERSION={NEW}\n")
    return path


def claim(site, folder, number=NEW, *, at=""):
    """Put a version.txt with a true signature for this number into the folder."""
    (folder / "version.txt").write_text(f"FLATCAR_VERSION={number}\n")
    (folder / "version.txt.sig").write_bytes(site.key.sign(folder / "version.txt", at=at))


def refused(site, fetcher, match, *, downloads=0):
    """The fetch is refused, nothing is recorded, and the honest release is then fetched."""
    with pytest.raises(ImageError, match=match) as caught:
        fetcher.fetch(STABLE)
    assert site.count(IMAGE) == downloads
    assert store.list_cached() == []
    assert find_seen(STABLE, Board.AMD64) is None
    site.point("current", "4593.2.5")
    image = fetcher.fetch(STABLE)
    assert (image.version, image.path.read_bytes()) == (Version(4593, 2, 5), DATA)
    assert find_seen(STABLE, Board.AMD64) == image.version
    return caught.value


def test_the_signed_version_is_another_one(site, fetcher, folder):
    error = refused(site, fetcher, rf'offered as version "{NEW}", and its signed version.txt says "{OLD}"')
    assert error.hint


def test_the_version_is_not_signed(site, fetcher, folder):
    (folder / "version.txt").write_text(f"FLATCAR_VERSION={NEW}\n")
    refused(site, fetcher, "belongs to other bytes")


@pytest.mark.parametrize("missing", ["version.txt", "version.txt.sig"])
def test_the_signed_version_is_missing(site, fetcher, folder, missing):
    (folder / missing).unlink()
    refused(site, fetcher, f'has no signed version.txt of "{NEW}"')


@pytest.mark.parametrize(
    "text",
    [
        f"FLATCAR_VERSION={OLD}\u2028FLATCAR_VERSION={NEW}\n",
        f"FLATCAR_VERSION={OLD}\nFLATCAR_VERSION={NEW}\n",
        f"FLATCAR_VERSION={NEW}\nFLATCAR_VERSION={OLD}\n",
        f"FLATCAR_VERSION={NEW}\x0b\n",
        "FLATCAR_VERSION=4593.2.\u0669\n",
        f'FLATCAR_VERSION="{NEW}\n',
        "FLATCAR_SDK_VERSION=1.2.3\n",
    ],
)
def test_a_signed_version_that_is_not_clear(site, fetcher, folder, text):
    (folder / "version.txt").write_text(text)
    (folder / "version.txt.sig").write_bytes(site.key.sign(folder / "version.txt"))
    refused(site, fetcher, f'offered as version "{NEW}", and its signed version.txt says')


@pytest.fixture
def dated(site, tmp_path):
    """The same server with a key that is old enough for signatures of past months."""
    with SigningKey(at="20260101") as key:
        site.key = key
        site.environment(tmp_path / "key.asc")
        site.add("4593.2.5", DATA, signed_at="20260801")
        yield site


def put_old_image(site, folder):
    """An image of July beside the signed version.txt of an August release."""
    site.add(OLD, b"old", pointers=(), signed_at="20260713")
    for path in (site.folder / "stable/amd64-usr" / OLD).glob(f"{IMAGE}*"):
        shutil.copy(path, folder / path.name)
    claim(site, folder, at="20260813")
    (folder.parent / "current/version.txt").write_text(f"FLATCAR_VERSION={NEW}\n")


def test_an_old_image_beside_a_true_version_txt_of_a_newer_release(dated, fetcher, folder):
    put_old_image(dated, folder)
    match = rf'offered as version "{NEW}" was signed on 2026-07-13, long before that version .2026-08-13.'
    refused(dated, fetcher, match)


def test_the_same_without_digests(dated, fetcher, folder):
    put_old_image(dated, folder)
    (folder / f"{IMAGE}.DIGESTS").unlink()
    refused(dated, fetcher, "long before that version", downloads=1)


def test_an_image_that_is_here_under_its_own_number(site, fetcher, folder):
    fetcher.fetch(find_wanted(OLD))
    claim(site, folder)
    with pytest.raises(ImageError, match=rf'offers as version "{NEW}" the image that is here as "{OLD}"'):
        fetcher.fetch(STABLE)
    assert [str(image.version) for image in store.list_cached()] == [OLD]
    assert find_seen(STABLE, Board.AMD64) is None


def test_the_images_of_a_build_that_took_days(dated, fetcher):
    dated.add("4593.2.6", b"new", signed_at="20260813")
    claim(dated, dated.folder / "stable/amd64-usr/4593.2.6", "4593.2.6", at="20260816")
    assert fetcher.fetch(STABLE).version == Version(4593, 2, 6)


def test_what_is_cached_is_verified_with_its_version(site, fetcher):
    image, finder = fetcher.fetch(STABLE), KeyFinder(channel=Channel.STABLE)
    verify_cached(image, finder=finder)
    moved = image.folder.with_name(NEW)
    image.folder.rename(moved)
    replayed = store.read_image(moved)
    with pytest.raises(ImageError, match=rf'offered as version "{NEW}", and its signed version.txt says "4593.2.5"'):
        verify_cached(replayed, finder=finder)
    (moved / "version.txt.sig").unlink()
    with pytest.raises(ImageError, match=r"without its signed version\.txt") as caught:
        verify_cached(replayed, finder=finder)
    assert "flatkit images rm" in caught.value.hint


def test_a_wrong_newest_version_can_be_undone(site, fetcher, capsys):
    note_seen(STABLE, Board.AMD64, Version(9999, 2, 0))
    with pytest.raises(ImageError, match="a step back is refused") as caught:
        fetcher.fetch(STABLE)
    assert caught.value.hint.endswith("if 9999.2.0 was never released: flatkit images rm seen")
    assert main(["images", "rm", "seen"]) == 0
    assert capsys.readouterr().out == "0 MB freed; newest versions forgotten: 1\n"
    assert fetcher.fetch(STABLE).version == Version(4593, 2, 5)
    site.point("current", OLD)
    with pytest.raises(ImageError, match="a step back is refused") as caught:
        fetcher.fetch(STABLE)
    assert caught.value.hint.endswith("if 4593.2.5 was never released: flatkit images rm seen 4593.2.5")
    assert main(["images", "rm", "seen", "4593.2.5"]) == 0
    assert fetcher.fetch(STABLE).version == Version(4593, 2, 4)
    assert find_seen(STABLE, Board.AMD64) == Version(4593, 2, 4)
    note_seen(STABLE, Board.AMD64, Version(9999, 2, 0))
    with pytest.raises(ImageError, match="a step back is refused") as caught:
        fetcher.fetch(STABLE)
    assert caught.value.hint.endswith("flatkit images rm seen")  # the image that is offered stays


def test_a_mirror_of_the_cache_has_the_signed_version(site, fetcher, tmp_path, monkeypatch):
    fetcher.fetch(STABLE)
    (tmp_path / "cache").rename(tmp_path / "mirror")
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("FLATKIT_RELEASE_SERVER", "http://127.0.0.1:1/{channel}")
    image = replace(fetcher, trust=find_trust()).fetch(STABLE)
    assert (image.folder / "version.txt").read_text().startswith("FLATCAR_VERSION=4593.2.5\n")
