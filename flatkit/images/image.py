"""An image as a value, and the choice of one by the name that a person gives.

Kept apart from machines: workshop.py turns an Image into what a machine is made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from flatkit.errors import ImageError, UsageError
from flatkit.events import Observer, Said
from flatkit.images.lab import recipe
from flatkit.images.lab.build import LabImage, build_lab_image

_CHANNELS = ("stable", "beta", "alpha", "lts")
_QCOW2 = b"QFI\xfb"


class ImageKind(str, Enum):
    """Whose image it is; every badge says so."""

    LAB = "lab"
    FLATCAR = "flatcar"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Image:
    """Something that boots. `why` says why it was taken; `ignition_spec` is the newest spec that its Ignition reads.

    Without `kernel`, `initrd` and `cmdline` the disk's own boot loader is used. Memory in MiB.
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

    @property
    def badge(self) -> str:
        """What every display of a machine says about its image."""
        if self.kind is ImageKind.LAB:
            return f"lab image {self.version}: same mechanics, not Flatcar"
        return self.label


def find_image(name: str = "auto", *, observer: Observer | None = None) -> Image:
    """The image that a person means by `name`, built first if it is the lab image and not there yet.

    `name` is auto, lab (or lab-beta and so on), or the path of a disk image. Raises UsageError for a name that is none,
    ImageError or HostError when the image cannot be had.
    """
    watcher = observer or Observer()
    release = recipe.RELEASES.get("lab" if name == "auto" else name)
    if release:
        why = "it was asked for"
        if name == "auto":
            why = "no Flatcar image is at hand, and the lab image needs none"
        image = _from_lab(build_lab_image(watcher, release=release), why)
    elif name in _CHANNELS or name[:1].isdigit():
        raise ImageError(
            f'Flatcar\'s "{name}" cannot be fetched by this version of flatkit; expected "lab" or an image\'s path',
            hint="download flatcar_production_qemu_image.img yourself, then: flatkit up --image PATH",
        )
    else:
        image = _from_path(name)
    watcher.notify(Said(text=f"image: {image.badge} ({image.why})"))
    return image


def _from_lab(lab: LabImage, why: str) -> Image:
    return Image(
        kind=ImageKind.LAB, label=f"lab {lab.version}", version=lab.version, disk=lab.disk, disk_format="qcow2", why=why,
        kernel=lab.kernel, initrd=lab.initrd, cmdline=lab.cmdline, ignition_spec=recipe.IGNITION_SPEC, memory_mib=1024,
    )  # fmt: skip


def _from_path(name: str) -> Image:
    path = Path(name).expanduser().absolute()
    if "/" not in name and not path.exists():
        known = f"auto, {', '.join(recipe.RELEASES)}, or the path of a disk image"
        raise UsageError(f'there is no image "{name}"; expected {known}', hint="flatkit images list")
    if not path.is_file():
        raise ImageError(f'the image "{path}" is not there, or is no file', hint="flatkit images list")
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise ImageError(f'the image "{path}" cannot be read: {error.strerror}', hint="flatkit images list") from None
    if start.startswith((b"BZh", b"\x1f\x8b")):
        raise ImageError(
            f'the image "{path}" is compressed; expected a qcow2 or raw disk image', hint=f"bunzip2 {path}"
        )
    return Image(
        kind=ImageKind.FLATCAR, label=path.name, disk=path, why="it was asked for",
        disk_format="qcow2" if start == _QCOW2 else "raw",
    )  # fmt: skip
