"""Files that others may have touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flatkit.files import hash_file, open_below, open_regular, read_regular, write_atomic


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("plain")
    (tmp_path / "plain").write_bytes(b"abc")
    for refused in (tmp_path / "fifo", Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match=r"regular|directory"):
            open_regular(refused)
    with pytest.raises(OSError, match="symbolic"):
        open_regular(tmp_path / "link", follow=False)
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize(
    "inside", ["", "/etc/passwd", "../secret", "sub/../../secret", "link/secret", "direct", "a\0b"]
)
def test_nothing_outside_of_the_folder_is_opened(tmp_path: Path, inside: str) -> None:
    pack = tmp_path / "pack"
    (pack / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (pack / "link").symlink_to(tmp_path)
    (pack / "direct").symlink_to(tmp_path / "secret")
    (pack / "sub" / "plain").write_text("plain")
    with pytest.raises(OSError, match=r"."):
        open_below(pack, inside)
    with open_below(pack, "sub/plain") as file:
        assert file.read() == b"plain"


def test_reading_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234")
    assert read_regular(path, limit=4) == b"1234"
    with pytest.raises(OSError, match="larger than 3"):
        read_regular(path, limit=3)


def test_a_write_is_whole_and_goes_through_no_link(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "path"
    target.write_text("untouched")
    path.symlink_to(target)
    write_atomic(path, "new", mode=0o600)
    assert (target.read_text(), path.read_text(), path.is_symlink()) == ("untouched", "new", False)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path, "x")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["path", "target"]


def test_hash(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert hash_file(tmp_path / "abc").startswith("ba7816bf")
