"""What the lab image cannot do with a config, told before it boots: Flatcar does all of it.

Without this a RAID would end the boot in Ignition, and kernel arguments would be ignored without a word: the lab image has
no mdadm, and its boot loader takes no further arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flatkit.butane.source.node import Path
from flatkit.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A field of the config, by its path in the Ignition, and what about it the lab image cannot do."""

    path: Path
    what: str


def find_limits(ignition: dict[str, Any]) -> Iterator[Limit]:
    """Every field that the lab image cannot carry out."""
    storage = ignition.get("storage", {})
    for at, raid in enumerate(storage.get("raid", ())):
        yield Limit(path=("storage", "raid", at), what=f'the RAID "{raid.get("name", "")}": it has no mdadm')
    arguments = ignition.get("kernelArguments", {})
    for key in ("shouldExist", "shouldNotExist"):
        if arguments.get(key):
            yield Limit(
                path=("kernelArguments", key), what="kernel arguments: its boot loader takes none from a config"
            )
    for at, filesystem in enumerate(storage.get("filesystems", ())):
        where: Path = ("storage", "filesystems", at)
        is_root = filesystem.get("device", "").endswith(("/by-label/ROOT", "/by-partlabel/ROOT"))
        if is_root and filesystem.get("format", "ext4") != "ext4":
            yield Limit(path=(*where, "format"), what=f'"{filesystem["format"]}" as the root file system: it has ext4')


def refuse_limits(ignition: dict[str, Any], *, where: dict[Path, str]) -> None:
    """Raise InputError naming each such field; `where` gives the person's own line for a path, where that is known."""
    found = list(find_limits(ignition))
    if not found:
        return
    words = [
        f"{limit.what} ({where.get(limit.path) or '$' + ''.join(f'.{part}' for part in limit.path)})" for limit in found
    ]
    raise InputError(
        f"the lab image cannot do everything that this config wants: {'; '.join(words)}",
        hint="take it out of the config, or boot Flatcar: flatkit images fetch stable, then flatkit up --image stable",
    )
