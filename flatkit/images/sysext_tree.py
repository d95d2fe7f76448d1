"""Contents of a system extension: only /usr and /opt, its metadata, units that start with it, fixed times and modes.

The image is a bare erofs (no partition table, no verity), which systemd's default policy allows and the lab image's
kernel mounts. Rules of the format: systemd's man page systemd-sysext(8) and Flatcar's documentation on system
extensions.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flatkit.errors import ImageError
from flatkit.images import sysext_layout
from flatkit.images.debs import is_inside
from flatkit.run import run
from flatkit.untrusted import printable

# Common on Debian, and useless on a machine: documents, other languages, headers, files for package managers.
_LEFT_OUT = (
    "share/doc", "share/man", "share/info", "share/locale", "share/lintian", "share/bug", "share/doc-base", "share/menu",
    "share/bash-completion", "share/zsh", "share/fish", "share/icons", "share/pixmaps", "share/applications",
    "share/initramfs-tools", "share/apport", "share/polkit-1", "share/metainfo", "share/vim", "share/elvish",
    "include", "src", "games", "lib/debug", "lib/init", "lib/pkgconfig", "lib/x86_64-linux-gnu/pkgconfig",
)  # fmt: skip
# Parts of /etc that only Debian's own start scripts, cron or package manager read.
_ETC_LEFT_OUT = (
    "init.d", "default", "logrotate.d", "cron.*", "bash_completion.d", "apparmor.d", "ufw", "rc*.d", "alternatives", "apt",
    "dpkg", "systemd",
)  # fmt: skip
# A fifth smaller than plain lz4, as quick to read, and written in a few seconds (level 12 with 64 KiB takes five times
# as long).
_COMPRESSION = ("-zlz4hc,9", "-C32768")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Contents of an extension. `packages` bring their dependencies, without those of the lab image and of `without`.

    `files` maps paths below /usr or /opt to their text or bytes; `units` are started when the extension is merged; `left_out`
    are glob patterns below /usr; `version` is the extension's own version. `os_id` "_any" fits any system. `reload`:
    systemd reloads its units when the extension is merged or unmerged (None: if it has units).
    """

    name: str
    packages: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    keep_etc: bool = True
    reload: bool | None = None
    os_id: str = "flatcar-lab"
    sysext_level: str = "1.0"
    version_id: str = ""
    version: str = ""

    @property
    def has_merged_sbin(self) -> bool:
        """True if /usr/sbin is, or may be, a link on the extension's system: on Flatcar it is, on the lab image a folder."""
        return self.os_id != "flatcar-lab"


def leave_out(tree: Path, recipe: Recipe) -> None:
    """Remove useless files, move the defaults of /etc below /usr, and keep only /usr and /opt."""
    for name in ("usr", "opt", "etc"):
        if (tree / name).is_symlink():
            raise ImageError(f'a package makes "/{name}" a link: it is not used')
    _remove(tree / "usr", (*_LEFT_OUT, *recipe.left_out))
    _remove(tree / "etc", _ETC_LEFT_OUT if recipe.keep_etc else ("*",))
    _move_etc(tree, recipe.name)
    for path in tree.iterdir():
        if path.name not in {"usr", "opt"}:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in sorted(tree.rglob("*"), reverse=True):  # deepest first
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()


def _remove(folder: Path, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        # A link on the way (usr/share -> /usr/share) would lead to this host's own files.
        for path in (found for found in folder.glob(pattern) if is_inside(folder, found)):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _move_etc(tree: Path, name: str) -> None:
    """Move the defaults of /etc below /usr, since an extension has no /etc. systemd-tmpfiles copies the missing ones."""
    etc, share = tree / "etc", f"usr/share/{name}/etc"
    lines = []
    for path in sorted(etc.rglob("*")) if etc.is_dir() else []:
        if path.is_file() and not path.is_symlink():
            inside = path.relative_to(etc)
            target = tree / share / inside
            if not is_inside(tree, target):
                raise ImageError(f'"/{printable(share)}" cannot be written: a link leads out of the extension')
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
            lines.append(f"C /etc/{inside} {path.stat().st_mode & 0o777:04o} root root - /{share}/{inside}")
    if lines:
        conf = f"usr/lib/tmpfiles.d/10-{name}.conf"
        _write(tree, conf, "\n".join(lines) + "\n")
        # At boot systemd-tmpfiles runs anyway; this is for an extension that is merged on a running machine.
        _write(
            tree,
            f"usr/lib/systemd/system/{name}-etc.service",
            f"[Unit]\nDescription=Put the defaults of {name} into /etc\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
            f"ExecStart=systemd-tmpfiles --create /{conf}\n",
        )
        _uphold(tree, name, f"{name}-etc.service")


def _uphold(tree: Path, name: str, unit: str) -> None:
    """Start a unit with the extension: the drop-in of Flatcar's documentation, on the matching target."""
    target = {"socket": "sockets", "timer": "timers"}.get(unit.rsplit(".", 1)[-1], "multi-user")
    conf = f"usr/lib/systemd/system/{target}.target.d/10-{name}.conf"
    found = tree / conf
    before = found.read_text(encoding="utf-8") if is_inside(tree, found) and found.is_file() else "[Unit]\n"
    _write(tree, conf, f"{before}Upholds={unit}\n")


def _write(tree: Path, inside: str, text: str | bytes) -> None:
    path = tree / inside
    if not is_inside(tree, path) or path.is_symlink():
        raise ImageError(f'"/{printable(inside)}" cannot be written: a link leads out of the extension')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode() if isinstance(text, str) else text
        path.write_bytes(data)
        path.chmod(0o755 if sysext_layout.is_program(inside, data) else 0o644)
    except OSError as error:  # a folder in its place, or a file in the place of a folder
        raise ImageError(
            f'"/{printable(inside)}" cannot be written into the extension: {error.strerror}; expected names of files that '
            "are not those of folders as well",
            hint="flatkit sysext build --help",
        ) from None


def write_files(tree: Path, recipe: Recipe) -> str:
    """Write the recipe's own files, the drop-ins that start its units, and the metadata; return the metadata.

    Raises InputError for a unit that is not there, ImageError.
    """
    for inside, text in recipe.files.items():
        _write(tree, inside.lstrip("/"), text)
    if recipe.has_merged_sbin:
        sysext_layout.merge_sbin(tree)
    sysext_layout.check_units(recipe.units, (str(path.relative_to(tree)) for path in tree.rglob("*")))
    for unit in recipe.units:
        _uphold(tree, recipe.name, unit)
    reload = recipe.reload
    if reload is None:
        reload = any((tree / "usr/lib/systemd/system").glob("*"))
    release = release_text(recipe, reload=reload)
    _write(tree, f"usr/lib/extension-release.d/extension-release.{recipe.name}", release)
    return release


def release_text(recipe: Recipe, *, reload: bool = False) -> str:
    """Return the extension-release file: the required system for a merge."""
    lines = [f"ID={recipe.os_id}"]
    if recipe.version_id:
        lines.append(f"VERSION_ID={recipe.version_id}")
    elif recipe.os_id != "_any":
        lines.append(f"SYSEXT_LEVEL={recipe.sysext_level}")
    lines.append("ARCHITECTURE=x86-64")
    if recipe.version:
        lines.append(f"SYSEXT_VERSION_ID={recipe.version}")
    if reload:
        lines.append("EXTENSION_RELOAD_MANAGER=1")
    return "\n".join(lines) + "\n"


def pack(tree: Path, target: Path, *, seed: str) -> None:
    """Pack the tree as erofs: fixed times and owner, a UUID derived from the contents, the modes of /usr."""
    for path in [tree, *tree.rglob("*")]:
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        # A directory of the upper image sets the mode of the merged one; set-gid would be root's group.
        path.chmod(0o755 if path.is_dir() else mode & 0o5777)
    salt = hashlib.sha256(seed.encode()).hexdigest()
    uuid = f"{salt[:8]}-{salt[8:12]}-4{salt[13:16]}-8{salt[17:20]}-{salt[20:32]}"
    run(["mkfs.erofs", *_COMPRESSION, "-T0", f"-U{uuid}", "--all-root", target, tree])
