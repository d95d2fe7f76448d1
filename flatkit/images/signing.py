"""Whom images are trusted from: OpenPGP signatures, checked by GnuPG in a key ring of its own, for one known primary key.

Flatcar signs with a subkey that changes about every second year, so what is pinned is the primary key's fingerprint (from
Flatcar's page "Image signing key"). `gpg` and not `gpgv`: importing checks that each subkey really belongs to its primary key.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flatkit.errors import ImageError, InputError, MissingDependency
from flatkit.run import Result, run
from flatkit.untrusted import is_number, lines_of

FLATCAR_PRIMARY = "F88CFEDEFF29A5B4D9523864E25D9AED0593B34A"
# No configuration, trust data base or agent of the person's, and no key from elsewhere.
_GPG = (
    "gpg",
    "--batch",
    "--no-options",
    "--no-autostart",
    "--no-tty",
    "--trust-model",
    "always",
    "--no-auto-key-retrieve",
)
_HINT = "flatkit images fetch NAME   (fetches it again; if it comes back, tell whoever runs the server)"


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Who is trusted now: Flatcar's pinned primary key, or whatever is in `key_file` instead of it."""

    key_file: Path | None = None

    @property
    def is_replaced(self) -> bool:
        """Whether FLATKIT_SIGNING_KEY has put another key in the place of Flatcar's."""
        return self.key_file is not None

    @property
    def words(self) -> str:
        """For badges, doctor and logs."""
        if self.key_file:
            return f'signed for the key in FLATKIT_SIGNING_KEY ("{self.key_file}"), not for Flatcar\'s'
        return "signed for Flatcar's key"

    @property
    def identity(self) -> str:
        """What is noted beside a verified image, so that it does not pass for verified under another key."""
        return f"sha256:{hashlib.sha256(self.read_key()).hexdigest()}" if self.key_file else FLATCAR_PRIMARY

    def read_key(self) -> bytes:
        """The public key that was given. Raises InputError when its file cannot be read."""
        assert self.key_file is not None
        try:
            return self.key_file.read_bytes()
        except OSError as error:
            raise InputError(
                f'the key "{self.key_file}" cannot be read: {error.strerror}; expected an OpenPGP public key',
                hint="unset FLATKIT_SIGNING_KEY   (Flatcar's own key is then trusted again)",
            ) from None


def find_trust() -> Trust:
    """Whom this person trusts: FLATKIT_SIGNING_KEY, or Flatcar's pinned key."""
    given = os.environ.get("FLATKIT_SIGNING_KEY", "").strip()
    return Trust(key_file=Path(given).expanduser().absolute()) if given else Trust()


class UnknownKey(ImageError):
    """The key that made the signature is not in the key ring; a newer copy of the signing key may have it."""


class AlteredFile(ImageError):
    """The file is not the one that was signed."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A good signature of a trusted key. Fingerprints in upper-case hex, `made` in Unix seconds; `note` is worth saying."""

    primary: str
    subkey: str
    made: int
    note: str = ""


class Keyring:
    """Public keys in a folder of their own; made by `open_keyring`."""

    def __init__(self, home: Path, trusted: frozenset[str]) -> None:
        self._home, self._trusted = home, trusted

    def verify(self, signature: Path, data: Path) -> Signature:
        """Check a detached signature of a file. Raises ImageError, saying why it is not good."""
        done = _gpg(self._home, "--status-fd", "1", "--verify", str(signature), str(data))
        found = parse_status(done.stdout)
        reasons = []
        for one in found:
            reason = one.fault(self._trusted) or self._late(one)
            if not reason:
                return Signature(primary=one.primary, subkey=one.subkey, made=one.made, note=self._note(one))
            reasons.append(reason)
        why = "; ".join(reasons) or "it holds no signature at all"
        verdicts = {one.verdict for one in found}
        kind = {"ERRSIG": UnknownKey, "BADSIG": AlteredFile}.get("".join(verdicts), ImageError)
        raise kind(f'"{data.name}" is not trusted: {why}', hint=_HINT, details=done.stderr)

    def _late(self, one: StatusOfSignature) -> str:
        return say_too_late(one, self._expiry(one.subkey)) if one.verdict == "EXPKEYSIG" else ""

    def _note(self, one: StatusOfSignature) -> str:
        if one.verdict != "EXPKEYSIG":
            return ""
        return (
            f"signed on {_day(one.made)} by a subkey that has expired since: as it should be for a release of that time"
        )

    def _expiry(self, fingerprint: str) -> int | None:
        """When a key or subkey ends, in Unix seconds; None when that is not told."""
        listing = _gpg(self._home, "--with-colons", "--fixed-list-mode", "--list-keys").stdout
        expiry: str = ""
        for fields in (line.split(":") for line in lines_of(listing)):
            if fields[0] in {"pub", "sub"}:
                expiry = fields[6]
            elif fields[0] == "fpr" and fields[9] == fingerprint:
                return int(expiry) if is_number(expiry) else None
        return None


@contextmanager
def open_keyring(key: bytes, trust: Trust) -> Iterator[Keyring]:
    """A key ring with this public key alone. Raises ImageError when it is not the trusted one, MissingDependency without gpg."""
    with tempfile.TemporaryDirectory(prefix="flatkit-gpg-") as folder:
        home = Path(folder)
        (home / "common.conf").touch()  # newer gpg would else put keys into a daemon's data base
        done = _gpg(home, "--import-options", "import-minimal", "--import", data=key)
        listing = _gpg(home, "--with-colons", "--list-keys").stdout
        primaries = frozenset(re.findall(r"^pub:.*\n(?:[^f].*\n)*?fpr:+([0-9A-F]{40}):", listing, re.MULTILINE))
        if not primaries:
            raise ImageError("the signing key is no OpenPGP public key", details=done.stderr, hint=_key_hint(trust))
        trusted = primaries if trust.is_replaced else frozenset({FLATCAR_PRIMARY})
        if not primaries & trusted:
            raise ImageError(
                f"the signing key is not Flatcar's: its fingerprint is {', '.join(sorted(primaries))}, "
                f"expected {FLATCAR_PRIMARY}",
                hint=_key_hint(trust),
            )
        yield Keyring(home, trusted)


def _key_hint(trust: Trust) -> str:
    if trust.is_replaced:
        return "unset FLATKIT_SIGNING_KEY   (or give it a public key: gpg --export --armor NAME > FILE)"
    return "to trust another key on purpose: export FLATKIT_SIGNING_KEY=FILE"


def _gpg(home: Path, *arguments: str, data: bytes = b"") -> Result:
    try:
        return run([*_GPG, "--homedir", home, *arguments], check=False, input=data, timeout=300, env={"LC_ALL": "C"})
    except MissingDependency:
        raise MissingDependency(
            'the program "gpg" is not installed, and without it no Flatcar image can be trusted',
            hint="install GnuPG (Debian: apt-get install gpg; Fedora: dnf install gnupg2), or: make setup",
        ) from None


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


@dataclass(frozen=True, kw_only=True)
class StatusOfSignature:
    """What gpg says about one signature (GnuPG's doc/DETAILS): its verdict, and with VALIDSIG who made it when."""

    verdict: str
    key: str = ""
    subkey: str = ""
    primary: str = ""
    made: int = 0

    def fault(self, trusted: frozenset[str]) -> str:
        """Why it does not count, "" when it may."""
        if self.verdict == "BADSIG":
            return "the signature belongs to other bytes than these"
        if self.verdict == "ERRSIG":
            return f"it is signed by a key that is not known here ({self.key})"
        if self.verdict == "REVKEYSIG":
            return f"its signing key was revoked ({self.key})"
        if self.verdict == "EXPSIG":
            return "the signature has expired"
        if not self.primary:
            return f"gpg says {self.verdict}"
        if self.primary not in trusted:
            return f"it is signed by another key ({self.primary}); expected {', '.join(sorted(trusted))}"
        return ""


def say_too_late(one: StatusOfSignature, expiry: int | None) -> str:
    """Why a signature of a key that has expired does not count, "" when it was made before (`expiry` in Unix seconds)."""
    if expiry is None:
        return "its key has expired"
    return f"it was signed on {_day(one.made)}, after its key had expired" if one.made > expiry else ""


_VERDICTS = {"GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG"}


def parse_status(text: str) -> list[StatusOfSignature]:
    """Read the lines that gpg writes to --status-fd: one value for each signature."""
    found: list[StatusOfSignature] = []
    for words in (line.split() for line in lines_of(text) if line.startswith("[GNUPG:] ")):
        name = words[1]
        if name in _VERDICTS:
            found.append(StatusOfSignature(verdict=name, key=words[2] if len(words) > 2 else ""))
        elif name == "VALIDSIG" and found and len(words) >= 12:
            made = int(words[4]) if is_number(words[4]) else 0
            last = found[-1]
            found[-1] = StatusOfSignature(
                verdict=last.verdict, key=last.key, subkey=words[2], primary=words[11], made=made
            )
    return found
