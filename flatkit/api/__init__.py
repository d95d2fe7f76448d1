"""The facade for the notebook and the command line: it joins config, image and machine.

A config flows through here: text -> report and Ignition -> flatkit's key added -> the spec that the image's Ignition
reads -> a machine.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.api.config import NO_CONFIG, Config, parse_config, read_config
from flatkit.api.spec import Wish, default_name, find_differences, make_spec
from flatkit.api.up import PhaseTimes, TimelineKeeper, Upped, boot
from flatkit.images import Image
from flatkit.machines.creator import UNKNOWN_CREATOR, Creator

if TYPE_CHECKING:
    from flatkit.api.demo_env import LocalStage
    from flatkit.machines import Machine

__all__ = [
    "NO_CONFIG", "Config", "PhaseTimes", "TimelineKeeper", "Upped", "Wish", "boot", "default_name", "find_differences",
    "make_spec", "parse_config", "read_config", "stage",
]  # fmt: skip


def stage(
    *,
    image: str | Image = "auto",
    keep: bool = False,
    cancel: threading.Event | None = None,
    configs: Path | None = None,
    guest: Machine | None = None,
    reuse: bool = False,
    made_by: Creator = UNKNOWN_CREATOR,
) -> AbstractContextManager[LocalStage]:
    """Return a stage that plays demos for real; the `with` block removes its machines at the end (unless `keep`).

    `guest` is a machine of the user's to play on. With `reuse` several demos are played there, one after the other.
    `made_by` is stored with its machines. A machine of these names that no demo or exercise made is never replaced.
    """
    from flatkit.api.demo_env import open_stage

    return open_stage(image=image, keep=keep, cancel=cancel, configs=configs, guest=guest, reuse=reuse, made_by=made_by)
