"""Where things lie: the cache (can be made again), the state (machines, progress) and the course folder.

For root, QEMU runs as libvirt's own user, who cannot enter root's home: so both lie below /var there.
"""

from __future__ import annotations

import os
from pathlib import Path


def _folder(variable: str, *, for_root: str, xdg: str, fallback: str) -> Path:
    given = os.environ.get(variable)
    if given:
        return Path(given).expanduser().absolute()
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # Windows knows no root
        return Path(for_root)
    base = os.environ.get(xdg)
    return (Path(base) if base else Path.home() / fallback) / "flatkit"


def cache_dir() -> Path:
    """Images and other things that can be made or fetched again (FLATKIT_CACHE)."""
    return _folder("FLATKIT_CACHE", for_root="/var/cache/flatkit", xdg="XDG_CACHE_HOME", fallback=".cache")


def state_dir() -> Path:
    """Machines, keys and progress (FLATKIT_STATE)."""
    return _folder("FLATKIT_STATE", for_root="/var/lib/flatkit", xdg="XDG_STATE_HOME", fallback=".local/state")


def machines_dir() -> Path:
    """One folder a machine: overlay, Ignition, console."""
    return state_dir() / "machines"


def source_notebooks() -> Path | None:
    """The notebooks of the checkout that this package is run from, or None for an installed wheel."""
    folder = Path(__file__).resolve().parent.parent / "notebooks"
    return folder if (folder.parent / "pyproject.toml").is_file() and folder.is_dir() else None


def packaged_notebooks() -> Path:
    """The notebooks inside an installed wheel."""
    return Path(__file__).resolve().parent / "_course"


def examples_dir() -> Path:
    """The Butane files that demos and lessons use: of the checkout, or inside an installed wheel."""
    package = Path(__file__).resolve().parent
    packaged = package / "_examples"
    return packaged if packaged.is_dir() else package.parent / "examples"


def recordings_dir() -> Path:
    """The folder with the recorded runs of the demos."""
    return Path(__file__).resolve().parent / "recordings"
