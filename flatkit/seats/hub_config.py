"""The configuration of JupyterHub for a room. The trainer's board is a service of it (flatkit/board/hub.py)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from flatkit.files import write_atomic
from flatkit.seat_env import POST_SCOPE
from flatkit.seats.authenticator import RoomAuthenticator
from flatkit.seats.limits import LIMITS, SeatLimits, find_group
from flatkit.seats.names import TRAINER
from flatkit.seats.proxy import SteadyProxy
from flatkit.seats.settings import Settings, load
from flatkit.seats.spawner import SeatSpawner
from flatkit.seats.supervisor import MARK, NOBODY

_SBIN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ROUTES, _STATIC = "routes.toml", "traefik.toml"


def configure(config: Any, folder: Path) -> None:
    """Fill JupyterHub's configuration for the room in `folder`. Raises HostError."""
    settings = load(folder)
    # Each seat gets this PATH, so it does not depend on the shell that started the hub.
    os.environ["PATH"] = f"{settings.bin}:{_SBIN}"
    _hub(config, settings)
    _proxy(config, settings)
    _seats(config, settings)
    config.JupyterHub.services = services_of(settings)
    config.JupyterHub.custom_scopes = {POST_SCOPE: {"description": "Report to the trainer's board as oneself"}}
    config.JupyterHub.load_roles = roles_of()


def services_of(settings: Settings) -> list[dict[str, Any]]:
    """Return the services that the hub runs beside itself. Each is ended with the hub, by its mark if need be."""
    mark = {MARK: str(settings.folder)}
    cull = [f"--timeout={settings.idle}", f"--cull-every={max(10, min(300, settings.idle // 4))}"]
    # What seats send is parsed by an account without rights. Its page is for trainers, so nobody has to agree to it first.
    board = {
        "name": "board", "url": f"http://127.0.0.1:{settings.board_port}", "user": NOBODY, "cwd": "/", "oauth_no_confirm": True,
        "command": [sys.executable, "-m", "flatkit", "board", "serve", "--hub"],
        "environment": {**mark, "FLATKIT_STATE": str(settings.board)},
    }  # fmt: skip
    return [
        {"name": "culler", "command": [sys.executable, "-m", "jupyterhub_idle_culler", *cull], "environment": mark},
        *([board] if settings.board_port else []),
    ]


def roles_of() -> list[dict[str, Any]]:
    """Return who may do what. The trainer sees the seats, starts and stops them, and cannot enter them."""
    culler = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    trainer = ["admin-ui", "list:users", "read:users", "servers", "read:servers", "read:hub"]
    post = f"{POST_SCOPE}!user"
    return [
        {"name": "culler", "services": ["culler"], "scopes": culler},
        {"name": "trainer", "users": [TRAINER], "scopes": [*trainer, "access:services!service=board"]},
        {"name": "user", "scopes": ["self", post]},
        # What a seat's own server may do: the hub's defaults, and to report.
        {"name": "server", "scopes": ["users:activity!user", "access:servers!server", post]},
    ]


def _hub(config: Any, settings: Settings) -> None:
    hub, folder = config.JupyterHub, settings.folder
    hub.bind_url = settings.url
    hub.hub_bind_url = f"http://127.0.0.1:{settings.hub_port}"
    hub.ssl_cert, hub.ssl_key = settings.certificate, settings.key
    hub.db_url = f"sqlite:///{folder}/hub.sqlite"
    hub.cookie_secret_file = str(folder / "cookie_secret")
    # Seats outlive the hub, and are found again by it.
    hub.cleanup_servers, hub.cleanup_proxy = False, True
    hub.authenticator_class = RoomAuthenticator
    RoomAuthenticator.settings = settings
    config.Authenticator.allow_all = True
    hub.active_server_limit = 0
    hub.template_vars = {"announcement_login": "flatkit: a Flatcar machine of your own. Choose a name and a PIN."}


def _proxy(config: Any, settings: Settings) -> None:
    config.JupyterHub.proxy_class = SteadyProxy
    traefik = config.TraefikProxy
    traefik.traefik_api_url = f"http://127.0.0.1:{settings.api_port}"
    traefik.traefik_api_username = "hub"
    # The same after a restart: its hash is in the routes, which outlive the hub.
    traefik.traefik_api_password = settings.proxy_password
    traefik.static_config_file = str(settings.folder / _STATIC)
    config.TraefikFileProviderProxy.dynamic_config_file = str(settings.folder / _ROUTES)


def _seats(config: Any, settings: Settings) -> None:
    config.JupyterHub.spawner_class = SeatSpawner
    SeatSpawner.settings = settings
    SeatSpawner.limits = SeatLimits(memory_mib=settings.memory_mib, processes=settings.processes, group=find_group())
    write_atomic(settings.folder / LIMITS, f"{SeatSpawner.limits.words}\n", mode=0o600)
    spawner = config.Spawner
    spawner.cmd = [str(settings.bin / "flatkit"), "seat"]
    spawner.default_url = "/lab"
    spawner.http_timeout, spawner.start_timeout = 300, 600
    config.LocalProcessSpawner.interrupt_timeout = 10
    config.LocalProcessSpawner.term_timeout = 5
