"""The signed files of a release: the digest of its image, and its version; images verified by them; the newest version seen.

Flatcar signs each file by itself, and no signed file names both an image and its version. So a server could offer an
old image beside a newer version.txt, each with its genuine signature. Two checks limit this: the signed version.txt
must have the number of the folder, and the image must not have been signed long before it. The first boot then compares
the image's own version before anything else uses the machine (api/up.py).

An image is read once, and its SHA-512 compared with the signed digests beside it. Only without digests is its own signature
checked.

A release server that offers an older version than the newest one of a channel that was verified here is refused. That
version is stored at the path of a release server's pointer (CHANNEL/BOARD/current/version.txt), so that a cache can serve
as a mirror. `flatkit images rm seen` forgets all of them.
"""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from flatkit.diskfile import find_fault, hint_for
from flatkit.errors import Cancelled, ImageError
from flatkit.events import Observer, phase
from flatkit.files import open_regular, read_regular, write_atomic
from flatkit.images.download import DownloadProgress
from flatkit.images.keyring import KeyFinder
from flatkit.images.releases import Board, Version, Wanted, parse_version_file
from flatkit.images.signing import SIGNATURE_MAX, AlteredFile, Signature, say_day
from flatkit.images.store import CachedImage, flatcar_dir, write_record
from flatkit.untrusted import lines_of, printable

_CHUNK = 4 * 1024 * 1024
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


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A file that matches a trusted key's signature."""

    path: Path
    sha512: str
    signature: Signature


def verify_file(path: Path, *, finder: KeyFinder, observer: Observer | None = None) -> Verified:
    """Check a file against FILE.DIGESTS and FILE.DIGESTS.sig, or FILE.sig, beside it. Raises ImageError, FetchError."""
    if fault := find_fault(path):
        raise ImageError(f'the image "{printable(path)}" {fault}; expected a disk image', hint=hint_for(path))
    digests, seal = path.with_name(f"{path.name}.DIGESTS"), path.with_name(f"{path.name}.DIGESTS.sig")
    own_seal = path.with_name(f"{path.name}.sig")
    watcher = observer or Observer()
    if digests.exists() and seal.exists():
        text = _read(digests, DIGESTS_MAX)
        try:
            signature = finder.check(_read(seal, SIGNATURE_MAX), text, name=digests.name)
        except AlteredFile as error:  # of the digests, which tells nothing about the image
            raise ImageError(error.message, hint=error.hint, details=error.details) from None
        expected = get_sha512(text, path.name)
        found = hash_file(path, observer=watcher)
        if found != expected:
            raise AlteredFile(
                f'"{printable(path.name)}" is not the file that was signed: its SHA-512 is "{found[:16]}...", '
                f'expected "{expected[:16]}..."',
                hint="fetch it again",
            )
        return Verified(path=path, sha512=found, signature=signature)
    if own_seal.exists():
        with phase(watcher, "verify", f"Verifying {printable(path.name)}"):
            signature = finder.check(_read(own_seal, SIGNATURE_MAX), path, name=path.name)
        return Verified(path=path, sha512="", signature=signature)
    raise ImageError(
        f'"{printable(path.name)}" has no signature beside it; expected {printable(path.name)}.sig, or '
        f"{printable(path.name)}.DIGESTS and its .sig",
        hint="fetch the signature from where the image comes from",
    )


def _read(path: Path, limit: int) -> bytes:
    """Read a small file next to an image. Raises ImageError."""
    try:
        return read_regular(path, limit=limit)
    except OSError as error:
        raise ImageError(f'"{printable(path)}" cannot be read: {error.strerror}', hint="fetch it again") from None


def hash_file(path: Path, *, observer: Observer | None = None, cancel: threading.Event | None = None) -> str:
    """Return the SHA-512 of a file in lower-case hex, read once. Raises Cancelled."""
    watcher = observer or Observer()
    digest, done = hashlib.sha512(), 0
    progress = DownloadProgress(watcher, "verify", total=path.stat().st_size)
    with phase(watcher, "verify", f"Verifying {printable(path.name)}"), open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            if cancel and cancel.is_set():
                raise Cancelled("the verification was stopped")
            digest.update(chunk)
            done += len(chunk)
            progress.move(done)
    return digest.hexdigest()


def verify_cached(image: CachedImage, *, finder: KeyFinder, observer: Observer | None = None) -> Verified:
    """Verify a cached image again and record the result; an altered one is put aside, so that it never boots.

    Raises ImageError, FetchError (no key is available), HostError.
    """
    text, seal = (image.folder / name for name in (VERSION_FILE, f"{VERSION_FILE}.sig"))
    if not seal.exists():
        raise ImageError(
            f'the image "{image.version}" was fetched without its signed {VERSION_FILE}, so nothing says which version it is',
            hint=f"flatkit images rm {image.version}, then: flatkit images fetch {image.version}",
        )
    number = check_version(_read(text, VERSION_MAX), _read(seal, SIGNATURE_MAX), image.version, finder=finder)
    try:
        done = verify_file(image.path, finder=finder, observer=observer)
    except AlteredFile:
        if image.path.is_file():
            image.path.replace(image.path.with_name(f"{image.path.name}.refused"))
        raise
    check_same_release(number, done.signature, image.version)
    found = image.path.stat()
    record = replace(
        image.record, size=found.st_size, changed_ns=found.st_mtime_ns, trust=finder.trust.identity,
        subkey=done.signature.subkey, signed=done.signature.made,
    )  # fmt: skip
    write_record(image.folder, record)
    return done
