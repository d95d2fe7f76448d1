"""A new machine says which version it is, and that is held against what its image was fetched as."""

from __future__ import annotations

import subprocess

import pytest
from flatcar_parts import said

from flatkit.api.up import ASK, check_identity
from flatkit.errors import ImageError
from flatkit.images import Image, ImageKind

FLATCAR = """NAME="Flatcar Container Linux by Kinvolk"
ID=flatcar
VERSION_ID=4593.2.5
PRETTY_NAME="Flatcar Container Linux by Kinvolk 4593.2.5 (Oklo)"
"""


def image(tmp_path) -> Image:
    return Image(kind=ImageKind.FLATCAR, label="x", disk=tmp_path, disk_format="qcow2", why="", version="4593.2.5")


@pytest.mark.parametrize(
    "text", [FLATCAR, FLATCAR.replace("=flatcar", '="flatcar"').replace("=4593.2.5", '="4593.2.5"')]
)
def test_the_question_is_answered_by_the_file_of_old_and_new_releases(tmp_path, tape, text):
    (tmp_path / "os-release").write_text(text)
    done = subprocess.run(["sh", "-c", ASK.replace("/etc", str(tmp_path))], capture_output=True, text=True, check=True)
    check_identity(image(tmp_path), done.stdout, machine="web", observer=tape)
    assert tape.events == []


def test_an_old_image_under_a_new_number(tmp_path, tape):
    with pytest.raises(
        ImageError, match=r'fetched as Flatcar "4593.2.5", and the machine says that it is "3510.2.0"'
    ) as caught:
        check_identity(image(tmp_path), "flatcar 3510.2.0\n", machine="web", observer=tape)
    assert caught.value.hint.startswith("flatkit down web, then: flatkit images rm 4593.2.5")


def test_what_is_not_flatcar_is_said(tmp_path, tape):
    check_identity(image(tmp_path), "flatcar-lab 110.2.0\n", machine="web", observer=tape)
    assert 'it says "flatcar-lab 110.2.0"' in said(tape)
