"""Flatcar's channels as data, versions that sort, and the meaning of image names. Pure: no network, no files.

A version is MAJOR.MINOR.PATCH, and MINOR tells the channel (Flatcar's documentation, "Switching channels").
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from flatkit.errors import UsageError
from flatkit.ignition_specs import find_reader
from flatkit.untrusted import lines_of
from flatkit.version_numbers import dotted, split_version

_VERSION_KEY = "FLATCAR_VERSION="


class Channel(str, Enum):
    """A channel of Flatcar's releases, in the order in which a major version passes through them."""

    ALPHA = "alpha"
    BETA = "beta"
    STABLE = "stable"
    LTS = "lts"

    def __str__(self) -> str:
        return self.value

    @property
    def minor(self) -> int:
        """The middle number of its versions."""
        return list(Channel).index(self)

    @property
    def purpose(self) -> str:
        """Its purpose in words."""
        return {
            Channel.ALPHA: "every new major version begins here; for trying what comes",
            Channel.BETA: "about every second alpha; run it on a few machines, to find faults before all have them",
            Channel.STABLE: "about every second beta; for production",
            Channel.LTS: "about one major a year, which gets fixes alone for 18 months; for who changes rarely",
        }[self]


PROMOTION = "alpha -> beta -> stable -> lts: a major version goes this way as far as it proves itself"


@dataclass(frozen=True, order=True)
class Version:
    """A release's number; sorts by its three parts."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return dotted((self.major, self.minor, self.patch))

    @property
    def channel(self) -> Channel | None:
        """The channel of this number; None for a number that no channel uses."""
        if self.major == 2605 and self.minor > Channel.LTS.minor:  # the LTS of 2021 counted its minors
            return Channel.LTS
        return next((channel for channel in Channel if channel.minor == self.minor), None)

    @property
    def ignition_spec(self) -> tuple[int, int, int]:
        """The newest spec of Ignition configs that a release of this number reads."""
        return find_reader(self.major).spec

    @property
    def disk_gib(self) -> int:
        """Size of a machine's disk in GiB: above the image's own size, with room on ROOT.

        Images have about 8.5 GiB. Since the partitions grew (scripts, build_library/disk_layout.json, October 2025)
        they have about 12.3 GiB.
        """
        return 16 if self.major >= 4515 else 12


def find_version(text: str) -> Version | None:
    """Return the version in a text, None for any other text."""
    found = split_version(text, digits=6)
    return Version(*found[0]) if found and not found[1] else None


def parse_version_file(text: str) -> Version | None:
    """Return the version that a version.txt names, None when it names none or more than one."""
    values = {line.removeprefix(_VERSION_KEY) for line in lines_of(text) if line.startswith(_VERSION_KEY)}
    match = re.fullmatch(r'("?)([0-9.]+)\1', values.pop()) if len(values) == 1 else None
    return find_version(match[2]) if match else None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A requested image: the newest of a channel, of an LTS stream (`stream` is its year), or one exact `version`."""

    channel: Channel
    version: Version | None = None
    stream: str = ""

    @property
    def pointer(self) -> str:
        """The folder on a release server that leads to it."""
        return str(self.version) if self.version else f"current-{self.stream}" if self.stream else "current"

    def __str__(self) -> str:
        if self.version:
            return f"{self.channel} {self.version}"
        return f"{self.channel}-{self.stream}" if self.stream else str(self.channel)


def find_wanted(name: str) -> Wanted | None:
    """Parse `name`: stable, beta, alpha, lts, lts-2024, current, current-2024, 4593.2.5, stable-4593.2.5; None for others.

    Raises UsageError for a version that no channel uses.
    """
    if name == "current":
        return Wanted(channel=Channel.STABLE)
    if stream := re.fullmatch(r"(?:current|lts)-(20[0-9]{2})", name):
        return Wanted(channel=Channel.LTS, stream=stream[1])
    if name in {str(channel) for channel in Channel}:
        return Wanted(channel=Channel(name))
    prefix, _, number = name.rpartition("-")
    version = find_version(number)
    if version is None or (prefix and prefix not in {str(channel) for channel in Channel}):
        return None
    channel = version.channel
    if channel is None or (prefix and prefix != str(channel)):
        minors = ", ".join(f"{known.minor} {known}" for known in Channel)
        raise UsageError(
            f'"{name}" is not a Flatcar version; expected MAJOR.MINOR.PATCH, where MINOR tells the channel ({minors})',
            hint="flatkit images list",
        )
    return Wanted(channel=channel, version=version)


def say_nearest(name: str, known: Iterable[str]) -> str:
    """Return the known names that look like `name`, as the end of a message; "" when none does."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def nearest_versions(version: Version, known: Iterable[Version]) -> list[Version]:
    """Return at most three of the known versions, the nearest ones first."""

    def distance(other: Version) -> tuple[int, int, int]:
        return abs(other.major - version.major), abs(other.minor - version.minor), abs(other.patch - version.patch)

    return sorted(set(known), key=distance)[:3]


class Board(str, Enum):
    """Flatcar's names of processor architectures: folders on the release servers."""

    AMD64 = "amd64-usr"
    ARM64 = "arm64-usr"

    def __str__(self) -> str:
        return self.value

    @property
    def arch(self) -> str:
        """The short, common name."""
        return self.value.removesuffix("-usr")

    @property
    def image_file(self) -> str:
        """The disk image to fetch: qcow2, compressed inside. BIOS and UEFI boot the same one (scripts, vm_image_util.sh)."""
        return {
            Board.AMD64: "flatcar_production_qemu_image.img",
            Board.ARM64: "flatcar_production_qemu_uefi_image.img",
        }[self]


def parse_board(text: str) -> Board:
    """Read amd64, x86_64, arm64, aarch64 or a board's name. Raises UsageError."""
    known = {"x86_64": Board.AMD64, "aarch64": Board.ARM64} | {board.arch: board for board in Board}
    known |= {board.value: board for board in Board}
    if text.lower() not in known:
        raise UsageError(f'"{text}" is not an architecture that Flatcar is built for; expected amd64 or arm64')
    return known[text.lower()]


def host_board() -> Board:
    """Return the board of this host. Raises UsageError when Flatcar is not built for it."""
    return parse_board(platform.machine())
