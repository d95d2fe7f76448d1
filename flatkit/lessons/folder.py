"""The learner's folder with the course, and what each kernel of it begins with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flatkit import paths
from flatkit.accounts import why_refused
from flatkit.errors import MissingDependency, UsageError
from flatkit.lessons.layout import lay_out
from flatkit.usage import FULL, disk_full

FOLDER = "~/flatkit-course"
# PYTHONSTARTUP of the kernels.
KERNEL_START = Path(paths.__file__).with_name("widgets") / "kernel_start.py"


def find_folder(wanted: Path | None, *, say: Callable[[str], object] = lambda _: None) -> Path:
    """Return the learner's folder with the course, brought up to date; `say` gets a sentence about each changed file.

    Raises UsageError, MissingDependency.
    """
    origin = paths.source_notebooks() or paths.packaged_notebooks()
    if not origin.is_dir():
        raise MissingDependency(
            "this flatkit was installed without its notebooks", hint="pip install --force-reinstall flatkit"
        )
    target = wanted or Path(FOLDER)
    try:
        target = target.expanduser().absolute()
        if target.is_dir() and target.samefile(origin):  # a maintainer's own notebooks
            return target
        target.mkdir(parents=True, exist_ok=True)
        for line in lay_out(origin, target).lines:
            say(line)
    except RuntimeError as error:  # a user without a home
        raise _refused(target, str(error).rstrip(".")) from None
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(target, error) from None
        raise _refused(target, why_refused(target, error)) from None
    return target


def _refused(target: Path, why: str) -> UsageError:
    return UsageError(
        f'the course cannot be copied to "{target}": {why}; expected a folder of yours',
        hint="flatkit course --folder SOME-NEW-FOLDER",
    )
