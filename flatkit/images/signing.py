"""Trust in images: detached OpenPGP signatures, checked with one known primary key and its subkeys alone.

Flatcar signs with a subkey that changes about every second year, so the primary key's fingerprint is pinned (from
Flatcar's page "Image signing key"). Small files are read once and passed on as bytes, so that nobody can change them
between the check and their use. The cryptography is in openpgp.py.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.errors import FlatkitError, ImageError, InputError
from flatkit.files import open_regular, read_regular
from flatkit.images.openpgp import Certificate, get_hash, get_tag, get_type, load_library, read_packets
from flatkit.untrusted import printable

if TYPE_CHECKING:
    from pysequoia.packet import HashAlgorithm, Packet

FLATCAR_PRIMARY = "F88CFEDEFF29A5B4D9523864E25D9AED0593B34A"
# Flatcar's key has 24 KB after eight years, a signature about 600 bytes.
KEY_MAX = 256 * 1024
SIGNATURE_MAX = 16 * 1024
_SIGNATURES_MAX = 8
_HINT = "flatkit images fetch NAME   (fetches it again; if it comes back, report it to the server's operator)"


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The trusted key: Flatcar's pinned primary key, or the key in `key_file` instead of it."""

    key_file: Path | None = None

    @property
    def is_replaced(self) -> bool:
        """Tell whether FLATKIT_SIGNING_KEY replaces Flatcar's key."""
        return self.key_file is not None

    @property
    def words(self) -> str:
        """The trusted key in words, for badges, doctor and logs."""
        if self.key_file:
            return f'signed for the key in FLATKIT_SIGNING_KEY ("{self.key_file}"), not for Flatcar\'s'
        return "signed for Flatcar's key"

    @property
    def identity(self) -> str:
        """An identifier of the key, recorded with each verified image."""
        return f"sha256:{hashlib.sha256(self.read_key()).hexdigest()}" if self.key_file else FLATCAR_PRIMARY

    def read_key(self) -> bytes:
        """Return the given public key. Raises InputError when its file cannot be read."""
        assert self.key_file is not None
        try:
            return read_regular(self.key_file, limit=KEY_MAX)
        except OSError as error:
            raise InputError(
                f'the key "{printable(self.key_file)}" cannot be read: {error.strerror}; expected an OpenPGP public key',
                hint="unset FLATKIT_SIGNING_KEY   (Flatcar's own key is then trusted again)",
            ) from None


def find_trust() -> Trust:
    """Return the user's trusted key: FLATKIT_SIGNING_KEY, or Flatcar's pinned key."""
    given = os.environ.get("FLATKIT_SIGNING_KEY", "").strip()
    # As os.path expands it: an unknown ~user stays as it is, and is then a file that is not there.
    return Trust(key_file=Path(os.path.expanduser(given)).absolute()) if given else Trust()  # noqa: PTH111


class UnusableKey(ImageError):
    """A key file is not exactly the trusted public key; another copy may be."""


class UnknownKey(ImageError):
    """The key lacks the signing subkey, or its new expiry or use. A newer copy of the key may have it."""


class AlteredFile(ImageError):
    """The file is not the signed one, or the signature belongs to another file."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A good signature of a trusted key. Fingerprints in upper-case hex, `made` in Unix seconds; `note` is for the user."""

    primary: str
    subkey: str
    made: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class SignatureFault:
    """The reason why a signature is not accepted, and its meaning for the file or the key."""

    why: str
    kind: type[ImageError] = ImageError
    details: str = ""


def load_key(data: bytes, trust: Trust, *, origin: str = "") -> Keyring:
    """Read a public key. Raises UnusableKey for another key, or when the file contains anything besides it.

    `origin` describes where the file comes from. Raises MissingDependency without Sequoia.
    """
    place = f' (in "{printable(origin)}")' if origin else ""
    try:
        if len(data) > KEY_MAX:
            raise ValueError(f"it has {len(data)} bytes; expected at most {KEY_MAX}")
        certificate = Certificate.read(data)
    except ValueError as error:
        raise UnusableKey(
            f"the signing key is not one OpenPGP public key alone: {error}{place}", hint=_key_hint(trust)
        ) from None
    found, expected = certificate.fingerprint, FLATCAR_PRIMARY
    if not trust.is_replaced and found != expected:
        raise UnusableKey(
            f"the signing key is not Flatcar's: its fingerprint is {found}, expected {expected}{place}",
            hint=_key_hint(trust),
        )
    return Keyring(certificate)


def _key_hint(trust: Trust) -> str:
    if trust.is_replaced:
        return "unset FLATKIT_SIGNING_KEY   (or give it a public key: gpg --export --armor NAME > FILE)"
    return "to trust another key on purpose: export FLATKIT_SIGNING_KEY=FILE"


class Keyring:
    """One primary key and its subkeys; made by `load_key`."""

    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate

    @property
    def primary(self) -> str:
        """Fingerprint of the primary key."""
        return self._certificate.fingerprint

    def export(self) -> bytes:
        """Return the key as bytes for a file."""
        return self._certificate.armored.encode()

    def merge(self, other: Keyring) -> Keyring:
        """Return the union of both copies: a newer copy adds subkeys, and an older copy removes no revocation.

        Raises UnusableKey when they cannot be merged.
        """
        try:
            return Keyring(self._certificate.merge(other._certificate))
        except ValueError as error:
            raise UnusableKey(f"two copies of the signing key do not go together: {error}") from None

    def is_same(self, other: Keyring) -> bool:
        """Tell whether another copy has the same contents."""
        return bytes(self._certificate) == bytes(other._certificate)

    def verify(self, signature: bytes, data: bytes | Path, *, name: str) -> Signature:
        """Check a detached signature of bytes or of a file. Raises ImageError with the reason when it is not good.

        One good signature is enough: others beside it change nothing about the file.
        """
        faults = []
        try:
            for one in read_signatures(signature):
                found = self._judge(one, data)
                if isinstance(found, Signature):
                    return found
                faults.append(found)
        except (ValueError, OSError) as error:
            if isinstance(error, FlatkitError):
                raise
            raise ImageError(f'"{printable(name)}" is not trusted: {error}', hint=_HINT) from None
        kinds = {fault.kind for fault in faults}
        # Where one of the keys is unknown, another copy of the key may settle it.
        kind = UnknownKey if UnknownKey in kinds else kinds.pop() if len(kinds) == 1 else ImageError
        raise kind(
            f'"{printable(name)}" is not trusted: {"; ".join(fault.why for fault in faults)}', hint=_HINT,
            details="\n".join(fault.details for fault in faults if fault.details),
        )  # fmt: skip

    def _judge(self, one: Packet, data: bytes | Path) -> Signature | SignatureFault:
        """Return the signer of a signature, or the reason why it is not accepted. Raises OSError."""
        if one.signature_version is None or one.signature_created is None:
            return SignatureFault(why="its signature cannot be read")
        # Sequoia also accepts signatures of texts, whose line ends may differ.
        if get_type(one) != load_library().packet.SignatureType.Binary:
            return SignatureFault(why="its signature is not one of a file")
        key = self._certificate.find_key(one)
        if key is None:
            issuer = (one.issuer_fingerprint or one.issuer_key_id or "unnamed").upper()
            return SignatureFault(why=f"it is signed by a key that is not known here ({issuer})", kind=UnknownKey)
        signer, details = _find_signer(self._certificate, one, data)
        binding = self._certificate.find_binding(key)
        if signer:
            made = int(one.signature_created.timestamp())
            return Signature(primary=self.primary, subkey=signer, made=made, note=_say_note(one, key, binding))
        if _find_signer(self._certificate.without_revocations(), one, data)[0]:
            return SignatureFault(
                why=f"its signing key was revoked ({(key.fingerprint or '').upper()})", details=details
            )
        return replace(find_fault(one, key, binding, now=datetime.now(UTC)), details=details)


def _find_signer(certificate: Certificate, one: Packet, data: bytes | Path) -> tuple[str, str]:
    if isinstance(data, bytes):
        return certificate.find_signer(one, data)
    with open_regular(data) as file:  # by its descriptor: the file that was opened here is the one that is read
        return certificate.find_signer(one, f"/dev/fd/{file.fileno()}")


def read_signatures(data: bytes) -> list[Packet]:
    """Read a file of detached signatures. Raises ValueError for anything else in it."""
    if len(data) > SIGNATURE_MAX:
        raise ValueError(f"its signature has {len(data)} bytes; expected at most {SIGNATURE_MAX}")
    try:
        packets = read_packets(data, "SIGNATURE")
    except ValueError as error:
        raise ValueError(f"it holds no signature at all: {error}") from None
    signature = load_library().packet.Tag.Signature
    if any(get_tag(packet) != signature for packet in packets) or len(packets) > _SIGNATURES_MAX:
        raise ValueError("its signature file holds something else than detached signatures")
    return packets


def find_fault(one: Packet, key: Packet, binding: Packet | None, *, now: datetime) -> SignatureFault:
    """Return why a signature of a known key was not accepted, from its own dates, that key and its binding."""
    made, flags = one.signature_created, binding.key_flags if binding else None
    created, ends = key.key_created, find_end(key, binding)
    assert made is not None
    if get_hash(one) not in _hashes():
        return SignatureFault(why="its signature uses a hash other than SHA-256, SHA-384 or SHA-512")
    if flags and not flags.signing:
        return SignatureFault(
            why=f"its key is not one that signs files ({(key.fingerprint or '').upper()})", kind=UnknownKey
        )
    if one.signature_expiration_time and one.signature_expiration_time <= now:
        return SignatureFault(why="the signature has expired")
    if made > now:
        return SignatureFault(why=f"it was signed on {made:%Y-%m-%d}, and this computer's clock says {now:%Y-%m-%d}")
    if created and made < created:
        return SignatureFault(why=f"it was signed on {made:%Y-%m-%d}, before its key was made")
    if ends and made >= ends:
        return SignatureFault(why=f"it was signed on {made:%Y-%m-%d}, after its key had expired", kind=UnknownKey)
    return SignatureFault(why="the signature belongs to other bytes than these, or not to this key", kind=AlteredFile)


def _hashes() -> tuple[HashAlgorithm, ...]:
    known = load_library().packet.HashAlgorithm
    return known.SHA256, known.SHA384, known.SHA512


def find_end(key: Packet, binding: Packet | None) -> datetime | None:
    """Return the expiry of a key, by the newest binding in its file; None for never."""
    period = binding.key_validity_period if binding else None
    return key.key_created + period if key.key_created and period else None


def _say_note(one: Packet, key: Packet, binding: Packet | None) -> str:
    ends = find_end(key, binding)
    if ends is None or ends > datetime.now(UTC):
        return ""
    return (
        f"signed on {one.signature_created:%Y-%m-%d} by a subkey that has expired since: "
        "as it should be for a release of that time"
    )


def say_day(seconds: int) -> str:
    """Return the day of a time in Unix seconds."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
