"""Channels, versions, and what a name asks for."""

from __future__ import annotations

import pytest

from flatkit.errors import UsageError
from flatkit.images.releases import (
    Board,
    Channel,
    Version,
    Wanted,
    find_version,
    find_wanted,
    nearest_versions,
    parse_board,
    parse_version_file,
    say_nearest,
)

STABLE = Version(4593, 2, 5)


@pytest.mark.parametrize(
    ("name", "wanted", "pointer"),
    [
        ("stable", Wanted(channel=Channel.STABLE), "current"),
        ("current", Wanted(channel=Channel.STABLE), "current"),
        ("alpha", Wanted(channel=Channel.ALPHA), "current"),
        ("lts", Wanted(channel=Channel.LTS), "current"),
        ("lts-2024", Wanted(channel=Channel.LTS, stream="2024"), "current-2024"),
        ("current-2024", Wanted(channel=Channel.LTS, stream="2024"), "current-2024"),
        ("4593.2.5", Wanted(channel=Channel.STABLE, version=STABLE), "4593.2.5"),
        ("stable-4593.2.5", Wanted(channel=Channel.STABLE, version=STABLE), "4593.2.5"),
        ("4757.1.0", Wanted(channel=Channel.BETA, version=Version(4757, 1, 0)), "4757.1.0"),
        ("4790.0.0", Wanted(channel=Channel.ALPHA, version=Version(4790, 0, 0)), "4790.0.0"),
        ("4081.3.10", Wanted(channel=Channel.LTS, version=Version(4081, 3, 10)), "4081.3.10"),
        ("2605.12.1", Wanted(channel=Channel.LTS, version=Version(2605, 12, 1)), "2605.12.1"),
    ],
)
def test_what_a_name_asks_for(name, wanted, pointer):
    assert find_wanted(name) == wanted
    assert wanted.pointer == pointer


@pytest.mark.parametrize(
    "name", ["auto", "lab", "lab-beta", "./disk.img", "stabel", "4593.2", "v4593.2.5", "current-24"]
)
def test_what_is_no_flatcar_name(name):
    assert find_wanted(name) is None


@pytest.mark.parametrize("name", ["4593.7.1", "beta-4593.2.5"])
def test_a_number_that_its_channel_does_not_give(name):
    with pytest.raises(UsageError, match="MINOR tells the channel"):
        find_wanted(name)


def test_versions_sort_by_their_numbers():
    assert find_version("4081.3.10") > find_version("4081.3.9")
    assert nearest_versions(Version(4593, 2, 7), [STABLE, Version(4593, 2, 1), Version(4459, 2, 1), Version(3510, 2, 0)]) == [
        STABLE, Version(4593, 2, 1), Version(4459, 2, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "spec", "gib"),
    [("3510.3.8", (3, 3, 0), 12), ("3602.2.2", (3, 4, 0), 12), ("4081.3.10", (3, 4, 0), 12),
     ("4593.2.5", (3, 5, 0), 16), ("4757.2.1", (3, 5, 0), 16), ("4790.0.0", (3, 5, 0), 16), ("4820.0.0", (3, 6, 0), 16),
     ("4900.1.0", (3, 6, 0), 16)],
)  # fmt: skip
def test_what_a_release_reads_and_how_large_its_disk_is(version, spec, gib):
    found = find_version(version)
    assert (found.ignition_spec, found.disk_gib) == (spec, gib)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("FLATCAR_VERSION=4593.2.5\nFLATCAR_VERSION_ID=4593.2.5\n", STABLE),
        ('FLATCAR_BUILD=4593\nFLATCAR_VERSION="4593.2.5"\n', STABLE),
        ("FLATCAR_VERSION_ID=4593.2.5\n", None),
        ("<html>FLATCAR_VERSION=nothing</html>", None),
        ("FLATCAR_VERSION=4799.0.0+nightly-20260821-2100\n", None),
        ("", None),
    ],
)
def test_version_txt(text, version):
    assert parse_version_file(text) == version


@pytest.mark.parametrize("text", ["amd64", "x86_64", "amd64-usr", "AMD64"])
def test_boards(text):
    assert parse_board(text) is Board.AMD64


def test_a_board_that_is_none():
    with pytest.raises(UsageError, match="amd64 or arm64"):
        parse_board("riscv")


def test_near_names():
    assert say_nearest("stabel", map(str, Channel)) == " (did you mean stable?)"
    assert say_nearest("zzz", map(str, Channel)) == ""
