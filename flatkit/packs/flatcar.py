"""Flatcar in a pack: verified images with their signatures, laid out as a release server is, and update payloads beside them.

A seat verifies the image again, by the same signature and the same pinned key; a machine verifies the payload by the key in its
own /usr. So a pack is a way for the bytes, and nobody has to trust it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from flatkit import web
from flatkit.errors import FetchError, ImageError, UsageError
from flatkit.events import Said, phase
from flatkit.files import hash_file
from flatkit.images.cache import locked, make_folder
from flatkit.images.download import Download
from flatkit.images.fetch import Fetcher
from flatkit.images.mirrors import KEY_FILE, fetch_small
from flatkit.images.pack_manifest import PackedImage, PackedRelease
from flatkit.images.releases import Wanted, find_wanted, host_board
from flatkit.images.signed import VERSION_FILE
from flatkit.images.store import CachedImage, flatcar_dir
from flatkit.packs.builder import PackBuilder
from flatkit.paths import cache_dir

PAYLOAD = "flatcar_production_update.gz"
OEM = "oem-qemu.gz"
_SUM_MAX = 4096
_UPDATES = "https://update.release.flatcar-linux.net"


def parse_names(names: Sequence[str]) -> list[Wanted]:
    """Parse names of images. Raises UsageError for an unknown one."""
    found = []
    for name in names:
        wanted = find_wanted(name)
        if wanted is None:
            raise UsageError(
                f'there is no Flatcar image "{name}"; expected stable, beta, alpha, lts, lts-2024 or a version',
                hint="flatkit images list",
            )
        found.append(wanted)
    return found


def add_flatcar(builder: PackBuilder, wishes: Sequence[Wanted], *, opt_in: Sequence[str]) -> None:
    """Put images and payloads in. Raises FetchError, ImageError, HostError, as the fetcher of images does."""
    fetcher = Fetcher(board=host_board(), observer=builder.observer)
    newest: dict[str, CachedImage] = {}
    for wanted in wishes:
        image = fetcher.fetch(wanted)
        _add_image(builder, image, pointer=wanted.pointer)
        _add_payload(builder, image, opt_in)
        known = newest.get(str(image.channel))
        if known is None or known.version < image.version:
            newest[str(image.channel)] = image
    for image in newest.values():
        _add_version(builder, image, "current")
        for name in (KEY_FILE, "lts-info", f"releases-{image.channel}.json"):
            path = flatcar_dir() / str(image.channel) / name
            if path.is_file():
                builder.copy(path, f"flatcar/{image.channel}/{name}")


def _add_version(builder: PackBuilder, image: CachedImage, pointer: str) -> None:
    inside = f"flatcar/{image.channel}/{image.board}/{pointer}/version.txt"
    builder.text(inside, f"FLATCAR_VERSION={image.version}\nFLATCAR_VERSION_ID={image.version}\n")


def _add_image(builder: PackBuilder, image: CachedImage, *, pointer: str) -> None:
    inside = f"flatcar/{image.channel}/{image.board}/{image.version}"
    names = [image.path.name]
    names += [f"{image.path.name}{suffix}" for suffix in (".sig", ".DIGESTS", ".DIGESTS.sig")]
    if not (image.folder / f"{VERSION_FILE}.sig").is_file():
        raise ImageError(
            f'the image "{image.version}" was fetched without its signed {VERSION_FILE}, and no seat would take it so',
            hint=f"flatkit images rm {image.version}, then the same command again",
        )
    files = [name for name in (*names, VERSION_FILE, f"{VERSION_FILE}.sig") if (image.folder / name).is_file()]
    for name in files:
        builder.copy(image.folder / name, f"{inside}/{name}")
    if pointer != str(image.version):
        _add_version(builder, image, pointer)
    packed = PackedImage(name=str(image.channel), version=str(image.version), folder=inside, files=tuple(files))
    if packed not in builder.images:
        builder.images.append(packed)


def _add_payload(builder: PackBuilder, image: CachedImage, opt_in: Sequence[str]) -> None:
    files = fetch_payload(builder, version=str(image.version), board=str(image.board), opt_in=opt_in)
    release = PackedRelease(channel=str(image.channel), version=str(image.version), board=str(image.board), files=files)
    if release not in builder.releases:
        builder.releases.append(release)


def fetch_payload(builder: PackBuilder, *, version: str, board: str, opt_in: Sequence[str] = ()) -> tuple[str, ...]:
    """The update to this version, and what a machine fetches with it: the OEM part, and extensions that it opted in to.

    Returns the names of the files below BOARD/VERSION in the builder, the payload first. Raises FetchError, ImageError.
    """
    folder, files = f"{board}/{version}", [PAYLOAD]
    with phase(builder.observer, "payload", f"Fetching the update payload of {version}"):
        _fetch(builder, f"{folder}/{PAYLOAD}")
        for name in (OEM, *(f"flatcar-{wish}.gz" for wish in opt_in)):
            try:
                _fetch(builder, f"{folder}/{name}")
                files.append(name)
            except FetchError as error:
                builder.left_out.append(f"{name} of {version}: {error.message}")
    return tuple(files)


def update_server() -> str:
    """Flatcar's server of update payloads, or what FLATKIT_UPDATE_SERVER puts in its place."""
    given = web.check_place(os.environ.get("FLATKIT_UPDATE_SERVER", "").strip(), variable="FLATKIT_UPDATE_SERVER")
    return given.rstrip("/") or _UPDATES


def _fetch(builder: PackBuilder, inside: str) -> None:
    """Put a file in whose SHA-256 the server has as well. It is fetched in the cache, where an interrupted download continues.

    Raises FetchError, ImageError.
    """
    url = f"{update_server()}/{inside}"
    told = fetch_small(f"{url}.sha256", observer=builder.observer)
    text = told[:_SUM_MAX].decode(errors="replace") if told else ""
    match = re.match(r"[ \t]*([0-9a-fA-F]{64})(?![0-9A-Za-z_])", text)
    if not match:
        raise FetchError(f'"{url}.sha256" is not there, or holds no SHA-256')
    expected = match[1].lower()
    if builder.has(inside, sha256=expected):
        builder.keep(inside)
        return
    cache = make_folder(cache_dir() / "payloads", needed_mib=0, what="update payloads")
    part = cache / f"{expected}.part"
    with locked(cache, builder.observer, what="an update payload", doing="fetching"):
        builder.observer.notify(Said(text=f"fetching {url}"))
        Download(url, part, observer=builder.observer).run()
        try:
            if hash_file(part) != expected:
                raise ImageError(
                    f'"{url}" is not the file whose SHA-256 the server has as well: it was removed',
                    hint="try again later",
                )
            builder.copy(part, inside)
        finally:
            part.unlink(missing_ok=True)
