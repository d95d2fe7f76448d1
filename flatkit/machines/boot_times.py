"""Usual length of each boot phase on this host, learned from successful boots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flatkit.machines.host_facts import BOOT_TIMES, read_rows, save_rows
from flatkit.machines.spec import Accelerator

# Weight of the newest boot against all earlier ones.
_WEIGHT = 0.5
# Phases of a day or more are invalid, in seconds.
_LONGEST = 86400.0


@dataclass(frozen=True, kw_only=True)
class BootKind:
    """Properties that a boot's length depends on: the image's label, the accelerator, and first or later boot.

    A warm boot continues a template.
    """

    image: str = ""
    accelerator: Accelerator = Accelerator.KVM
    is_first: bool = True
    is_warm: bool = False

    @property
    def is_emulated(self) -> bool:
        """True if QEMU translates the guest's instructions."""
        return self.accelerator is not Accelerator.KVM

    def __str__(self) -> str:
        which = f"{'first' if self.is_first else 'later'} boot{' from a template' if self.is_warm else ''}"
        return f"{self.image or 'unnamed'}, {self.accelerator}, {which}"


def recall(kind: BootKind) -> dict[str, float]:
    """Return the usual seconds by phase of such boots on this host; empty if there was none."""
    found = _read().get(str(kind), {})
    return {name: float(seconds) for name, seconds in found.items()}


def remember(kind: BootKind, spent: Mapping[str, float]) -> None:
    """Add a successful boot to the estimates. A state folder that cannot be written only costs an estimate."""
    before = recall(kind)
    known = _read()
    known[str(kind)] = {
        name: round(before.get(name, seconds) * (1 - _WEIGHT) + seconds * _WEIGHT, 3) for name, seconds in spent.items()
    }
    save_rows(BOOT_TIMES, known)


def _read() -> dict[str, dict[str, float]]:
    return {kind: row for kind, row in read_rows(BOOT_TIMES).items() if _is_row(row)}


def _is_row(row: dict[str, Any]) -> bool:
    return all(isinstance(seconds, (int, float)) and 0 <= seconds < _LONGEST for seconds in row.values())
