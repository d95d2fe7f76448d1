"""The servers that demos need on this host: one for updates, one for extensions, each begun when it is first wanted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from flatkit.events import Observer
from flatkit.machines import Machine
from flatkit.updates.channels import Channels
from flatkit.updates.server import UpdateServer
from flatkit.workshop.extensions import offer_extensions
from flatkit.workshop.offers import flatcar_server, offer_lab


class Servers:
    """`url` is where machines ask for updates, "" before anything was offered; `book` is where the channels of this stage's
    own server stand, so that those of a room that is being served are left alone.
    """

    def __init__(self) -> None:
        self.url = ""
        self.book: Path | None = None
        self._undo = ExitStack()
        self._updates: UpdateServer | None = None
        self._extensions: UpdateServer | None = None

    def close(self) -> None:
        """End those that were begun."""
        self._undo.close()

    def take_flatcars(self) -> None:
        """Machines that run Flatcar ask the server that was named for them. Raises HostError."""
        self.url = flatcar_server()

    def offer(self, offers: dict[str, str], folder: Path, observer: Observer) -> None:
        """Offer these releases of the lab image (channel -> release), and nothing else. Raises ImageError, HostError."""
        offer_lab(self.emptied(folder), offers, folder=folder / ".payloads", observer=observer)

    def emptied(self, folder: Path) -> UpdateServer:
        """The update server, which offers nothing now and knows no machine. Raises HostError."""
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
        """The URL at which machines find the files NAME-VERSION.raw that are in the folder now."""
        if self._extensions is None:
            self._extensions = self._undo.enter_context(UpdateServer())
        offer_extensions(self._extensions, folder)
        return f"{self._extensions.guest_url}/extensions"

    def lend(self, machines: Sequence[Machine]) -> None:
        """A machine on another host reaches the servers here like one on this host. Raises HostError."""
        for server in filter(None, (self._updates, self._extensions)):
            for machine in machines:
                machine.lend_port(server.port)
