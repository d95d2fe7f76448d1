"""OpenPGP packets made by hand, so that an attacker's choice of each byte can be tried. Ed25519, version 4."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SHA1, SHA256, SHA384, SHA512 = 2, 8, 9, 10
NAMES = {SHA1: "sha1", SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"}
MADE, EXPIRES, KEY_EXPIRES, ISSUER, NOTATION, POLICY, FLAGS, EMBEDDED, FINGERPRINT = 2, 3, 9, 16, 20, 26, 27, 32, 33
CRITICAL = 0x80
FILE, TEXT, CERTIFY, BIND, BACK, REVOKE_SUBKEY = 0x00, 0x01, 0x13, 0x18, 0x19, 0x28
EPOCH = 1_700_000_000  # 2023-11-14


def packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4) + body


def armor(data: bytes, kind: str = "PUBLIC KEY BLOCK") -> bytes:
    return f"-----BEGIN PGP {kind}-----\n\n{base64.encodebytes(data).decode()}-----END PGP {kind}-----\n".encode()


def subpacket(kind: int, value: bytes) -> bytes:
    return b"\xff" + (len(value) + 1).to_bytes(4) + bytes([kind]) + value


def notation(name: bytes, value: bytes) -> tuple[int, bytes]:
    return NOTATION, b"\x80\0\0\0" + len(name).to_bytes(2) + len(value).to_bytes(2) + name + value


def number(data: bytes) -> bytes:
    value = int.from_bytes(data)
    return value.bit_length().to_bytes(2) + value.to_bytes((value.bit_length() + 7) // 8)


@dataclass
class Key:
    """A key pair, made from a seed."""

    seed: int = 1
    created: int = EPOCH
    private: Ed25519PrivateKey = field(init=False)

    def __post_init__(self) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(self.seed.to_bytes(32))

    @property
    def body(self) -> bytes:
        point = b"\x40" + self.private.public_key().public_bytes_raw()
        return b"\x04" + self.created.to_bytes(4) + b"\x16" + bytes.fromhex("092b06010401da470f01") + number(point)

    @property
    def hashed(self) -> bytes:
        return b"\x99" + len(self.body).to_bytes(2) + self.body

    @property
    def fingerprint(self) -> str:
        return hashlib.sha1(self.hashed).hexdigest().upper()

    def sign(
        self,
        data: bytes,
        *more: tuple[int, bytes],
        kind: int = FILE,
        at: int = EPOCH + 1000,
        algorithm: int = SHA512,
        claim: str = "",
        loose: tuple[tuple[int, bytes], ...] = (),
    ) -> bytes:
        """The body of a signature packet; `claim` names another key as its issuer."""
        issuer = bytes.fromhex(claim or self.fingerprint)
        areas = [(MADE, at.to_bytes(4)), (FINGERPRINT, b"\x04" + issuer), *more]
        hashed = b"".join(subpacket(*one) for one in areas)
        unhashed = b"".join(subpacket(*one) for one in ((ISSUER, issuer[-8:]), *loose))
        head = bytes([4, kind, 22, algorithm]) + len(hashed).to_bytes(2) + hashed
        digest = hashlib.new(NAMES[algorithm], data + head + b"\x04\xff" + len(head).to_bytes(4)).digest()
        raw = self.private.sign(digest)
        return head + len(unhashed).to_bytes(2) + unhashed + digest[:2] + number(raw[:32]) + number(raw[32:])

    def certify(self, name: bytes, *, flags: int = 3, algorithm: int = SHA512, signer: Key | None = None) -> bytes:
        """A user ID and its certification, by the key itself unless another `signer` is given."""
        subject = self.hashed + b"\xb4" + len(name).to_bytes(4) + name
        seal = (signer or self).sign(
            subject, (FLAGS, bytes([flags])), kind=CERTIFY, algorithm=algorithm, at=EPOCH + 100
        )
        return packet(13, name) + packet(2, seal)

    def bind(
        self,
        subkey: Key,
        *,
        flags: int = 2,
        back: Key | None = None,
        agrees: bool = True,
        expires: int = 0,
        at: int = EPOCH + 100,
    ) -> bytes:
        """A subkey and its binding; `back` makes the signature by which the subkey agrees, by default the subkey does."""
        subject = self.hashed + subkey.hashed
        more = [(FLAGS, bytes([flags]))]
        more += [(KEY_EXPIRES, expires.to_bytes(4))] if expires else []
        more += [(EMBEDDED, (back or subkey).sign(subject, kind=BACK, at=at))] if agrees else []
        return packet(14, subkey.body) + packet(2, self.sign(subject, *more, kind=BIND, at=at))

    def public(self, *parts: bytes, name: bytes = b"Test <test@flatkit.invalid>") -> bytes:
        """The whole public key; `parts` are subkeys."""
        return packet(6, self.body) + self.certify(name) + b"".join(parts)
