"""Lessons from other authors: a folder with a lesson.py, found by its path, or installed and found by an entry point.

A lesson.py sets DEMO (flatkit.steps), LESSON (flatkit.lessons.exercise) or both; docs/write-a-lesson.md is the guide.
It is a program. One that is not installed runs only when the user names its path, after a warning.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from flatkit.errors import InputError
from flatkit.untrusted import printable

FILE = "lesson.py"
GROUP = "flatkit.lessons"
_log = logging.getLogger(__name__)


def find_folder(name: str) -> Path | None:
    """Return a lesson's folder by the name of an entry point, or by its path; None when there is none. Raises InputError.

    The name is first: a folder of that name in the current one takes no installed lesson's place.
    """
    if entry := next((entry for entry in _entries() if entry.name == name), None):
        return _folder_of(entry)
    path = Path(name).expanduser()
    if (path / FILE).is_file():
        return path.resolve()
    if path.name == FILE and path.is_file():
        return path.resolve().parent
    return None


def installed() -> Iterator[Path]:
    """Yield the folders of installed lessons. Raises InputError."""
    for entry in _entries():
        yield _folder_of(entry)


def split_task(name: str) -> tuple[Path, str] | None:
    """Split "FOLDER/TASK" into a lesson's folder and the name of a task in it; None when the folder has no lesson."""
    before, slash, task = name.rpartition("/")
    folder = Path(before or slash).expanduser()
    return (folder.resolve(), task) if slash and task and (folder / FILE).is_file() else None


def hint_of_path(command: str) -> str:
    """Return the command for the lesson in the current folder by its path; "" when there is none."""
    return f"{command}   (the {FILE} in this folder runs only when you name its path)" if Path(FILE).is_file() else ""


def _entries() -> list[EntryPoint]:
    """Return the entry points of installed packages. A notebook's kernel also searches its current folder: that is left out."""
    here = Path.cwd().resolve()
    return [
        entry
        for entry in entry_points(group=GROUP)
        if entry.dist is None or Path(str(entry.dist.locate_file(""))).resolve() != here
    ]


def _folder_of(entry: EntryPoint) -> Path:
    """Return the folder of the package with the lesson.py, which the entry point names."""
    try:
        spec = importlib.util.find_spec(entry.value)
    except (ImportError, ValueError) as error:
        raise _broken(entry.value, error) from None
    if spec is None or spec.origin is None or not (Path(spec.origin).parent / FILE).is_file():
        raise InputError(
            f'the entry point "{entry.name}" names "{entry.value}", which has no {FILE}',
            hint=f'in pyproject.toml: [project.entry-points."{GROUP}"]   {entry.name} = "PACKAGE"',
        )
    return Path(spec.origin).resolve().parent


def load(folder: Path, wanted: str) -> Any:
    """Run the folder's lesson.py, and return its DEMO or LESSON; None when it sets none. Raises InputError for its errors."""
    _log.warning("running the lesson %s: it is a program and can do what you can", printable(folder / FILE))
    name = f"flatkit_lesson_{abs(hash(folder))}"
    spec = importlib.util.spec_from_file_location(name, folder / FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look up their module while it is being executed.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _broken(str(folder), error) from error
    finally:
        sys.modules.pop(name, None)
    return getattr(module, wanted, None)


def _broken(name: str, error: Exception) -> InputError:
    line = getattr(error, "lineno", None)
    traceback = error.__traceback__
    while traceback is not None:
        if Path(traceback.tb_frame.f_code.co_filename).name == FILE:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    where = f", line {line}" if line else ""
    return InputError(
        f'the lesson "{name}" cannot be loaded: {type(error).__name__}: {error}{where}',
        hint=f"correct its {FILE}; docs/write-a-lesson.md says what belongs there",
    )
