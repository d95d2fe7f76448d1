"""The recipe is data: the partition table is Flatcar's, and the digest names exactly what would be built."""

from __future__ import annotations

import shutil

import pytest

from flatkit.images.lab import disk, initrd, recipe


def test_partitions_are_flatcars():
    table = {row.number: (row.label, row.type_guid) for row in recipe.PARTITIONS}
    assert table == {
        1: ("EFI-SYSTEM", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
        2: ("BIOS-BOOT", "21686148-6449-6e6f-744e-656564454649"),
        3: ("USR-A", "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"),
        4: ("USR-B", "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"),
        6: ("OEM", "0fc63daf-8483-4772-8e79-3d69d8477de4"),
        7: ("OEM-CONFIG", "c95dc21a-df0e-4340-8d7b-26cbfa9a03e0"),
        9: ("ROOT", "3884dd41-8582-4404-b9a8-e9b84f2df50e"),
    }


def test_partitions_do_not_overlap_and_begin_at_two_mib_borders():
    offsets = disk.offsets()
    end = 4096 * 512
    for row in recipe.PARTITIONS:
        assert offsets[row.label] >= end
        assert offsets[row.label] % (2 * 1024 * 1024) == 0
        end = offsets[row.label] + row.mib * 1024 * 1024


def test_digest_follows_the_release_and_the_files(tmp_path, monkeypatch):
    before = recipe.digest(recipe.STABLE)
    assert before == recipe.digest(recipe.STABLE)
    assert before != recipe.digest(recipe.RELEASES["lab-beta"])
    copy = tmp_path / "images/lab"
    shutil.copytree(recipe._FOLDER.parent, copy.parent, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(recipe, "_FOLDER", copy)
    first = recipe.digest(recipe.STABLE)
    (copy / "init").write_text("#!/bin/sh\n")
    second = recipe.digest(recipe.STABLE)
    (copy / "init").chmod(0o755)
    assert len({first, second, recipe.digest(recipe.STABLE)}) == 3


MODULES_DEP = """\
kernel/fs/fat/vfat.ko.xz: kernel/fs/fat/fat.ko.xz
kernel/fs/fat/fat.ko.xz:
kernel/drivers/md/dm-verity.ko.xz: kernel/drivers/md/dm-bufio.ko.xz kernel/drivers/md/dm-mod.ko.xz
kernel/drivers/md/dm-bufio.ko.xz: kernel/drivers/md/dm-mod.ko.xz
kernel/drivers/md/dm-mod.ko.xz:
"""


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        (("vfat",), ["fat", "vfat"]),
        (("dm-verity",), ["dm-mod", "dm-bufio", "dm-verity"]),
        (("dm_verity", "fat", "vfat"), ["dm-mod", "dm-bufio", "dm-verity", "fat", "vfat"]),
        (("ext4",), []),  # built into the kernel: there is no file
    ],
)
def test_modules_come_after_what_they_need(wanted, order):
    files = initrd.module_order(MODULES_DEP, wanted)
    assert [file.rsplit("/", 1)[1].removesuffix(".ko.xz") for file in files] == order


def test_releases_have_versions_that_sort_as_their_channels_and_say_their_channel():
    order = [tuple(map(int, release.version.split("."))) for release in recipe.RELEASES.values()]
    assert order == sorted(order)
    minor = {"alpha": 0, "beta": 1, "stable": 2, "lts": 3}
    assert all(int(release.version.split(".")[1]) == minor[release.channel] for release in recipe.RELEASES.values())
    assert {release.channel for release in recipe.RELEASES.values()} == set(minor)


def test_differences_of_sparse_files(tmp_path):
    mib = 1024 * 1024
    for name, places in (("old", {0: b"a", 5: b"b", 9: b"c"}), ("new", {0: b"a", 5: b"x", 7: b"d"})):
        with (tmp_path / name).open("wb") as file:
            file.truncate(12 * mib)
            for place, data in places.items():
                file.seek(place * mib + 7)
                file.write(data)
    found = list(disk.differences(tmp_path / "old", tmp_path / "new"))
    assert {offset // mib: data[7:8] for offset, data in found} == {5: b"x", 7: b"d", 9: b"\0"}
    assert {len(data) for _, data in found} == {64 * 1024}


def test_removed_lists_hold_patterns_only():
    for name in ("usr", "etc"):
        lines = recipe.patterns(name)
        assert len(lines) > 20
        assert all(line and not line.startswith(("/", "#", " ")) for line in lines)
