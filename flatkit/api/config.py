"""A user's config file as Ignition: Butane is translated, Ignition is validated."""

from __future__ import annotations

import difflib
import shlex
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatkit.accounts import why_refused
from flatkit.errors import ConfigFaults, InputError
from flatkit.files import read_named
from flatkit.ignition_specs import BUTANE_MAJOR
from flatkit.paths import examples_dir
from flatkit.untrusted import shell_word

if TYPE_CHECKING:
    from flatkit.butane.provenance import Provenance
    from flatkit.butane.source.document import Document


@dataclass(frozen=True, kw_only=True)
class Config:
    """A user's config as Ignition: `name` is the file's name, `text` the source, `warnings` the warnings about it.

    `provenance` leads from the Ignition back to the Butane text. It is None for a config that was Ignition from the
    start.
    """

    name: str
    text: str
    ignition: dict[str, Any]
    warnings: tuple[str, ...] = ()
    provenance: Provenance | None = field(default=None, compare=False, repr=False)


# The config of a machine without one: only the user core with flatkit's key.
NO_CONFIG = Config(name="", text="", ignition={"ignition": {"version": "3.3.0"}})


def read_config(path: str | Path, *, files_dir: Path | None = None) -> Config:
    """Read a Butane (`.bu`) or Ignition (`.ign`) file.

    Raises InputError when the file cannot be read or is of another kind, ConfigFaults when the config has errors.
    """
    from flatkit.butane.source.document import MAX_BYTES

    file = Path(path).expanduser()
    try:
        data = read_named(file, limit=MAX_BYTES)
    except OSError as error:
        raise InputError(
            f'the config "{path}" cannot be read: {why_refused(file, error)}; expected a Butane (.bu) or Ignition (.ign) file',
            hint=f"flatkit up {shell_word(_find_meant(file))}   (or, without a config: flatkit up)",
        ) from None
    return parse_config(data, name=str(path), files_dir=files_dir or file.parent)


def _find_meant(file: Path) -> Path:
    """Return the config that a name may have meant: one of a similar name beside it, or one of the examples."""
    examples = {path.name: path for path in examples_dir().glob("*.bu")}
    with suppress(OSError):
        beside = sorted(path.name for path in file.parent.iterdir() if path.suffix in {".bu", ".ign", ".json"})
        if near := difflib.get_close_matches(file.name, [name for name in beside if name != file.name], n=1):
            return file.with_name(near[0])
    near = difflib.get_close_matches(file.name, sorted(examples), n=1)
    return examples[near[0]] if near else examples["web.bu"]


def parse_config(data: bytes | str, *, name: str, files_dir: Path | None = None) -> Config:
    """Validate and translate a config's text; `.ign` in the name means Ignition, all else Butane. Raises as `read_config`."""
    from flatkit.butane.detect import FOREIGN, Format, detect_format
    from flatkit.butane.source.document import Document

    document = Document(data)
    looks = detect_format(document)
    text = data if isinstance(data, str) else data.decode(errors="replace")
    if name.endswith((".ign", ".json")):
        if looks is Format.BUTANE:
            raise InputError(
                f'"{name}" holds Butane, and its name says Ignition; machines before Flatcar {BUTANE_MAJOR} read Ignition only',
                hint=f"flatkit up {_renamed(name, '.bu')}   (rename the file: flatkit then translates it)",
            )
        return _from_ignition(document, text, name)
    if looks is Format.IGNITION:
        raise InputError(
            f'"{name}" holds Ignition JSON, and its name says Butane: there is nothing left to translate',
            hint=f"flatkit up {_renamed(name, '.ign')}   (rename the file)",
        )
    if looks in FOREIGN:
        article = "an" if looks is Format.ANSIBLE else "a"
        raise InputError(
            f'"{name}" holds {article} {looks}, which Ignition does not read; expected Butane: variant: flatcar, version: 1.1.0',
            hint=f"flatkit explain {shlex.quote(name)}",
        )
    return _from_butane(document, text, name, files_dir)


def _renamed(name: str, suffix: str) -> str:
    return shlex.quote(str(Path(name).with_suffix(suffix)))


def _from_ignition(document: Document, text: str, name: str) -> Config:
    from flatkit.butane.ignition.config import check_ignition
    from flatkit.butane.machine.plan import without_nulls

    ignition, report = check_ignition(document)
    if ignition is None or report.is_fatal:
        details = "\n".join(filter(None, (str(report), *(entry.teach for entry in report))))
        raise ConfigFaults(f'the Ignition config "{name}" cannot be used', report=report, details=details)
    return Config(name=name, text=text, ignition=without_nulls(ignition), warnings=tuple(map(str, report)))


def _from_butane(document: Document, text: str, name: str, files_dir: Path | None) -> Config:
    from flatkit.butane import messages, translate

    result = translate(document, files_dir=files_dir, name=name)
    if result.ignition is None:
        details = str(result.report) if len(result.report) else result.failure
        # `explain` reads local files only where it may.
        is_local = files_dir is not None and "local" in text
        local = f" --files-dir {shlex.quote(str(files_dir))}" if is_local else ""
        raise ConfigFaults(
            f'the config "{name}" has faults: {result.failure}',
            report=result.report,
            hint=f"flatkit explain {shlex.quote(name)}{local}   (says what to write)",
            details=details,
        )
    warnings = tuple(map(str, result.report))
    if result.schema is not None and result.schema.is_experimental:
        warnings = (messages.EXPERIMENTAL(version=result.schema.version), *warnings)
    return Config(
        name=name, text=text, ignition=result.ignition, warnings=warnings, provenance=result.provenance
    )  # fmt: skip
