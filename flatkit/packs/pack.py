"""Gathers a pack: lab image, Flatcar images, update payloads, extensions, container images, wheels and the course.

Distribution packages (QEMU, libvirt) are not in it: `flatkit doctor` names them on each seat. A seat verifies a Flatcar image
again, by the same signature and the same pinned key; a machine verifies a payload by the key in its own /usr. So a pack is only
a way for the bytes, and nobody has to trust it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatkit import paths, web
from flatkit.errors import FetchError, ImageError, UsageError
from flatkit.events import Observer, Said, phase
from flatkit.files import hash_file
from flatkit.images.cache import locked, make_folder
from flatkit.images.download import Download
from flatkit.images.fetch import Fetcher
from flatkit.images.lab import recipe
from flatkit.images.mirrors import KEY_FILE, fetch_small
from flatkit.images.pack_manifest import LAB_FILES, SUMS, PackedImage, PackedRelease, PackManifest, is_path
from flatkit.images.releases import Wanted, find_wanted, host_board
from flatkit.images.signed import VERSION_FILE
from flatkit.images.store import CachedImage, flatcar_dir
from flatkit.packs import wheels
from flatkit.packs.builder import PackBuilder
from flatkit.packs.wheelfile import is_wheel_name
from flatkit.paths import cache_dir
from flatkit.updates.omaha import BOARDS
from flatkit.updates.payload import FILE_NAME

PAYLOAD = "flatcar_production_update.gz"
OEM = "oem-qemu.gz"
_SUM_MAX = 4096
_UPDATES = "https://update.release.flatcar-linux.net"
BOARD = BOARDS[0]
CONTAINER = "flatkit-web-1.tar"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The contents of a pack. `lab`: releases of the lab image; `flatcar`: channels or versions; `files`: local extensions.

    `opt_in`: Flatcar's own extensions by their name (podman), fetched beside each payload.
    """

    lab: tuple[str, ...] = ("lab", "lab-beta", "lab-alpha", "lab-broken", "lab-lts")
    flatcar: tuple[str, ...] = ()
    opt_in: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ("podman", "docker-compose")
    files: tuple[Path, ...] = ()
    containers: bool = True
    pythons: tuple[str, ...] = wheels.PYTHONS


def pack(folder: Path, wishes: Wishes, *, observer: Observer | None = None) -> PackManifest:
    """Fill `folder`, or bring it up to date, and return what is in it now.

    Raises UsageError (the folder, or a name in the wishes), HostError (no room), FetchError, ImageError.
    """
    watcher = observer or Observer()
    lab = [_lab_release(name) for name in wishes.lab]
    flatcar = parse_names(wishes.flatcar)
    builder = PackBuilder(folder, observer=watcher)
    add_lab(builder, lab)
    add_flatcar(builder, flatcar, opt_in=wishes.opt_in)
    add_extensions(builder, wishes.extensions, wishes.files)
    if wishes.containers:
        add_containers(builder)
    if wishes.pythons:
        add_wheels(builder, wishes.pythons)
    add_course(builder)
    manifest = builder.close(pythons=wishes.pythons)
    for text in manifest.left_out:
        watcher.notify(Said(text=f"not in the pack: {text}"))
    return manifest


def add_lab(builder: PackBuilder, releases: Sequence[recipe.Release]) -> None:
    """Put built lab images in, and for each but the first one the update that leads to it."""
    from flatkit.images.lab.build import build_lab_image, build_payload

    for release in releases:
        image = build_lab_image(builder.observer, release=release)
        inside = f"lab/{image.folder.name}"
        for name in LAB_FILES:
            builder.copy(image.folder / name, f"{inside}/{name}")
        builder.images.append(PackedImage(name=release.name, version=image.version, folder=inside, files=LAB_FILES))
        if release == recipe.STABLE:
            continue  # what machines begin with: nothing is updated to it
        payload = build_payload(builder.observer, release=release)
        builder.copy(payload, f"{BOARD}/{release.version}/{FILE_NAME}")
        builder.releases.append(
            PackedRelease(
                channel=_lab_channel(release), version=release.version, board=BOARD, files=(FILE_NAME,), for_lab=True
            )
        )


def _lab_release(name: str) -> recipe.Release:
    if name not in recipe.RELEASES:
        raise UsageError(f'there is no lab image "{name}"; expected one of {", ".join(recipe.RELEASES)}')
    return recipe.RELEASES[name]


def _lab_channel(release: recipe.Release) -> str:
    """Its own channel; the broken release is nobody's until somebody asks for it by the group `broken`."""
    return "broken" if release.name == "lab-broken" else str(release.channel)


def add_extensions(builder: PackBuilder, names: Sequence[str], files: Sequence[Path]) -> None:
    """Put extensions in, each in a folder of its own with SHA256SUMS, as systemd-sysupdate wants it."""
    from flatkit.images.lab.extensions import recipe_for
    from flatkit.images.sysext import build

    for name in names:
        built = build(recipe_for(name), observer=builder.observer)
        own = next((package for package in built.packages if package.startswith(f"{name} ")), "")
        version = built.version or re.sub(r"^.*:|[^0-9A-Za-z.+-]", "", own.partition(" ")[2]) or "1"
        builder.copy(built.path, f"extensions/{name}/{name}-{version}-x86-64.raw")
    for path in files:
        name = re.split(r"-v?[0-9]", path.name.removesuffix(".raw"))[0]
        builder.copy(path, f"extensions/{name}/{path.name}")
    for folder in sorted({name.partition("/")[0] for name in builder.names("extensions")}):
        names = builder.names(f"extensions/{folder}")
        lines = [f"{builder.measure(f'extensions/{folder}/{name}').sha256}  {name}\n" for name in names if name != SUMS]
        builder.text(f"extensions/{folder}/{SUMS}", "".join(lines))


def add_containers(builder: PackBuilder) -> None:
    """Put the container image of the lessons in."""
    from flatkit.images.container import build_container_image

    inside = f"containers/{CONTAINER}"
    with phase(builder.observer, "containers", "Making the container image"), tempfile.TemporaryDirectory() as work:
        builder.copy(build_container_image(Path(work) / CONTAINER, observer=builder.observer), inside)


def add_wheels(builder: PackBuilder, pythons: Sequence[str]) -> None:
    """Put flatkit's wheel in, and every wheel that it needs on these Pythons.

    They are gathered in a folder of this process alone; of an earlier pack's wheels it gets those that its manifest describes.
    """
    with (
        phase(builder.observer, "wheels", f"Fetching wheels for CPython {', '.join(pythons)}", typical=40),
        tempfile.TemporaryDirectory() as work,
    ):
        folder = Path(work)
        for inside in builder.before("wheels"):
            name = inside.removeprefix("wheels/")
            if is_wheel_name(name) and not name.startswith("flatkit-"):
                builder.take_back(inside, folder / name)
        own = wheels.build_own(folder)
        trouble = wheels.build_libvirt(folder)
        needed = wheels.download(folder, root=own, pythons=pythons, observer=builder.observer)
        needed |= set(folder.glob("libvirt_python-*.whl"))
        for path in sorted(needed):
            builder.copy(path, f"wheels/{path.name}")
    if trouble:
        builder.left_out.append(trouble)
    digests = {path.name: builder.measure(f"wheels/{path.name}").sha256 for path in needed}
    builder.text("wheels/index.html", wheels.as_index(digests))


def add_course(builder: PackBuilder) -> None:
    """Put the notebooks in, for who wants to read them without installing anything."""
    origin = paths.source_notebooks() or paths.packaged_notebooks()
    for path in sorted(origin.rglob("*")) if origin.is_dir() else ():
        inside = path.relative_to(origin)
        if not path.is_file() or any(part == "__pycache__" or part.startswith(".") for part in inside.parts):
            continue
        if is_path(f"course/{inside}"):
            builder.copy(path, f"course/{inside}")
        else:
            builder.left_out.append(f'course/{inside}: expected a name of letters, digits and "._+@!~-"')


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
