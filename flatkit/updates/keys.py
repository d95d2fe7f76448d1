"""The key that signs lab payloads: RSA 2048, PKCS#1 v1.5, SHA-256, in PEM files for `openssl`.

It replaces `/usr/share/update_engine/update-payload-key.pub.pem` of Flatcar. The public half is in the image's `/usr`;
the private half stays on the host that built the image.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.errors import ImageError
from flatkit.files import read_regular

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

SIGNATURE_SIZE = 256
_BITS = SIGNATURE_SIZE * 8
_PEM_MAX = 1024 * 1024


def read_private_key(path: Path) -> RSAPrivateKey:
    """Return the private key in a PEM file. Raises ImageError for a file without such a key."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(read_regular(path, limit=_PEM_MAX), password=None)
    except (OSError, ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise ImageError(f'"{path}" holds no private key that can be read: {error}') from None
    if not isinstance(key, RSAPrivateKey) or key.key_size != _BITS:
        raise ImageError(f'"{path}" holds another kind of key; expected an RSA key of {_BITS} bits')
    return key


def read_public_key(path: Path) -> RSAPublicKey:
    """Return the public key in a PEM file. Raises ImageError for a file without such a key."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(read_regular(path, limit=_PEM_MAX))
    except (OSError, ValueError) as error:
        raise ImageError(f'"{path}" holds no public key that can be read: {error}') from None
    if not isinstance(key, RSAPublicKey) or key.key_size != _BITS:
        raise ImageError(f'"{path}" holds another kind of key; expected an RSA key of {_BITS} bits')
    return key


def sign(key: RSAPrivateKey, digest: bytes) -> bytes:
    """Return the signature over data whose SHA-256 is `digest`; the same digest gives the same signature."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import SHA256

    return key.sign(digest, PKCS1v15(), Prehashed(SHA256()))


def is_signed(key: RSAPublicKey, digest: bytes, signature: bytes) -> bool:
    """Return whether the signature is by this key, over data whose SHA-256 is `digest`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(signature, digest, PKCS1v15(), Prehashed(SHA256()))
    except InvalidSignature:
        return False
    return True
