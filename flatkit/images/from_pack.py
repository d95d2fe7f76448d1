"""Copies the built lab image from a pack (FLATKIT_MIRROR), so that a seat needs neither build tools nor a Debian mirror.

The files are compared with the pack's SHA256SUMS and manifest. Those are not signed: a pack is only as trustworthy as
the place you got it from, like the wheels of flatkit itself. The user sees a note about that.

A pack in the current folder that nobody named is not trusted: no lab image is taken from it.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from flatkit import web
from flatkit.diskfile import find_format, read_qcow2
from flatkit.errors import FetchError, ImageError
from flatkit.events import Observer, Said, phase
from flatkit.fields import Fields
from flatkit.files import hash_file, open_below, read_regular
from flatkit.images.cache import locked, make_folder, work_folder
from flatkit.images.download import Download
from flatkit.images.lab import recipe
from flatkit.images.lab.build import find_lab_image, open_folder
from flatkit.images.lab.packages import lab_dir, lab_layers
from flatkit.images.mirrors import PACK_FOLDER, Source, fetch_small, find_mirror
from flatkit.images.pack_manifest import (
    LAB_FILES,
    MANIFEST,
    SUMS,
    PackedImage,
    PackManifest,
    parse_manifest,
    sums_as_text,
)
from flatkit.run import run
from flatkit.untrusted import parse_json, printable

_DISK = "disk.qcow2"
_FACTS_MAX = 64 * 1024
_HEX = re.compile("[0-9a-f]{2,128}")
_TRUST = (
    "the lab image {version} comes from {name}. It is checked against the checksums there, which nobody signs: "
    "it is only as trustworthy as the place you got it from"
)
_NAME_IT = f'export FLATKIT_MIRROR="$PWD/{PACK_FOLDER}"'


def unpack_lab_image(release: recipe.Release, *, observer: Observer, cancel: threading.Event | None = None) -> bool:
    """Put a release's lab image into the cache, if a pack has the one of this recipe; return whether it is there now.

    Raises ImageError when a file differs from the pack's manifest, UsageError for a wrong FLATKIT_MIRROR, HostError (no
    room), Cancelled.
    """
    if find_lab_image(release):
        return True
    mirror = find_mirror()
    if mirror is None:
        return False
    root = mirror.base.removesuffix("/flatcar/{channel}")
    if mirror.signed_only:
        text = (
            f"{mirror.name} may have a lab image, which nobody signs: it is built here (to use the pack's: {_NAME_IT})"
        )
        observer.notify(Said(text=text))
        return False
    try:
        manifest = _read_manifest(root, mirror, cancel)
        wanted = manifest and _find_packed(manifest, release)
        if not manifest or not wanted:
            observer.notify(Said(text=f"{mirror.name} has no lab image of this version of flatkit: it is built here"))
            return False
        if release != recipe.STABLE and not unpack_lab_image(recipe.STABLE, observer=observer, cancel=cancel):
            return False
        observer.notify(Said(text=_TRUST.format(version=release.version, name=mirror.name)))
        with phase(observer, "unpack", f"Fetching the lab image {release.version} from {mirror.name}"):
            _unpack(root, manifest, wanted, release, observer=observer, cancel=cancel)
    except FetchError as error:
        observer.notify(Said(text=f"{mirror.name}: {error.message}; the lab image is built here"))
        return False
    return find_lab_image(release) is not None


def _read_manifest(root: str, mirror: Source, cancel: threading.Event | None) -> PackManifest | None:
    """Return the pack's manifest; None if there is none. Raises ImageError when it and the sums contradict each other."""
    for name in (MANIFEST, SUMS):
        _check_place(root, name)
    data, sums = (fetch_small(f"{root}/{name}", cancel=cancel) for name in (MANIFEST, SUMS))
    if data is None:
        return None
    manifest = parse_manifest(data)
    if sums != sums_as_text(manifest).encode():
        raise ImageError(
            f"{mirror.name} has a {SUMS} that does not fit its {MANIFEST}: nothing is taken from it",
            hint="flatkit room check DIR   (on the host that has the pack)",
        )
    return manifest


def _check_place(root: str, inside: str) -> None:
    """Refuse a pack's file that is not a regular file, or that is reached through a link. Raises FetchError."""
    if web.is_address(root):
        return
    try:
        open_below(Path(root), inside).close()
    except FileNotFoundError:
        return  # fetching it reports the error
    except OSError as error:
        raise FetchError(f'"{inside}" in "{root}" cannot be read: {error.strerror}') from None


def _folder_name(release: recipe.Release) -> str:
    return f"{release.version}-{recipe.digest(release)}"


def _find_packed(manifest: PackManifest, release: recipe.Release) -> PackedImage | None:
    """Return the image of this recipe. Raises ImageError when its files are not those of a lab image."""
    folder = f"lab/{_folder_name(release)}"
    found = next((image for image in manifest.images if image.folder == folder), None)
    if found and set(found.files) != set(LAB_FILES):
        raise ImageError(
            f"the lab image in the pack has the files {', '.join(sorted(found.files))}; expected {', '.join(sorted(LAB_FILES))}",
            hint="flatkit room check DIR   (on the host that has the pack)",
        )
    return found


def _check_facts(path: Path, release: recipe.Release) -> None:
    """Check the fields of a pack's image.json. Raises ImageError."""
    try:
        fields = Fields(parse_json(read_regular(path, limit=_FACTS_MAX)))
        for name, expected in (("version", release.version), ("channel", str(release.channel))):
            fields.text(name, form=re.compile(re.escape(expected)), expected=f'"{expected}"')
        fields.text("root_hash", form=_HEX, expected="hex digits")
        fields.number("hash_offset")
        fields.number("usr_size")
        fields.end()
    except (OSError, ValueError) as error:
        raise ImageError(
            f'"{path.name}" of the lab image in the pack is not understood: {getattr(error, "strerror", None) or error}',
            hint="flatkit room check DIR   (on the host that has the pack)",
        ) from None


def _unpack(
    root: str,
    manifest: PackManifest,
    wanted: PackedImage,
    release: recipe.Release,
    *,
    observer: Observer,
    cancel: threading.Event | None,
) -> None:
    folder = make_folder(lab_dir(), needed_mib=0, what="the lab image")
    with locked(folder, observer, what="the lab image", doing="fetching"), work_folder(folder) as work:
        if find_lab_image(release):
            return
        result = work / "result"
        result.mkdir()
        for name in wanted.files:
            promised = manifest.get_file(f"{wanted.folder}/{name}")
            _check_place(root, promised.path)
            part = work / name
            download = Download(
                f"{root}/{promised.path}", part, observer=observer, cancel=cancel, limit=promised.size, is_kept=False
            )
            download.run()
            if (part.stat().st_size, hash_file(part)) != (promised.size, promised.sha256):
                raise _broken_promise(promised.path, root)
            part.rename(result / name)
        _check_facts(result / "image.json", release)
        stable = None if release == recipe.STABLE else find_lab_image(recipe.STABLE)
        _adopt(result / _DISK, base=stable.disk if stable else None)
        for path in result.iterdir():
            path.chmod(0o444)
        open_folder(result)
        result.rename(folder / _folder_name(release))


def _broken_promise(inside: str, root: str) -> ImageError:
    return ImageError(
        f'"{printable(inside)}" from "{printable(root)}" is not the file that the pack promises: it is not used',
        hint="flatkit room check DIR   (on the host that has the pack)",
    )


def _adopt(disk: Path, *, base: Path | None) -> None:
    """Check a disk that was made elsewhere; a disk that contains only differences gets `base` below it. Raises ImageError.

    The backing file named in the disk is never opened: a name in a disk from outside may lead to any file.
    """
    found = read_qcow2(disk)
    if base and found and found.backing is not None and not found.has_data_file and not found.is_encrypted:
        run(["qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", base.absolute(), disk.absolute()])
    if find_format(disk, below=lab_layers() if base else ()) != "qcow2":
        raise ImageError(
            f'the "{_DISK}" of the pack is not a qcow2 file, and is not used', hint="flatkit room check DIR"
        )
