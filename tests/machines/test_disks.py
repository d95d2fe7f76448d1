"""A machine's disks, made by the real qemu-img: overlays never cut an image, and images are only read."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from flatkit.errors import ImageError, UsageError
from flatkit.fields import Fields, to_json
from flatkit.machines.disks import check_images, make_disks, measure_image
from flatkit.machines.domain import DomainFiles
from flatkit.machines.spec import Arch, Firmware, MachineSpec

GIB = 2**30


def make_image(path: Path, gib: int, form: str = "qcow2") -> Path:
    subprocess.run(["qemu-img", "create", "-q", "-f", form, path, f"{gib}G"], check=True)
    return path


def info(path: Path) -> dict:
    done = subprocess.run(["qemu-img", "info", "--output=json", path], check=True, capture_output=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("form", ["qcow2", "raw"])
def test_the_size_of_the_disk_in_an_image(tmp_path, form):
    assert measure_image(make_image(tmp_path / "x", 3, form), form) == 3 * GIB


@pytest.mark.parametrize(("wanted", "gib"), [(None, 9), (4, 9), (9, 9), (16, 16)])
def test_an_overlay_grows_an_image_and_never_cuts_it(tmp_path, wanted, gib):
    image = make_image(tmp_path / "flatcar.img", 9)
    spec = MachineSpec(name="x", disk=image, disk_format="qcow2", disk_gib=wanted)
    files = DomainFiles(overlay=tmp_path / "overlay", console=tmp_path / "console")
    make_disks(spec, files)
    found = info(files.overlay)
    assert found["virtual-size"] == gib * GIB
    assert found["backing-filename"] == str(image)


def test_extra_disks_are_empty_ones_and_then_images(tmp_path):
    images = (make_image(tmp_path / "a.qcow2", 2), make_image(tmp_path / "b.raw", 1, "raw"))
    spec = MachineSpec(
        name="x", disk=make_image(tmp_path / "x", 1), disk_format="qcow2", extra_disks_gib=(5,), extra_images=images
    )
    disks = tuple(tmp_path / f"disk{number}" for number in (1, 2, 3))
    make_disks(spec, DomainFiles(overlay=tmp_path / "overlay", console=tmp_path / "console", extra_disks=disks))
    found = [info(disk) for disk in disks]
    assert [one["virtual-size"] // GIB for one in found] == [5, 2, 1]
    assert [one.get("backing-filename") for one in found] == [None, *map(str, images)]
    assert [one.get("backing-filename-format") for one in found] == [None, "qcow2", "raw"]


def test_a_disk_image_that_is_not_there(tmp_path):
    spec = MachineSpec(name="x", disk=make_image(tmp_path / "x", 1), extra_images=(tmp_path / "none",))
    with pytest.raises(ImageError, match='none" is not there'):
        check_images(spec)


def test_firmware_and_images_survive_json_and_old_records_have_none():
    spec = MachineSpec(name="x", disk=Path("/d"), firmware=Firmware.UEFI, extra_images=(Path("/e"),))
    values = json.loads(json.dumps(to_json(spec)))
    assert Fields(values).build(MachineSpec) == spec
    del values["firmware"], values["extra_images"]
    assert Fields(values).build(MachineSpec) == MachineSpec(name="x", disk=Path("/d"))


def test_there_is_no_bios_on_arm():
    with pytest.raises(UsageError, match="no BIOS"):
        MachineSpec(name="x", disk=Path("/d"), arch=Arch.AARCH64, firmware=Firmware.BIOS)
