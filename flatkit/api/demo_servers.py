"""The servers that demos need on this host: one for updates, one for extensions, each started on first use.

Flatcar's payloads are large, and only Flatcar can make them. So a machine with a Flatcar image asks a server that has
them: a served pack that was made with `--channel`. Its version must be newer than the machine's. To get there, boot an
older version (`--image VERSION`), or promote beta to stable there first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from flatkit.api.extensions import offer_extensions
from flatkit.errors import HostError, UsageError
from flatkit.events import Observer, phase
from flatkit.machines import Machine
from flatkit.updates.channels import Channels
from flatkit.updates.server import GUEST_ADDRESS, UpdateServer

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def flatcar_server() -> str:
    """Return the URL of the server with Flatcar's releases for a machine on this host. Raises HostError without one."""
    url = os.environ.get("FLATKIT_UPDATE_SERVER", "").strip().rstrip("/")
    if not url:
        raise HostError(
            "an update of a Flatcar image needs a server that offers Flatcar's releases, and none was named",
            hint="flatkit room pack ~/pack --channel stable --channel beta; flatkit room serve ~/pack; then this again with "
            "FLATKIT_UPDATE_SERVER=http://127.0.0.1:8000 before it   (on the lab image flatkit serves by itself: --image lab)",
        )
    parts = urlsplit(url)
    if parts.hostname not in _LOOPBACK:
        return url
    return urlunsplit(parts._replace(netloc=f"{GUEST_ADDRESS}:{parts.port}" if parts.port else GUEST_ADDRESS))


def offer_lab(
    server: UpdateServer, offers: Mapping[str, str], *, folder: Path, observer: Observer | None = None
) -> None:
    """Publish a release (`lab-beta`) in each channel. `folder` keeps the payloads: the cache has room for the last one only.

    Raises UsageError for an unknown release, ImageError.
    """
    from flatkit.images.lab.build import build_payload
    from flatkit.images.lab.recipe import RELEASES

    watcher = observer or Observer()
    for channel, name in offers.items():
        if name not in RELEASES:
            raise UsageError(f'there is no release "{name}" of the lab image; expected one of {", ".join(RELEASES)}')
        version = RELEASES[name].version
        with phase(watcher, "payload", f"An update to {version}: found or made"):
            payload = _hold(build_payload(release=RELEASES[name], observer=watcher), folder / version)
        server.publish(channel, version=version, payload=payload)


def _hold(payload: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    held = folder / payload.name
    held.unlink(missing_ok=True)
    try:
        held.hardlink_to(payload)
    except OSError:  # another file system
        shutil.copyfile(payload, held)
    return held


class Servers:
    """The servers of a stage. `url` is the address for the machines' update requests, "" before anything was offered.

    `book` is the file with the channels of the stage's own server. A separate file leaves the channels of a served room
    alone.
    """

    def __init__(self) -> None:
        self.url = ""
        self.book: Path | None = None
        self._undo = ExitStack()
        self._updates: UpdateServer | None = None
        self._extensions: UpdateServer | None = None

    def close(self) -> None:
        """Stop the servers that were started."""
        self._undo.close()

    def take_flatcars(self) -> None:
        """Let the machines, which run Flatcar, ask the server that the user named. Raises HostError."""
        self.url = flatcar_server()

    def offer(self, offers: dict[str, str], folder: Path, observer: Observer) -> None:
        """Offer exactly these releases of the lab image (channel -> release). Raises ImageError, HostError."""
        offer_lab(self.emptied(folder), offers, folder=folder / ".payloads", observer=observer)

    def emptied(self, folder: Path) -> UpdateServer:
        """Return the update server, reset: it offers nothing and knows no machine. Raises HostError."""
        server = self._updates or self._serve(folder)
        for channel in server.channels.releases:
            server.withdraw(channel)
        server.channels.forget_machines()
        return server

    def _serve(self, folder: Path) -> UpdateServer:
        self.book = folder / ".channels.json"
        self._updates = server = self._undo.enter_context(UpdateServer(channels=Channels(store=self.book)))
        self.url = server.guest_url
        return server

    def offer_extensions(self, folder: Path) -> str:
        """Return the URL at which machines find the files NAME-VERSION.raw that are in the folder now."""
        if self._extensions is None:
            self._extensions = self._undo.enter_context(UpdateServer())
        offer_extensions(self._extensions, folder)
        return f"{self._extensions.guest_url}/extensions"

    def lend(self, machines: Sequence[Machine]) -> None:
        """Forward the servers' ports, so that machines on another host reach them like machines here. Raises HostError."""
        for server in filter(None, (self._updates, self._extensions)):
            for machine in machines:
                machine.lend_port(server.port)
