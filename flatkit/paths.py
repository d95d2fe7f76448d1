"""The folders of flatkit: the cache (can be re-created), the state (machines, progress) and the course.

A host with several users may have a second cache, which they only read: `shared_cache_dir`.

For root, QEMU runs as libvirt's own user, which cannot enter root's home. So for root both are below /var.
"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from flatkit.accounts import REFUSALS, find_obstacle, home_of, my_name, my_uid, why_refused
from flatkit.errors import HostError
from flatkit.untrusted import printable

_PATH_MAX = 4096
# Variable of each folder, and the variable of the XDG specification that is used without it.
_XDG = {"FLATKIT_CACHE": "XDG_CACHE_HOME", "FLATKIT_STATE": "XDG_STATE_HOME"}
# A disk names the image below it in at most 1023 bytes (QEMU's qcow2), and image and disk are some folders further down.
_FOLDER_MAX = 900


def _folder(variable: str, *, for_root: str, xdg: str, fallback: str) -> Path:
    """Return the folder that a variable names, else the usual one. Raises HostError for an invalid name."""
    try:
        given = os.environ.get(variable)
        if given:
            found = Path(given).expanduser()
            if not found.is_absolute():  # another folder after each `cd`: machines that run would not be seen
                why = "it is not an absolute path, and would be another folder after each cd"
                raise _unusable(variable, given, why, way=f"export {variable}={shlex.quote(str(found.absolute()))}")
        elif hasattr(os, "geteuid") and os.geteuid() == 0:  # Windows has no root
            found = Path(for_root)
        else:
            base = os.environ.get(xdg, "")
            # The XDG specification has relative paths ignored.
            found = (Path(base) if base.startswith("/") else Path.home() / fallback) / "flatkit"
            if not found.is_absolute():
                why = f'HOME is "{os.environ.get("HOME", "")}", which is not an absolute path'
                raise _unusable(variable, str(found), why, way=_way_home(f"export {variable}=/some/folder"))
    except RuntimeError:
        # Of "~": HOME is not set, and the user database has no entry. Of "~name": no such user.
        name = (given or "~").split("/")[0][1:]
        why = (
            f'this host has no user "{name}"'
            if name
            else "HOME is not set, and the user database names no home of yours"
        )
        raise _unusable(variable, given or "~", why) from None
    except OSError as error:  # the current folder was removed
        raise _unusable(variable, given or "", error.strerror or str(error)) from None
    if printable(found, limit=_PATH_MAX) != str(found):
        raise _unusable(variable, str(found), "its name has hidden characters, or is not valid UTF-8")
    if (size := len(os.fsencode(found))) > _FOLDER_MAX:
        raise _unusable(
            variable,
            str(found),
            f"its name has {size} bytes, and a disk names its image in less; at most {_FOLDER_MAX}",
        )
    return found


def _checked(variable: str, path: Path) -> Path:
    why = _find_fault(path)
    if why:
        raise _unusable(variable, str(path), why)
    return path


def _unusable(variable: str, value: str, why: str, *, way: str = "") -> HostError:
    return HostError(
        f'the folder "{printable(value)}" cannot be used: {why}; expected {variable} to name a folder of yours, '
        "or one that can be made",
        hint=way or _way_out(variable, Path(value)),
    )


def _way_home(own: str) -> str:
    home = home_of(my_uid())
    return f"export HOME={shlex.quote(str(home or '/some/folder'))}   (HOME is not the home of {my_name()}), or: {own}"


def _way_out(variable: str, path: Path) -> str:
    """Return the command that leads to a folder of the user's own."""
    own = f"export {variable}=/some/folder"
    if str(path) == "~":
        return f"export HOME=/some/folder   (one of yours), or: {own}"
    for name in (variable, _XDG.get(variable, "")):
        if os.environ.get(name) and (name == variable or my_uid() != 0):
            return f"unset {name}   (a usual place is taken then), or: {own}"
    home = home_of(my_uid())
    if home and os.environ.get("HOME") not in {None, str(home)} and my_uid() != 0:
        return _way_home(own)
    obstacle = find_obstacle(path)
    # What is above a home is not to be given away.
    if obstacle and obstacle.path != home and (obstacle.is_in_my_home or obstacle.uid == my_uid()):
        return f"{obstacle.cure}   , or: {own}"
    return own


def refused(path: Path, error: OSError, *, doing: str = "used") -> HostError:
    """Return the error for a file or folder of flatkit's that the system refuses: whose it is, and the way out.

    `doing` is the participle of what was tried.
    """
    why = why_refused(path, error)
    return HostError(f'"{printable(path)}" cannot be {doing}: {why}', hint=way_out(path, error))


def way_out(path: Path, error: OSError, *, variable: str = "") -> str:
    """Return the command that gives the user a file or folder that the system refuses, or leads to another place.

    `variable` decides where the file is; without it, the one whose folder contains the file.
    """
    variable = variable or _variable_of(path)
    if error.errno in REFUSALS:
        obstacle = find_obstacle(path) or find_obstacle(path.parent)
        if obstacle and (obstacle.is_in_my_home or obstacle.uid == my_uid()):
            return obstacle.cure
        if variable:
            return _way_out(variable, path)
        if obstacle:
            return obstacle.cure
    if variable:
        return f"export {variable}=/some/folder   (one that you may write to)"
    return f"ls -ld {shlex.quote(str(path))}   (shows whose it is, and who may use it)"


def _variable_of(path: Path) -> str:
    """Return the variable that decides where a file is; "" for one outside of flatkit's folders."""
    found = [("FLATKIT_STATE", state_dir), ("FLATKIT_CACHE", _cache_dir)]
    found += [("FLATKIT_MACHINES", machines_dir)] if os.environ.get("FLATKIT_MACHINES") else []
    for variable, folder in found:
        try:
            top = folder()
        except HostError:
            continue
        if path == top or top in path.parents:
            return variable
    return ""


def _find_fault(path: Path) -> str:
    """Return why files cannot be kept in a folder; "" when they can, or when it does not exist yet."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        there = next((above for above in (path, *path.parents) if above.is_symlink()), None)
        return f'"{there}" is a link to nothing' if there and not there.exists() else ""
    except OSError as error:
        return why_refused(path, error)
    if not stat.S_ISDIR(mode):
        return "it is not a folder"
    try:
        with os.scandir(path):  # may be listed
            os.stat(f"{path}/.")  # may be entered  # noqa: PTH116
    except OSError as error:
        obstacle = find_obstacle(path, write=False) if error.errno in REFUSALS else None
        return obstacle.of(path) if obstacle else error.strerror or str(error)
    return ""


def cache_dir() -> Path:
    """Return the folder of images and other things that can be re-created (FLATKIT_CACHE). Raises HostError."""
    return _checked("FLATKIT_CACHE", _cache_dir())


def _cache_dir() -> Path:
    return _folder("FLATKIT_CACHE", for_root="/var/cache/flatkit", xdg=_XDG["FLATKIT_CACHE"], fallback=".cache")


def shared_cache_dir() -> Path | None:
    """Return the cache that several users only read (FLATKIT_SHARED_CACHE); None without one. Raises HostError.

    It is looked at first. What it lacks is made in `cache_dir`.
    """
    if not os.environ.get("FLATKIT_SHARED_CACHE"):
        return None
    folder = _checked("FLATKIT_SHARED_CACHE", _folder("FLATKIT_SHARED_CACHE", for_root="", xdg="", fallback=""))
    if folder == cache_dir() or not folder.exists():
        return None
    about = folder.stat()
    # What is in it counts as verified, so nobody else may have written it.
    if about.st_uid not in {0, my_uid()} or about.st_mode & 0o022:
        raise HostError(
            f'the shared cache "{folder}" can be written by others; expected a folder of root that only root may write to',
            hint="unset FLATKIT_SHARED_CACHE   (images are then looked for in your own cache)",
        )
    return folder


def cache_layers() -> tuple[Path, ...]:
    """Return the caches in the order in which they are looked at: the shared one, if any, then the user's own."""
    shared = shared_cache_dir()
    return (shared, cache_dir()) if shared else (cache_dir(),)


def state_dir() -> Path:
    """Return the folder of machines, keys and progress (FLATKIT_STATE). Reads and writes there report an unusable folder."""
    return _folder("FLATKIT_STATE", for_root="/var/lib/flatkit", xdg=_XDG["FLATKIT_STATE"], fallback=".local/state")


def machines_dir() -> Path:
    """Return the folder with a subfolder for each machine: overlay, Ignition, console. Raises HostError.

    FLATKIT_MACHINES names another one than the state's: a pod keeps progress on a small volume, and disks on the node's.
    """
    if os.environ.get("FLATKIT_MACHINES"):
        return _checked("FLATKIT_MACHINES", _folder("FLATKIT_MACHINES", for_root="", xdg="", fallback=""))
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
