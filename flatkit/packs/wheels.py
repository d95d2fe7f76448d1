"""Python wheels for a pack: flatkit's own, and what it needs on each Python, fetched by pip and checked without it.

pip evaluates the conditions of a requirement ("python_version >= '3.12'") by the Python that it runs on, also when it fetches for
another one. So the closure is worked out here, by the `packaging` library, for each Python; pip fetches what is found missing.
"""

from __future__ import annotations

import html
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from flatkit import paths
from flatkit.errors import CommandFailed, FetchError, MissingDependency
from flatkit.events import Observer, Said
from flatkit.packs.wheelfile import Wheel, read_wheel, rebuild_wheel
from flatkit.run import run
from flatkit.untrusted import printable, shell_word

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.tags import Tag

PYTHONS = ("3.11", "3.12", "3.13")
# Up to glibc 2.28: every distribution since 2019. Names as in PEP 600, and the older ones of the same thing.
_PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)),
    "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64",
)  # fmt: skip
_ROUNDS = 8
WHEELS_MAX = 2000
WORK_MAX = (
    20_000  # conditions of requirements that are evaluated for one Python; flatkit's own wheels have fewer than 2,000
)


def pip(*arguments: str | Path) -> str:
    """Run this Python's pip and return what it said. Raises MissingDependency when there is none, CommandFailed.

    Python looks for no module in the current folder, which anyone may have written.
    """
    try:
        return run([sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", *arguments]).stdout
    except CommandFailed as error:
        if "No module named pip" in error.details:
            raise MissingDependency(
                f'"{sys.executable}" has no pip, which fetches the wheels',
                hint=f"{shell_word(sys.executable)} -m ensurepip",
            ) from None
        raise


def build_own(folder: Path) -> Path:
    """Build flatkit's own wheel into `folder`, from the checkout or from what is installed. Raises FetchError."""
    checkout = paths.source_notebooks()
    with tempfile.TemporaryDirectory() as work:
        if checkout:
            wheel = _built(str(checkout.parent), Path(work))
        else:
            wheel = rebuild_wheel("flatkit", Path(work))
        for old in folder.glob("flatkit-*.whl"):
            old.unlink()
        target = folder / wheel.name
        target.write_bytes(wheel.read_bytes())
    return target


def build_libvirt(folder: Path) -> str:
    """Build libvirt-python for this Python into `folder`; returns "", or in words why it is not there."""
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    if any(folder.glob(f"libvirt_python-*-cp{version}-*.whl")):
        return ""
    with tempfile.TemporaryDirectory() as work:
        try:
            wheel = _built("libvirt-python", Path(work))
        except FetchError:
            return (
                f"libvirt-python for CPython {version[0]}.{version[1:]}: this host cannot build it (libvirt-dev and gcc are "
                "needed); seats take python3-libvirt from their distribution, as the line for seats does"
            )
        (folder / wheel.name).write_bytes(wheel.read_bytes())
    return ""


def _built(what: str, work: Path) -> Path:
    try:
        pip("wheel", "--quiet", "--no-deps", "--wheel-dir", work, what)
    except CommandFailed as error:
        raise FetchError(f'pip could not build a wheel of "{what}"', details=error.details) from None
    (wheel,) = work.glob("*.whl")
    return wheel


def download(folder: Path, *, root: Path, pythons: Sequence[str], observer: Observer) -> set[Path]:
    """Fetch what the wheel `root` needs on each Python into `folder`, its own requirements and theirs; returns those wheels.

    Raises FetchError.
    """
    needed = {root}
    for python in pythons:
        for _ in range(_ROUNDS):
            found = close_over(read_wheels(folder), root=read_wheel(root), python=python)
            if not found.missing:
                break
            observer.notify(Said(text=f"wheels for CPython {python}: fetching {_few(found.missing)}"))
            _fetch(folder, found.missing, python)
        else:
            raise FetchError(
                f"the wheels for CPython {python} never became complete: {_few(found.missing)} are missing"
            )
        needed |= {folder / wheel.file_name for wheel in found.wheels}
    return needed


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _fetch(folder: Path, requirements: Sequence[str], python: str) -> None:
    number = python.replace(".", "")
    kinds = [word for abi in (f"cp{number}", "abi3", "none") for word in ("--abi", abi)]
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    try:
        pip(
            "download", "--quiet", "--only-binary=:all:", "--implementation", "cp", "--python-version", python,
            *kinds, *platforms, "--dest", folder, "--", *requirements,
        )  # fmt: skip
    except CommandFailed as error:
        raise FetchError(
            f"pip could not fetch the wheels for CPython {python}",
            hint="try again with the Internet at hand; pip's own words are above",
            details=error.details,
        ) from None


@dataclass(frozen=True, kw_only=True)
class Closure:
    """The requirements of a wheel on one Python: the wheels that fulfil them, and those that none fulfils."""

    wheels: tuple[Wheel, ...]
    missing: tuple[str, ...]


def read_wheels(folder: Path) -> list[Wheel]:
    """Read all wheels in a folder of this process. Raises FetchError for one that cannot be read."""
    return [read_wheel(path) for path in sorted(folder.glob("*.whl"))]


def close_over(wheels: Sequence[Wheel], *, root: Wheel, python: str) -> Closure:
    """Find what `root` needs on a Python, and what that needs in turn, among `wheels`.

    Only requirements whose conditions hold there count. Raises FetchError for conditions that make no sense, or far too many.
    """
    from packaging.utils import canonicalize_name

    fitting = _by_name(wheels, python)
    missing: set[str] = set()
    used: dict[str, Wheel] = {}
    done: set[tuple[str, ...]] = set()
    todo = _holding(root, python, extras=())
    work = 0
    while todo:
        wanted = todo.pop()
        key = (canonicalize_name(wanted.name), str(wanted.specifier), *sorted(wanted.extras))
        if key in done:
            continue
        done.add(key)
        rows = fitting.get(canonicalize_name(wanted.name), [])
        found = next((one for one in rows if wanted.specifier.contains(one.version, prereleases=True)), None)
        if found is None:
            missing.add(_plain(wanted))
            continue
        used[found.file_name] = found
        work += len(found.requires) * (1 + len(wanted.extras))
        if work > WORK_MAX:
            raise FetchError(f'"{root.file_name}" leads to more than {WORK_MAX} conditions of requirements')
        todo += _holding(found, python, extras=tuple(wanted.extras))
    return Closure(wheels=tuple(used[name] for name in sorted(used)), missing=tuple(sorted(missing)))


def _plain(wanted: Requirement) -> str:
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    return f"{wanted.name}{extras}{wanted.specifier}"


def _by_name(wheels: Sequence[Wheel], python: str) -> dict[str, list[Wheel]]:
    """Name -> wheels, newest first, of those that a Python can take."""
    supported = _tags(python)
    found: dict[str, list[Wheel]] = {}
    for wheel in wheels:
        if wheel.tags & supported:
            found.setdefault(wheel.name, []).append(wheel)
    return {
        name: sorted(rows, key=lambda wheel: (wheel.version, wheel.file_name), reverse=True)
        for name, rows in found.items()
    }


def _tags(python: str) -> frozenset[Tag]:
    from packaging.tags import compatible_tags, cpython_tags

    version = tuple(map(int, python.split(".")))
    number = python.replace(".", "")
    own = cpython_tags(version, abis=[f"cp{number}"], platforms=_PLATFORMS)
    return frozenset([*own, *compatible_tags(version, f"cp{number}", platforms=_PLATFORMS)])


def _holding(wheel: Wheel, python: str, *, extras: Sequence[str]) -> list[Requirement]:
    """Return what a wheel needs on a Python, with these extras. Raises FetchError."""
    base = {
        "python_version": python, "python_full_version": f"{python}.0", "implementation_version": f"{python}.0",
        "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix",
        "implementation_name": "cpython", "platform_python_implementation": "CPython", "platform_release": "6.1",
        "platform_version": "",
    }  # fmt: skip
    try:
        return [
            wanted
            for wanted in wheel.requires
            if wanted.marker is None or any(wanted.marker.evaluate({**base, "extra": extra}) for extra in ("", *extras))
        ]
    except (ValueError, RecursionError) as error:  # a comparison that is none
        raise FetchError(
            f'"{wheel.file_name}" has a requirement whose condition makes no sense: {printable(error, limit=200)}',
            hint="remove it, and pack again",
        ) from None


def as_index(names: dict[str, str], *, base: str = "") -> str:
    """The page that `pip --find-links` reads: file name -> SHA-256, which pip checks. `base` is the address of all of them."""
    links = "".join(
        f'<a href="{html.escape(base + quote(name))}#sha256={html.escape(digest)}">{html.escape(name)}</a><br>\n'
        for name, digest in sorted(names.items())
    )
    return f"<!doctype html>\n<meta charset=utf-8>\n<title>Wheels</title>\n{links}"
