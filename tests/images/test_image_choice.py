"""Which image a name means, and what is said about names that mean none."""

from __future__ import annotations

import shlex

import pytest
from flatcar_parts import DATA, STABLE, said

from flatkit.errors import ImageError, UsageError
from flatkit.events import Said, Tape
from flatkit.images import ImageKind, find_image
from flatkit.images.lab.build import LabImage
from flatkit.images.releases import find_wanted
from flatkit.run import run
from tests.disk_headers import partitioned


@pytest.mark.parametrize(("name", "format_"), [("x.img", "qcow2"), ("x.bin", "raw")])
def test_path_of_a_disk(tmp_path, name, format_):
    (tmp_path / "raw").write_bytes(partitioned())
    run(["qemu-img", "convert", "-f", "raw", "-O", format_, tmp_path / "raw", tmp_path / name])
    tape = Tape()
    image = find_image(str(tmp_path / name), observer=tape)
    assert (image.kind, image.disk_format, image.kernel) == (ImageKind.FLATCAR, format_, None)
    assert any(isinstance(event, Said) and name in event.text for event in tape.events)


@pytest.mark.parametrize(
    ("name", "error", "said", "next_"),
    [
        ("/no/such.img", ImageError, "is not there", "images list"),
        ("stabel", UsageError, r'no image "stabel".*did you mean stable\?', "images list"),
        ("4593.9.1", UsageError, "not a Flatcar version", "images list"),
    ],
)
def test_names_that_mean_none(name, error, said, next_):
    with pytest.raises(error, match=said) as caught:
        find_image(name)
    assert next_ in caught.value.hint


@pytest.fixture
def built_lab(monkeypatch, tmp_path):
    """The lab image, as if it were built: which image is taken is the question here."""
    lab = LabImage(folder=tmp_path, version="110.2.0", channel="stable", root_hash="", hash_offset=0, usr_size=0)
    monkeypatch.setattr("flatkit.images.lab.build.build_lab_image", lambda observer, release=None: lab)


def test_auto_takes_the_lab_image_and_never_downloads_flatcar(site, built_lab, tape):
    image = find_image("auto", observer=tape)
    assert (image.kind, image.version) == (ImageKind.LAB, "110.2.0")
    assert site.asked == []
    assert "no Flatcar image is at hand" in said(tape)


def test_an_arm64_host_is_told_to_fetch_flatcars_own_image(site, built_lab, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    for name in ("auto", "lab"):
        with pytest.raises(ImageError, match="this host is arm64") as caught:
            find_image(name)
        assert "flatkit images fetch stable" in caught.value.hint


def test_auto_takes_a_cached_flatcar_image_stable_first(site, fetcher, built_lab, tape):
    site.add("4790.0.0", b"alpha", channel="alpha")
    fetcher.fetch(find_wanted("alpha"))
    assert find_image("auto").label.startswith("Flatcar alpha 4790.0.0")
    fetcher.fetch(STABLE)
    site.asked.clear()
    image = find_image("auto", observer=tape)
    assert (image.kind, image.version, image.memory_mib) == (ImageKind.FLATCAR, "4593.2.5", 2048)
    assert (image.kernel, image.disk_gib, image.ignition_spec, image.arch) == (None, 16, (3, 5, 0), "amd64")
    assert site.asked == []
    assert "in the cache, verified, fetched just now" in said(tape)


def test_auto_takes_one_from_a_mirror(site, built_lab, tmp_path, monkeypatch, tape):
    (tmp_path / "pack").mkdir()
    site.folder.rename(tmp_path / "pack/flatcar")
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "pack"))
    image = find_image("auto", observer=tape)
    assert (image.version, image.disk.read_bytes()) == ("4593.2.5", DATA)
    assert site.asked == []
    assert "the mirror" in image.why


def test_auto_goes_on_without_a_mirror_that_does_not_answer(site, built_lab, monkeypatch, tape):
    monkeypatch.setenv("FLATKIT_MIRROR", "http://127.0.0.1:1")
    monkeypatch.setattr("flatkit.images.mirrors.Timeouts.wait", lambda *_: None)
    assert find_image("auto", observer=tape).kind is ImageKind.LAB
    assert "nothing listens there" in said(tape)


def test_a_channel_is_fetched_once_and_then_at_hand(site, tape):
    first = find_image("stable", observer=tape)
    assert first.disk.read_bytes() == DATA
    assert "3 MB; about" in said(tape)
    site.asked.clear()
    again = find_image("stable", observer=tape)
    assert (again.disk, site.asked) == (first.disk, [])
    assert "flatkit images fetch stable looks for a newer one" in again.why
    assert find_image("4593.2.5").disk == first.disk


def test_the_badge_says_whose_key_it_was(site, signing_key, monkeypatch):
    replaced = find_image("stable").badge
    assert replaced.startswith("Flatcar stable 4593.2.5, signed for the key in FLATKIT_SIGNING_KEY")
    monkeypatch.delenv("FLATKIT_SIGNING_KEY")
    monkeypatch.setattr("flatkit.images.signing.FLATCAR_PRIMARY", signing_key.primary)
    # The same file was verified for another key, so it is fetched (and verified) anew.
    assert find_image("stable").badge == "Flatcar stable 4593.2.5"


def test_an_image_by_its_path_was_not_verified(tmp_path):
    (tmp_path / "x.img").write_bytes(partitioned())
    assert find_image(str(tmp_path / "x.img")).badge == "x.img, not verified by flatkit"


@pytest.mark.parametrize("name", ["image.img.bz2", "image; touch x.img.bz2", "$(touch x).bz2"])
def test_compressed_image_is_named_with_the_cure(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"BZh91AY")
    with pytest.raises(ImageError, match="is compressed") as caught:
        find_image(str(path))
    assert shlex.split(caught.value.hint) == ["bunzip2", str(path)]
