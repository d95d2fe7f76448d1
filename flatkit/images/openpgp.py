"""OpenPGP by Sequoia (`pysequoia`): the contents of key and signature files, and the key that made a signature.

Sequoia checks bindings of subkeys, expiry, revocations and algorithms. Its answer is data, while GnuPG's is lines of
text with user IDs, which an attacker chooses. User IDs and error texts decide nothing here. Sequoia is lenient about
text around an armor and about unexpected packets, so both are checked here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from types import ModuleType
from typing import TYPE_CHECKING

from flatkit.errors import MissingDependency
from flatkit.untrusted import lines_of

if TYPE_CHECKING:
    from pysequoia import Cert
    from pysequoia.packet import HashAlgorithm, Packet, SignatureType, Tag

_PACKETS_MAX = 1000
# One armored block and nothing around it: its headers, an empty line, base64 with its checksum.
_ARMOR = rb"\s*-----BEGIN PGP %b-----[ \t]*\r?\n(?:[A-Za-z]+: [^\r\n]*\r?\n)*[ \t]*\r?\n[A-Za-z0-9+/=\s]*-----END PGP %b-----\s*"


def load_library() -> ModuleType:
    """Import Sequoia's Python binding. Raises MissingDependency."""
    try:
        import pysequoia.packet
    except ImportError as error:
        raise MissingDependency(
            f"the Python binding of Sequoia cannot be imported: {error}; without it no Flatcar image can be trusted",
            hint="python -m pip install pysequoia   (or boot the lab image, which needs none)",
        ) from None
    return pysequoia


def read_packets(data: bytes, kind: str) -> list[Packet]:
    """Read packets, binary or in one armor of a `kind` such as SIGNATURE. Raises ValueError for anything else."""
    library = load_library()
    is_binary = data[:1] >= b"\x80"
    if not is_binary and not re.fullmatch(_ARMOR % (kind.encode(), kind.encode()), data):
        raise ValueError(f"expected OpenPGP data, in binary or between BEGIN and END PGP {kind} and nothing else")
    try:
        packets: list[Packet] = list(library.packet.PacketPile.from_bytes(data))
    except RuntimeError as error:
        raise ValueError(_first_line(error)) from None
    if not 0 < len(packets) <= _PACKETS_MAX:
        raise ValueError(f"it holds {len(packets)} packets; expected at least one and at most {_PACKETS_MAX}")
    return packets


# Sequoia raises for numbers without a name.


def get_tag(packet: Packet) -> Tag | None:
    """Return the kind of a packet, None for one unknown to Sequoia."""
    with suppress(RuntimeError):
        return packet.tag
    return None


def get_type(packet: Packet) -> SignatureType | None:
    """Return the type of a signature, None for one unknown to Sequoia and for other packets."""
    with suppress(RuntimeError):
        return packet.signature_type
    return None


def get_hash(packet: Packet) -> HashAlgorithm | None:
    """Return the hash of a signature, None for one unknown to Sequoia and for other packets."""
    with suppress(RuntimeError):
        return packet.hash_algorithm
    return None


class Certificate:
    """A public key: one primary key, its subkeys and what belongs to them. Fingerprints in upper-case hex."""

    def __init__(self, packets: Sequence[Packet]) -> None:
        """Raises ValueError for packets that are not exactly one public key."""
        tag = load_library().packet.Tag
        tags = [get_tag(packet) for packet in packets]
        if tag.SecretKey in tags or tag.SecretSubkey in tags:
            raise ValueError("it holds secret key material")
        if tags.count(tag.PublicKey) > 1:
            raise ValueError(f"it holds {tags.count(tag.PublicKey)} primary keys; expected one alone")
        if tags[0] != tag.PublicKey:
            raise ValueError("it does not begin with a primary key")
        allowed = (tag.PublicKey, tag.PublicSubkey, tag.UserID, tag.UserAttribute, tag.Signature)
        if strangers := [str(one) for one in tags if one not in allowed]:
            raise ValueError(f"it holds a packet that belongs in no public key ({strangers[0]})")
        self._packets = tuple(packets)
        try:
            self._certificate: Cert = load_library().Cert.from_packets(list(packets))
            self._data = bytes(self._certificate)
        except RuntimeError as error:
            raise ValueError(_first_line(error)) from None
        self.fingerprint: str = self._certificate.fingerprint.upper()

    @classmethod
    def read(cls, data: bytes) -> Certificate:
        """Read a key file. Raises ValueError when it contains anything besides one public key."""
        return cls(read_packets(data, "PUBLIC KEY BLOCK"))

    def merge(self, other: Certificate) -> Certificate:
        """Return the union of both copies of one key. Raises ValueError for another key."""
        try:
            merged = bytes(self._certificate.merge(other._certificate))
            return Certificate(list(load_library().packet.PacketPile.from_bytes(merged)))
        except RuntimeError as error:
            raise ValueError(_first_line(error)) from None

    def without_revocations(self) -> Certificate:
        """Return the same key without its revocations: this tells whether they are why a signature is not accepted."""
        kinds = load_library().packet.SignatureType
        revocations = (kinds.KeyRevocation, kinds.SubkeyRevocation)
        return Certificate([packet for packet in self._packets if get_type(packet) not in revocations])

    def __bytes__(self) -> bytes:
        return self._data

    @property
    def armored(self) -> str:
        """Return the key as a text file, without comments: those would be user IDs."""
        library = load_library()
        text: str = library.armor(self._data, library.ArmorKind.PublicKey)
        return text

    def find_signer(self, signature: Packet, data: bytes | str) -> tuple[str, str]:
        """Return the fingerprint of the key that made a signature of bytes or of a file at a path, and "".

        If no key of this certificate made it, or it is not accepted: "", and Sequoia's message as details.
        """
        library = load_library()
        of_what = {"bytes": data} if isinstance(data, bytes) else {"file": data}
        try:
            detached = library.Sig.from_bytes(bytes(signature))
            found = library.verify(**of_what, store=lambda _ids: [self._certificate], signature=detached).valid_sigs
        except RuntimeError as error:
            return "", _first_line(error)
        names = [one.signing_key.upper() for one in found if one.certificate.upper() == self.fingerprint]
        return (names[0], "") if names else ("", "signed by another certificate")

    def find_key(self, signature: Packet) -> Packet | None:
        """Return the key that a signature names as its issuer. This does not prove that the key made it."""
        claims = {signature.issuer_fingerprint, signature.issuer_key_id} - {None}
        return next((one for one in self._packets if one.fingerprint and {one.fingerprint, one.key_id} & claims), None)

    def find_binding(self, key: Packet) -> Packet | None:
        """Return the newest signature in the file about a key's use and expiry.

        It explains a verdict and never decides one: Sequoia checks whether it is genuine.
        """
        primary = self._packets[0]
        following = takewhile(lambda one: not one.fingerprint, self._packets[self._packets.index(key) + 1 :])
        own = [
            (one.signature_created, at, one) for at, one in enumerate(following)
            if one.key_flags and one.signature_created
            and (one.issuer_fingerprint == primary.fingerprint or one.issuer_key_id == primary.key_id)
        ]  # fmt: skip
        return max(own, default=(None, 0, None))[2]


def _first_line(error: RuntimeError) -> str:
    """Return the library's message, without the trace of its calls that follows."""
    return next(iter(lines_of(str(error))), "no reason is given")
