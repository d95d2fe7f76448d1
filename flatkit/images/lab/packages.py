"""The lab image's Debian packages, unpacked once into a tar archive in the cache, and the lock for all builds there.

Extensions and container images are built from the same archive, so this module imports neither them nor the image.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flatkit.errors import FlatkitError, ImageError
from flatkit.events import Observer, phase
from flatkit.images.cache import locked, make_folder
from flatkit.images.lab import recipe, tree
from flatkit.paths import cache_dir, cache_layers

NEEDED_MIB = 2500
# Packages get fixes: a build fetches them again after so many seconds.
_MAX_AGE = 14 * 24 * 3600


def lab_dir() -> Path:
    """Return the folder of the user's own cache that holds lab images and their packages."""
    return cache_dir() / "lab"


def lab_layers() -> list[Path]:
    """Return the folders where lab images and their packages are looked for: that of a shared cache first."""
    return [layer / "lab" for layer in cache_layers()]


@contextmanager
def building(observer: Observer, *, needed_mib: int = NEEDED_MIB) -> Iterator[Path]:
    """Hold the build lock of the lab folder and yield that folder. Raises HostError (no space), ImageError (not writable)."""
    folder = make_folder(lab_dir(), needed_mib=needed_mib, what="the lab image")
    with locked(folder, observer, what="the lab image"):
        try:
            yield folder
        except FlatkitError:  # some are OSErrors as well
            raise
        except OSError as error:
            raise ImageError(
                f"the lab image could not be written: {error}", hint="flatkit images build-lab   (to try again)"
            ) from None


def find_packages(observer: Observer | None = None) -> Path:
    """Return the archive of the image's packages, from the cache or newly fetched. An image from a pack lacks it.

    Raises MissingDependency (mmdebstrap), HostError (no space, no user namespaces) or ImageError.
    """
    for folder in lab_layers():
        if (archive := folder / _archive_name()).is_file():
            return archive
    watcher = observer or Observer()
    with building(watcher):
        return refresh_packages(watcher)


def refresh_packages(observer: Observer) -> Path:
    """Return the archive, fetched again when it is too old. Call it only while `building` holds the lock."""
    for folder in lab_layers():
        archive = folder / _archive_name()
        if archive.is_file() and time.time() - archive.stat().st_mtime < _MAX_AGE:
            return archive
    with phase(observer, "packages", f"Fetching and unpacking Debian packages ({recipe.SUITE})", typical=40):
        partial = archive.with_suffix(".part")
        try:
            tree.bootstrap(partial, observer)
            partial.replace(archive)
        finally:
            partial.unlink(missing_ok=True)
    for old in lab_dir().glob("packages-*.tar"):
        if old != archive:
            old.unlink()
    return archive


def _archive_name() -> str:
    return f"packages-{recipe.bootstrap_digest()}.tar"
