"""The workshop's SSH key, and the host keys of its machines.

Host keys are read from the machine's own console and pinned. Any other server on the port is refused; no key is trusted
on first use. This protects against other programs of this host, but not against the machine itself. Its root user, or
anyone who may write to all its terminals, can show any key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flatkit import paths
from flatkit.accounts import why_refused
from flatkit.errors import FlatkitError, InputError
from flatkit.fields import Fields, to_json
from flatkit.files import read_head, read_named, read_regular, save
from flatkit.machines.console import STAMP
from flatkit.machines.store import holding, make_folder
from flatkit.untrusted import lines_of, parse_json

# Flatcar's issuegen and the lab image print this before the login prompt. It must be a whole line, so that quoted text
# can never be a key: names of files and units, answers of servers.
_HOST_KEY = re.compile(STAMP + r"SSH host key: (SHA256:[A-Za-z0-9+/]{43})=? \(([A-Z0-9a-z]{1,16})\)\s*\Z")

_KEYS_MAX = 64 * 1024
# OpenSSH's key types -> the algorithm names of the protocol.
_ALGORITHMS = {
    "ED25519": ("ssh-ed25519",),
    "ECDSA": ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    "RSA": ("rsa-sha2-512", "rsa-sha2-256"),
}


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A private key file and its public key line."""

    private: Path
    public: str


def workshop_key() -> KeyPair:
    """Return the key that flatkit adds to each machine; create it on first use."""
    folder = make_folder(paths.state_dir() / "ssh", private=True)
    private, public = folder / "id_ed25519", folder / "id_ed25519.pub"
    try:
        with holding(folder / ".lock", what="the SSH key", wait=10.0):
            if not (private.exists() and public.exists()):
                secret, line = _make_key()
                save(private, secret, mode=0o600)
                save(public, line + "\n")
            # ssh would refuse a private key of somebody else's without a word about it.
            read_head(private, 1)
        return KeyPair(private=private, public=public.read_text().strip())
    except FlatkitError:
        raise
    except OSError as error:
        raise paths.refused(private, error) from None


def _make_key() -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return secret.decode(), f"{public.decode()} flatkit@{os.uname().nodename}"


@dataclass(frozen=True, kw_only=True)
class HostKey:
    """A host key's fingerprint as OpenSSH writes it ("SHA256:..." without padding), and its type ("ED25519")."""

    fingerprint: str
    kind: str


def parse_host_key(text: str) -> HostKey | None:
    """Return the host key that a console line shows; None if it shows none."""
    found = _HOST_KEY.search(text)
    return HostKey(fingerprint=found[1], kind=found[2].upper()) if found else None


def fingerprint_of(blob: bytes) -> str:
    """Return the fingerprint of a public key in the protocol's wire format."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def algorithms_for(keys: Iterable[HostKey]) -> tuple[str, ...]:
    """Return the algorithms to request, so that the server shows one of the known keys."""
    kinds = [key.kind for key in keys]
    return tuple(name for kind, names in _ALGORITHMS.items() if kind in kinds for name in names)


def load_host_keys(path: Path) -> tuple[HostKey, ...]:
    """Load the pinned host keys; empty if there are none, or none that can be read."""
    try:
        found = {"keys": parse_json(read_regular(path, limit=_KEYS_MAX))}
        return Fields(found).objects("keys", lambda entry: entry.build(HostKey))
    except (OSError, ValueError):
        return ()


def save_host_keys(path: Path, keys: Iterable[HostKey]) -> None:
    """Pin these host keys."""
    save(path, json.dumps(to_json(list(keys)), indent=2) + "\n", mode=0o600)


def read_key_file(path: Path) -> tuple[Path | None, tuple[str, ...]]:
    """Read a user's key file: a private key to log in with, or public keys for core to accept.

    X.pub next to its private key X means X. Raises InputError for a file that cannot be read or contains no key.
    """
    private = path.with_suffix("") if path.suffix == ".pub" else path
    try:
        text = read_named(path, limit=_KEYS_MAX).decode(errors="replace")
        if "PRIVATE KEY-----" in text:
            return path, ()
        if private != path and private.is_file():
            return private, ()
    except OSError as error:
        raise InputError(
            f'the key file "{path}" cannot be read: {why_refused(path, error)}; expected a private key, or public ones',
            hint="ssh-keygen -t ed25519   (makes ~/.ssh/id_ed25519)",
        ) from None
    lines = tuple(line.strip() for line in lines_of(text) if re.match(r"\s*(ssh|ecdsa|sk)-\S+ +\S", line))
    if not lines:
        raise InputError(
            f'the file "{path}" holds no SSH key; expected a private key, or lines such as "ssh-ed25519 AAAA..."',
            hint="ssh-keygen -t ed25519   (makes ~/.ssh/id_ed25519)",
        )
    return None, lines
