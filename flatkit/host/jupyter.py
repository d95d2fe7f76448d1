"""JupyterLab, the kernel and the widgets: versions that fit together, and the page's halves where JupyterLab looks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flatkit.host.check import Health, HostCheck


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
            version = str(json.loads(file.read_text(encoding="utf-8")).get("version", ""))
        except (OSError, ValueError):
            version = ""
        own = find(package)
        # jupyterlab-manager has a number of its own; only anywidget's two halves carry the same one.
        if package == "anywidget" and own and _release(version) != _release(own):
            yield f"the page's half of anywidget is {version or 'unreadable'} ({file.parent}), Python's is {own}"


def _release(version: str) -> list[str]:
    return version.split(".")[:2]
