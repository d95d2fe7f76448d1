"""Installation of a room: flatkit in an environment that every user can read, and the images of the course."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from flatkit import __version__, paths
from flatkit.errors import CommandFailed, HostError
from flatkit.events import Observer, Said, phase
from flatkit.run import run, stream

VENV = Path("/opt/flatkit")
# Debian's own Python: seats cannot read one below root's home, and only it has the distribution's libvirt binding.
_PYTHON = Path("/usr/bin/python3")
_BINDING = Path("/usr/lib/python3/dist-packages")
# `python -m` looks for modules in the current folder first, and this is root: nothing there may run.
_NOWHERE = Path("/")
# Extensions from Debian packages that the course uses.
_EXTENSIONS = ("podman", "docker-compose")


def install(observer: Observer, *, venv: Path = VENV, source: str | None = None) -> Path:
    """Install flatkit with its seats into an environment of its own; return its bin folder.

    `source` is what pip installs: the checkout that this runs from, else this version by its name. Raises HostError,
    CommandFailed, MissingDependency.
    """
    source = source or _source()
    with phase(observer, "install", f"Installing flatkit into {venv}", typical=60):
        if not (venv / "bin" / "pip").exists():  # written last: an environment whose making was cut short has none
            run([str(_PYTHON) if _PYTHON.exists() else sys.executable, "-m", "venv", str(venv)], cwd=_NOWHERE)
        python = venv / "bin" / "python"
        # Not editable: other users may not be able to read the checkout.
        words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", source]
        try:
            run(words, cwd=_NOWHERE)
            # A checkout of the same version counts as installed, whatever has changed in it.
            run([*words[:-2], "--force-reinstall", "--no-deps", source], cwd=_NOWHERE)
        except CommandFailed as error:
            raise HostError(
                f"flatkit could not be installed into {venv}: {error.message}",
                hint="flatkit seats up   (once the network is there), or a pack: export PIP_FIND_LINKS=PACK/wheels",
            ) from None
        _link_binding(venv)
        run(["chmod", "-R", "a+rX", str(venv)])
    return venv / "bin"


def _source() -> str:
    notebooks = paths.source_notebooks()
    return f"{notebooks.parent}[seats]" if notebooks else f"flatkit[seats]=={__version__}"


def _link_binding(venv: Path) -> None:
    """Let the environment use the distribution's libvirt binding, as tools/setup.sh does: there is no wheel of it."""
    for packages in (venv / "lib").glob("python3*/site-packages"):
        for file in _binding_files():
            link = packages / file.name
            if not link.exists():
                link.unlink(missing_ok=True)
                link.symlink_to(file)


def _binding_files() -> Iterator[Path]:
    for pattern in ("libvirt.py", "libvirtaio.py", "libvirt_*.py", "libvirtmod*.so"):
        yield from _BINDING.glob(pattern)


def build_images(bin_folder: Path, cache: Path, observer: Observer) -> None:
    """Fill the shared cache: the lab image in all releases with their updates, and the extensions of the course.

    Built where it is used: a disk names the image below it by its path. Raises CommandFailed, HostError.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for folder in (cache, cache / "lab"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    environment = {"FLATKIT_CACHE": str(cache), "FLATKIT_SHARED_CACHE": ""}
    with phase(observer, "images", "Building the images of the course, once for all seats", typical=240):
        words = [str(bin_folder / "python"), "-m", "flatkit", "seats", "images"]
        stream(words, lambda line: observer.notify(Said(text=line)), env=environment, cwd=_NOWHERE)
    run(["chmod", "-R", "a+rX,go-w", str(cache)])


def fill_cache(observer: Observer) -> None:
    """Build everything of the course into this process's own cache. Raises HostError, ImageError, MissingDependency."""
    from flatkit.images.lab import cache_gc, recipe
    from flatkit.images.lab.build import build_lab_image, build_payload
    from flatkit.images.lab.extensions import recipe_for
    from flatkit.images.lab.packages import lab_dir
    from flatkit.images.sysext import build as build_extension

    build_lab_image(observer)
    (lab_dir() / cache_gc.KEEP_PAYLOADS).touch()
    for release in recipe.RELEASES.values():
        build_lab_image(observer, release=release)
        if release != recipe.STABLE:  # what machines begin with: nothing is updated to it
            build_payload(observer, release=release)
    for name in _EXTENSIONS:
        build_extension(recipe_for(name), observer=observer)
