"""Files that others may have touched."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from flatkit import files
from flatkit.errors import MissingDependency
from flatkit.files import (
    hash_file,
    open_below,
    open_regular,
    read_data,
    read_head,
    read_named,
    read_regular,
    remove_below,
    remove_partials,
    replace_below,
    write_atomic,
)


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


def test_a_file_that_a_person_names_has_a_longest_length(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"abc")
    os.close(writer)
    assert read_named(f"/dev/fd/{reader}", limit=3) == b"abc"  # as a shell's <(...)
    os.close(reader)
    for endless in ("/dev/zero", "/dev/urandom"):
        with pytest.raises(OSError, match="larger than 9 bytes"):
            read_named(endless, limit=9)


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


def test_a_file_below_a_folder_is_replaced_whole_and_not_through_a_link(tmp_path: Path) -> None:
    pack, outside = tmp_path / "pack", tmp_path / "outside"
    pack.mkdir()
    outside.write_text("untouched")
    (pack / "file").symlink_to(outside)
    (pack / ".file.part").symlink_to(outside)  # where a killed writer would have left its part
    with replace_below(pack, "file", mode=0o640) as file:
        file.write(b"new")
    assert (outside.read_text(), (pack / "file").read_text()) == ("untouched", "new")
    assert (pack / "file").lstat().st_mode & 0o7777 == 0o640
    with replace_below(pack, "a/b/c") as file:
        file.write(b"deep")
    assert (pack / "a/b/c").read_text() == "deep"
    with pytest.raises(TypeError), replace_below(pack, "file") as file:
        file.writelines([b"half", "no bytes"])
    assert (pack / "file").read_text() == "new"
    assert sorted(path.name for path in pack.iterdir()) == ["a", "file"]


@pytest.mark.parametrize("inside", ["", "/etc/x", "../x", "sub/../../x", "link/x", "sub/link/x", "a\0b", "plain/x"])
def test_nothing_outside_of_the_folder_is_written_or_removed(tmp_path: Path, inside: str) -> None:
    pack, outside = tmp_path / "pack", tmp_path / "outside"
    (pack / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "x").write_text("untouched")
    (tmp_path / "x").write_text("untouched")
    (pack / "plain").write_text("")
    (pack / "link").symlink_to(outside)
    (pack / "sub/link").symlink_to("../../outside")
    with pytest.raises(OSError, match=r"not a path below|symbolic link|Not a directory"), replace_below(pack, inside):
        pass
    with pytest.raises(OSError, match=r"not a path below|symbolic link|Not a directory"):
        remove_below(pack, inside)
    assert (outside / "x").read_text() == (tmp_path / "x").read_text() == "untouched"
    assert len(list(outside.iterdir())) == 1


def test_removing_takes_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("untouched")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/link").symlink_to(tmp_path / "outside")
    remove_below(tmp_path / "pack", "link")
    remove_below(tmp_path / "pack", "link")  # nothing is there any more
    remove_below(tmp_path / "pack", "nowhere/file")
    assert list((tmp_path / "pack").iterdir()) == []
    assert (tmp_path / "outside").read_text() == "untouched"


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    names = [".state.json.abc12345.part", ".state.json.part", ".other.json.abc.part", "state.json", "state.json.lock"]
    for name in names:
        (tmp_path / name).touch()
    remove_partials(tmp_path / "state.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[2:])


def test_a_file_that_has_no_bytes_to_read_now_is_an_error_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as /proc/kmsg, which is a regular file by its kind."""
    reader, writer = os.pipe2(os.O_NONBLOCK)
    monkeypatch.setattr("flatkit.files.open_regular", lambda _: os.fdopen(os.dup(reader), "rb"))
    for read in (lambda: read_head("x", 1), lambda: read_regular("x", limit=1)):
        with pytest.raises(OSError, match="no bytes to read now"):
            read()
    os.write(writer, b"a")
    assert read_head("x", 1) == b"a"
    os.close(writer)
    os.close(reader)


def test_data_of_the_package_is_read_by_the_name_of_its_format(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text('{"größe": [1, true, null]}', encoding="utf-8")
    (tmp_path / "two.json").write_text("[1.5]")
    (tmp_path / "three.yaml").write_text("a: [x, 2]\nb:\n  c: yes\n")
    assert read_data(tmp_path / "one.json", dict) == {"größe": [1, True, None]}
    assert read_data(tmp_path / "two.json", list) == [1.5]
    assert read_data(tmp_path / "three.yaml", dict) == {"a": ["x", 2], "b": {"c": True}}


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("gone.json", None, "No such file or directory"),
        ("cut.json", b'{"a": ', "Expecting value"),
        ("cut.yaml", b"a: [", "while parsing"),
        ("other.json", b"[]", "its top level is not a dict"),
        ("latin1.json", b'{"a": "\xe4"}', "'utf-8' codec can't decode"),
    ],
)
def test_damaged_data_of_the_package_is_named(tmp_path: Path, name: str, data: bytes | None, why: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(MissingDependency) as caught:
        read_data(tmp_path / name, dict)
    assert caught.value.message.startswith(f'"{tmp_path / name}", a file of flatkit itself, cannot be read: {why}')
    assert caught.value.hint == "pip install --force-reinstall flatkit"


def test_data_of_the_package_is_read_in_one_way() -> None:
    by_hand = re.compile(r"\b(?:json|yaml)\.\w*load\w*\([^\n]*\bread_(?:text|bytes)\(")
    assert by_hand.search('rows = json.loads(_FILE.read_text(encoding="utf-8"))')
    package = Path(files.__file__).parent
    modules = [path for path in package.rglob("*.py") if "node_modules" not in path.parts]
    assert len(modules) > 100
    assert [path.name for path in modules if by_hand.search(path.read_text(encoding="utf-8"))] == []
