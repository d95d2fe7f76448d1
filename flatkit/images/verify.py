"""Verifies a disk image that is there already, in the cache or anywhere, at the speed of its hash.

The image is read once: its SHA-512 is compared with the signed digests beside it. Only where there are none does GnuPG read
it as well, for its own signature.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from flatkit.errors import Cancelled, ImageError
from flatkit.events import Observer, phase
from flatkit.images.download import Progress
from flatkit.images.fetch import get_sha512
from flatkit.images.keys import KeyFinder
from flatkit.images.signing import AlteredFile, Signature
from flatkit.images.store import CachedImage, write_record

_CHUNK = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A file that is what a trusted key has signed."""

    path: Path
    sha512: str
    signature: Signature


def verify_file(path: Path, *, finder: KeyFinder, observer: Observer | None = None) -> Verified:
    """Check a file against FILE.DIGESTS and FILE.DIGESTS.sig, or FILE.sig, beside it. Raises ImageError, HostError."""
    digests, seal = path.with_name(f"{path.name}.DIGESTS"), path.with_name(f"{path.name}.DIGESTS.sig")
    own_seal = path.with_name(f"{path.name}.sig")
    if not path.is_file():
        raise ImageError(f'the image "{path}" is not there, or is no file', hint="flatkit images list")
    watcher = observer or Observer()
    if digests.is_file() and seal.is_file():
        try:
            signature = finder.check(seal, digests)
        except AlteredFile as error:  # of the digests, which says nothing about the image
            raise ImageError(error.message, hint=error.hint, details=error.details) from None
        expected = get_sha512(digests.read_text(errors="replace"), path.name)
        found = hash_file(path, observer=watcher)
        if found != expected:
            raise AlteredFile(
                f'"{path.name}" is not the file that was signed: its SHA-512 is "{found[:16]}...", '
                f'expected "{expected[:16]}..."',
                hint="fetch it again",
            )
        return Verified(path=path, sha512=found, signature=signature)
    if own_seal.is_file():
        with phase(watcher, "verify", f"Verifying {path.name}"):
            signature = finder.check(own_seal, path)
        return Verified(path=path, sha512="", signature=signature)
    raise ImageError(
        f'"{path.name}" has no signature beside it; expected {path.name}.sig, or {path.name}.DIGESTS and its .sig',
        hint="fetch the signature from where the image comes from",
    )


def hash_file(path: Path, *, observer: Observer | None = None, cancel: threading.Event | None = None) -> str:
    """The SHA-512 of a file in lower-case hex, read once. Raises Cancelled."""
    watcher = observer or Observer()
    digest, done = hashlib.sha512(), 0
    progress = Progress(watcher, "verify", total=path.stat().st_size)
    buffer = memoryview(bytearray(_CHUNK))
    with phase(watcher, "verify", f"Verifying {path.name}"), path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            if cancel and cancel.is_set():
                raise Cancelled("the verification was stopped")
            digest.update(buffer[:count])
            done += count
            progress.move(done)
    return digest.hexdigest()


def verify_cached(image: CachedImage, *, finder: KeyFinder, observer: Observer | None = None) -> Verified:
    """Check an image of the cache anew and note it; one that is not what was signed is put aside, so that it never boots.

    Raises ImageError, FetchError (no key is to be had), HostError.
    """
    try:
        done = verify_file(image.path, finder=finder, observer=observer)
    except AlteredFile:
        if image.path.is_file():
            image.path.replace(image.path.with_name(f"{image.path.name}.refused"))
        raise
    found = image.path.stat()
    record = replace(
        image.record, size=found.st_size, changed_ns=found.st_mtime_ns, trust=finder.trust.identity,
        subkey=done.signature.subkey, signed=done.signature.made,
    )  # fmt: skip
    write_record(image.folder, record)
    return done
