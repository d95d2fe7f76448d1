"""Flatcar in a pack: fetched from a pretended release server and an update server, served on, verified again on a seat."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit import web
from flatkit.errors import FetchError, ImageError, UsageError
from flatkit.events import Observer
from flatkit.images.fetch import Fetcher
from flatkit.images.pack_manifest import PackManifest
from flatkit.images.releases import Board, Version, find_wanted
from flatkit.images.signing import find_trust
from flatkit.packs.check import check
from flatkit.packs.pack import Wishes, pack
from flatkit.packs.serve import Address, serving
from flatkit.testing.flatcar_site import FlatcarSite
from flatkit.testing.signing import SigningKey
from flatkit.updates.server import UpdateServer

pytestmark = pytest.mark.skipif(not shutil.which("gpg"), reason="no gpg here")

IMAGE = random.Random(1).randbytes(200_000)
PAYLOAD, OEM = b"CrAU" * 1000, b"oem"


@pytest.fixture(scope="module")
def signing_key() -> Iterator[SigningKey]:
    with SigningKey() as key:
        yield key


@pytest.fixture
def internet(tmp_path: Path, signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> Iterator[UpdateServer]:
    """Flatcar's two servers, as far as packing asks them; gives the one of updates."""
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FLATKIT_MIRROR", raising=False)
    for name, data in (("payload", PAYLOAD), ("oem-qemu.gz", OEM), ("flatcar-podman.gz", b"podman")):
        (tmp_path / name).write_bytes(data)
    with FlatcarSite(tmp_path / "site", key=signing_key) as site, UpdateServer() as updates:
        site.add("4593.2.5", IMAGE)
        site.add("4757.1.0", IMAGE[:5000], channel="beta")
        extra = [tmp_path / "oem-qemu.gz", tmp_path / "flatcar-podman.gz"]
        for version in ("4593.2.5", "4757.1.0"):
            updates.publish_release(
                version, payload=tmp_path / "payload", extra=extra, name="flatcar_production_update.gz"
            )
        for name, value in site.environment(tmp_path / "key.asc").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("FLATKIT_UPDATE_SERVER", updates.url)
        yield updates


def pack_of(folder: Path, *flatcar: str, opt_in: tuple[str, ...] = ()) -> PackManifest:
    wishes = Wishes(lab=(), flatcar=flatcar, opt_in=opt_in, extensions=(), containers=False, pythons=())
    return pack(folder, wishes)


def test_a_seat_gets_a_verified_image_and_the_update_from_the_pack(
    internet: UpdateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pack"
    manifest = pack_of(folder, "stable", "beta", opt_in=("podman", "zfs"))
    assert [(image.name, image.version) for image in manifest.images] == [("stable", "4593.2.5"), ("beta", "4757.1.0")]
    files = ("flatcar_production_update.gz", "oem-qemu.gz", "flatcar-podman.gz")
    assert [release.files for release in manifest.releases] == [files, files]
    assert [text.partition(":")[0] for text in manifest.left_out] == [
        "flatcar-zfs.gz of 4593.2.5",
        "flatcar-zfs.gz of 4757.1.0",
    ]
    assert {finding.name: finding.ok for finding in check(folder).findings}["images"]

    with serving(folder, Address(port=0)) as (server, _):
        monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "seat"))
        monkeypatch.setenv("FLATKIT_RELEASE_SERVER", "http://127.0.0.1:9/")  # no Internet there
        monkeypatch.setenv("FLATKIT_MIRROR", server.url)
        fetcher = Fetcher(board=Board.AMD64, observer=Observer())
        for name, version in (("beta", Version(4757, 1, 0)), ("4593.2.5", Version(4593, 2, 5))):
            image = fetcher.fetch(find_wanted(name))
            assert image.version == version
            assert image.is_ready(find_trust())
        assert image.path.read_bytes() == IMAGE
        assert server.channels.releases["beta"].version == "4757.1.0"
        assert web.get(f"{server.url}/amd64-usr/4593.2.5/flatcar_production_update.gz").text == PAYLOAD.decode()
        assert web.get(f"{server.url}/amd64-usr/4593.2.5/flatcar-podman.gz").text == "podman"
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "other-seat"))
    monkeypatch.setenv("FLATKIT_MIRROR", str(folder))  # a stick instead of a server
    assert Fetcher(board=Board.AMD64, observer=Observer()).fetch(find_wanted("stable")).path.read_bytes() == IMAGE


def test_packing_again_fetches_nothing_twice(internet: UpdateServer, tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    payload = folder / "amd64-usr/4593.2.5/flatcar_production_update.gz"
    pack_of(folder, "stable")
    before = payload.stat()
    manifest = pack_of(folder, "stable", "4593.2.5")
    assert payload.stat().st_ino == before.st_ino
    assert len(manifest.images) == len(manifest.releases) == 1
    payload.write_bytes(b"damaged")
    pack_of(folder, "stable")
    assert payload.read_bytes() == PAYLOAD
    pack_of(folder, "beta")
    assert not payload.exists()


def test_a_payload_that_is_not_what_stands_beside_it_is_removed(internet: UpdateServer, tmp_path: Path) -> None:
    internet.publish_text("/amd64-usr/4593.2.5/flatcar_production_update.gz.sha256", f"{'0' * 64}  x\n")
    with pytest.raises(ImageError, match="is not the file whose SHA-256 the server has as well"):
        pack_of(tmp_path / "pack", "stable")
    assert list((tmp_path / "pack/amd64-usr").rglob("*.gz*")) == []
    internet.publish_text("/amd64-usr/4593.2.5/flatcar_production_update.gz.sha256", "none")
    with pytest.raises(FetchError, match="holds no SHA-256"):
        pack_of(tmp_path / "pack", "stable")


def test_a_channel_that_is_none_is_refused_before_anything_is_fetched(internet: UpdateServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='no Flatcar image "gamma"'):
        pack_of(tmp_path / "pack", "stable", "gamma")
    assert not (tmp_path / "pack").exists()
