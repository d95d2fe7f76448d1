"""What a pack is: everything that a room needs without the Internet, in one folder; here its table of contents, as a value.

A pack's paths are those of its server's addresses (updates/site.py), so it can be read as a folder, by `flatkit room serve`, or
through any web server. `manifest.json` names each file with its digests, `SHA256SUMS` is the same for sha256sum:

    flatcar/CHANNEL/BOARD/VERSION/FILE      as on Flatcar's release servers (images/source.py): a mirror for FLATKIT_MIRROR
    BOARD/VERSION/FILE                      update payload, OEM and opt-in extensions, as on Flatcar's update server
    lab/VERSION-DIGEST/FILE                 built lab images, named as in the cache: by version and recipe
    extensions/NAME/FILE.raw, SHA256SUMS    system extensions, for systemd-sysupdate
    containers/FILE.tar                     container images, for docker load
    wheels/FILE.whl, index.html             Python packages, flatkit among them, for pip --find-links
    course/FILE                             the notebooks
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from flatkit.errors import ImageError

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
_PATH = re.compile(r"(?!.*(^|/)\.\.?(/|$))[0-9A-Za-z._+@!~-]+(/[0-9A-Za-z._+@!~-]+)*")


@dataclass(frozen=True, kw_only=True)
class PackedFile:
    """A file of a pack; digests in hex."""

    path: str
    size: int
    sha256: str
    sha1: str


@dataclass(frozen=True, kw_only=True)
class PackedRelease:
    """A version that machines can update to: the names of its files, the payload first, below BOARD/VERSION/."""

    channel: str
    version: str
    board: str
    files: tuple[str, ...]
    for_lab: bool = False


@dataclass(frozen=True, kw_only=True)
class PackedImage:
    """An image that machines can boot: `name` is lab, lab-beta, stable, ...; `folder` where its files lie in the pack."""

    name: str
    version: str
    folder: str
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A pack's table of contents. `pythons` are those that its wheels are for; `left_out` says in words what is not in it."""

    made: str
    flatkit: str
    pythons: tuple[str, ...] = ()
    images: tuple[PackedImage, ...] = ()
    releases: tuple[PackedRelease, ...] = ()
    left_out: tuple[str, ...] = ()
    files: tuple[PackedFile, ...] = ()

    def get_file(self, path: str) -> PackedFile:
        """The file at a path of the pack. Raises ImageError when there is none."""
        for file in self.files:
            if file.path == path:
                return file
        raise ImageError(f'the pack has no "{path}"', hint="flatkit room check DIR   (on the host that has the pack)")

    def below(self, folder: str) -> tuple[PackedFile, ...]:
        """The files below a folder of the pack."""
        return tuple(file for file in self.files if file.path.startswith(f"{folder}/"))

    @property
    def size(self) -> int:
        """All files together, in bytes."""
        return sum(file.size for file in self.files)


def manifest_as_text(manifest: Manifest) -> str:
    """The manifest as JSON."""
    return json.dumps({"format": 1, **asdict(manifest)}, indent=1) + "\n"


def sums_as_text(manifest: Manifest) -> str:
    """The digests as sha256sum writes and reads them."""
    return "".join(f"{file.sha256}  {file.path}\n" for file in manifest.files)


def parse_manifest(text: str) -> Manifest:
    """The manifest that a text holds. Raises ImageError for what is none, or names a file outside of the pack."""
    try:
        data = json.loads(text)
        if data.pop("format") != 1:
            raise ValueError("another format")
        manifest = Manifest(
            made=str(data["made"]),
            flatkit=str(data["flatkit"]),
            pythons=tuple(data["pythons"]),
            left_out=tuple(data["left_out"]),
            images=tuple(PackedImage(**_with_tuple(found)) for found in data["images"]),
            releases=tuple(PackedRelease(**_with_tuple(found)) for found in data["releases"]),
            files=tuple(PackedFile(**found) for found in data["files"]),
        )
        paths = [file.path for file in manifest.files]
        paths += [f"{image.folder}/{name}" for image in manifest.images for name in image.files]
        wrong = [path for path in paths if not _PATH.fullmatch(path)]
        if wrong:
            raise ValueError(f'a file "{wrong[0]}"')
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(
            f"the pack's {MANIFEST} is not understood: {error}", hint="flatkit room pack DIR   (makes the pack anew)"
        ) from None
    return manifest


def _with_tuple(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "files": tuple(values["files"])}
