"""Makes a wheel again from an installed package: a trainer who installed flatkit by pip can hand the same on to the seats.

Format: the binary distribution format of packaging.python.org (RECORD, WHEEL, NAME.data/data).
"""

from __future__ import annotations

import base64
import hashlib
import sysconfig
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from flatkit.errors import FetchError

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
