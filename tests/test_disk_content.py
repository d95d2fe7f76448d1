"""Files given as `--image` or `--disk`: what each is, said in words before anything boots from it."""

from __future__ import annotations

import errno
import gzip
import io
import os
import re
import socket
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from flatkit.accounts import Obstacle
from flatkit.cli import main
from flatkit.diskcontent import check_boot_disk, check_data_disk, parse_gpt
from flatkit.errors import ImageError
from flatkit.files import read_named, read_regular
from tests.disk_headers import FLATCAR, partitioned, qcow2_header

PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>no</body></html>\n"


def tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return data.getvalue()


def archive() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("x", "y")
    return data.getvalue()


def at(offset: int, magic: bytes, *, size: int = 2**20) -> bytes:
    return (bytes(offset) + magic).ljust(size, b"\0")


def qcow2(folder: Path, data: bytes, *options: str) -> bytes:
    (folder / "raw").write_bytes(data)
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, folder / "raw", folder / "made"], check=True
    )
    return (folder / "made").read_bytes()


def noise(sectors: int) -> bytes:
    """A disk with data in every cluster, so that half of its file is not all of it."""
    return partitioned(sectors=sectors) + b"".join(
        struct.pack("<Q", n * 0x9E3779B97F4A7C15 % 2**64) for n in range(32768)
    )


# situation: what the file holds, what `--image` says, what `--disk` says ("": it is taken)
FILES: dict[str, tuple[Callable[[Path], bytes], str, str]] = {
    "flatcar": (lambda _: partitioned(), "", ""),
    "flatcar-qcow2": (lambda folder: qcow2(folder, partitioned()), "", ""),
    "flatcar-compressed-qcow2": (lambda folder: qcow2(folder, partitioned(), "-c"), "", ""),
    "empty": (lambda _: b"", "is empty", "is empty"),
    "text": (lambda _: b"variant: flatcar\nversion: 1.1.0\n", 'a text that begins with "variant', 'a text that begins with "var'),
    "text-latin1": (lambda _: b"na\xefve caf\xe9\n" * 9, "a text that begins", "a text that begins"),
    "text-utf16": (lambda _: "é text\n".encode("utf-16"), "a text that begins", "a text that begins"),
    "long-text": (lambda _: b"word " * 40000, "a text that begins", "a text that begins"),
    "page": (lambda _: PAGE, "a web page .*a server's answer instead", "a web page"),
    "json": (lambda _: b'{"message": "Not Found"}', 'a text that begins with "{', "a text"),
    "hostile-text": (lambda _: b"\x1b[2Jx\n" * 99, r"begins with \"\\x1b", "a text"),
    "gzip": (lambda _: gzip.compress(partitioned()), "compressed", "compressed"),
    "zip": (lambda _: archive(), "compressed", "compressed"),
    "lz4": (lambda _: at(0, b"\x04\x22\x4d\x18"), "compressed", "compressed"),
    "7z": (lambda _: at(0, b"7z\xbc\xaf\x27\x1c"), "compressed", "compressed"),
    "tar": (lambda _: tar(), "a tar archive", "a tar archive"),
    "program": (lambda _: Path("/bin/sh").read_bytes(), "a program", "a program"),
    "kernel": (lambda _: at(514, b"HdrS"), "a kernel", "a kernel"),
    "bootable-kernel": (lambda _: b"MZ" + at(508, b"\x55\xaa\xeb\x66HdrS"), "a kernel", "a kernel"),
    "windows-program": (lambda _: b"MZ\x90\0" + bytes(9000), "a program of Windows or UEFI", "a program"),
    "disk-that-begins-as-a-program": (lambda _: partitioned(boot_sector=b"MZ"), "", ""),
    "payload": (lambda _: at(0, b"CrAU"), "an update payload", "an update payload"),
    "iso": (lambda _: at(32769, b"CD001"), "an ISO image", ""),
    "iso-with-table": (lambda _: partitioned(["ISO"])[:32769] + at(0, b"CD001"), "an ISO image", ""),
    "ext4": (lambda _: at(1080, b"\x53\xef"), "an ext file system without a partition table", ""),
    "squashfs": (lambda _: at(0, b"hsqs"), "a squashfs without a partition table", ""),
    "blank": (lambda _: bytes(2**20), "has no partition table", ""),
    "blank-qcow2": (lambda folder: qcow2(folder, bytes(2**20)), "has no partition table", ""),
    "mbr": (lambda _: at(510, b"\x55\xaa"), r"partition table of the old kind \(MBR\)", ""),
    "debian": (lambda _: partitioned(["", "root"]), 'not Flatcar.*USR-A.*partitions are "", "root"', ""),
    "no-usr": (lambda _: partitioned(["EFI-SYSTEM", "OEM", "ROOT"]), "no partition USR-A, USR-B;", ""),
    "no-root": (lambda _: partitioned([label for label in FLATCAR if label != "ROOT"]), "no partition ROOT;", ""),
    "few-bytes": (lambda _: bytes(100), r"too small for a disk \(100 bytes\)", "too small"),
    "half": (lambda _: partitioned(sectors=4096)[: 2**20], "cut short: 1048576 bytes .* says 2097152", ""),
    "half-qcow2": (lambda folder: (data := qcow2(folder, noise(600)))[: len(data) // 2], "damaged or cut short", "damaged"),
    "qcow2-of-a-text": (lambda folder: qcow2(folder, b"words\n" * 999), "a text", "a text"),
    "qcow2-header-alone": (lambda _: qcow2_header(size=2**20), "damaged|no partition table", "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_what_a_file_is(case: str, tmp_path: Path) -> None:
    make, *expected = FILES[case]
    path = tmp_path / "x.img"
    path.write_bytes(make(tmp_path))
    for check, said in zip((check_boot_disk, check_data_disk), expected, strict=True):
        if not said:
            assert check(path) == ("qcow2" if "qcow2" in case else "raw")
            continue
        with pytest.raises(ImageError, match=said) as caught:
            check(path)
        assert caught.value.message.isprintable()
        assert caught.value.hint


@pytest.mark.parametrize("case", ["text", "page", "empty", "gzip", "iso", "debian", "half"])
def test_nothing_is_built_or_booted_for_such_an_image(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "x.img").write_bytes(FILES[case][0](tmp_path))
    assert main(["up", "--name", "never", "--image", str(tmp_path / "x.img")]) == ImageError.exit_status
    said = capsys.readouterr().err
    assert "x.img" in said
    assert "Next: " in said
    if FILES[case][2]:
        assert main(["up", "--name", "never", "--disk", str(tmp_path / "x.img")]) == ImageError.exit_status
        assert "Image: found or built" not in capsys.readouterr().err
    assert not (tmp_path / "state" / "machines" / "never").exists()


def test_a_folder_as_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--name", "never", "--image", str(tmp_path)]) == ImageError.exit_status
    assert "is a folder; expected a disk image" in capsys.readouterr().err
    assert main(["up", "--name", "never", "--disk", str(tmp_path)]) == 2
    assert "is a folder; expected a size in GB" in capsys.readouterr().err


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


# what lies at the path, what it is called
SPECIAL: list[tuple[str, Callable[[Path], object], str]] = [
    ("device", lambda path: path.symlink_to("/dev/null"), "is a device"),
    ("endless-device", lambda path: path.symlink_to("/dev/zero"), "is a device"),
    ("fifo", os.mkfifo, "is a FIFO"),
    ("socket", a_socket, "is a socket"),
    ("folder", lambda path: path.mkdir(), "is a folder"),
    ("link-to-nothing", lambda path: path.symlink_to("gone"), 'is a link to "gone", which is not there'),
    ("link-to-itself", lambda path: path.symlink_to(path), "cannot be reached: Too many levels of symbolic links"),
    ("nothing", lambda _: None, "is not there"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "said"), [row[1:] for row in SPECIAL], ids=[row[0] for row in SPECIAL])
def test_what_is_no_file_is_named_as_what_it_is(
    make: Callable[[Path], object],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    make(Path("x"))
    path = tmp_path / "x"
    for words in (["up", "--name", "never", "--image", str(path)], ["up", "--name", "never", "--disk", str(path)],
                  ["images", "verify", str(path)]):  # fmt: skip
        assert main(words) in {1, 2}
        assert f'"{path}" {said}; expected' in capsys.readouterr().err
    with pytest.raises(ImageError, match=re.escape(f'"{path}" {said}')):
        check_data_disk(path)
    if said.startswith("is a ") and "link" not in said:
        with pytest.raises(OSError, match=f"not a regular file, but {said[3:]}"):
            read_regular(path, limit=9)
    if said == "is a socket":
        with pytest.raises(OSError, match="not a regular file, but a socket"):
            read_named(path, limit=9)


def test_a_file_behind_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "mnt").symlink_to("/gone/disk")
    with pytest.raises(
        ImageError, match=r'x.img" is not there: ".*/mnt" is a link to "/gone/disk", which is not there'
    ):
        check_boot_disk(tmp_path / "mnt" / "x.img")


@pytest.mark.parametrize("name", ["", " "])
def test_an_image_without_a_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As in --image "$IMAGE" without the variable."""
    assert main(["up", "--image", name]) == 2
    assert f'there is no image "{name}"; expected auto, ' in capsys.readouterr().err


def test_an_address_as_an_image(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--image", "https://example.org/a b/x.img"]) == 2
    said = capsys.readouterr().err
    assert 'the image "https://example.org/a b/x.img" is an address' in said
    assert "Next: curl -fLO 'https://example.org/a b/x.img', then: flatkit up --image ./x.img" in said


PACKERS = [("x.img.gz", "gunzip {}"), ("x", "gunzip < {0} > {0}.img"), ("x.xz", "gunzip < {0} > {0}.img")]


@pytest.mark.parametrize(("name", "command"), PACKERS)
def test_the_program_that_unpacks_takes_the_name(name: str, command: str, tmp_path: Path) -> None:
    """gunzip refuses a file without its own suffix: the command is typed, and what comes out is the disk."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(partitioned()))
    with pytest.raises(ImageError, match="is compressed") as caught:
        check_boot_disk(path)
    assert caught.value.hint == command.format(path)
    subprocess.run(caught.value.hint, shell=True, check=True)
    path.unlink(missing_ok=True)
    assert [check_boot_disk(made) for made in tmp_path.iterdir()] == ["raw"]


def test_a_file_of_the_kernel_is_not_empty() -> None:
    with pytest.raises(ImageError, match='a text that begins with "Linux version'):
        check_boot_disk(Path("/proc/version"))


def test_an_image_of_another_user_can_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose it is; and nobody is told to take a folder of another user's with all that is in it."""
    path = tmp_path / "x.img"
    path.write_bytes(partitioned())
    obstacle = Obstacle(path=tmp_path, uid=0, gid=0, mode=0o700)
    monkeypatch.setattr("flatkit.accounts.my_uid", lambda: 4242)
    for module in ("accounts", "diskfile"):
        monkeypatch.setattr(f"flatkit.{module}.find_obstacle", lambda *_, **__: obstacle)

    def refuse(*_: object, **__: object) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("flatkit.diskfile.my_uid", lambda: 4242)
    monkeypatch.setattr("flatkit.diskfile.read_head", refuse)
    with pytest.raises(
        ImageError, match=r'cannot be read: ".*" belongs to "root" \(mode 0700\), and you are'
    ) as caught:
        check_boot_disk(path)
    assert caught.value.hint.startswith(f"sudo install -o 4242 -m 600 {path} .   ")
    assert "chown" not in caught.value.hint


@pytest.mark.parametrize("size", [0, 1, 127, 129, 2**32 - 1])
def test_a_table_with_absurd_entries(size: int) -> None:
    disk = bytearray(partitioned())
    struct.pack_into("<II", disk, 512 + 80, 2**32 - 1, size)
    assert parse_gpt(bytes(disk)) is not None
