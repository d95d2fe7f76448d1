"""The console: reading a file that grows, and knowing what its lines mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.machines.console import ConsoleReader, clean, follow, read_tail


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain", "plain"),
        ("with end\r", "with end"),
        ("\x1b[0;1;32m OK \x1b[0m] Started", " OK ] Started"),
        ("\x1b]0;title\x07shell", "shell"),
        ("\x1b]0;title\x1b\\shell", "shell"),
        ("\x1bc\x1b[?7l\x1b[2J\x1b(Btext", "text"),
        ("10%\r20%\r100%", "100%"),
        ("a\x00b\x07c", "abc"),
        ("\x1b[6n", ""),
        ("tab\tstays", "tab\tstays"),
        ("ünï", "ünï"),
    ],
)
def test_clean(raw: str, text: str) -> None:
    assert clean(raw) == text


def texts(reader: ConsoleReader) -> list[str]:
    return [line.text for line in reader.read()]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_growing_file_gives_whole_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with ConsoleReader(path) as reader:
        assert texts(reader) == []  # not there yet
        append(path, b"one\r\ntw")
        assert texts(reader) == ["one"]
        assert reader.partial == "tw"
        append(path, b"o\r\nlocalhost login: ")
        assert texts(reader) == ["two"]
        assert texts(reader) == []
        assert reader.partial == "localhost login:"
    assert list(reader.tail) == ["one", "two"]


def test_a_character_cut_in_two_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with ConsoleReader(path) as reader:
        append(path, "grü".encode()[:-1])
        assert texts(reader) == []
        append(path, "grü".encode()[-1:] + b"n\n")
        assert texts(reader) == ["grün"]


def test_an_earlier_boot_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    append(path, b"old\n")
    with ConsoleReader(path, offset=4) as reader:
        append(path, b"new\n")
        assert texts(reader) == ["new"]


def test_rotation_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with ConsoleReader(path) as reader:
        append(path, b"one\n")
        assert texts(reader) == ["one"]
        append(path, b"two\n")
        path.rename(tmp_path / "console.log.0")
        append(path, b"three\n")
        assert texts(reader) == ["two"]
        assert texts(reader) == ["three"]


def test_a_file_that_was_cut_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with ConsoleReader(path) as reader:
        append(path, b"a long first line\n")
        assert texts(reader) == ["a long first line"]
        path.write_bytes(b"short\n")
        assert texts(reader) == ["short"]


def test_a_flood_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)  # one "line" of zeros
        file.seek(0, 2)
        file.write(b"\nend\n")
    with ConsoleReader(path) as reader:
        seen = []
        while reader.total < path.stat().st_size:
            seen += texts(reader)
            assert len(reader._partial) <= 4096
    assert seen == ["", "end"]


def test_tail_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    assert read_tail(path) == []
    append(path, b"".join(b"%d\r\n" % number for number in range(100)) + b"\n\nlogin: ")
    assert read_tail(path, lines=3) == ["98", "99", "login:"]


def test_follow_goes_on_until_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    append(path, b"one\r\ntwo\r\nthree\r\n")
    asked: list[int] = []

    def is_over() -> bool:
        # What comes between two questions is not lost, and what comes before the last one is still shown.
        asked.append(len(asked))
        append(path, b"at question %d\n" % asked[-1] + b"login: " * (len(asked) == 2))
        return len(asked) == 2

    assert list(follow(path, lines=2, is_over=is_over)) == ["two", "three", "at question 0", "at question 1", "login:"]


def test_follow_ends_when_the_machine_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "console.log"
    append(path, b"last words\n")
    lines = follow(path, is_over=lambda: False)
    assert next(lines) == "last words"
    path.unlink()
    assert list(lines) == []
