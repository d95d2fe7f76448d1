"""An image as a value, and the choice of one by its name.

Separate from machines: api/spec.py turns an Image into a machine's spec.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.diskcontent import check_boot_disk
from flatkit.diskfile import find_fault, find_format, hint_for
from flatkit.errors import FetchError, ImageError, UsageError
from flatkit.events import Observer, Said
from flatkit.images.lab import recipe
from flatkit.images.releases import Board, Channel, Wanted, find_wanted, host_board, say_nearest
from flatkit.untrusted import printable, shell_word

if TYPE_CHECKING:
    from flatkit.images.lab.build import LabImage
    from flatkit.images.store import CachedImage

# Order in which `auto` chooses: the channel for production comes first.
_AUTO_ORDER = (Channel.STABLE, Channel.LTS, Channel.BETA, Channel.ALPHA)


class ImageKind(str, Enum):
    """Maker of an image, shown in every badge."""

    LAB = "lab"
    FLATCAR = "flatcar"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Image:
    """A bootable image. `why` is the reason for the choice; `ignition_spec` is the newest spec that its Ignition reads.

    Without `kernel`, `initrd` and `cmdline` the disk's own boot loader is used. Memory in MiB. `disk_gib` is the
    minimum size of a machine's first disk, None for the image's own size. `arch` is amd64 or arm64; "" means unknown,
    and the host's own is assumed.
    """

    kind: ImageKind
    label: str
    disk: Path
    disk_format: str
    why: str
    version: str = ""
    kernel: Path | None = None
    initrd: Path | None = None
    cmdline: str = ""
    ignition_spec: tuple[int, int, int] = (3, 4, 0)
    memory_mib: int = 2048
    disk_gib: int | None = None
    arch: str = ""

    @property
    def badge(self) -> str:
        """The image's label in every display of a machine."""
        if self.kind is ImageKind.LAB:
            return f"lab image {self.version}: same mechanics, not Flatcar"
        return self.label


def find_image(name: str = "auto", *, observer: Observer | None = None, cancel: threading.Event | None = None) -> Image:
    """Return the image called `name`: from the cache, or built or fetched now if it was requested by name.

    `name` is auto, lab (or lab-beta and so on), a channel (stable, lts-2024), a Flatcar version, or the path of a disk
    image. auto uses a verified Flatcar image from the cache, else one from a mirror, else the lab image. It never
    downloads Flatcar from the Internet. Raises UsageError for an invalid name, FetchError, ImageError or HostError when
    the image is not available or not trusted, Cancelled.
    """
    watcher = observer or Observer()
    wanted = find_wanted(name)
    if name == "auto":
        image = _find_flatcar(watcher, cancel) or _get_lab(
            watcher, recipe.STABLE, "no Flatcar image is at hand, and the lab image needs none", cancel
        )
    elif release := recipe.RELEASES.get(name):
        image = _get_lab(watcher, release, "it was asked for", cancel)
    elif wanted:
        image = _get_flatcar(wanted, watcher, cancel)
    else:
        image = _from_path(name)
    watcher.notify(Said(text=f"image: {image.badge} ({image.why})"))
    return image


def _find_flatcar(observer: Observer, cancel: threading.Event | None) -> Image | None:
    """Return the Flatcar image for `auto`, if the cache or a mirror has one."""
    from flatkit.images import store
    from flatkit.images.signing import find_trust

    board, trust = host_board(), find_trust()
    for channel in _AUTO_ORDER if any(layer.is_dir() for layer in store.flatcar_layers()) else ():
        if cached := store.find_ready(Wanted(channel=channel), board, trust):
            return _from_cache(cached, f"it is in the cache, verified, fetched {store.say_age(cached.age)}")
    return _from_mirror(observer, cancel)


def _from_mirror(observer: Observer, cancel: threading.Event | None) -> Image | None:
    from flatkit.images.fetch import Fetcher
    from flatkit.images.mirrors import find_mirror

    mirror = find_mirror()
    if not mirror:
        return None
    fetcher = Fetcher(board=host_board(), observer=observer, cancel=cancel, sources=(mirror,))
    for channel in _AUTO_ORDER:
        try:
            if fetcher.resolve(Wanted(channel=channel), mirror):
                return _from_cache(fetcher.fetch(Wanted(channel=channel)), f"{mirror.name} has it")
        except FetchError as error:
            observer.notify(Said(text=f"{mirror.name}: {error.message}"))
            return None
    return None


def _get_flatcar(wanted: Wanted, observer: Observer, cancel: threading.Event | None) -> Image:
    from flatkit.images import store
    from flatkit.images.signing import find_trust

    cached = store.find_ready(wanted, host_board(), find_trust())
    if cached:
        newer = "" if wanted.version else f"; flatkit images fetch {wanted} looks for a newer one"
        return _from_cache(cached, f"in the cache, verified, fetched {store.say_age(cached.age)}{newer}")
    from flatkit.images.fetch import Fetcher

    fetcher = Fetcher(board=host_board(), observer=observer, cancel=cancel)
    return _from_cache(fetcher.fetch(wanted), "it was asked for, and is verified")


def _from_cache(cached: CachedImage, why: str) -> Image:
    from flatkit.images.signing import find_trust

    trust = find_trust()
    label = f"Flatcar {cached.channel} {cached.version}"
    return Image(
        kind=ImageKind.FLATCAR, label=f"{label}, {trust.words}" if trust.is_replaced else label, disk=cached.path,
        disk_format=find_format(cached.path), why=why, version=str(cached.version),
        ignition_spec=cached.version.ignition_spec, disk_gib=cached.version.disk_gib,
        arch=cached.board.arch,
    )  # fmt: skip


def _get_lab(observer: Observer, release: recipe.Release, why: str, cancel: threading.Event | None) -> Image:
    """Return the lab image: from the cache, else built files from a pack, else built here."""
    from flatkit.images.from_pack import unpack_lab_image
    from flatkit.images.lab import build  # the import takes time, and a Flatcar image does not need it

    if host_board() is not Board.AMD64:
        raise ImageError(
            "the lab image is made of amd64 packages, and this host is arm64; expected Flatcar's own arm64 image",
            hint="flatkit images fetch stable, then: flatkit up --image stable",
        )
    unpack_lab_image(release, observer=observer, cancel=cancel)
    return _from_lab(build.build_lab_image(observer, release=release), why)


def _from_lab(lab: LabImage, why: str) -> Image:
    return Image(
        kind=ImageKind.LAB, label=f"lab {lab.version}", version=lab.version, disk=lab.disk, disk_format="qcow2", why=why,
        kernel=lab.kernel, initrd=lab.initrd, cmdline=lab.cmdline, ignition_spec=recipe.IGNITION_SPEC, memory_mib=1024,
        arch="amd64",
    )  # fmt: skip


def _from_path(name: str) -> Image:
    # Absolute: "json:{...}" and "nbd:..." are names of files here, but QEMU reads them as something else.
    path = Path(os.path.expanduser(name)).absolute()  # noqa: PTH111  (leaves an unknown ~user as it is)
    if not name.strip() or ("/" not in name and not os.path.lexists(path)):
        names = ["auto", *recipe.RELEASES, *(str(channel) for channel in Channel)]
        known = f"{', '.join(names)}, a version such as 4593.2.5, or the path of a disk image"
        raise UsageError(
            f'there is no image "{printable(name)}"; expected {known}{say_nearest(name, names)}',
            hint="flatkit images list",
        )
    if "://" in name and not os.path.lexists(path):
        file = name.rstrip("/").rpartition("/")[2]
        raise UsageError(
            f'the image "{printable(name)}" is an address; expected the path of a disk image, or a channel of Flatcar',
            hint=f"curl -fLO {shell_word(name)}, then: flatkit up --image {shell_word(f'./{file}')}   (nobody verifies it then)",
        )
    if fault := find_fault(path):
        raise ImageError(f'the image "{printable(path)}" {fault}; expected a disk image', hint=hint_for(path))
    return Image(
        kind=ImageKind.FLATCAR, label=f"{printable(path.name)}, not verified by flatkit", disk=path, why="it was asked for",
        disk_format=check_boot_disk(path),
    )  # fmt: skip
