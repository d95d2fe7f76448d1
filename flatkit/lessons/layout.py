"""Lays the course out in a learner's own folder, again after each update of flatkit, and overwrites nothing of theirs.

<folder>/.flatkit-course.json has the hash of each file as flatkit laid it out. A file that still has this hash was not
changed, and is replaced by a newer one. Beside a changed file the newer one is written as NAME.new.ipynb, once.
Its notebooks are signed: JupyterLab asks before it runs what an unsigned notebook's buttons want.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flatkit import paths
from flatkit.accounts import why_refused
from flatkit.errors import MissingDependency, UsageError
from flatkit.files import read_regular, save, write_atomic
from flatkit.jupyter_start import leave_grammars_out
from flatkit.lessons.marks import mark_terms
from flatkit.untrusted import parse_json
from flatkit.usage import FULL, disk_full

FOLDER = "~/flatkit-course"
_RECORD = ".flatkit-course.json"
_FORMAT = 1
# Of a file that a learner may have filled with outputs, in bytes.
_BYTES_MAX = 256 * 1024 * 1024
_SIGNED_MAX = 64 * 1024 * 1024
_RECORD_MAX = 1024 * 1024
_TRIES = 1000


@dataclass(kw_only=True)
class LaidOut:
    """The files that were written, by their path in the folder. `beside`: changed file -> name of the newer one."""

    new: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> tuple[str, ...]:
        """Sentences for the learner: nothing on the first time, and nothing without an update."""
        updated = f"updated, since you had not changed them: {', '.join(self.updated)}" if self.updated else ""
        beside = (f"you have changed {file}: it stays; the new one is {new}" for file, new in self.beside.items())
        return tuple(filter(None, (updated, *beside)))


def lay_out(origin: Path, folder: Path) -> LaidOut:
    """Bring the course of `origin` into the folder. An existing link stays, and nothing is written through it. Raises OSError."""
    known = _read_record(folder)
    before, done = dict(known), LaidOut()
    for path in _files(origin, folder):
        name = path.relative_to(origin).as_posix()
        _lay(_content(path), folder, name, known, done)
    if known != before:
        save(folder / _RECORD, json.dumps({"format": _FORMAT, "files": dict(sorted(known.items()))}, indent=1) + "\n")
    return done


def _lay(data: bytes, folder: Path, name: str, known: dict[str, str], done: LaidOut) -> None:
    target, digest = folder / name, _digest(data)
    before = _read(target)
    was, known[name] = known.get(name), digest
    if before is None:
        write_atomic(target, data)
        done.new.append(name)
    elif before == data or was == digest:
        pass  # the newest, or changed by the learner since
    elif _digest(before) == was:
        write_atomic(target, data)
        done.updated.append(name)
    else:
        fresh = _free_name(target, data)
        write_atomic(fresh, data)
        done.beside[name] = fresh.relative_to(folder).as_posix()
        target = fresh
    if target.suffix == ".ipynb" and _read(target) == data:
        trust(target)


def _free_name(target: Path, data: bytes) -> Path:
    """Return NAME.new.ipynb, or with a number where a learner's file has this name."""
    for number in range(1, _TRIES):
        path = target.with_name(f"{target.stem}.new{f'-{number}' if number > 1 else ''}{target.suffix}")
        if not path.is_symlink() and _read(path) in {None, data}:
            return path
    raise FileExistsError(f"{_TRIES} newer versions are beside it")


def _files(origin: Path, folder: Path) -> Iterator[Path]:
    """Return the course's files, and make the folders that they need."""
    for path in sorted(origin.iterdir()):
        copy = folder / path.name
        if path.name.startswith((".", "__")) or copy.is_symlink():
            continue
        if path.is_dir():
            copy.mkdir(exist_ok=True)
            yield from (path / file.name for file in _files(path, copy))
        else:
            yield path


def _content(path: Path) -> bytes:
    """Return a file as it is laid out: a notebook with its terms marked."""
    data = path.read_bytes()
    if path.suffix != ".ipynb":
        return data
    with suppress(ValueError, KeyError, TypeError, AttributeError):  # not a notebook
        marked = mark_terms(json.loads(data))
        return (json.dumps(marked, indent=1, ensure_ascii=False) + "\n").encode()
    return data


def _read(path: Path) -> bytes | None:
    try:
        return read_regular(path, limit=_BYTES_MAX)
    except FileNotFoundError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_record(folder: Path) -> dict[str, str]:
    """Return name -> hash; nothing from a malformed record: then every file counts as changed."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found: Any = parse_json(read_regular(folder / _RECORD, limit=_RECORD_MAX))
        files = found["files"] if found["format"] == _FORMAT else {}
        return {name: digest for name, digest in files.items() if isinstance(digest, str)}
    return {}


def trust(notebook: Path) -> bool:
    """Sign a notebook for this user, as `jupyter trust` does. Return False where nbformat is missing or nothing may be stored.

    Only for notebooks that flatkit has laid out itself: the outputs of a trusted notebook may run scripts.
    """
    leave_grammars_out()
    try:
        import nbformat
        from nbformat import sign
    except ImportError:  # without Jupyter nobody asks
        return False
    try:
        data = read_regular(notebook, limit=_SIGNED_MAX)
        values = parse_json(data, limit=_SIGNED_MAX)
        if not isinstance(values, dict) or values.get("nbformat") != 4:
            return False
        reads: Any = nbformat.reads  # without types
        make_notary: Any = sign.NotebookNotary
        notary = make_notary()
        notary.sign(reads(data.decode(), as_version=4))
        notary.store.close()
    except (OSError, ValueError):
        return False
    return True


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
