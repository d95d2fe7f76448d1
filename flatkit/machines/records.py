"""The record of a machine: persistent metadata as JSON, shared by older and newer versions of flatkit.

A missing optional key has a default, and an unknown key is ignored. A record that cannot be read, or whose format is
newer than this flatkit's, raises an error of a separate type. It is never a sign that the machine may be removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from flatkit import paths
from flatkit.accounts import REFUSALS, why_refused
from flatkit.errors import InputError, MachineError
from flatkit.fields import Fields, to_json
from flatkit.files import read_regular
from flatkit.machines.creator import UNKNOWN_CREATOR, Creator
from flatkit.machines.daemon import UNKNOWN, Daemon
from flatkit.machines.spec import Accelerator, Forward, MachineSpec
from flatkit.untrusted import parse_json, printable

FORMAT = 1

_RECORD_MAX = 1024 * 1024
_IGNITION_MAX = 64 * 1024 * 1024
_SHOWN_MAX = 2000
_UUID = re.compile(r"[0-9A-Za-z-]{0,64}")
# What an older record does not say. Without a life a machine counts as ready, because a machine in creation may be removed.
_OLDER = {"uuid": "", "domain": "", "accelerator": "tcg", "forwards": [], "created": "", "life": "ready"}
_OWNER = re.compile(r"[0-9a-z]{1,8}")


class RecordBroken(MachineError):
    """Error for a machine's record that cannot be read; the machine's disks are not touched."""


class RecordNewer(RecordBroken):
    """Error for a record that a newer flatkit wrote."""


class Life(str, Enum):
    """Stage of a machine's life, as stored in its record."""

    MAKING = "making"
    READY = "ready"
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Record:
    """Metadata of a machine. `forwards` are the actual ones, including SSH; `daemon` is the libvirt that last started it."""

    spec: MachineSpec
    uuid: str = field(metadata={"form": _UUID, "expected": 'letters, digits and "-"'})
    domain: str
    accelerator: Accelerator
    forwards: tuple[Forward, ...]
    created: str
    life: Life = Life.MAKING
    cause: str = ""
    made_by: Creator = UNKNOWN_CREATOR
    daemon: Daemon = UNKNOWN

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, without the Ignition text: that is in a separate file."""
        values = {"format": FORMAT, **to_json(self)}
        del values["spec"]["ignition"]
        # Records of an earlier flatkit name none.
        if not self.daemon.uri:
            del values["daemon"]
        return values


def read_record(path: Path, ignition: Path) -> Record | None:
    """Read the record in a file, with the config next to it; None if there is no such file. Raises RecordBroken."""
    name = path.parent.name
    try:
        values = parse_json(read_regular(path, limit=_RECORD_MAX))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _broken(path, error) from None
    if isinstance(values, dict) and isinstance(values.get("format"), int) and values["format"] > FORMAT:
        raise RecordNewer(
            f'the machine "{name}" was made by a newer flatkit: the format of "{path}" is {printable(values["format"])}, '
            f"and this flatkit reads format {FORMAT}; the machine is left as it is",
            hint="update flatkit, or use the one that made the machine",
        )
    try:
        config = _read_config(ignition)
    except (OSError, ValueError) as error:
        raise _broken(ignition, error) from None
    try:
        return _record_from(values, name=name, ignition=config)
    except InputError as error:
        raise _broken(ignition, error) from None
    except (ValueError, TypeError, OverflowError) as error:
        raise _broken(path, error) from None


def _read_config(path: Path) -> str:
    try:
        return read_regular(path, limit=_IGNITION_MAX).decode()
    except FileNotFoundError:
        return ""


def _broken(path: Path, error: Exception) -> RecordBroken:
    name = path.parent.name
    if isinstance(error, OSError) and error.errno in REFUSALS:
        said = f'the machine "{name}" cannot be used: "{path}" cannot be read: {why_refused(path, error)}'
        return RecordBroken(said, hint=paths.way_out(path, error))
    why = str(getattr(error, "strerror", None) or getattr(error, "message", None) or error)
    return RecordBroken(
        f'the machine "{name}" cannot be used: "{path}" cannot be read: {printable(why)}; its disks are left as they are',
        hint=f"restore that file, or remove the machine with its disks: flatkit down {name}",
    )


def _record_from(values: object, *, name: str, ignition: str) -> Record:
    """Build the record from these values. Raises ValueError, TypeError."""
    if not isinstance(values, dict):
        raise TypeError("expected a JSON object")
    version = values.get("format", FORMAT)
    if type(version) is not int or version < 1:  # nobody knows what such a record means
        raise ValueError(f'"format" is "{printable(version)}", expected a number from 1 to {FORMAT}')
    spec = {**_given(_object(values, "spec")), "ignition": ignition}
    found = {**_OLDER, **_given(values), "spec": spec, "daemon": {}}
    record = Fields(found, limit=_IGNITION_MAX).build(Record)
    if record.spec.name != name:
        raise ValueError(f'it is the record of a machine "{record.spec.name}"')
    # The domain is stopped and removed by this name, so it must belong to flatkit and to this machine.
    owner = record.domain.removeprefix("flatkit-").removesuffix(f"-{name}")
    if not _OWNER.fullmatch(owner) or record.domain != f"flatkit-{owner}-{name}":
        raise ValueError(f'"domain" is "{printable(record.domain)}", expected "flatkit-...-{name}"')
    if all(forward.guest != 22 for forward in record.forwards):
        raise ValueError('"forwards" names no port for SSH')
    return replace(
        record,
        created=printable(record.created),
        cause=printable(record.cause, limit=_SHOWN_MAX),
        made_by=record.made_by.cleaned,
        daemon=_daemon(values.get("daemon")),
    )


def _daemon(values: object) -> Daemon:
    """Read the daemon. Commands that a user may copy name it, so a text with hidden characters counts as unknown."""
    if not isinstance(values, dict):
        return UNKNOWN
    found = Fields(_given(values), "daemon", limit=_RECORD_MAX).build(Daemon)
    try:
        _ = found.host
    except ValueError:
        return UNKNOWN
    is_plain = all(text == printable(text, limit=_SHOWN_MAX) for text in (found.uri, found.runtime))
    return found if is_plain else UNKNOWN


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null: it counts as missing."""
    return {name: value for name, value in values.items() if value is not None}


def _object(values: dict[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    if not isinstance(found, dict):
        raise TypeError(f'"{key}" is not an object')
    return found
