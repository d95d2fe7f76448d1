"""One wheel as a value: name, version, tags and requirements, read from a file that somebody else may have made.

`rebuild_wheel` makes one again from an installed package: a trainer who installed flatkit by pip can pass the same on.

A wheel is a zip file. Every part of it that costs memory or time has a bound, which is stated here; what exceeds one is an error.
Formats: the binary distribution format and core metadata of packaging.python.org, zip as in PKWARE's APPNOTE.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sysconfig
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from flatkit.errors import FetchError
from flatkit.files import open_regular
from flatkit.untrusted import printable

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.tags import Tag
    from packaging.version import Version

NAME_MAX = 200
TAGS_MAX = 200
# Bytes of the zip's table of contents (about 40,000 entries), of METADATA, and of everything unpacked.
TABLE_MAX = 4 * 1024 * 1024
METADATA_MAX = 2 * 1024 * 1024
UNPACKED_MAX = 2 * 10**9
REQUIREMENTS_MAX = 1000
REQUIREMENT_MAX = 500
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+!]*(-[0-9A-Za-z._+!]+){4,5}", re.ASCII)
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_LOCAL_HEADER = 30
# Others need a dictionary whose size the file itself chooses, and no wheel uses them.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel's file name, and what the name and METADATA say; `name` is the canonical one."""

    file_name: str
    name: str
    version: Version
    tags: frozenset[Tag]
    requires: tuple[Requirement, ...]


def is_wheel_name(text: str) -> bool:
    """Tell whether a text looks like the file name of a wheel: NAME-VERSION-PYTHON-ABI-PLATFORM.whl."""
    stem, dot, ending = text.rpartition(".")
    return len(text) <= NAME_MAX and (dot, ending) == (".", "whl") and _NAME.fullmatch(stem) is not None


def read_wheel(path: Path) -> Wheel:
    """Read the wheel at a path. Raises FetchError."""
    try:
        with open_regular(path) as file:
            return parse_wheel(path.name, file)
    except FetchError:  # an OSError as well
        raise
    except OSError as error:
        raise _fault(path.name, error.strerror or str(error)) from None


def parse_wheel(file_name: str, file: BinaryIO) -> Wheel:
    """Read a wheel of this name. Raises FetchError for a broken one or one that exceeds a bound of this module; OSError."""
    from packaging.utils import parse_wheel_filename

    if not is_wheel_name(file_name) or _count_tags(file_name) > TAGS_MAX:
        raise _misnamed(file_name)
    try:
        name, version, _, tags = parse_wheel_filename(file_name)
    except ValueError:  # of several kinds, also for a number that is too long
        raise _misnamed(file_name) from None
    try:
        return Wheel(file_name=file_name, name=name, version=version, tags=tags, requires=_requires(file))
    except OSError:
        raise
    # zipfile and packaging raise many kinds on broken data (struct.error, zlib.error, NotImplementedError, RecursionError, ...).
    except Exception as error:  # noqa: BLE001
        raise _fault(file_name, str(error) or type(error).__name__) from None


def _count_tags(file_name: str) -> int:
    count = 1
    for part in file_name.removesuffix(".whl").split("-")[-3:]:
        count *= part.count(".") + 1
    return count


def _requires(file: BinaryIO) -> tuple[Requirement, ...]:
    from packaging.requirements import Requirement

    headers = HeaderParser().parsestr(_read_metadata(file).decode())
    found = [str(text) for text in headers.get_all("Requires-Dist", [])]
    if len(found) > REQUIREMENTS_MAX or any(len(text) > REQUIREMENT_MAX for text in found):
        raise ValueError(f"expected at most {REQUIREMENTS_MAX} requirements of {REQUIREMENT_MAX} characters")
    parsed = tuple(map(Requirement, found))
    if any(one.url for one in parsed):
        raise ValueError("it requires an address instead of a version")
    return parsed


def _read_metadata(file: BinaryIO) -> bytes:
    with zipfile.ZipFile(_Bounded(file)) as archive:
        entries = archive.infolist()
        _check_entries(entries, size=os.fstat(file.fileno()).st_size)
        found = [entry for entry in entries if _METADATA.fullmatch(entry.filename)]
        if len(found) != 1:
            raise ValueError(f"it has {len(found)} METADATA files; expected one")
        if found[0].compress_type not in _METHODS:
            raise ValueError("its METADATA is compressed by a method that no wheel uses")
        with archive.open(found[0]) as entry:
            data = entry.read(METADATA_MAX + 1)
    if len(data) > METADATA_MAX:
        raise ValueError(f"its METADATA is larger than {METADATA_MAX} bytes")
    return data


def _check_entries(entries: Sequence[zipfile.ZipInfo], *, size: int) -> None:
    """Refuse an archive that unpacks to far more than it is: entries that overlap, or sizes beyond the bound."""
    total = sum(entry.file_size for entry in entries)
    if total > UNPACKED_MAX:
        raise ValueError(f"it unpacks to {total} bytes; expected at most {UNPACKED_MAX}")
    if len({entry.filename for entry in entries}) != len(entries):
        raise ValueError("it has an entry twice")
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise ValueError("its entries overlap")
        end = entry.header_offset + _LOCAL_HEADER + entry.compress_size
    if end > size:
        raise ValueError("an entry reaches beyond its end")


class _Bounded:
    """A file for zipfile, which reads the whole table of contents at once, and takes its size from the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size if 0 <= size <= TABLE_MAX else TABLE_MAX + 1)
        if len(data) > TABLE_MAX:
            raise ValueError(f"its table of contents is larger than {TABLE_MAX} bytes")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _misnamed(file_name: str) -> FetchError:
    return FetchError(
        f'"{printable(file_name)}" has no name of a wheel; expected NAME-VERSION-PYTHON-ABI-PLATFORM.whl',
        hint="remove it, and pack again",
    )


def _fault(file_name: str, why: str) -> FetchError:
    return FetchError(
        f'"{printable(file_name)}" is not a readable wheel: {printable(why, limit=200)}',
        hint="remove it, and pack again",
    )


_WHEEL = "Wheel-Version: 1.0\nGenerator: flatkit\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_NOT_PACKED = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "WHEEL"}
_TIME = (1980, 1, 1, 0, 0, 0)


def rebuild_wheel(name: str, folder: Path) -> Path:
    """Write the wheel of an installed pure package into `folder`. Raises FetchError when that is not possible."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        raise FetchError(f'"{name}" is not installed, so no wheel can be made of it') from None
    prefix = f"{name.replace('-', '_')}-{found.version}"
    entries: dict[str, Path] = {}
    for listed in found.files or []:
        path = Path(str(found.locate_file(listed))).resolve()
        place = _place(path, str(listed), prefix)
        if place:
            entries[place] = path
    if not any(place.endswith("/METADATA") for place in entries):
        raise FetchError(f'"{name}" was not installed from a wheel, so none can be made of it')
    target = folder / f"{prefix}-py3-none-any.whl"
    records: list[str] = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, path in sorted(entries.items()):
            _write(archive, records, place, path.read_bytes(), is_program=bool(path.stat().st_mode & 0o111))
        _write(archive, records, f"{prefix}.dist-info/WHEEL", _WHEEL.encode(), is_program=False)
        records.append(f"{prefix}.dist-info/RECORD,,")
        archive.writestr(zipfile.ZipInfo(f"{prefix}.dist-info/RECORD", _TIME), "\n".join(records) + "\n")
    return target


def _place(path: Path, listed: str, prefix: str) -> str:
    """Return the place of a file in the wheel, "" for what pip itself makes (scripts, byte code, its own notes)."""
    if "__pycache__" in path.parts or (".dist-info/" in listed and path.name in _NOT_PACKED):
        return ""
    if not listed.startswith(".."):
        return listed
    data = Path(sysconfig.get_path("data")).resolve()
    scripts = Path(sysconfig.get_path("scripts")).resolve()
    if path.is_relative_to(data) and not path.is_relative_to(scripts):
        return f"{prefix}.data/data/{path.relative_to(data)}"
    return ""


def _write(archive: zipfile.ZipFile, records: list[str], place: str, data: bytes, *, is_program: bool) -> None:
    entry = zipfile.ZipInfo(place, _TIME)
    entry.external_attr = (0o100755 if is_program else 0o100644) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    records.append(f'"{place}",sha256={digest},{len(data)}' if "," in place else f"{place},sha256={digest},{len(data)}")
