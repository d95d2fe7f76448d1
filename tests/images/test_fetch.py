"""From a name to a verified image: what is resolved, what is trusted, what is refused. A real server, real signatures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from flatcar_parts import DATA, QUICK, STABLE, said

from flatkit.errors import Cancelled, FetchError, ImageError
from flatkit.events import Progressed, Tape
from flatkit.images import keyring, signing, store
from flatkit.images.cache import locked
from flatkit.images.keyring import KeyFinder
from flatkit.images.mirrors import KEY_FILE, Source, find_mirror
from flatkit.images.openpgp import Certificate
from flatkit.images.releases import Board, Channel, Version, find_wanted
from flatkit.images.signed import get_sha512, verify_cached, verify_file
from flatkit.images.signing import find_trust
from flatkit.testing.flatcar_site import IMAGE
from flatkit.testing.signing import SigningKey


def images_in(cache) -> list[str]:
    """What stands in the cache under an image's own name."""
    return [str(path.relative_to(cache)) for path in cache.rglob("*.img")]


def finder(channel=Channel.STABLE):
    return KeyFinder(channel=channel, patience=QUICK)


def test_an_image_is_fetched_verified_and_read_only(site, fetcher, tape):
    image = fetcher.fetch(STABLE)
    assert (image.channel, image.version, image.board) == (Channel.STABLE, Version(4593, 2, 5), Board.AMD64)
    assert image.path.read_bytes() == DATA
    assert image.path.stat().st_mode & 0o222 == 0
    assert image.is_ready(find_trust())
    # The size comes before the bytes, and the end of the progress is the whole.
    assert "stable 4593.2.5 (amd64)" in said(tape)
    assert "3 MB; about" in said(tape)
    last = [event for event in tape.events if isinstance(event, Progressed)][-1]
    assert (last.done, last.total, last.unit) == (3.0, 3.0, "MB")
    # The pointer is resolved first; everything else comes from the numbered folder, the signature before the image.
    paths = [asked.path for asked in site.asked]
    assert paths[0] == "/stable/amd64-usr/current/version.txt"
    assert all(path.startswith("/stable/amd64-usr/4593.2.5/") for path in paths[1:])
    assert paths.index(f"/stable/amd64-usr/4593.2.5/{IMAGE}.DIGESTS.sig") < paths.index(
        f"/stable/amd64-usr/4593.2.5/{IMAGE}"
    )


def test_a_second_time_nothing_is_fetched(site, fetcher):
    first = fetcher.fetch(STABLE)
    site.asked.clear()
    assert fetcher.fetch(STABLE) == first
    assert [asked.path for asked in site.asked] == ["/stable/amd64-usr/current/version.txt"]
    site.asked.clear()
    assert fetcher.fetch(find_wanted("4593.2.5")) == first
    assert site.asked == []


def test_an_exact_version_and_an_lts_stream(site, fetcher):
    assert fetcher.fetch(find_wanted("4593.2.4")).version == Version(4593, 2, 4)
    site.add("4081.3.10", b"lts 2024", channel="lts", pointers=("current", "current-2024"))
    site.add("3510.3.8", b"lts 2023", channel="lts", pointers=("current-2023",))
    (site.folder / "lts/lts-info").write_text("4081:2024:supported\n3510:2023:unsupported\n")
    assert fetcher.fetch(find_wanted("lts-2023")).version == Version(3510, 3, 8)
    assert fetcher.fetch(find_wanted("current-2024")).path.read_bytes() == b"lts 2024"
    assert store.find_ready(find_wanted("lts-2023"), Board.AMD64, find_trust()).version == Version(3510, 3, 8)
    assert store.stream_major("2024") == 4081


def test_arm64_is_the_uefi_image(site, fetcher):
    file = "flatcar_production_qemu_uefi_image.img"
    site.add("4593.2.5", b"arm", board="arm64-usr", file=file)
    image = replace(fetcher, board=Board.ARM64).fetch(STABLE)
    assert (image.path.name, image.path.read_bytes()) == (file, b"arm")


def test_without_digests_the_images_own_signature_counts(site, fetcher):
    folder = site.folder / "stable/amd64-usr/4593.2.5"
    (folder / f"{IMAGE}.DIGESTS").unlink()
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    (site.folder / "stable/amd64-usr/4593.2.4" / f"{IMAGE}.DIGESTS").unlink()
    (site.folder / "stable/amd64-usr/4593.2.4" / IMAGE).write_bytes(b"x" * 1000)
    with pytest.raises(ImageError, match="belongs to other bytes"):
        fetcher.fetch(find_wanted("4593.2.4"))
    assert len(images_in(store.flatcar_dir())) == 1
    assert [path.suffix for path in store.find_leftovers()] == [".refused"]


def test_the_key_is_fetched_and_pinned(site, fetcher, signing_key, monkeypatch):
    monkeypatch.delenv("FLATKIT_SIGNING_KEY")
    monkeypatch.setattr(signing, "FLATCAR_PRIMARY", signing_key.primary)
    plain = replace(fetcher, trust=find_trust())
    image = plain.fetch(STABLE)
    assert site.count(KEY_FILE) == 1
    assert image.record.trust == signing_key.primary
    # From now on the cache has it; a key that is not the pinned one is refused.
    plain.fetch(find_wanted("4593.2.4"))
    assert site.count(KEY_FILE) == 1
    monkeypatch.setattr(signing, "FLATCAR_PRIMARY", "0" * 40)
    site.add("4593.2.6", b"new")
    with pytest.raises(ImageError, match="signing key is not Flatcar's"):
        replace(fetcher, trust=find_trust()).fetch(STABLE)


def test_a_new_subkey_makes_the_key_be_fetched_again(site, fetcher, signing_key, monkeypatch, cache):
    monkeypatch.delenv("FLATKIT_SIGNING_KEY")
    with SigningKey() as key:
        monkeypatch.setattr(signing, "FLATCAR_PRIMARY", key.primary)
        old = key.public()
        key.add_subkey()
        site.key = key
        site.add("4593.2.6", b"new")
        (cache / "flatcar/stable").mkdir(parents=True)
        (cache / "flatcar/stable" / KEY_FILE).write_bytes(old)
        assert replace(fetcher, trust=find_trust()).fetch(STABLE).version == Version(4593, 2, 6)
        kept = Certificate.read((cache / "flatcar/stable" / KEY_FILE).read_bytes())
        assert bytes(kept) == bytes(Certificate.read(key.public()))


def test_whose_key_is_said_each_time(fetcher, tape):
    fetcher.fetch(STABLE)
    assert "FLATKIT_SIGNING_KEY" in said(tape)
    assert "not for Flatcar's" in said(tape)


def test_an_image_of_another_key_is_not_ready(fetcher, signing_key, monkeypatch):
    image = fetcher.fetch(STABLE)
    monkeypatch.delenv("FLATKIT_SIGNING_KEY")
    assert not image.is_ready(find_trust())
    assert store.find_ready(STABLE, Board.AMD64, find_trust()) is None
    # Checked anew for the key that is trusted now, without fetching it again.
    monkeypatch.setattr(signing, "FLATCAR_PRIMARY", signing_key.primary)
    (store.flatcar_dir() / "stable" / KEY_FILE).write_bytes(signing_key.public())
    verify_cached(image, finder=finder())
    assert store.find_ready(STABLE, Board.AMD64, find_trust()).record.trust == signing_key.primary


def test_a_tampered_byte(site, fetcher, cache):
    path = site.folder / "stable/amd64-usr/4593.2.5" / IMAGE
    data = bytearray(DATA)
    data[1_234_567] ^= 1
    path.write_bytes(data)
    with pytest.raises(ImageError, match="not the file that was signed") as caught:
        fetcher.fetch(STABLE)
    assert "put aside" in caught.value.message
    assert images_in(cache) == []
    assert [path.name for path in store.find_leftovers()] == [f"{IMAGE}.refused"]
    assert store.list_cached() == []
    # And once the server is mended, the same command works.
    path.write_bytes(DATA)
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA


def test_tampered_digests_cost_no_download(site, fetcher, cache):
    path = site.folder / "stable/amd64-usr/4593.2.5" / f"{IMAGE}.DIGESTS"
    path.write_text(path.read_text().replace("0", "1"))
    with pytest.raises(ImageError, match="belongs to other bytes"):
        fetcher.fetch(STABLE)
    assert site.count(IMAGE) == 0
    assert images_in(cache) == []


def test_a_wrong_key(site, fetcher):
    with SigningKey(name="Mallory <m@flatkit.invalid>") as mallory:
        site.key = mallory
        site.seal(site.folder / "stable/amd64-usr/4593.2.5" / IMAGE)
    with pytest.raises(ImageError, match="a key that is not known here"):
        fetcher.fetch(STABLE)
    assert site.count(IMAGE) == 0


def test_a_missing_signature(site, fetcher):
    for path in (site.folder / "stable/amd64-usr/4593.2.5").glob(f"{IMAGE}*.sig"):
        path.unlink()
    with pytest.raises(ImageError, match="nobody has signed"):
        fetcher.fetch(STABLE)
    assert site.count(IMAGE) == 0


def test_a_version_txt_that_goes_back(site, fetcher, cache):
    fetcher.fetch(STABLE)
    site.point("current", "4593.2.4")
    with pytest.raises(ImageError, match=r'offers "4593.2.4" as stable, and "4593.2.5" was there before') as caught:
        fetcher.fetch(STABLE)
    assert "--image 4593.2.4" in caught.value.hint
    assert len(images_in(cache)) == 1
    # Also when the newer image was removed meanwhile; but an exact version is a person's own choice.
    store.remove_images(store.list_cached())
    with pytest.raises(ImageError, match="a step back is refused"):
        fetcher.fetch(STABLE)
    assert fetcher.fetch(find_wanted("4593.2.4")).version == Version(4593, 2, 4)


@pytest.mark.parametrize("text", ["", "FLATCAR_VERSION=", "FLATCAR_VERSION=latest\n", "\x00\xff"])
def test_a_version_txt_without_a_version(site, fetcher, text):
    (site.folder / "stable/amd64-usr/current/version.txt").write_text(text)
    with pytest.raises(FetchError, match="names no version"):
        fetcher.fetch(STABLE)


def test_a_version_of_another_channel(site, fetcher):
    site.point("current", "4757.1.0")
    with pytest.raises(ImageError, match="not of this channel"):
        fetcher.fetch(STABLE)


def test_a_folder_that_holds_another_version(site, fetcher):
    site.point("4593.2.4", "4593.2.5")
    with pytest.raises(ImageError, match=r'its folder "4593.2.4" holds version "4593.2.5"'):
        fetcher.fetch(find_wanted("4593.2.4"))


def test_unknown_versions_and_channels_offer_the_nearest(site, fetcher):
    with pytest.raises(FetchError, match=r'no Flatcar "stable 4593.2.7" for amd64; near it are 4593.2.5, 4593.2.4'):
        fetcher.fetch(find_wanted("4593.2.7"))
    with pytest.raises(FetchError, match='no Flatcar "beta" for amd64'):
        fetcher.fetch(find_wanted("beta"))


def test_a_changed_image_in_the_cache_is_never_ready_again(fetcher):
    image = fetcher.fetch(STABLE)
    image.path.chmod(0o644)
    image.path.write_bytes(DATA[:-1] + b"x")
    assert not image.is_ready(find_trust())
    with pytest.raises(ImageError, match="not the file that was signed"):
        verify_cached(image, finder=finder())
    assert not image.path.exists()
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA


def test_an_image_stays_when_it_is_only_the_key_that_is_missing(site, fetcher, tmp_path, monkeypatch):
    image = fetcher.fetch(STABLE)
    with SigningKey(name="Mallory <m@flatkit.invalid>") as mallory:
        (tmp_path / "other.asc").write_bytes(mallory.public())
    monkeypatch.setenv("FLATKIT_SIGNING_KEY", str(tmp_path / "other.asc"))
    with pytest.raises(ImageError, match="not known here"):
        verify_cached(image, finder=finder())
    assert image.path.read_bytes() == DATA
    monkeypatch.setenv("FLATKIT_SIGNING_KEY", str(tmp_path / "key.asc"))
    digests = image.folder / f"{IMAGE}.DIGESTS"
    digests.write_text(digests.read_text() + "# more\n")
    with pytest.raises(ImageError, match="other bytes"):
        verify_cached(image, finder=finder())
    assert image.path.read_bytes() == DATA


def test_verify_an_image_by_its_path(site, tmp_path):
    folder = site.folder / "stable/amd64-usr/4593.2.5"
    assert verify_file(folder / IMAGE, finder=finder()).signature.primary == site.key.primary
    (folder / f"{IMAGE}.DIGESTS").unlink()
    assert verify_file(folder / IMAGE, finder=finder()).signature.primary == site.key.primary
    (folder / f"{IMAGE}.sig").unlink()
    with pytest.raises(ImageError, match="has no signature beside it"):
        verify_file(folder / IMAGE, finder=finder())
    with pytest.raises(ImageError, match="is not there"):
        verify_file(tmp_path / "none.img", finder=finder())


def test_two_processes_share_one_download(site, cache):
    words = [sys.executable, "-m", "flatkit", "images", "fetch", "stable", "--json"]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said_ = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], said_
    assert site.count(IMAGE) == 1
    results = [json.loads(text.splitlines()[-1]) for text in said_]
    assert results[0]["fetched"][0]["disk"] == results[1]["fetched"][0]["disk"]


def test_a_download_that_is_stopped_is_kept_and_gone_on_with(site, fetcher, tape):
    stop = threading.Event()

    class Stopper(type(tape)):
        def notify(self, event):
            super().notify(event)
            if isinstance(event, Progressed):
                stop.set()

    with pytest.raises(Cancelled, match="is kept"):
        replace(fetcher, cancel=stop, observer=Stopper()).fetch(STABLE)
    assert [path.name for path in store.find_leftovers()] == [f"{IMAGE}.part"]
    assert fetcher.fetch(STABLE).path.read_bytes() == DATA
    assert site.asked[-1].range.startswith("bytes=")
    assert "here already" in said(tape)


# Mirrors.


def test_a_mirror_comes_before_the_release_server(site, fetcher, tmp_path, monkeypatch):
    (tmp_path / "site").rename(tmp_path / "moved")
    (tmp_path / "site/flatcar").parent.mkdir()
    (tmp_path / "moved").rename(tmp_path / "site/flatcar")
    monkeypatch.setenv("FLATKIT_MIRROR", site.url)
    assert fetcher.fetch(STABLE).record.source == f"{site.url}/flatcar/stable/amd64-usr/4593.2.5/{IMAGE}"


def test_a_folder_is_a_mirror_and_so_is_a_cache(site, fetcher, tmp_path, monkeypatch):
    fetcher.fetch(STABLE)
    (tmp_path / "cache").rename(tmp_path / "pack")
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "pack"))
    site.asked.clear()
    # The cache's pointer is not signed: it is enough, since the version.txt beside the image is.
    image = fetcher.fetch(STABLE)
    assert image.path.read_bytes() == DATA
    assert str(tmp_path / "cache") in str(image.path)
    assert site.asked == []
    # What the mirror lacks comes from the release server.
    assert fetcher.fetch(find_wanted("4593.2.4")).record.source.startswith(site.url)


def test_a_tampered_mirror_is_refused(site, fetcher, tmp_path, monkeypatch, cache):
    (tmp_path / "pack").mkdir()
    (site.folder).rename(tmp_path / "pack/flatcar")
    (tmp_path / "pack/flatcar/stable/amd64-usr/4593.2.5" / IMAGE).write_bytes(DATA[:-1] + b"x")
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "pack"))
    with pytest.raises(ImageError, match="not the file that was signed"):
        fetcher.fetch(STABLE)
    assert images_in(cache) == []


@pytest.mark.parametrize(
    "inside",
    ["current/version.txt", "4593.2.5/version.txt", f"4593.2.5/{IMAGE}", f"4593.2.5/{IMAGE}.DIGESTS", "4593.2.5", ""],
)
@pytest.mark.parametrize("at_hand", [False, True])
def test_no_file_outside_of_a_mirror_is_read_or_copied(site, fetcher, tmp_path, monkeypatch, cache, inside, at_hand):
    """A link in a pack to /etc/shadow would put a copy of it into the cache, among the files that were refused."""
    pack, outside = tmp_path / "here/flatkit-pack", tmp_path / "outside"
    shutil.copytree(site.folder, pack / "flatcar")
    (pack / "manifest.json").write_text("{}")
    board = pack / "flatcar/stable/amd64-usr"
    if (board / inside).is_dir():
        (board / inside).rename(outside)
    else:
        (board / inside).unlink()
        outside.write_text("SECRET")
    (board / inside).symlink_to(outside)
    monkeypatch.chdir(tmp_path / "here" if at_hand else tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLATKIT_RELEASE_SERVER", str(tmp_path / "nowhere"))
    if not at_hand:
        monkeypatch.setenv("FLATKIT_MIRROR", str(pack))
    with pytest.raises(FetchError, match=r"leads out of the (mirror|pack) .*, which is not followed"):
        fetcher.fetch(STABLE)
    assert images_in(cache) == []
    assert not any(path.read_bytes() == b"SECRET" for path in cache.rglob("*") if path.is_file())


def test_a_link_inside_of_a_mirror_is_followed_and_a_key_elsewhere_is_none(
    site, signing_key, fetcher, tmp_path, monkeypatch, tape
):
    pack = tmp_path / "pack/flatcar"
    shutil.copytree(site.folder, pack)
    shutil.rmtree(pack / "stable/amd64-usr/current")
    (pack / "stable/amd64-usr/current").symlink_to("4593.2.5")
    (tmp_path / "by-another-name").symlink_to(tmp_path / "pack")
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "by-another-name"))
    assert fetcher.fetch(STABLE).version == Version(4593, 2, 5)
    (pack / "stable" / KEY_FILE).rename(tmp_path / KEY_FILE)
    (pack / "stable" / KEY_FILE).symlink_to(tmp_path / KEY_FILE)
    store.remove_images(store.list_cached())
    monkeypatch.delenv("FLATKIT_SIGNING_KEY")
    monkeypatch.setattr(signing, "FLATCAR_PRIMARY", signing_key.primary)
    monkeypatch.setattr(keyring, "OFFICIAL", Source(name="none", base=str(tmp_path / "none")))
    with pytest.raises(FetchError, match="public key is not available"):
        replace(fetcher, trust=find_trust(), sources=(find_mirror(),)).fetch(STABLE)


def test_a_mirror_that_is_older_than_the_cache(site, fetcher, tape, tmp_path, monkeypatch):
    newest = fetcher.fetch(STABLE)
    site.point("current", "4593.2.4")
    (tmp_path / "pack").mkdir()
    (site.folder).rename(tmp_path / "pack/flatcar")
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "pack"))
    assert fetcher.fetch(STABLE) == newest
    assert "older than 4593.2.5 in the cache" in said(tape)


def test_a_mirror_older_than_what_was_here_is_passed_over(site, fetcher, tape, tmp_path, monkeypatch):
    fetcher.fetch(STABLE)
    store.remove_images(store.list_cached())
    pack = tmp_path / "pack/flatcar"
    shutil.copytree(site.folder, pack)
    (pack / "stable/amd64-usr/current/version.txt").write_text("FLATCAR_VERSION=4593.2.4\n")
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "pack"))
    assert fetcher.fetch(STABLE).version == Version(4593, 2, 5)
    assert "it has 4593.2.4, older than the 4593.2.5 that was here before" in said(tape)


def test_the_time_of_a_download_is_told_from_the_last_one(site, fetcher, tape):
    fetcher.fetch(STABLE)
    assert "at 6.2 MB/s" in said(tape)  # nothing known yet: 50 Mbit/s
    (store.flatcar_dir() / "rates.json").write_text(json.dumps({site.release_server: 1_000_000}))
    site.add("4593.2.6", DATA[::-1])
    fetcher.fetch(STABLE)
    assert "3 MB; about 3 s at 1.0 MB/s" in said(tape)
    (store.flatcar_dir() / "rates.json").write_text("[]")
    site.add("4593.2.7", DATA[1:])
    assert fetcher.fetch(STABLE).version == Version(4593, 2, 7)


def test_waiting_for_another_flatkit_can_be_stopped(site, fetcher, tape):
    folder = store.image_folder(STABLE.channel, Board.AMD64, Version(4593, 2, 5))
    folder.mkdir(parents=True)
    stop = threading.Event()

    class Impatient(Tape):
        def notify(self, event):
            super().notify(event)
            if "another flatkit" in said(self):
                stop.set()

    impatient = Impatient()
    with locked(folder, tape, what="it"), pytest.raises(Cancelled, match="waiting for another"):
        replace(fetcher, observer=impatient, cancel=stop).fetch(STABLE)
    assert "another flatkit is fetching Flatcar stable 4593.2.5" in said(impatient)


def test_without_any_server_the_cache_serves(site, fetcher, tape, monkeypatch):
    image = fetcher.fetch(STABLE)
    monkeypatch.setenv("FLATKIT_RELEASE_SERVER", "http://127.0.0.1:1/{channel}")
    assert fetcher.fetch(STABLE) == image
    assert "taking stable 4593.2.5 from the cache, fetched just now" in said(tape)
    with pytest.raises(FetchError, match="nothing listens there") as caught:
        fetcher.fetch(find_wanted("beta"))
    assert "--image lab" in caught.value.hint


@pytest.mark.parametrize("value", ["no-such-folder", "ftp://x/"])
def test_a_mirror_that_is_none(fetcher, monkeypatch, value):
    monkeypatch.setenv("FLATKIT_MIRROR", value)
    with pytest.raises(ValueError, match="there is no such folder"):
        fetcher.fetch(STABLE)


def test_digests():
    text = (
        f"# MD5 HASH\n{'a' * 32}  x.img\n# SHA1 HASH\n{'b' * 40}  x.img\n# SHA512 HASH\n{'C' * 128}  x.img\n".encode()
    )
    assert get_sha512(text, "x.img") == "c" * 128
    for name in ("y.img", "xximg", "img"):
        with pytest.raises(ImageError, match="do not mention"):
            get_sha512(text, name)


def test_a_forged_key_file_fetches_nothing(site, fetcher, signing_key, monkeypatch, cache):
    monkeypatch.delenv("FLATKIT_SIGNING_KEY")
    monkeypatch.setattr(signing, "FLATCAR_PRIMARY", signing_key.primary)
    monkeypatch.setattr(keyring, "OFFICIAL", Source(name="nobody", base=str(cache / "nothing/{channel}")))
    line = f"[GNUPG:] VALIDSIG {signing_key.subkey} 2026-08-13 1786600000 0 4 0 22 10 00 {signing_key.primary}"
    with SigningKey(name=f"Mallory\u2028{line}") as mallory:
        site.key = mallory
        site.add("4593.2.9", b"evil")
        (site.folder / "stable" / KEY_FILE).write_bytes(signing_key.public() + mallory.public())
        with pytest.raises(ImageError, match="not one OpenPGP public key"):
            replace(fetcher, trust=find_trust()).fetch(STABLE)
    assert site.count(IMAGE) == 0
    assert store.list_cached() == []
    assert not (cache / "flatcar/stable" / KEY_FILE).exists()
