"""Verifies an existing disk image, in the cache or anywhere, at the speed of its hash.

The image is read once, and its SHA-512 compared with the signed digests beside it. Only without digests is its own
signature checked. A cached image also has a signed version.txt, which must have the number of its folder.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from flatkit.errors import Cancelled, ImageError
from flatkit.events import Observer, phase
from flatkit.files import open_regular, read_regular
from flatkit.images.download import DownloadProgress
from flatkit.images.keyring import KeyFinder
from flatkit.images.signed import (
    DIGESTS_MAX,
    VERSION_FILE,
    VERSION_MAX,
    check_same_release,
    check_version,
    get_sha512,
)
from flatkit.images.signing import SIGNATURE_MAX, AlteredFile, Signature
from flatkit.images.store import CachedImage, write_record
from flatkit.untrusted import printable

_CHUNK = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A file that matches a trusted key's signature."""

    path: Path
    sha512: str
    signature: Signature


def verify_file(path: Path, *, finder: KeyFinder, observer: Observer | None = None) -> Verified:
    """Check a file against FILE.DIGESTS and FILE.DIGESTS.sig, or FILE.sig, beside it. Raises ImageError, FetchError."""
    if not path.is_file():
        raise ImageError(f'the image "{printable(path)}" is not there, or is not a file', hint="flatkit images list")
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
