"""Which Ignition each Flatcar release has, and which spec of its configs that reads.

Sources: sys-apps/ignition in the branches of flatcar/scripts (flatcar-3510 to flatcar-4593) and the release files of
flatcar-website (stable 4757.2.1, alpha 4820.0.0); Ignition's release notes for the specs and for Butane.
"""

from __future__ import annotations

from typing import NamedTuple

from flatkit.version_numbers import VersionNumber


class Reader(NamedTuple):
    """The Ignition of the releases from `major` on, and the newest released spec that it reads."""

    major: int
    ignition: str
    spec: VersionNumber


# Newest first. Only releases count: nightly builds between 4799 and 4820 had 2.26.
READERS = (
    Reader(4820, "2.27.0", (3, 6, 0)),
    Reader(4593, "2.24.0", (3, 5, 0)),
    Reader(4459, "2.22.0", (3, 5, 0)),
    Reader(4230, "2.20.0", (3, 5, 0)),
    Reader(4081, "2.19.0", (3, 4, 0)),
    Reader(3602, "2.15.0", (3, 4, 0)),
    Reader(3510, "2.14.0", (3, 3, 0)),
    Reader(3185, "2.13.0", (3, 3, 0)),
)
NEWEST_SPEC = READERS[0].spec
BUTANE_MAJOR = 4820  # from Ignition 2.27 on a machine translates Butane itself
CLEVIS_MAJOR = 3913  # Ignition alone is not enough: the image needs clevis


def find_reader(major: int) -> Reader:
    """Return the Ignition of a Flatcar release; of an older one than all, the oldest known."""
    return next((reader for reader in READERS if major >= reader.major), READERS[-1])


def find_major(spec: VersionNumber) -> int | None:
    """Return the first major version of Flatcar whose releases read a spec; None when no release does."""
    return min((reader.major for reader in READERS if reader.spec >= spec), default=None)
