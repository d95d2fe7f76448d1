"""The built lab image, looked at from outside: what is on the disk, and what is not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from flatkit.errors import CommandFailed
from flatkit.images.lab import disk, recipe
from flatkit.run import run

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def raw(lab_image, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("disk") / "disk.raw"
    run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", lab_image.disk, path])
    return path


@pytest.fixture(scope="module")
def partitions(raw, tmp_path_factory) -> dict[str, Path]:
    """EFI-SYSTEM and USR-A as files of their own."""
    folder = tmp_path_factory.mktemp("partitions")
    result = {}
    for label in ("EFI-SYSTEM", "USR-A"):
        row = next(row for row in recipe.PARTITIONS if row.label == label)
        result[label] = folder / label
        skip, count = disk.offsets()[label] // (1024 * 1024), row.mib
        run(["dd", f"if={raw}", f"of={result[label]}", "bs=1M", f"skip={skip}", f"count={count}", "conv=sparse"])
    return result


@pytest.fixture(scope="module")
def usr(partitions, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("usr") / "tree"
    run(["fsck.erofs", f"--extract={folder}", partitions["USR-A"]])
    return folder


def test_partition_table_reads_back(raw):
    table = json.loads(run(["sfdisk", "--json", raw]).stdout)["partitiontable"]
    assert table["id"].lower() == recipe.DISK_GUID
    found = {(int(re.search(r"\d+$", row["node"])[0]), row["name"], row["type"].lower()) for row in table["partitions"]}
    assert found == {(row.number, row.label, row.type_guid) for row in recipe.PARTITIONS}
    by_name = {row["name"]: row for row in table["partitions"]}
    assert by_name["USR-A"]["uuid"].lower() == recipe.USR_GUIDS["USR-A"]
    assert by_name["USR-B"]["uuid"].lower() == recipe.USR_GUIDS["USR-B"]
    assert by_name["USR-A"]["attrs"] == "GUID:48,56"
    assert "attrs" not in by_name["USR-B"]


def verify(image, lab_image) -> None:
    run(["veritysetup", "verify", f"--hash-offset={lab_image.hash_offset}", image, image, lab_image.root_hash])


def test_usr_verifies_and_a_changed_byte_does_not(partitions, lab_image):
    image = partitions["USR-A"]
    verify(image, lab_image)
    with image.open("r+b") as file:
        file.seek(lab_image.hash_offset // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
        file.flush()
        with pytest.raises(CommandFailed):
            verify(image, lab_image)
        file.seek(-1, 1)
        file.write(byte)
    verify(image, lab_image)


def test_efi_system_holds_the_slots_kernel_and_the_first_boot_flag(partitions, lab_image, tmp_path):
    image = partitions["EFI-SYSTEM"]
    for name in ("vmlinuz-a", "initrd-a", "sums-a", "first_boot"):
        run(["mcopy", "-i", image, f"::flatcar/{name}", tmp_path / name])
    run(["sha256sum", "--check", "--strict", "sums-a"], cwd=tmp_path)
    # Where kola reads it: 64 hex digits at byte 64, the rest as Debian built it.
    kernel, original = (tmp_path / "vmlinuz-a").read_bytes(), lab_image.kernel.read_bytes()
    assert kernel[64:128].decode() == lab_image.root_hash
    assert kernel[:64] + kernel[128:] == original[:64] + original[128:]


def test_usr_has_no_package_manager(usr):
    programs = {path.name for folder in ("bin", "sbin") for path in (usr / folder).iterdir()}
    assert {"systemctl", "systemd-sysext", "bash", "curl", "veritysetup"} <= programs
    for unwanted in ("apt", "apt-get", "dpkg", "perl", "python3"):
        assert unwanted not in programs
    assert not (usr / "lib/dpkg").exists()


def test_usr_says_what_it_is(usr):
    text = (usr / "lib/os-release").read_text()
    assert 'ID="flatcar-lab"' in text
    assert f'VERSION_ID="{recipe.STABLE.version}"' in text
    assert "not Flatcar" in (usr / "share/flatcar/etc/motd").read_text()
    assert "ID=flatcar\n" not in text


def test_defaults_of_etc_hold_core_and_no_secrets(usr):
    etc = usr / "share/flatcar/etc"
    assert "core:x:500:500:" in (etc / "passwd").read_text()
    assert not list(etc.glob("ssh/ssh_host_*"))
    for line in (etc / "shadow").read_text().splitlines():
        assert line.split(":")[1] in {"*", "!*", "!"}


def test_the_same_tree_gives_the_same_root_hash(tmp_path):
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "hello").write_text("hello" * 1000)
    salt = "ab" * 32
    first = disk.usr_image(tree, tmp_path / "one.img", salt=salt)
    second = disk.usr_image(tree, tmp_path / "two.img", salt=salt)
    (tree / "bin" / "hello").write_text("other")
    third = disk.usr_image(tree, tmp_path / "three.img", salt=salt)
    assert first.root_hash == second.root_hash != third.root_hash
    assert (tmp_path / "one.img").read_bytes() == (tmp_path / "two.img").read_bytes()
