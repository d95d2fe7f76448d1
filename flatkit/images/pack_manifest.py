"""A pack: everything that a room needs without the Internet, in one folder. This module is its table of contents.

A pack's paths are those of its server's addresses (updates/repository.py), so it can be read as a folder or through any web
server. `manifest.json` names each file with its digests, `SHA256SUMS` is the same for sha256sum:

    flatcar/CHANNEL/BOARD/VERSION/FILE      as on Flatcar's release servers (images/mirrors.py): a mirror for FLATKIT_MIRROR
    BOARD/VERSION/FILE                      update payload, OEM and opt-in extensions, as on Flatcar's update server
    lab/VERSION-DIGEST/FILE                 built lab images, named as in the cache: by version and recipe
    extensions/NAME/FILE.raw, SHA256SUMS    system extensions, for systemd-sysupdate
    containers/FILE.tar                     container images, for docker load
    wheels/FILE.whl, index.html             Python packages, flatkit among them, for pip --find-links
    course/FILE                             the notebooks

A manifest is not signed, so it is read as text from outside: each field has a form, and a path stays inside the pack
on every file system, also on one that ignores case.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from flatkit.errors import ImageError
from flatkit.fields import TEXT_MAX, Fields, to_json
from flatkit.images.releases import Board
from flatkit.untrusted import parse_json, printable

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
LAB_FILES = ("disk.qcow2", "vmlinuz", "selector", "image.json")
FORMAT = 1
MANIFEST_MAX = 8 * 1024 * 1024
FILES_MAX = 20_000
PACK_SIZE_MAX = 100 * 10**9
_PATH_MAX = 400
# A part begins with a letter, digit or "_". So it is never hidden, an option of a program, or "..".
_PART = r"[0-9A-Za-z_][0-9A-Za-z._+@!~-]{0,199}"
_PATH = re.compile(rf"{_PART}(/{_PART}){{0,7}}")
_PYTHON = re.compile(r"3\.[0-9]{1,2}")
PATH_SAID = 'a path of at most 8 names, each of letters, digits and "._+@!~-", beginning with a letter or digit'
_NAME_SAID = 'a file name of letters, digits and "._+@!~-", beginning with a letter or digit'


def _form(pattern: str, expected: str, **rule: int) -> dict[str, Any]:
    """Return the form of a field, for `Fields.build`."""
    return {"form": re.compile(pattern), "expected": expected, **rule}


_IS_PATH = _form(_PATH.pattern, PATH_SAID, limit=_PATH_MAX)
_IS_LABEL = _form(r"[a-z0-9][a-z0-9-]{0,31}", 'lower-case letters, digits and "-"')
_IS_VERSION = _form(r"[0-9]{1,9}(\.[0-9]{1,9}){2}([+-][0-9A-Za-z.-]{1,64})?", 'a version such as "4593.2.5"')
_IS_BOARD = _form("|".join(re.escape(str(board)) for board in Board), " or ".join(map(str, Board)))
_ARE_NAMES = _form(_PART, _NAME_SAID, items=1000)
_IS_SHA256 = _form(r"[0-9a-f]{64}", "64 lower-case hex digits")
_IS_SHA1 = _form(r"[0-9a-f]{40}", "40 lower-case hex digits")


@dataclass(frozen=True, kw_only=True)
class PackedFile:
    """A file of a pack; digests in hex."""

    path: str = field(metadata=_IS_PATH)
    size: int = field(metadata={"most": PACK_SIZE_MAX})
    sha256: str = field(metadata=_IS_SHA256)
    sha1: str = field(metadata=_IS_SHA1)


@dataclass(frozen=True, kw_only=True)
class PackedRelease:
    """A version that machines can update to: its file names below BOARD/VERSION/, the payload first."""

    channel: str = field(metadata=_IS_LABEL)
    version: str = field(metadata=_IS_VERSION)
    board: str = field(metadata=_IS_BOARD)
    files: tuple[str, ...] = field(metadata=_ARE_NAMES)
    for_lab: bool = False


@dataclass(frozen=True, kw_only=True)
class PackedImage:
    """An image that machines can boot: `name` is lab, lab-beta, stable, ...; `folder` is its folder in the pack."""

    name: str = field(metadata=_IS_LABEL)
    version: str = field(metadata=_IS_VERSION)
    folder: str = field(metadata=_IS_PATH)
    files: tuple[str, ...] = field(metadata=_ARE_NAMES)


@dataclass(frozen=True, kw_only=True)
class PackManifest:
    """A pack's table of contents. `pythons` are the versions that its wheels fit; `left_out` lists in words what is missing."""

    made: str
    flatkit: str
    pythons: tuple[str, ...] = ()
    images: tuple[PackedImage, ...] = ()
    releases: tuple[PackedRelease, ...] = ()
    left_out: tuple[str, ...] = ()
    files: tuple[PackedFile, ...] = ()

    def get_file(self, path: str) -> PackedFile:
        """Return the file at a path of the pack. Raises ImageError when there is none."""
        for file in self.files:
            if file.path == path:
                return file
        raise ImageError(f'the pack has no "{path}"', hint="flatkit room check DIR   (on the host that has the pack)")

    def below(self, folder: str) -> tuple[PackedFile, ...]:
        """Return the files below a folder of the pack."""
        return tuple(file for file in self.files if file.path.startswith(f"{folder}/"))

    @property
    def size(self) -> int:
        """Size of all files together, in bytes."""
        return sum(file.size for file in self.files)


def manifest_as_text(manifest: PackManifest) -> str:
    """Return the manifest as JSON."""
    return json.dumps({"format": FORMAT, **to_json(manifest)}, indent=1) + "\n"


def sums_as_text(manifest: PackManifest) -> str:
    """Return the digests as sha256sum writes and reads them."""
    return "".join(f"{file.sha256}  {file.path}\n" for file in manifest.files)


def parse_manifest(text: str | bytes) -> PackManifest:
    """Parse a manifest. Raises ImageError, which names the invalid field and the expected value."""
    try:
        manifest = _manifest(Fields(parse_json(text, limit=MANIFEST_MAX), strict=True))
        _check_paths(manifest)
    except ValueError as error:
        raise ImageError(
            f"the pack's {MANIFEST} is not understood: {error}", hint="flatkit room pack DIR   (makes the pack again)"
        ) from None
    return manifest


def is_path(text: str) -> bool:
    """Tell whether a text is a valid path in a pack."""
    return len(text) <= _PATH_MAX and _PATH.fullmatch(text) is not None


def left_out(text: str) -> str:
    """Return a text in the form of a manifest's `left_out`: one printable line of limited length."""
    return printable(text, limit=TEXT_MAX - 3)


def _manifest(fields: Fields) -> PackManifest:
    found = fields.number("format")
    if found != FORMAT:
        newer = ", which a newer flatkit makes" if found > FORMAT else ""
        raise ValueError(f"format is {found}{newer}; expected {FORMAT}")
    manifest = PackManifest(
        made=fields.printed("made", limit=100),
        flatkit=fields.printed("flatkit", limit=100),
        pythons=fields.texts("pythons", form=_PYTHON, expected='a version of Python such as "3.12"', most=10),
        images=fields.objects("images", lambda one: one.build(PackedImage), most=1000),
        releases=fields.objects("releases", lambda one: one.build(PackedRelease), most=1000),
        left_out=fields.all_printed("left_out", most=1000),
        files=fields.objects("files", lambda one: one.build(PackedFile), most=FILES_MAX),
    )
    fields.end()
    for kind, lists in (
        ("images", [image.files for image in manifest.images]),
        ("releases", [release.files for release in manifest.releases]),
    ):
        for number, names in enumerate(lists):
            if not names or len(set(names)) != len(names):
                raise ValueError(f"{kind}[{number}].files has no name, or a name twice")
    if manifest.size > PACK_SIZE_MAX:
        raise ValueError(f"its files have {manifest.size} bytes; expected at most {PACK_SIZE_MAX}")
    return manifest


def _check_paths(manifest: PackManifest) -> None:
    """Refuse paths that differ in case only, files that are folders too, and the manifest's own name."""
    taken = {name.lower(): name for name in (MANIFEST, SUMS)}
    folders: dict[str, str] = {}
    for path in (file.path for file in manifest.files):
        if path.lower() in taken:
            raise ValueError(
                f'the file "{path}" is listed beside "{taken[path.lower()]}"; expected each path once, whatever its case'
            )
        taken[path.lower()] = path
        folder = path.rpartition("/")[0]
        while folder and folders.setdefault(folder.lower(), folder) == folder:
            folder = folder.rpartition("/")[0]
        if folder:
            raise ValueError(f'the folder "{folder}" is also written "{folders[folder.lower()]}"')
    both = taken.keys() & folders.keys()
    if both:
        raise ValueError(f'"{taken[min(both)]}" is a file and a folder')
