"""The folders of flatkit: the cache (can be re-created), the state (machines, progress) and the course.

For root, QEMU runs as libvirt's own user, which cannot enter root's home. So for root both are below /var.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from flatkit.errors import HostError
from flatkit.untrusted import printable

_PATH_MAX = 4096


def _folder(variable: str, *, for_root: str, xdg: str, fallback: str) -> Path:
    """Return the folder that a variable names, else the usual one. Raises HostError for an invalid name."""
    try:
        given = os.environ.get(variable)
        if given:
            found = Path(given).expanduser().absolute()
        elif hasattr(os, "geteuid") and os.geteuid() == 0:  # Windows has no root
            found = Path(for_root)
        else:
            base = os.environ.get(xdg)
            found = ((Path(base) if base else Path.home() / fallback) / "flatkit").absolute()
    except RuntimeError as error:  # "~" of a user without a home
        raise _unusable(variable, given or "~", str(error)) from None
    except OSError as error:  # the current folder was removed
        raise _unusable(variable, given or "", error.strerror or str(error)) from None
    if printable(found, limit=_PATH_MAX) != str(found):
        raise _unusable(variable, str(found), "its name has hidden characters, or is not valid UTF-8")
    return found


def _checked(variable: str, path: Path) -> Path:
    why = _find_fault(path)
    if why:
        raise _unusable(variable, str(path), why)
    return path


def _unusable(variable: str, value: str, why: str) -> HostError:
    return HostError(
        f'the folder "{printable(value)}" cannot be used: {why}; expected {variable} to name a folder of yours, '
        "or one that can be made",
        hint=f"unset {variable}   (a usual place is taken then), or: export {variable}=/some/folder",
    )


def _find_fault(path: Path) -> str:
    """Return why files cannot be kept in a folder; "" when they can, or when it does not exist yet."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        there = next((above for above in (path, *path.parents) if above.is_symlink()), None)
        return f'"{there}" is a link to nothing' if there and not there.exists() else ""
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(mode):
        return "it is not a folder"
    try:
        with os.scandir(path):  # may be listed
            os.stat(f"{path}/.")  # may be entered  # noqa: PTH116
    except OSError as error:
        return error.strerror or str(error)
    return ""


def cache_dir() -> Path:
    """Return the folder of images and other things that can be re-created (FLATKIT_CACHE). Raises HostError."""
    found = _folder("FLATKIT_CACHE", for_root="/var/cache/flatkit", xdg="XDG_CACHE_HOME", fallback=".cache")
    return _checked("FLATKIT_CACHE", found)


def state_dir() -> Path:
    """Return the folder of machines, keys and progress (FLATKIT_STATE). Reads and writes there report an unusable folder."""
    return _folder("FLATKIT_STATE", for_root="/var/lib/flatkit", xdg="XDG_STATE_HOME", fallback=".local/state")


def machines_dir() -> Path:
    """Return the folder with a subfolder for each machine: overlay, Ignition, console. Raises HostError."""
    return _checked("FLATKIT_STATE", state_dir()) / "machines"


def source_notebooks() -> Path | None:
    """Return the notebooks of the checkout that this package runs from; None for an installed wheel."""
    folder = Path(__file__).resolve().parent.parent / "notebooks"
    return folder if (folder.parent / "pyproject.toml").is_file() and folder.is_dir() else None


def packaged_notebooks() -> Path:
    """Return the notebooks inside an installed wheel."""
    return Path(__file__).resolve().parent / "_course"


def examples_dir() -> Path:
    """Return the Butane files that demos and lessons use, from the checkout or an installed wheel."""
    package = Path(__file__).resolve().parent
    packaged = package / "_examples"
    return packaged if packaged.is_dir() else package.parent / "examples"


def recordings_dir() -> Path:
    """Return the folder with the recorded runs of the demos."""
    return Path(__file__).resolve().parent / "recordings"
