"""The certificate of a room, checked before the room begins: traefik would replace one that it cannot use by its own."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatkit.errors import UsageError
from flatkit.files import read_regular
from flatkit.untrusted import printable, shell_word

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_LIMIT = 1 << 20
_NAMES_MAX = 100
# A room that lasts some days should not end in warnings of the browsers.
_SOON = timedelta(days=3)
_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class RoomCertificate:
    """Names, addresses and last moment of a certificate. `warning` is "" or a sentence."""

    names: tuple[str, ...]
    until: datetime
    warning: str = ""

    def host_for(self, address: str) -> str:
        """Return the host for the room's address: one that browsers accept with this certificate, if there is one."""
        if address in self.names:
            return address
        return next((name for name in self.names if not name.startswith("*") and not _is_address(name)), address)


def check(certificate: Path, key: Path, *, now: datetime | None = None) -> RoomCertificate:
    """Return what the certificate is for. Raises UsageError if traefik or the browsers could not use it with this key."""
    from cryptography import x509

    pem = _read(certificate)
    try:
        first = x509.load_pem_x509_certificates(pem)[0]
    except (ValueError, IndexError):
        raise UsageError(
            f'"{printable(certificate)}" is not a certificate; expected a PEM file with -----BEGIN CERTIFICATE-----',
            hint="openssl x509 -inform DER -in FILE -out cert.pem   (if it is a DER file)",
        ) from None
    _check_key(key, first)
    _check_chain(certificate, key)
    when, begin, end = now or datetime.now(UTC), first.not_valid_before_utc, first.not_valid_after_utc
    if when >= end:
        raise UsageError(
            f'the certificate "{printable(certificate)}" has expired at {_date(end)}; every browser refuses it',
            hint="certbot renew   (or ask for a new certificate where you got this one)",
        )
    if when < begin:
        raise UsageError(
            f'the certificate "{printable(certificate)}" is valid from {_date(begin)} on, and this host says {_date(when)}',
            hint="timedatectl   (shows whether this host's clock is right)",
        )
    names = _names(first)
    warning = "" if names else "the certificate has no names (subjectAltName): browsers will not accept it"
    if end - when < _SOON:
        warning = f"the certificate expires at {_date(end)}"
    return RoomCertificate(names=names, until=end, warning=warning)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, limit=_LIMIT)  # not a pipe: the proxy opens the files later
    except OSError as error:
        raise UsageError(f'"{printable(path)}" cannot be read: {error.strerror}; expected a PEM file') from None


def _check_key(path: Path, certificate: Certificate) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    name = printable(path)
    pem, public = _read(path), _public_key(certificate)
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise UsageError(
            f'the key "{name}" is encrypted, and the proxy cannot ask for its password',
            hint=f"openssl pkey -in {shell_word(path)} -out key.pem && chmod 600 key.pem",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(
            f'"{name}" is not a private key; expected a PEM file with -----BEGIN PRIVATE KEY-----',
            hint="--tls CERT KEY: the certificate first, then its key",
        ) from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != public.public_bytes(*form):
        raise UsageError(
            f'the key "{name}" is not the one of this certificate',
            hint="openssl x509 -noout -pubkey -in CERT; openssl pkey -pubout -in KEY   (both must print the same)",
        )
    place = path.resolve()
    if place.stat().st_mode & 0o004 and all(folder.stat().st_mode & 0o001 for folder in place.parents):
        raise UsageError(
            f'every account of this host may read the key "{name}", and seats are accounts',
            hint=f"chmod o= {shell_word(path)}",
        )


def _public_key(certificate: Certificate) -> Any:
    """Return the key, of a kind that traefik can use (Go's crypto/tls). Raises UsageError for another one."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    with suppress(UnsupportedAlgorithm, ValueError):
        key = certificate.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
            return key
    raise UsageError(
        "the certificate has a key that the proxy does not support; expected RSA, ECDSA or Ed25519",
        hint="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 ...   (makes one)",
    )


def _check_chain(certificate: Path, key: Path) -> None:
    """Load both as a server does. Raises UsageError for what OpenSSL refuses, such as a key that is too short."""
    try:
        # A password is never asked for, also if the files have changed since they were read.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError) as error:
        raise UsageError(
            f'no server can use the certificate "{printable(certificate)}": {printable(error)}',
            hint=f"openssl x509 -noout -text -in {shell_word(certificate)}",
        ) from None


def _names(certificate: Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return ()
    names = [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]
    return tuple(printable(name) for name in names[:_NAMES_MAX])


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Answer of a server: the certificate that it shows, as DER, and if the path is there."""

    certificate: bytes
    is_there: bool


def ask(host: str, port: int, path: str) -> Shown:
    """Ask a server of this host for a page. Raises OSError if nobody answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # It is compared with the file, so no authority has to vouch for it.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), timeout=_SECONDS) as line, context.wrap_socket(line) as talk:
        talk.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        shown = talk.getpeercert(binary_form=True) or b""
        return Shown(certificate=shown, is_there=talk.recv(64).split(b" ")[1:2] == [b"200"])


def stored(certificate: Path) -> bytes:
    """Return the first certificate of a PEM file, as DER; b"" if there is none. Raises OSError."""
    pem = read_regular(certificate, limit=_LIMIT).decode("ascii", "replace")
    begin = pem.find(ssl.PEM_HEADER)
    end = pem.find(ssl.PEM_FOOTER, begin)
    with suppress(ValueError):  # not Base64
        return ssl.PEM_cert_to_DER_cert(pem[begin : end + len(ssl.PEM_FOOTER)]) if 0 <= begin < end else b""
    return b""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
