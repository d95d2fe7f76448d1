"""Short, plain names for folders and files, where libvirt, QEMU or ssh take no others.

libvirt (9.0, tried with every printable character) hands a config's path to QEMU as it is written in XML: `&` stays
`&amp;`, and a comma ends the option. ssh expands `%` and `$` in the paths of its options. The name of a Unix socket has at
most 107 bytes (unix(7)), and libvirt puts QEMU's below its own folder, which is below HOME. So such a path gets a link
with a plain name, in a folder that nobody else may write to.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from flatkit.errors import HostError
from flatkit.untrusted import printable

SOCKET_MAX = 107
_TRIES = 20
# Survives a restart, unlike /run and some hosts' /tmp; the same in every session of a user, and short.
_LINKS = Path("/var/tmp")  # noqa: S108  (its folder is made for us alone, and checked)
# ssh adds a random end of 17 bytes to a control socket's name while it creates it.
TUNNEL_MAX = SOCKET_MAX - 17 - len("/line")
# What libvirt 9 puts below each folder, with the longest name of a domain that it uses there (20 bytes).
_BELOW = {
    "XDG_CONFIG_HOME": len("/libvirt/qemu/lib/domain-99999-flatkit-0123ab-machi/monitor.sock"),
    "XDG_CACHE_HOME": len("/libvirt/virtlogd-admin-sock"),
    "XDG_RUNTIME_DIR": len("/libvirt/virtlogd-admin-sock"),
}
_USUAL = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache"}


def is_plain(path: str | os.PathLike[str], *, limit: int = 4096) -> bool:
    """Tell whether a path can be used as it is: letters, digits, spaces and `/._+@=:-`, at most `limit` bytes."""
    text = os.fspath(path)
    return len(os.fsencode(text)) <= limit and all(one.isalnum() or one in "/._+@=:- " for one in text)


def plain(path: Path, *, limit: int = 4096) -> Path:
    """Return a path itself if it is plain and short enough, else a link that leads there. Raises HostError."""
    if is_plain(path, limit=limit):
        return path
    link = _link(path)
    for _ in range(_TRIES):
        _make_folder()
        try:
            if not link.is_symlink() or link.readlink() != path:
                link.unlink(missing_ok=True)
                link.symlink_to(path)
        except (FileNotFoundError, FileExistsError):
            continue  # another flatkit removed the empty folder, or made the same link
        except OSError as error:
            raise _unusable(error.strerror or str(error), path) from None
        return link
    raise _unusable("other programs change it", path)


def forget(path: Path) -> None:
    """Remove the link to a path, if there is one. Raises nothing: an unused link harms nobody."""
    with suppress(OSError):
        _link(path).unlink()
        links_folder().rmdir()


def links_folder() -> Path:
    """Return the folder of the links."""
    return _LINKS / f"flatkit-{os.geteuid()}"


def _link(path: Path) -> Path:
    return links_folder() / hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _make_folder() -> None:
    folder = links_folder()
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        about = folder.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
            raise _unusable("it is not a folder of yours", folder)
        # As root, QEMU is another user, and follows the links.
        folder.chmod(0o711 if _is_root() else 0o700)
    except OSError as error:
        raise _unusable(error.strerror or str(error), folder) from None


def _is_root() -> bool:
    return os.geteuid() == 0


def _unusable(why: str, path: Path) -> HostError:
    return HostError(
        f'the folder "{links_folder()}" cannot be used: {why}; expected a folder of yours, for short names of paths such as '
        f'"{printable(path, limit=200)}"',
        hint=f"rm -r {links_folder()}, or: export FLATKIT_STATE=/some/folder   (short, of letters and digits)",
    )


def libvirt_folders(uri: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables, with links, that a session's libvirt needs for its sockets; none where its folders are fine.

    Raises HostError.
    """
    given = os.environ if environment is None else environment
    if not uri.partition("?")[0].endswith(":///session") or _is_root():
        return {}
    home = given.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  (an account without a folder has "~" here)
    folders = {name: given.get(name) or f"{home}/{below}" for name, below in _USUAL.items()}
    if runtime := given.get("XDG_RUNTIME_DIR"):
        del folders["XDG_CACHE_HOME"]  # no sockets there then
        folders["XDG_RUNTIME_DIR"] = runtime
    found = {}
    for name, folder in folders.items():
        if not folder.startswith("/"):
            continue  # libvirt says what is wrong with it, and nothing is made in the current folder
        if not is_plain(folder, limit=SOCKET_MAX - _BELOW[name]):
            with suppress(OSError):
                Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            found[name] = str(plain(Path(folder), limit=SOCKET_MAX - _BELOW[name]))
    return found


@contextmanager
def short_folders(uri: str) -> Iterator[None]:
    """Let a libvirt daemon that is started in the block use the links of `libvirt_folders`. Raises HostError."""
    wanted = libvirt_folders(uri)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
