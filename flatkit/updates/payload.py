"""The lab payload: a whole release of the lab image in one signed file, laid out for a client made of plain tools.

It replaces Flatcar's `flatcar_production_update.gz` (whose format, CrAU, a shell script cannot read). It is never
offered to a real Flatcar machine. Layout, version 1; all numbers are decimal ASCII without leading zeros:

    0            header: 512 bytes. One line, then spaces; the last byte is a newline.
                 "FLATKIT-LAB-PAYLOAD 1 MANIFEST_OFFSET MANIFEST_SIZE SIGNED_SIZE SIGNATURE_SIZE\\n"
    512          manifest (MANIFEST_OFFSET is 512, its end is below 4096): KEY=VALUE lines, each key once, in this order:
                 VERSION=110.2.1        of the release; digits, letters, "." "+" "-" "_"
                 USR_OFFSET=4096        where the part begins in this file
                 USR_SIZE=167772160     its bytes
                 USR_SHA256=64 hex digits (lower case) of just these bytes
                 USR_HASH_OFFSET=...    where the dm-verity hash tree begins in the USR partition, in bytes
                 USR_ROOT_HASH=64 hex digits
                 KERNEL_OFFSET= KERNEL_SIZE= KERNEL_SHA256=     of vmlinuz-a|b, stored as it is written to EFI-SYSTEM
                 INITRD_OFFSET= INITRD_SIZE= INITRD_SHA256=     of initrd-a|b, the same way
                 Values contain no blank, quote, "$" or other character that is special to a shell.
    4096         parts usr, kernel, initrd, each at a multiple of 4096, uncompressed, zeros between them
    SIGNED_SIZE  (a multiple of 4096) signature, the last SIGNATURE_SIZE (256) bytes of the file: RSA 2048, PKCS#1 v1.5,
                 SHA-256, over all SIGNED_SIZE bytes before it

So the file has SIGNED_SIZE + SIGNATURE_SIZE bytes. A client checks the signature before it uses any value:

    read -r magic format manifest_at manifest_size signed_size signature_size < payload
    tail -c "$signature_size" payload > signature
    head -c "$signed_size" payload | openssl dgst -sha256 -verify key.pem -signature signature
    head -c "$((manifest_at + manifest_size))" payload | tail -c "$manifest_size" > manifest
    dd if=payload of="$slot" bs=1M iflag=skip_bytes,count_bytes skip="$USR_OFFSET" count="$USR_SIZE" conv=fsync
    head -c "$USR_SIZE" "$slot" | sha256sum
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from flatkit.errors import ImageError
from flatkit.files import open_regular
from flatkit.untrusted import lines_of, printable
from flatkit.updates import keys

FILE_NAME = "flatcar_lab_update.bin"  # on the update server, where Flatcar has flatcar_production_update.gz
MAGIC = "FLATKIT-LAB-PAYLOAD"
FORMAT = 1
PARTS = ("usr", "kernel", "initrd")

_HEADER_SIZE = 512
_BLOCK = 4096
_CHUNK = 1024 * 1024
_HEX = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a payload: its offset, size and expected hash."""

    name: str
    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class PayloadManifest:
    """A payload's description of itself: trust it only after `verify`."""

    version: str
    parts: tuple[Part, ...]
    hash_offset: int
    root_hash: str
    signed_size: int
    signature_size: int = keys.SIGNATURE_SIZE

    @property
    def size(self) -> int:
        """Size of the whole file in bytes."""
        return self.signed_size + self.signature_size

    @property
    def text(self) -> str:
        """The manifest's text in the file."""
        lines = [f"VERSION={self.version}"]
        for part in self.parts:
            name = part.name.upper()
            lines += [f"{name}_OFFSET={part.offset}", f"{name}_SIZE={part.size}", f"{name}_SHA256={part.sha256}"]
            if part.name == "usr":
                lines += [f"USR_HASH_OFFSET={self.hash_offset}", f"USR_ROOT_HASH={self.root_hash}"]
        return "\n".join(lines) + "\n"

    @property
    def head(self) -> bytes:
        """Return header and manifest: the file's first bytes."""
        text = self.text.encode("ascii")
        line = f"{MAGIC} {FORMAT} {_HEADER_SIZE} {len(text)} {self.signed_size} {self.signature_size}\n"
        return line.ljust(_HEADER_SIZE - 1).encode("ascii") + b"\n" + text


def make_payload(
    target: Path,
    *,
    version: str,
    usr: Path,
    kernel: Path,
    initrd: Path,
    hash_offset: int,
    root_hash: str,
    key: Path,
) -> PayloadManifest:
    """Write the payload of a release, signed with the private key in `key`; the same input gives the same bytes.

    `target` is written whole or not at all. Raises ImageError: a value that the format cannot express, an unreadable
    source or key, no space.
    """
    _check_values(version=version, hash_offset=hash_offset, root_hash=root_hash)
    sources = dict(zip(PARTS, (usr, kernel, initrd), strict=True))
    private = keys.read_private_key(key)
    partial = target.with_name(f"{target.name}.part")
    try:
        with partial.open("w+b") as file:
            parts: list[Part] = []
            offset = _BLOCK
            for name in PARTS:
                parts.append(_copy_part(file, name=name, offset=offset, source=sources[name]))
                offset = _aligned(offset + parts[-1].size)
            manifest = PayloadManifest(
                version=version,
                parts=tuple(parts),
                hash_offset=hash_offset,
                root_hash=root_hash,
                signed_size=offset,
            )
            file.seek(0)
            file.write(manifest.head)
            file.truncate(offset)
            signature = keys.sign(private, _digest(file, offset=0, size=offset))
            file.seek(offset)
            file.write(signature)
        partial.replace(target)
    except OSError as error:
        raise ImageError(f'the payload "{target}" could not be written: {error}') from None
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def read_manifest(path: Path) -> PayloadManifest:
    """Return the payload's manifest without checking its signature. Raises ImageError for an incomplete or other file."""
    try:
        with open_regular(path) as file:
            return _read_manifest(path, file)
    except OSError as error:
        raise ImageError(f'the payload "{path}" could not be read: {error.strerror}', hint=_HINT) from None


def verify(path: Path, public_key: Path) -> None:
    """Verify a payload with the public key and its own manifest.

    Raises ImageError with the reason: not a payload, truncated, signature, a part's hash.
    """
    public = keys.read_public_key(public_key)
    try:
        with open_regular(path) as file:
            manifest = _read_manifest(path, file)
            digest = _digest(file, offset=0, size=manifest.signed_size)
            file.seek(manifest.signed_size)
            signed = keys.is_signed(public, digest, file.read(manifest.signature_size))
            changed = [
                part.name
                for part in manifest.parts
                if _digest(file, offset=part.offset, size=part.size).hex() != part.sha256
            ]
    except OSError as error:
        raise ImageError(f'the payload "{path}" could not be read: {error.strerror}', hint=_HINT) from None
    which = f'; its parts "{", ".join(changed)}" have another SHA-256 than its manifest says' if changed else ""
    if not signed:
        raise ImageError(
            f'the signature of "{path}" is not by the key "{public_key}" over these bytes{which}', hint=_HINT
        )
    if changed:
        raise ImageError(f'"{path}" is signed, but was made wrong{which}', hint=_HINT)


_HINT = "flatkit images build-lab   (makes missing payloads again; remove this one first)"


def _aligned(offset: int) -> int:
    return -(-offset // _BLOCK) * _BLOCK


def _check_values(*, version: str, hash_offset: int, root_hash: str) -> None:
    if not _VERSION.fullmatch(version):
        raise ImageError(f'a payload cannot have the version "{version}"; expected one such as "110.2.1"')
    if not _HEX.fullmatch(root_hash):
        raise ImageError(f'a payload cannot have the root hash "{root_hash}"; expected 64 hex digits in lower case')
    if hash_offset <= 0 or hash_offset % _BLOCK:
        raise ImageError(f'a payload cannot have the hash offset "{hash_offset}"; expected a multiple of {_BLOCK}')


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the next `size` bytes, piece by piece; fewer where the file ends."""
    while size > 0:
        piece = file.read(min(_CHUNK, size))
        if not piece:
            return
        size -= len(piece)
        yield piece


def _digest(file: BinaryIO, *, offset: int, size: int) -> bytes:
    file.seek(offset)
    total = hashlib.sha256()
    for piece in _chunks(file, size):
        total.update(piece)
    return total.digest()


def _copy_part(file: BinaryIO, *, name: str, offset: int, source: Path) -> Part:
    """Copy a source to its place and hash the copied bytes; stretches of zeros stay holes."""
    total, size = hashlib.sha256(), 0
    with source.open("rb") as reader:
        while piece := reader.read(_CHUNK):
            total.update(piece)
            if piece.count(0) != len(piece):
                file.seek(offset + size)
                file.write(piece)
            size += len(piece)
    if not size:
        raise ImageError(f'the {name} of a payload, "{source}", is empty')
    return Part(name=name, offset=offset, size=size, sha256=total.hexdigest())


def _read_manifest(path: Path, file: BinaryIO) -> PayloadManifest:
    head = file.read(_BLOCK)
    words = head[:_HEADER_SIZE].decode("ascii", errors="replace").split()
    if len(head) < _HEADER_SIZE or words[:1] != [MAGIC]:
        raise ImageError(f'"{path}" is not a lab payload: it does not begin with "{MAGIC}"', hint=_HINT)
    if words[1:2] != [str(FORMAT)]:
        raise ImageError(
            f'"{path}" is a payload of format "{printable("".join(words[1:2]))}"; this flatkit reads "{FORMAT}"',
            hint=_HINT,
        )
    if len(words) != 6 or not all(_NUMBER.fullmatch(word) for word in words[2:]):
        raise ImageError(f'the header of the payload "{path}" is damaged', hint=_HINT)
    offset, size, signed_size, signature_size = map(int, words[2:])
    if signature_size != keys.SIGNATURE_SIZE:
        raise ImageError(
            f'the signature of the payload "{path}" has {signature_size} bytes; expected {keys.SIGNATURE_SIZE}',
            hint=_HINT,
        )
    found = file.seek(0, 2)
    if found != signed_size + signature_size:
        what = "truncated" if found < signed_size + signature_size else "too long"
        raise ImageError(
            f'the payload "{path}" is {what}: {found} bytes, expected {signed_size + signature_size}', hint=_HINT
        )
    try:
        manifest = parse_manifest(
            head[offset : offset + size].decode("ascii"), signed_size=signed_size, signature_size=signature_size
        )
        if manifest.head != head[: len(manifest.head)]:
            raise ValueError("it is not written in the one way that the format knows")
    except ValueError as error:
        raise ImageError(f'the manifest of the payload "{path}" is damaged: {error}', hint=_HINT) from None
    return manifest


def parse_manifest(text: str, *, signed_size: int, signature_size: int = keys.SIGNATURE_SIZE) -> PayloadManifest:
    """Return the manifest of a text. Raises ValueError that names the missing or invalid key."""
    values = dict(line.partition("=")[::2] for line in lines_of(text))

    def value(key: str, pattern: re.Pattern[str]) -> str:
        if not pattern.fullmatch(values.get(key, "")):
            raise ValueError(f'"{key}={printable(values.get(key, ""))}"')
        return values[key]

    parts: list[Part] = []
    end = _BLOCK
    for name in PARTS:
        key = name.upper()
        offset, size = int(value(f"{key}_OFFSET", _NUMBER)), int(value(f"{key}_SIZE", _NUMBER))
        if offset != end:
            raise ValueError(f'the part "{name}" begins at {offset}, expected {end}')
        parts.append(Part(name=name, offset=offset, size=size, sha256=value(f"{key}_SHA256", _HEX)))
        end = _aligned(offset + size)
    if end != signed_size:
        raise ValueError(f"the parts end at {end}, the header says {signed_size}")
    return PayloadManifest(
        version=value("VERSION", _VERSION),
        parts=tuple(parts),
        hash_offset=int(value("USR_HASH_OFFSET", _NUMBER)),
        root_hash=value("USR_ROOT_HASH", _HEX),
        signed_size=signed_size,
        signature_size=signature_size,
    )
