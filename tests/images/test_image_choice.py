"""Which image a name means, and what is said about names that mean none."""

from __future__ import annotations

import pytest

from flatkit.errors import ImageError, UsageError
from flatkit.events import Said, Tape
from flatkit.images import ImageKind, find_image


@pytest.mark.parametrize(
    ("name", "start", "format_"), [("x.img", b"QFI\xfb\0\0", "qcow2"), ("x.bin", b"\0" * 512, "raw")]
)
def test_path_of_a_disk(tmp_path, name, start, format_):
    (tmp_path / name).write_bytes(start)
    tape = Tape()
    image = find_image(str(tmp_path / name), observer=tape)
    assert (image.kind, image.disk_format, image.kernel) == (ImageKind.FLATCAR, format_, None)
    assert any(isinstance(event, Said) and name in event.text for event in tape.events)


@pytest.mark.parametrize(
    ("name", "error", "said", "next_"),
    [
        ("/no/such.img", ImageError, "is not there", "images list"),
        ("stabel", UsageError, 'no image "stabel"', "images list"),
        ("stable", ImageError, "cannot be fetched", "--image PATH"),
        ("4593.2.5", ImageError, "cannot be fetched", "--image PATH"),
    ],
)
def test_names_that_mean_none(name, error, said, next_):
    with pytest.raises(error, match=said) as caught:
        find_image(name)
    assert next_ in caught.value.hint


def test_compressed_image_is_named_with_the_cure(tmp_path):
    path = tmp_path / "image.img.bz2"
    path.write_bytes(b"BZh91AY")
    with pytest.raises(ImageError, match="is compressed") as caught:
        find_image(str(path))
    assert caught.value.hint == f"bunzip2 {path}"
