"""An update client's status (`update_engine_client -status`) and settings (`update.conf`) as values. Pure.

Sources: update_engine's update_engine_client.cc and update_status strings; locksmith reads the same update.conf.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from flatkit.errors import MachineError
from flatkit.untrusted import lines_of, printable

_KEYS = ("LAST_CHECKED_TIME", "PROGRESS", "CURRENT_OP", "NEW_VERSION", "NEW_SIZE")


# A client that watches prints a status a second: only the last ones matter.
_TEXT_MAX = 1024 * 1024
_DETAILS_MAX = 4096
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Operation(str, Enum):
    """The client's current operation."""

    IDLE = "UPDATE_STATUS_IDLE"
    CHECKING = "UPDATE_STATUS_CHECKING_FOR_UPDATE"
    AVAILABLE = "UPDATE_STATUS_UPDATE_AVAILABLE"
    DOWNLOADING = "UPDATE_STATUS_DOWNLOADING"
    VERIFYING = "UPDATE_STATUS_VERIFYING"
    FINALIZING = "UPDATE_STATUS_FINALIZING"
    NEED_REBOOT = "UPDATE_STATUS_UPDATED_NEED_REBOOT"
    REPORTING_ERROR = "UPDATE_STATUS_REPORTING_ERROR_EVENT"

    def __str__(self) -> str:
        return self.value

    @property
    def is_over(self) -> bool:
        """True when nothing more happens automatically."""
        return self in {Operation.IDLE, Operation.NEED_REBOOT}


_VALUES = {
    "LAST_CHECKED_TIME": re.compile(r"-?[0-9]{1,18}"),
    "PROGRESS": re.compile(r"[0-9]{1,3}(\.[0-9]{1,18})?"),
    "CURRENT_OP": re.compile("|".join(Operation)),
    "NEW_VERSION": re.compile(r"[!-~]{0,128}"),
    "NEW_SIZE": re.compile(r"-?[0-9]{1,18}"),
}
_EXPECTED = {
    "LAST_CHECKED_TIME": "Unix seconds",
    "PROGRESS": "a number from 0 to 1",
    "CURRENT_OP": "an operation such as UPDATE_STATUS_IDLE",
    "NEW_VERSION": "a version",
    "NEW_SIZE": "a number of bytes",
}


@dataclass(frozen=True, kw_only=True)
class UpdateStatus:
    """The five lines: `last_checked` in Unix seconds (0: never), `progress` from 0 to 1, `new_version` "0.0.0" when none."""

    last_checked: int
    progress: float
    operation: Operation
    new_version: str
    new_size: int

    def __str__(self) -> str:
        values = (
            str(self.last_checked),
            f"{self.progress:.6f}",
            str(self.operation),
            self.new_version,
            str(self.new_size),
        )
        return "".join(f"{key}={value}\n" for key, value in zip(_KEYS, values, strict=True))


def parse_statuses(text: str) -> tuple[UpdateStatus, ...]:
    """Return every whole status in the output, in order: `-update` prints one after another.

    Other lines are ignored, such as the log lines that the client writes to standard error. Raises MachineError for an
    unknown operation or an invalid number.
    """
    found: list[UpdateStatus] = []
    values: dict[str, str] = {}
    for line in lines_of(text[-_TEXT_MAX:]):
        key, equals, value = line.strip(" \t").partition("=")
        if not equals or key not in _KEYS:
            continue
        if key == _KEYS[0]:
            values = {}
        values[key] = value.strip(" \t")
        if len(values) == len(_KEYS):
            found.append(_status(values, text))
            values = {}
    return tuple(found)


def parse_status(text: str) -> UpdateStatus:
    """Return the last status in the output. Raises MachineError when there is none."""
    found = parse_statuses(text)
    if not found:
        raise MachineError(
            f'the update client said "{printable(text[-200:].strip())}"; '
            "expected the five lines from LAST_CHECKED_TIME to NEW_SIZE",
            hint="systemctl status update-engine   (on the machine)",
            details=text[-_DETAILS_MAX:],
        )
    return found[-1]


def _status(values: dict[str, str], text: str) -> UpdateStatus:
    for key in _KEYS:
        if not _VALUES[key].fullmatch(values[key]):
            raise MachineError(
                f'the update client\'s status cannot be read: "{key}={printable(values[key])}"; expected {_EXPECTED[key]}',
                hint="systemctl status update-engine   (on the machine)",
                details=text[-_DETAILS_MAX:],
            )
    return UpdateStatus(
        last_checked=int(values["LAST_CHECKED_TIME"]),
        progress=float(values["PROGRESS"]),
        operation=Operation(values["CURRENT_OP"]),
        new_version=values["NEW_VERSION"],
        new_size=int(values["NEW_SIZE"]),
    )


@dataclass(frozen=True, kw_only=True)
class UpdateConf:
    """The effective settings of update.conf; `values` contains all of them."""

    values: dict[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The requested channel."""
        return self.values.get("GROUP", "")

    @property
    def server(self) -> str:
        """The address for the client's requests; "disabled" switches updates off."""
        return self.values.get("SERVER", "")

    @property
    def reboot_strategy(self) -> str:
        """The action of locksmith after an update: `reboot` by default, `etcd-lock` or `off`."""
        return self.values.get("REBOOT_STRATEGY") or "reboot"

    @property
    def is_disabled(self) -> bool:
        """True when the client asks no server."""
        return self.server == "disabled"


def parse_update_conf(text: str, *, defaults: str = "") -> UpdateConf:
    """Return the settings of `/etc/flatcar/update.conf`; missing ones come from `/usr/share/flatcar/update.conf`.

    Lines without "=" and comments are ignored, as in the client. Quotes around a value are dropped, as in locksmith
    (systemd's EnvironmentFile).
    """
    return UpdateConf(values={**_assignments(defaults), **_assignments(text)})


def _assignments(text: str) -> dict[str, str]:
    found = {}
    for line in lines_of(text):
        key, equals, value = (part.strip(" \t") for part in line.partition("="))
        if equals and _NAME.fullmatch(key):
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
            found[key] = value[1:-1] if quoted else value
    return found
