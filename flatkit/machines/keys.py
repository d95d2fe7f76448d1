"""The workshop's own SSH key, and the host keys of its machines.

Host keys are read from the machine's own console and pinned: what else answers on the port is refused, never trusted at
first sight. This protects against other programs of this host and not against the machine itself: who is root in it, or may
write to all its terminals, can show any key.
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
from flatkit.errors import InputError
from flatkit.files import read_regular
from flatkit.machines.hearing import STAMP
from flatkit.machines.spec import text_from
from flatkit.machines.store import holding, make_folder, write_atomically
from flatkit.untrusted import lines_of, parse_json

# What Flatcar's issuegen prints before the login prompt, and the lab image likewise.
# A line of its own, so that no text that is merely quoted in one can be a key: names of files and units, answers of servers.
_HOST_KEY = re.compile(STAMP + r"SSH host key: (SHA256:[A-Za-z0-9+/]{43})=? \(([A-Z0-9a-z]{1,16})\)\s*\Z")

_KEYS_MAX = 64 * 1024
# OpenSSH's names of the kinds of key -> the algorithm names of the protocol.
_ALGORITHMS = {
    "ED25519": ("ssh-ed25519",),
    "ECDSA": ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    "RSA": ("rsa-sha2-512", "rsa-sha2-256"),
}


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A private key's file and its public line."""

    private: Path
    public: str


def workshop_key() -> KeyPair:
    """The key that flatkit adds to each machine; made when it is first needed."""
    folder = make_folder(paths.state_dir() / "ssh", private=True)
    private, public = folder / "id_ed25519", folder / "id_ed25519.pub"
    with holding(folder / ".lock", what="the SSH key", wait=10.0):
        if not (private.exists() and public.exists()):
            secret, line = _make_key()
            write_atomically(private, secret, mode=0o600)
            write_atomically(public, line + "\n")
    return KeyPair(private=private, public=public.read_text().strip())


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
    """A host key's fingerprint as OpenSSH writes it ("SHA256:..." without padding), and its kind ("ED25519")."""

    fingerprint: str
    kind: str


def parse_host_key(text: str) -> HostKey | None:
    """The host key that a line of the console shows."""
    found = _HOST_KEY.search(text)
    return HostKey(fingerprint=found[1], kind=found[2].upper()) if found else None


def fingerprint_of(blob: bytes) -> str:
    """The fingerprint of a public key in the protocol's own form."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def algorithms_for(keys: Iterable[HostKey]) -> tuple[str, ...]:
    """What to ask the server for, so that it shows one of the keys that are known."""
    kinds = [key.kind for key in keys]
    return tuple(name for kind, names in _ALGORITHMS.items() if kind in kinds for name in names)


def load_host_keys(path: Path) -> tuple[HostKey, ...]:
    """The pinned host keys; none when there are none yet, or none that can be read."""
    try:
        return host_keys_from(parse_json(read_regular(path, limit=_KEYS_MAX)))
    except (OSError, ValueError, TypeError):
        return ()


def host_keys_from(values: object) -> tuple[HostKey, ...]:
    """The host keys in JSON values. Raises TypeError."""
    if not isinstance(values, list) or not all(isinstance(entry, dict) for entry in values):
        raise TypeError("expected a list of host keys")
    return tuple(
        HostKey(fingerprint=text_from(entry, "fingerprint"), kind=text_from(entry, "kind")) for entry in values
    )


def save_host_keys(path: Path, keys: Iterable[HostKey]) -> None:
    """Pin these host keys."""
    entries = [{"fingerprint": key.fingerprint, "kind": key.kind} for key in keys]
    write_atomically(path, json.dumps(entries, indent=2) + "\n", mode=0o600)


def read_key_file(path: Path) -> tuple[Path | None, tuple[str, ...]]:
    """What a key file of a person's gives: a private key to log in with, or public keys for core to accept.

    X.pub beside its private key X is taken for X. Raises InputError for a file that cannot be read or holds neither.
    """
    private = path.with_suffix("") if path.suffix == ".pub" else path
    try:
        text = path.read_text(errors="replace")
        if "PRIVATE KEY-----" in text:
            return path, ()
        if private != path and private.is_file():
            return private, ()
    except OSError as error:
        raise InputError(
            f'the key file "{path}" cannot be read: {error.strerror}; expected a private key, or public ones',
            hint="ssh-keygen -t ed25519   (makes ~/.ssh/id_ed25519)",
        ) from None
    lines = tuple(line.strip() for line in lines_of(text) if re.match(r"\s*(ssh|ecdsa|sk)-\S+ +\S", line))
    if not lines:
        raise InputError(
            f'the file "{path}" holds no SSH key; expected a private key, or lines such as "ssh-ed25519 AAAA..."',
            hint="ssh-keygen -t ed25519   (makes ~/.ssh/id_ed25519)",
        )
    return None, lines
