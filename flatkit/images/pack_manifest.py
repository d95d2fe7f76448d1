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
from dataclasses import asdict, dataclass

from flatkit.errors import ImageError
from flatkit.fields import TEXT_MAX, Fields
from flatkit.images.releases import Board
from flatkit.untrusted import parse_json, printable

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
LAB_FILES = ("disk.qcow2", "vmlinuz", "selector", "image.json")
FORMAT = 1
MANIFEST_MAX = 8 * 1024 * 1024
FILES_MAX = 20_000
PACK_SIZE_MAX = 100 * 10**9
_PATH_MAX, _DEPTH_MAX = 400, 8
# A part begins with a letter, digit or "_". So it is never hidden, an option of a program, or "..".
_PART = r"[0-9A-Za-z_][0-9A-Za-z._+@!~-]{0,199}"
_PATH = re.compile(rf"{_PART}(/{_PART})*")
_NAME = re.compile(_PART)
_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){2}([+-][0-9A-Za-z.-]{1,64})?")
_PYTHON = re.compile(r"3\.[0-9]{1,2}")
_SHA256, _SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_BOARD = re.compile("|".join(re.escape(str(board)) for board in Board))
PATH_SAID = 'a path of at most 8 names, each of letters, digits and "._+@!~-", beginning with a letter or digit'
_NAME_SAID = 'a file name of letters, digits and "._+@!~-", beginning with a letter or digit'


@dataclass(frozen=True, kw_only=True)
class PackedFile:
    """A file of a pack; digests in hex."""

    path: str
    size: int
    sha256: str
    sha1: str


@dataclass(frozen=True, kw_only=True)
class PackedRelease:
    """A version that machines can update to: its file names below BOARD/VERSION/, the payload first."""

    channel: str
    version: str
    board: str
    files: tuple[str, ...]
    for_lab: bool = False


@dataclass(frozen=True, kw_only=True)
class PackedImage:
    """An image that machines can boot: `name` is lab, lab-beta, stable, ...; `folder` is its folder in the pack."""

    name: str
    version: str
    folder: str
    files: tuple[str, ...]


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
    return json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1) + "\n"


def sums_as_text(manifest: PackManifest) -> str:
    """Return the digests as sha256sum writes and reads them."""
    return "".join(f"{file.sha256}  {file.path}\n" for file in manifest.files)


def parse_manifest(text: str | bytes) -> PackManifest:
    """Parse a manifest. Raises ImageError, which names the invalid field and the expected value."""
    try:
        manifest = _manifest(Fields(parse_json(text, limit=MANIFEST_MAX)))
        _check_paths(manifest)
    except ValueError as error:
        raise ImageError(
            f"the pack's {MANIFEST} is not understood: {error}", hint="flatkit room pack DIR   (makes the pack again)"
        ) from None
    return manifest


def is_path(text: str) -> bool:
    """Tell whether a text is a valid path in a pack."""
    return len(text) <= _PATH_MAX and text.count("/") < _DEPTH_MAX and _PATH.fullmatch(text) is not None


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
        images=fields.objects("images", _image, most=1000),
        releases=fields.objects("releases", _release, most=1000),
        left_out=fields.all_printed("left_out", most=1000),
        files=fields.objects("files", _file, most=FILES_MAX),
    )
    fields.end()
    if manifest.size > PACK_SIZE_MAX:
        raise ValueError(f"its files have {manifest.size} bytes; expected at most {PACK_SIZE_MAX}")
    return manifest


def _file(fields: Fields) -> PackedFile:
    file = PackedFile(
        path=_path(fields, "path"),
        size=fields.number("size", most=PACK_SIZE_MAX),
        sha256=fields.text("sha256", form=_SHA256, expected="64 lower-case hex digits"),
        sha1=fields.text("sha1", form=_SHA1, expected="40 lower-case hex digits"),
    )
    fields.end()
    return file


def _image(fields: Fields) -> PackedImage:
    image = PackedImage(
        name=_label(fields, "name"), version=_version(fields), folder=_path(fields, "folder"), files=_names(fields)
    )
    fields.end()
    return image


def _release(fields: Fields) -> PackedRelease:
    release = PackedRelease(
        channel=_label(fields, "channel"),
        version=_version(fields),
        board=fields.text("board", form=_BOARD, expected=" or ".join(str(board) for board in Board)),
        files=_names(fields),
        for_lab=fields.flag("for_lab", default=False),
    )
    fields.end()
    return release


def _path(fields: Fields, name: str) -> str:
    path = fields.text(name)
    if not is_path(path):
        raise fields.fault(name, PATH_SAID)
    return path


def _label(fields: Fields, name: str) -> str:
    return fields.text(name, form=_LABEL, expected='lower-case letters, digits and "-"')


def _version(fields: Fields) -> str:
    return fields.text("version", form=_VERSION, expected='a version such as "4593.2.5"')


def _names(fields: Fields) -> tuple[str, ...]:
    names = fields.texts("files", form=_NAME, expected=_NAME_SAID, most=1000)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"{fields.where}.files has no name, or a name twice")
    return names


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
