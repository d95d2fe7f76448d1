"""Flatcar's public key: where a copy of it is found, and a signature checked with the copies, the nearest one first.

A copy may come from anywhere, since its fingerprint is pinned (signing.py). One from the cache may be too old to have the
subkey that signs today; then the next copy is tried.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flatkit.errors import FetchError
from flatkit.images.names import Channel
from flatkit.images.signing import Signature, Trust, UnknownKey, find_trust, open_keyring
from flatkit.images.source import KEY_FILE, OFFICIAL, Patience, Source, fetch_small
from flatkit.images.store import flatcar_dir


@dataclass(frozen=True, kw_only=True)
class KeyFinder:
    """Finds copies of the key for one channel: the given one, or the cache's, the sources' and Flatcar's own."""

    channel: Channel
    trust: Trust = field(default_factory=find_trust)
    sources: Sequence[Source] = ()
    patience: Patience = field(default_factory=Patience)
    cancel: threading.Event | None = None

    def check(self, signature: Path, data: Path) -> Signature:
        """Check a detached signature. Raises ImageError (not trusted), FetchError (no key is to be had), HostError (no gpg)."""
        trouble: UnknownKey | None = None
        for key in self._copies():
            try:
                with open_keyring(key, self.trust) as keyring:
                    seal = keyring.verify(signature, data)
            except UnknownKey as error:
                trouble = error
                continue
            self._keep(key)
            return seal
        raise trouble or FetchError(
            "Flatcar's public key cannot be had, and without it no image can be trusted",
            hint=f"fetch {OFFICIAL.key_url(self.channel)} elsewhere, then: export FLATKIT_SIGNING_KEY=FILE",
        )

    @property
    def _cached(self) -> Path:
        return flatcar_dir() / str(self.channel) / KEY_FILE

    def _keep(self, key: bytes) -> None:
        if not self.trust.is_replaced:
            self._cached.parent.mkdir(parents=True, exist_ok=True)
            self._cached.write_bytes(key)

    def _copies(self) -> Iterator[bytes]:
        if self.trust.is_replaced:
            yield self.trust.read_key()
            return
        places = [str(self._cached), *(source.key_url(self.channel) for source in (*self.sources, OFFICIAL))]
        seen: set[bytes] = set()
        for place in dict.fromkeys(places):
            with suppress(FetchError):
                key = fetch_small(place, patience=self.patience, cancel=self.cancel)
                if key and key not in seen:
                    seen.add(key)
                    yield key
