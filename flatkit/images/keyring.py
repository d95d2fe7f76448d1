"""Flatcar's public key: finds copies of it, and checks a signature with them, the nearest one first.

A copy may come from anywhere, since its fingerprint is pinned (signing.py). The cached copy may be damaged, or too old
for the current signing subkey. Then the next copy is merged into it, and a copy that verifies replaces it. A merge
never undoes a revocation.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flatkit.errors import FetchError, ImageError
from flatkit.files import read_regular, write_atomic
from flatkit.images.mirrors import KEY_FILE, OFFICIAL, Source, Timeouts, fetch_small
from flatkit.images.releases import Channel
from flatkit.images.signing import (
    KEY_MAX,
    AlteredFile,
    Keyring,
    Signature,
    Trust,
    UnknownKey,
    UnusableKey,
    find_trust,
    load_key,
)
from flatkit.images.store import flatcar_dir


@dataclass(frozen=True, kw_only=True)
class KeyFinder:
    """Finds copies of the key for one channel: the given one, or the cache's, the sources' and Flatcar's own."""

    channel: Channel
    trust: Trust = field(default_factory=find_trust)
    sources: Sequence[Source] = ()
    patience: Timeouts = field(default_factory=Timeouts)
    cancel: threading.Event | None = None

    def check(self, signature: bytes, data: bytes | Path, *, name: str) -> Signature:
        """Check a detached signature of bytes or a file. Raises ImageError (not trusted), FetchError (no key is available)."""
        known: Keyring | None = None
        refused: ImageError | None = None
        unusable: UnusableKey | None = None
        for origin, data_of_key in self._copies():
            try:
                copy = load_key(data_of_key, self.trust, origin=origin)
                merged = known.merge(copy) if known else copy
            except UnusableKey as error:
                unusable = error
                continue
            if known and merged.is_same(known):
                continue
            known = merged
            try:
                seal = known.verify(signature, data, name=name)
            except (UnknownKey, AlteredFile) as error:
                refused = error
            else:
                if origin != str(self._cached):
                    self._keep(known.export())
                return seal
        raise (
            refused
            or unusable
            or FetchError(
                "Flatcar's public key is not available, and without it no image can be trusted",
                hint=f"fetch {OFFICIAL.key_url(self.channel)} elsewhere, then: export FLATKIT_SIGNING_KEY=FILE",
            )
        )

    @property
    def _cached(self) -> Path:
        return flatcar_dir() / str(self.channel) / KEY_FILE

    def _keep(self, key: bytes) -> None:
        """Keep a copy that has verified a signature; a cache that cannot be written costs only another download."""
        if not self.trust.is_replaced and len(key) <= KEY_MAX:
            with suppress(OSError):
                self._cached.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(self._cached, key)

    def _copies(self) -> Iterator[tuple[str, bytes]]:
        """Yield each copy with its origin."""
        if self.trust.is_replaced:
            yield str(self.trust.key_file), self.trust.read_key()
            return
        seen: set[bytes] = set()
        with suppress(OSError):
            key = read_regular(self._cached, limit=KEY_MAX)
            seen.add(key)
            yield str(self._cached), key
        asked: set[str] = set()
        for source in (*self.sources, OFFICIAL):
            with suppress(FetchError):
                place = source.key_url(self.channel)
                found = None if place in asked else fetch_small(place, patience=self.patience, cancel=self.cancel)
                asked.add(place)
                if found is not None and found not in seen:
                    seen.add(found)
                    yield place, found
