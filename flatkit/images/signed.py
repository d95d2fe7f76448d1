"""The signed files of a release: the digest of its image, and its version; the newest version that was verified here.

Flatcar signs each file by itself, and no signed file names both an image and its version. So a server could offer an
old image beside a newer version.txt, each with its genuine signature. Two checks limit this: the signed version.txt
must have the number of the folder, and the image must not have been signed long before it. The first boot then compares
the image's own version before anything else uses the machine (api/up.py).

A release server that offers an older version than the newest one of a channel that was verified here is refused. That
version is stored at the path of a release server's pointer (CHANNEL/BOARD/current/version.txt), so that a cache can serve
as a mirror. `flatkit images rm seen` forgets all of them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from flatkit.errors import ImageError
from flatkit.files import read_regular, write_atomic
from flatkit.images.keyring import KeyFinder
from flatkit.images.releases import Board, Version, Wanted, parse_version_file
from flatkit.images.signing import Signature, say_day
from flatkit.images.store import flatcar_dir
from flatkit.untrusted import lines_of, printable

VERSION_FILE = "version.txt"
VERSION_MAX = 16 * 1024
DIGESTS_MAX = 16 * 1024
# Flatcar's build signs version.txt with the base image, and the images for hypervisors some hours later. Releases of a
# channel are weeks apart.
_APART = 7 * 24 * 3600
_SHA512_LINE = r"([0-9a-fA-F]{128})[ \t]+\*?(?:\./)?"


def get_sha512(data: bytes, name: str) -> str:
    """Return the SHA-512 of a file from a DIGESTS file, in lower-case hex. Raises ImageError when it has none, or two."""
    try:
        lines = lines_of(data.decode("ascii"))
    except UnicodeError:
        raise ImageError("the signed digests are not plain ASCII text", hint="flatkit images list") from None
    found: set[str] = set()
    section = ""
    for line in lines:
        if line.startswith("#"):
            section = line
        elif section == "# SHA512 HASH" and (match := re.fullmatch(_SHA512_LINE + re.escape(name), line)):
            found.add(match[1].lower())
    if not found:
        raise ImageError(
            f'the signed digests do not mention "{printable(name)}" with a SHA-512', hint="flatkit images list"
        )
    if len(found) > 1:
        raise ImageError(
            f'the signed digests mention "{printable(name)}" with {len(found)} different SHA-512',
            hint="flatkit images list",
        )
    return found.pop()


def check_version(text: bytes, signature: bytes, expected: Version, *, finder: KeyFinder) -> Signature:
    """Check that a version.txt is signed and names the expected version. Raises ImageError, FetchError."""
    seal = finder.check(signature, text, name=VERSION_FILE)
    found = parse_version_file(text.decode(errors="replace"))
    if found != expected:
        raise ImageError(
            f'it is offered as version "{expected}", and its signed {VERSION_FILE} says "{found or "no version"}": '
            "an older release under another number is refused",
            hint="report it to the server's operator",
        )
    return seal


def check_same_release(number: Signature, image: Signature, version: Version) -> None:
    """Check that an image was signed together with its version.txt. Raises ImageError for an older image."""
    if image.made + _APART < number.made:
        raise ImageError(
            f'the image that is offered as version "{version}" was signed on {say_day(image.made)}, long before that version '
            f"({say_day(number.made)}): an older release under another number is refused",
            hint="report it to the server's operator",
        )


def find_seen(wanted: Wanted, board: Board) -> Version | None:
    """Return the newest version seen here, None when there is none."""
    with suppress(OSError):
        return parse_version_file(read_regular(_file(wanted, board), limit=VERSION_MAX).decode(errors="replace"))
    return None


def note_seen(wanted: Wanted, board: Board, version: Version) -> None:
    """Store a verified version. Raises OSError."""
    path = _file(wanted, board)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, f"FLATCAR_VERSION={version}\n")


def forget_seen() -> int:
    """Forget the newest version of every channel; return the number of channels. Raises OSError."""
    found = sorted(flatcar_dir().glob(f"*/*/current*/{VERSION_FILE}"))
    for path in found:
        path.unlink()
    return len(found)


def _file(wanted: Wanted, board: Board) -> Path:
    return flatcar_dir() / str(wanted.channel) / str(board) / wanted.pointer / VERSION_FILE
