"""Disk images from outside: one that refers to another file of this host is refused before any program opens it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from pathlib import Path

import pytest

from flatkit.cli import main
from flatkit.diskfile import find_format, parse_qcow2
from flatkit.errors import FlatkitError, ImageError, UsageError
from flatkit.events import Observer
from flatkit.images import find_image
from flatkit.images.from_pack import unpack_lab_image
from flatkit.images.lab import recipe
from flatkit.images.lab.build import find_lab_image
from flatkit.images.pack_manifest import MANIFEST, SUMS, PackedImage, PackManifest, manifest_as_text, sums_as_text
from flatkit.machines.disks import check_images, disk_commands, make_disks
from flatkit.machines.domain import DomainFiles
from flatkit.machines.spec import MachineSpec
from flatkit.packs.builder import measure
from flatkit.paths import cache_dir
from tests.disk_headers import partitioned, qcow2_header

PACKAGE = Path(__file__).resolve().parents[2] / "flatkit"


def qemu_img(*words: str | Path) -> str:
    return subprocess.run(["qemu-img", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that no guest is to read."""
    path = tmp_path / "shadow"
    path.write_bytes(b"root:secret\n".ljust(512, b"\0"))
    return path


def with_backing(path: Path, secret: Path) -> None:
    qemu_img("create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", path)


def with_relative_backing(path: Path, secret: Path) -> None:
    path.write_bytes(qcow2_header(backing=b"../" + secret.name.encode()))


def with_old_backing(path: Path, secret: Path) -> None:
    path.write_bytes(qcow2_header(version=2, backing=str(secret).encode()))


def with_protocol(path: Path, secret: Path) -> None:
    path.write_bytes(qcow2_header(backing=b"nbd://127.0.0.1:1/x"))


def with_json(path: Path, secret: Path) -> None:
    name = json.dumps({"driver": "raw", "file.filename": str(secret)})
    path.write_bytes(qcow2_header(backing=f"json:{name}".encode()))


def with_empty_backing(path: Path, secret: Path) -> None:
    path.write_bytes(qcow2_header(backing=b""))


def with_own_backing(path: Path, secret: Path) -> None:
    """What flatkit makes itself, with a name in the cache that leads out of it."""
    inside = cache_dir() / "lab" / "x"
    path.write_bytes(qcow2_header(backing=f"{inside}/../../../{secret.name}".encode()))


def with_data_file(path: Path, secret: Path) -> None:
    copy = secret.with_name("data")
    qemu_img("create", "-q", "-f", "qcow2", "-o", f"data_file={copy},data_file_raw=on", path, "1M")


def with_data_file_named_only(path: Path, secret: Path) -> None:
    head = bytearray(qcow2_header(data_file=str(secret).encode()))
    head[72:80] = bytes(8)
    path.write_bytes(head)


def with_encryption(path: Path, secret: Path) -> None:
    path.write_bytes(qcow2_header(crypt=2))


def with_extents(path: Path, secret: Path) -> None:
    path.write_text(
        f'# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\n'
        f'RW 1 FLAT "{secret}" 0\n'
    )


def with_vdi(path: Path, secret: Path) -> None:
    qemu_img("create", "-q", "-f", "vdi", path, "1M")


def with_vmdk(path: Path, secret: Path) -> None:
    qemu_img("create", "-q", "-f", "vmdk", path, "1M")


def with_vhdx(path: Path, secret: Path) -> None:
    qemu_img("create", "-q", "-f", "vhdx", path, "1M")


def with_half_a_header(path: Path, secret: Path) -> None:
    path.write_bytes(b"QFI\xfb\0\0")


def as_fifo(path: Path, secret: Path) -> None:
    os.mkfifo(path)


def as_device(path: Path, secret: Path) -> None:
    path.symlink_to("/dev/zero")


def as_folder(path: Path, secret: Path) -> None:
    path.mkdir()


ATTACKS = {
    with_backing: "backing file", with_relative_backing: r'backing file "../shadow"', with_old_backing: "backing file",
    with_protocol: "backing file", with_json: "backing file", with_empty_backing: "backing file",
    with_own_backing: "backing file", with_data_file: "keeps its data in another file",
    with_data_file_named_only: "keeps its data in another file", with_encryption: "encrypted", with_extents: "format vmdk",
    with_vdi: "format vdi", with_vmdk: "format vmdk", with_vhdx: "format vhdx", with_half_a_header: "not a valid qcow2",
    as_fifo: "is a FIFO", as_device: "is a device", as_folder: "is a folder",
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_image_that_is_not_one_file_is_refused(
    attack, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    image, plain = tmp_path / "images" / "x.img", tmp_path / "plain.img"
    attack(image, secret)
    qemu_img("create", "-q", "-f", "qcow2", plain, "1M")
    # No program may see it, not even one that looks at it.
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ImageError, match=ATTACKS[attack]) as caught:
        find_image(str(image))
    assert caught.value.hint
    files = DomainFiles(overlay=tmp_path / "overlay", console=tmp_path / "console", extra_disks=(tmp_path / "disk1",))
    first = MachineSpec(name="x", disk=image, disk_format="qcow2")
    extra = MachineSpec(name="x", disk=plain, disk_format="qcow2", extra_images=(image,))
    for spec in (first, extra):
        with pytest.raises(ImageError):
            check_images(spec)
        with pytest.raises(ImageError):
            list(disk_commands(spec, files))


def test_an_extra_disk_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in (tmp_path / "fifo", "/dev/null", "~no-such-user/x", "x" * 5000, "nbd:127.0.0.1:1", "json:{}"):
        assert main(["up", "--disk", str(name)]) == UsageError.exit_status


NAMES = [
    'json:{"driver":"null-co"}',
    "nbd:127.0.0.1:1",
    "fat:rw:etc",
    "blkdebug::x",
    "-o",
    "a,b=c",
    "file:x",
    "ssh:x",
    "host_device:x",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_the_name_of_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU gives these names meanings of their own; here each is a file of this folder."""
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    Path("images", name).write_bytes(partitioned())
    image = find_image(f"images/{name}")
    assert (image.disk, image.disk_format) == (tmp_path / "images" / name, "raw")
    monkeypatch.chdir(tmp_path / "images")
    assert find_image(name).disk == tmp_path / "images" / name
    disk = tmp_path / "disk1"
    files = DomainFiles(overlay=tmp_path / "overlay", console=tmp_path / "c", extra_disks=(disk,))
    make_disks(MachineSpec(name="x", disk=Path(name), extra_images=(Path(name),)), files)
    for made in (files.overlay, disk):
        found = json.loads(qemu_img("info", "-f", "qcow2", "--output=json", made))
        assert found["backing-filename"] == str(tmp_path / "images" / name)
        assert found["backing-filename-format"] == "raw"


@pytest.mark.parametrize("name", [*NAMES, "~no-such-user/x", "x/" * 3000, "/proc/self/mem", "\x1b[31m/x"])
def test_a_name_of_no_file_is_said(name: str) -> None:
    with pytest.raises(FlatkitError) as caught:
        find_image(name)
    assert caught.value.hint
    assert caught.value.message.isprintable()


def test_a_raw_image_stays_raw_whatever_its_first_bytes_say_later(secret: Path, tmp_path: Path) -> None:
    image = tmp_path / "x.img"
    image.write_bytes(partitioned(sectors=2**9))
    spec = MachineSpec(name="x", disk=find_image(str(image)).disk, disk_format=find_image(str(image)).disk_format)
    image.write_bytes(qcow2_header(backing=str(secret).encode()))
    files = DomainFiles(overlay=tmp_path / "overlay", console=tmp_path / "c")
    check_images(spec)
    make_disks(spec, files)
    found = json.loads(qemu_img("info", "-f", "qcow2", "--output=json", files.overlay))
    assert (found["backing-filename-format"], found["virtual-size"]) == ("raw", 2**18)


def test_images_of_one_file_are_taken(tmp_path: Path) -> None:
    for number, options in enumerate([["-o", "compat=0.10"], ["-o", "compat=1.1"], ["-o", "cluster_size=2M"],
                                      ["-o", "compression_type=zstd"], ["-o", "lazy_refcounts=on,extended_l2=on"]]):  # fmt: skip
        qemu_img("create", "-q", "-f", "qcow2", *options, tmp_path / f"{number}", "3M")
        assert find_format(tmp_path / f"{number}") == "qcow2"
        assert parse_qcow2((tmp_path / f"{number}").read_bytes()).size == 3 * 2**20
    (tmp_path / "raw").write_bytes(b"")
    assert find_format(tmp_path / "raw") == "raw"


def test_the_labs_own_releases_stand_on_each_other(
    secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    lab = tmp_path / "cache" / "lab"
    base, disk, third = (lab / name / "disk.qcow2" for name in ("a", "b", "c"))
    for path in (base, disk, third):
        path.parent.mkdir(parents=True)
    qemu_img("create", "-q", "-f", "qcow2", base, "1M")
    qemu_img("create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", disk)
    qemu_img("create", "-q", "-f", "qcow2", "-b", disk, "-F", "qcow2", third)
    check_images(MachineSpec(name="x", disk=disk, disk_format="qcow2"))
    elsewhere = tmp_path / "disk.qcow2"
    disk.with_name("raw.qcow2").write_bytes(qcow2_header(backing=str(base).encode()))
    elsewhere.write_bytes(disk.read_bytes())
    # One step and no more, with its format, and only in the cache.
    for refused in (third, elsewhere, disk.with_name("raw.qcow2")):
        with pytest.raises(ImageError, match="backing file"):
            check_images(MachineSpec(name="x", disk=refused, disk_format="qcow2"))
    base.unlink()
    base.symlink_to(secret)
    with pytest.raises(ImageError, match="backing file"):
        check_images(MachineSpec(name="x", disk=disk, disk_format="qcow2"))


# Lab images out of a pack.

FILES = ("disk.qcow2", "vmlinuz", "selector", "image.json")


def make_pack(pack: Path, disks: dict[str, bytes]) -> None:
    files, images = [], []
    for release in (recipe.STABLE, recipe.RELEASES["lab-beta"]):
        inside = f"lab/{release.version}-{recipe.digest(release)}"
        (pack / inside).mkdir(parents=True)
        for name in FILES:
            (pack / inside / name).write_text("x")
        facts = {
            "version": release.version,
            "channel": release.channel,
            "root_hash": "00",
            "hash_offset": 1,
            "usr_size": 1,
        }
        (pack / inside / "image.json").write_text(json.dumps(facts))
        (pack / inside / "disk.qcow2").write_bytes(disks[release.name])
        files += [measure(pack, f"{inside}/{name}") for name in FILES]
        images.append(PackedImage(name=release.name, version=release.version, folder=inside, files=FILES))
    manifest = PackManifest(made="now", flatkit="0", files=tuple(files), images=tuple(images))
    (pack / MANIFEST).write_text(manifest_as_text(manifest))
    (pack / SUMS).write_text(sums_as_text(manifest))


def plain_disk(folder: Path) -> bytes:
    qemu_img("create", "-q", "-f", "qcow2", folder / "plain", "1M")
    return (folder / "plain").read_bytes()


@pytest.mark.parametrize(
    "attack", [one for one in ATTACKS if one.__name__.startswith("with_")], ids=lambda one: one.__name__
)
def test_a_packs_disk_that_is_not_one_file_is_refused(
    attack, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "pack"))
    attack(tmp_path / "bad", secret)
    make_pack(tmp_path / "pack", {"lab": (tmp_path / "bad").read_bytes(), "lab-beta": plain_disk(tmp_path)})
    with pytest.raises(ImageError):
        unpack_lab_image(recipe.STABLE, observer=Observer())
    assert find_lab_image() is None
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != ".lock"] == []


@pytest.mark.parametrize(
    "attack", [with_data_file, with_encryption, with_extents, with_half_a_header], ids=lambda one: one.__name__
)
def test_a_packs_second_disk_is_looked_at_before_it_is_changed(
    attack, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "pack"))
    attack(tmp_path / "bad", secret)
    make_pack(tmp_path / "pack", {"lab": plain_disk(tmp_path), "lab-beta": (tmp_path / "bad").read_bytes()})
    with pytest.raises(ImageError):
        unpack_lab_image(recipe.RELEASES["lab-beta"], observer=Observer())
    assert find_lab_image(recipe.RELEASES["lab-beta"]) is None


@pytest.mark.parametrize("name", ["/etc/shadow", "../shadow", "nbd://127.0.0.1:1/x", 'json:{"driver":"null-co"}'])
def test_a_packs_second_disk_stands_on_this_hosts_first_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its maker's host had below it: that name is replaced, and never opened."""
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLATKIT_MIRROR", str(tmp_path / "pack"))
    second = tmp_path / "second"
    qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", name, "-F", "raw", second, "1M")
    make_pack(tmp_path / "pack", {"lab": plain_disk(tmp_path), "lab-beta": second.read_bytes()})
    assert unpack_lab_image(recipe.RELEASES["lab-beta"], observer=Observer())
    first, beta = find_lab_image(), find_lab_image(recipe.RELEASES["lab-beta"])
    assert first
    assert beta
    found = json.loads(qemu_img("info", "-f", "qcow2", "--output=json", beta.disk))
    assert (found["backing-filename"], found["backing-filename-format"]) == (str(first.disk), "qcow2")


# QEMU never guesses.


def test_each_call_of_qemu_img_names_the_format() -> None:
    calls = [
        (path.name, [word.value for word in node.elts if isinstance(word, ast.Constant)])
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.List) and node.elts and isinstance(node.elts[0], ast.Constant)
        and node.elts[0].value in {"qemu-img", "qemu-io", "qemu-nbd"}
    ]  # fmt: skip
    assert len(calls) >= 6
    assert [call for call in calls if not {"-f", "--image-opts"} & set(call[1])] == []
    shell = [line for path in PACKAGE.rglob("*.py") for line in path.read_text().split("\n") if "qemu-img info" in line]
    assert [line for line in shell if "-f qcow2" not in line and not line.lstrip().startswith(("#", '"""'))] == []
