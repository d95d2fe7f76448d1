"""Checks, before the boot, for features that the lab image or the machine lacks. Flatcar supports all of them.

Without these checks such a config would fail in Ignition, at best after a long wait. The lab image has neither mdadm
nor clevis, its initrd supports ROOT as an ext4 partition only, and Ignition waits for a missing disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flatkit.butane.provenance import location_of
from flatkit.butane.source.node import Path
from flatkit.errors import InputError
from flatkit.ignition_specs import CLEVIS_MAJOR

if TYPE_CHECKING:
    from flatkit.api.config import Config


@dataclass(frozen=True, kw_only=True)
class UnsupportedField:
    """A field of the config, by its path in the Ignition, and the reason why it is not supported."""

    path: Path
    what: str


def find_limits(ignition: dict[str, Any]) -> Iterator[UnsupportedField]:
    """Yield every field that the lab image does not support."""
    storage = ignition.get("storage", {})
    for at, raid in enumerate(storage.get("raid", ())):
        yield UnsupportedField(path=("storage", "raid", at), what=f'the RAID "{raid.get("name", "")}": it has no mdadm')
    for at, luks in enumerate(storage.get("luks", ())):
        if _is_root(luks):
            yield UnsupportedField(
                path=("storage", "luks", at, "device"),
                what="LUKS below the root file system: it opens other disks only",
            )
    yield from find_clevis(ignition)
    for at, filesystem in enumerate(storage.get("filesystems", ())):
        if _is_root(filesystem) and filesystem.get("format", "ext4") != "ext4":
            what = f'"{filesystem["format"]}" as the root file system: it has ext4'
            yield UnsupportedField(path=("storage", "filesystems", at, "format"), what=what)


def _is_root(row: dict[str, Any]) -> bool:
    return str(row.get("device", "")).endswith(("/by-label/ROOT", "/by-partlabel/ROOT"))


def find_missing_disks(ignition: dict[str, Any], *, extra: int) -> Iterator[UnsupportedField]:
    """Yield every disk that a machine with so many extra disks lacks: they are /dev/vdb, /dev/vdc and so on."""
    storage = ignition.get("storage", {})
    for kind in ("disks", "luks", "filesystems"):
        for at, row in enumerate(storage.get(kind, ())):
            found = re.fullmatch(r"/dev/vd([b-z])\d*", str(row.get("device", "")))
            if found and ord(found[1]) - ord("a") > extra:
                yield UnsupportedField(path=("storage", kind, at, "device"), what=f'"/dev/vd{found[1]}"')


def find_clevis(ignition: dict[str, Any]) -> Iterator[UnsupportedField]:
    """Yield every disk that Clevis unlocks."""
    for at, luks in enumerate(ignition.get("storage", {}).get("luks", ())):
        if any(luks.get("clevis", {}).values()):
            what = f'clevis for the disk "{luks.get("name", "")}": it has no clevis'
            yield UnsupportedField(path=("storage", "luks", at, "clevis"), what=what)


def refuse_limits(config: Config, *, on_lab: bool, extra_disks: int, major: int | None = None) -> None:
    """Refuse features that the lab image, Flatcar `major`, or a machine with so many extra disks, lacks.

    Raises InputError, which quotes the user's own lines.
    """
    if on_lab:
        _refuse(
            config,
            list(find_limits(config.ignition)),
            what="the lab image cannot do everything that this config wants",
            hint="take it out of the config, or boot Flatcar: flatkit images fetch stable, then flatkit up --image stable",
        )
    elif major is not None and major < CLEVIS_MAJOR:
        _refuse(
            config,
            list(find_clevis(config.ignition)),
            what=f"Flatcar {major} cannot do everything that this config wants",
            hint=f"take it out of the config, or boot Flatcar {CLEVIS_MAJOR} or newer: flatkit up --image stable",
        )
    _refuse(
        config,
        list(find_missing_disks(config.ignition, extra=extra_disks)),
        what=f"the config wants a disk that the machine does not have ({extra_disks} extra ones)",
        hint="flatkit up --disk 1 ...   (an empty disk of 1 GB, once for each; in a notebook disks=1)",
    )


def _refuse(config: Config, limits: list[UnsupportedField], *, what: str, hint: str) -> None:
    if limits:
        words = [f"{limit.what} ({_where(config, limit.path)})" for limit in limits]
        raise InputError(f"{what}: {'; '.join(words)}", hint=hint)


def _where(config: Config, path: Path) -> str:
    place = location_of(path, provenance=config.provenance, text=config.text)
    return f'"{config.name}", line {place.line}' if place.line else "$" + "".join(f".{part}" for part in path)
