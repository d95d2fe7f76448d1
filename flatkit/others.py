"""Others' lessons: a folder with a lesson.py, found by its path, in the folder one works in, or by an entry point.

A lesson.py sets DEMO (flatkit.steps), LESSON (flatkit.lessons.exercise) or both; docs/write-a-lesson.md is the guide. It is
code: it is run when it is asked for by path or name, and nothing is searched beyond these places.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from flatkit.errors import InputError

FILE = "lesson.py"
GROUP = "flatkit.lessons"


def find_folder(name: str) -> Path | None:
    """The lesson's folder by its path, or by the name of an entry point; None when there is none. Raises InputError."""
    path = Path(name).expanduser()
    if (path / FILE).is_file():
        return path.resolve()
    if path.name == FILE and path.is_file():
        return path.resolve().parent
    return next((_folder_of(entry) for entry in entry_points(group=GROUP) if entry.name == name), None)


def nearby() -> Iterator[Path]:
    """The lessons that need no path: the one in the current folder, and those that are installed. Raises InputError."""
    if (Path.cwd() / FILE).is_file():
        yield Path.cwd().resolve()
    for entry in entry_points(group=GROUP):
        yield _folder_of(entry)


def _folder_of(entry: EntryPoint) -> Path:
    """An entry point names the package that holds the lesson.py."""
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
    """What the folder's lesson.py calls DEMO or LESSON; None when it has none. Raises InputError when it cannot be run."""
    name = f"flatkit_lesson_{abs(hash(folder))}"
    spec = importlib.util.spec_from_file_location(name, folder / FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look their module up while it is being made.
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
