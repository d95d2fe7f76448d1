"""The room's login in a JupyterHub on a cluster. Its seats are pods, and all else is in the values of the hub's chart.

It is imported in the chart's own hub image, where flatkit is installed without what it depends on: so this module and what
it imports need only JupyterHub and bcrypt.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flatkit.errors import UsageError
from flatkit.seats.authenticator import RoomAuthenticator
from flatkit.seats.settings import Settings, digest

_ROOM, _TRAINER = "FLATKIT_ROOM_PASSWORD", "FLATKIT_TRAINER_PASSWORD"
# The address is open to the world, and the passwords are the user's own, not generated ones.
_LEAST = {_ROOM: 8, _TRAINER: 16}


def configure(config: Any, folder: Path, *, seats: int, environment: Mapping[str, str] = os.environ) -> None:
    """Let the room's authenticator decide about logins; `folder` is the hub's volume, which keeps the owners of names.

    The passwords are in two variables. Raises UsageError without them, or if one is short.
    """
    room, trainer = (_password(name, environment) for name in _LEAST)
    RoomAuthenticator.settings = Settings(
        folder=folder, seats=seats, room_hash=digest(room.lower()), trainer_hash=digest(trainer),
        # The chart's part.
        host="", port=0, hub_port=0, api_port=0, proxy_password="", bin=Path(), cache=Path(),
    )  # fmt: skip
    config.JupyterHub.authenticator_class = RoomAuthenticator
    config.Authenticator.allow_all = True


def _password(name: str, environment: Mapping[str, str]) -> str:
    found = environment.get(name, "").strip()
    if len(found) < _LEAST[name]:
        raise UsageError(
            f"{name} has {len(found)} characters; expected {_LEAST[name]} or more",
            hint="kubectl create secret generic flatkit-room --from-literal=...   (deploy/kubernetes/README.md)",
        )
    return found
