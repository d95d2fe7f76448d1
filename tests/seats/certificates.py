"""Self-made certificates for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtensionOID, NameOID

_WITHOUT_HASH = (ed448.Ed448PrivateKey, ed25519.Ed25519PrivateKey)
NOW = datetime.now(UTC).replace(microsecond=0)


def make(
    folder: Path, name: str, *, names: Sequence[str] = ("room.example", "127.0.0.1"), begin: datetime | None = None,
    days: float = 30.0, password: bytes = b"", key: Any = None, raw_names: bytes = b"",
    others: Sequence[x509.ObjectIdentifier] = (),
) -> tuple[Path, Path]:  # fmt: skip
    """Write NAME.pem and NAME.key, each for its owner alone; return their paths.

    `raw_names` is DER in the place of the names, `others` are extensions beside them.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "room")])
    since = begin or NOW - timedelta(hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=days))
    )
    if names:
        found: list[x509.GeneralName] = []
        for one in names:
            is_address = one[0].isdigit()
            found.append(x509.IPAddress(ip_address(one)) if is_address else x509.DNSName(one))
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    if raw_names:
        extension = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, raw_names)
        builder = builder.add_extension(extension, critical=False)
    for other in others:
        builder = builder.add_extension(x509.UnrecognizedExtension(other, b"\x30\x00"), critical=False)
    certificate, secret = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(
        builder.sign(key, None if isinstance(key, _WITHOUT_HASH) else SHA256()).public_bytes(Encoding.PEM)
    )
    shut = BestAvailableEncryption(password) if password else NoEncryption()
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, shut))
    secret.chmod(0o600)
    return certificate, secret
