"""The one word that translation and provenance share: where a value of the JSON comes from when it is not from the same place."""

from __future__ import annotations

from typing import NamedTuple

from flatkit.butane.source.node import Path


class Move(NamedTuple):
    """Where a value of the JSON comes from. `whole`: all that is below comes from that one place."""

    source: Path
    whole: bool = False
