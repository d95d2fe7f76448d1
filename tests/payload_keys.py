"""Keys for lab payloads, as a build of the lab image makes them with openssl: a private and a public PEM file."""

from __future__ import annotations

from pathlib import Path

from flatkit.files import write_atomic
from flatkit.updates.keys import SIGNATURE_SIZE, read_private_key


def make_key(private_path: Path, public_path: Path) -> None:
    """Make a key pair, unless there is a private key already; the public file is always written to match it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if not private_path.exists():
        made = rsa.generate_private_key(public_exponent=65537, key_size=SIGNATURE_SIZE * 8)
        private_pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_atomic(private_path, private_pem, mode=0o600)
    public_pem = (
        read_private_key(private_path)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    if not public_path.is_file() or public_path.read_bytes() != public_pem:
        write_atomic(public_path, public_pem, mode=0o644)
