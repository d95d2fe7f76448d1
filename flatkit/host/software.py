"""Checks of what is installed beside Python: images, the key that verifies them, programs, and JupyterLab with its widgets."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flatkit.errors import MissingDependency
from flatkit.host.system import Health, HostCheck
from flatkit.run import program_path
from flatkit.untrusted import parse_json

_BUILD_TOOLS = ("mmdebstrap", "mkfs.erofs", "veritysetup", "mke2fs", "sfdisk", "mkfs.vfat", "mcopy", "cpio", "qemu-img")


def check_image() -> HostCheck:
    """Check that there is an image to boot, or the tools to build one."""
    from flatkit.images.lab.build import find_lab_image
    from flatkit.images.signing import find_trust
    from flatkit.images.store import list_cached

    lab, trust, why = find_lab_image(), find_trust(), "machines boot from it"
    flatcar = [f"Flatcar {image.channel} {image.version}" for image in list_cached() if image.is_ready(trust)]
    if lab or flatcar:
        found = ", ".join([*flatcar, *([f"lab image {lab.version}"] if lab else [])])
        return HostCheck(name="image", state=Health.OK, found=found, why=why)
    missing = [tool for tool in _BUILD_TOOLS if not _which(tool)]
    if missing:
        return HostCheck(
            name="image", state=Health.FAIL, found=f"none, and no {', '.join(missing)} to build the lab image with",
            why=why, fix="make setup",
        )  # fmt: skip
    return HostCheck(
        name="image", state=Health.WARN, found="none yet", why="the first boot builds the lab image, in about a minute",
        fix="flatkit images build-lab",
    )  # fmt: skip


def check_trust() -> HostCheck:
    """Check which key verifies images, and that Sequoia, which verifies with it, is installed."""
    from flatkit.images.openpgp import load_library
    from flatkit.images.signing import FLATCAR_PRIMARY, find_trust

    trust = find_trust()
    try:
        load_library()
    except MissingDependency as error:
        return HostCheck(
            name="trust", state=Health.WARN, found="no pysequoia", fix="python -m pip install pysequoia",
            why="without it no Flatcar image can be trusted; the lab image needs none", note=error.message,
        )  # fmt: skip
    why = "a Flatcar image boots only when this key has signed it"
    if trust.is_replaced:
        trust.read_key()
        return HostCheck(
            name="trust", state=Health.WARN, found=f"images {trust.words}", why="the owner of that key decides what boots here",
            fix="unset FLATKIT_SIGNING_KEY", note="Unless you set it on purpose: a test, or a mirror that signs images itself.",
        )  # fmt: skip
    return HostCheck(name="trust", state=Health.OK, found=f"Flatcar's key, {FLATCAR_PRIMARY[-16:]}, pinned", why=why)


def check_programs() -> HostCheck:
    """Check that the programs that flatkit and the demos call are installed."""
    missing = [tool for tool in ("ssh", "qemu-img", "curl") if not _which(tool)]
    return HostCheck(
        name="programs", state=Health.FAIL if missing else Health.OK,
        found=f"missing: {', '.join(missing)}" if missing else "ssh, qemu-img, curl",
        why="flatkit ssh, the machines' disks and the demos use them", fix="make setup",
    )  # fmt: skip


def _which(program: str) -> str | None:
    return shutil.which(program, path=program_path())


@dataclass(frozen=True, kw_only=True)
class RequiredPackage:
    """A Python package of the notebooks: the versions that flatkit is tried with."""

    package: str
    versions: str


# As in pyproject.toml, with the upper ends that the page side knows; a test compares them.
WANTED = (
    RequiredPackage(package="jupyterlab", versions=">=4.4,<5"),
    RequiredPackage(package="ipykernel", versions=">=6.29,<8"),
    RequiredPackage(package="ipywidgets", versions=">=8.1,<9"),
    RequiredPackage(package="anywidget", versions=">=0.9.18,<1"),
)
# The page's half of a package, as a path below a labextensions folder, and the Python package that it belongs to.
_PAGE_HALVES = {"anywidget": "anywidget", "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets"}
_WHY = "the notebooks' panels are drawn by these together"


def find_version(package: str) -> str | None:
    """The installed version of a Python package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_jupyter(find: Callable[[str], str | None] = find_version, folders: Iterable[Path] | None = None) -> HostCheck:
    """Check that the versions fit. `find` gives an installed version, `folders` are where JupyterLab looks for extensions."""
    from packaging.specifiers import SpecifierSet

    versions = {wanted.package: find(wanted.package) for wanted in WANTED}
    unfit = [wanted for wanted in WANTED if not _fits(versions[wanted.package], SpecifierSet(wanted.versions))]
    found = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    if unfit:
        wishes = " ".join(f"'{wanted.package}{wanted.versions}'" for wanted in unfit)
        state = Health.FAIL if any(versions[wanted.package] is None for wanted in unfit) else Health.WARN
        return HostCheck(
            name="jupyter", state=state, found=f"{found}; expected {wishes}", why=_WHY,
            fix=f"{sys.executable} -m pip install {wishes}",
        )  # fmt: skip
    trouble = next(_page_troubles(find, extension_folders() if folders is None else list(folders)), "")
    return HostCheck(
        name="jupyter", state=Health.WARN if trouble else Health.OK, found=f"{found}; {trouble}" if trouble else found,
        why=_WHY, fix=f"{sys.executable} -m pip install --force-reinstall --no-deps anywidget jupyterlab_widgets",
        note='Else a cell shows "Error displaying widget: model not found". Start JupyterLab from the same environment.',
    )  # fmt: skip


def extension_folders() -> list[Path]:
    """The folders in which JupyterLab looks for the page's halves, in its order."""
    if importlib.util.find_spec("jupyter_core") is None:
        return [Path(sys.prefix) / "share/jupyter/labextensions"]
    from jupyter_core.paths import jupyter_path

    return [Path(folder) for folder in jupyter_path("labextensions")]


def _fits(version: str | None, wanted: object) -> bool:
    return version is not None and version in wanted  # type: ignore[operator]


def _page_troubles(find: Callable[[str], str | None], folders: list[Path]) -> Iterator[str]:
    for place, package in _PAGE_HALVES.items():
        file = next((file for folder in folders if (file := folder / place / "package.json").is_file()), None)
        if file is None:
            yield f"JupyterLab does not find the page's half of {package}"
            continue
        try:
            version = str(parse_json(file.read_text(encoding="utf-8")).get("version", ""))
        except (OSError, ValueError):
            version = ""
        own = find(package)
        # jupyterlab-manager has a number of its own; only anywidget's two halves carry the same one.
        if package == "anywidget" and own and _release(version) != _release(own):
            yield f"the page's half of anywidget is {version or 'unreadable'} ({file.parent}), Python's is {own}"


def _release(version: str) -> list[str]:
    return version.split(".")[:2]
