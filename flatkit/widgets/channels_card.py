"""`fk.channels`: the version that each channel offers, and the version that each machine runs.

The card shows the stored state of an update server: that of a room, of a demo, or of the notebook's own server.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self, TypedDict

from flatkit import paths
from flatkit.api.demo_servers import offer_lab
from flatkit.errors import FlatkitError, HostError, UsageError
from flatkit.events import Observer
from flatkit.packs.serve import PORT, open_channels
from flatkit.updates.channels import Channels
from flatkit.updates.model import MachineSeen
from flatkit.updates.server import UpdateServer
from flatkit.widgets import display, live_machine
from flatkit.widgets.card import Card, Page
from flatkit.widgets.extension_server import start_on

_LOOK_SECONDS = 1.0
# States as one character, so that they can be read without colours.
_MARKS = {"current": "✓", "recovered": "✓", "failed": "✗", "rolled back": "↩"}
# The offers of the course's own server: a release of the lab image for each channel.
LAB = {"stable": "lab", "beta": "lab-beta", "alpha": "lab-alpha"}


class OfferState(TypedDict):
    """A channel and the version that it offers."""

    channel: str
    version: str


class SeenState(TypedDict):
    """A machine as the update server saw it last."""

    name: str
    follows: str
    version: str
    state: str
    seen: str


class ChannelsState(TypedDict):
    """Both tables for the page. `url` is the address of this notebook's server, "" without one."""

    url: str
    offers: list[OfferState]
    machines: list[SeenState]


class ChannelsCard(Card):
    """Both tables, kept up to date while they are shown. `serve()` starts an update server in this notebook."""

    bundle = "channels"

    def __init__(self, channels: Channels | None = None) -> None:
        super().__init__()
        self._channels = channels or open_channels()
        self._lock = threading.Lock()
        # Names of this notebook's machines by machine-id, and each table's values when it was shown before.
        self._names: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._before: dict[str, str] = {}
        self._server: UpdateServer | None = None

    @property
    def channels(self) -> Channels:
        """The stored state that is shown."""
        return self._channels

    @property
    def served_at(self) -> str:
        """The address of this notebook's server; "" without one."""
        return self._server.guest_url if self._server else ""

    @property
    def url(self) -> str:
        """The server's address for a machine. Raises HostError when none was started here."""
        if not self.served_at:
            raise HostError("no update server runs in this notebook", hint="fk.channels().serve()")
        return self.served_at

    def serve(self, *, port: int = PORT, observer: Observer | None = None, **offers: str) -> Self:
        """Start an update server on this host (127.0.0.1) that offers a release of the lab image in each channel.

        `offers` replace these: serve(stable="lab-beta"). Starting it twice changes only the offers. Raises HostError when the
        port is taken, ImageError.
        """
        with self._lock:
            server = self._server
            if server is None:
                server = UpdateServer(port=port, channels=self._channels)
                beside = f"serve(port={port + 1}), and that number in each config's SERVER"
                start_on(server, port, beside=beside)
                self._server = server
        offer_lab(server, offers or LAB, folder=_payloads(), observer=observer)
        self.draw()
        return self

    def promote(self, channel: str, *, to: str) -> Self:
        """Make a channel offer the version of another one. Raises UsageError."""
        if not self._channels.releases:
            raise UsageError("no channel offers anything yet", hint="fk.channels().serve()   then this cell again")
        self._channels.promote(channel, to=to)
        self.draw()
        return self

    def stop(self) -> Self:
        """Stop this notebook's server; the table keeps its machines."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.stop()
            shutil.rmtree(_payloads(), ignore_errors=True)
        return self

    def state(self) -> ChannelsState:
        """Return the two tables."""
        return {
            "url": self.served_at,
            "offers": [
                {"channel": name, "version": self._marked(f"{name} offers", release.version)}
                for name, release in sorted(self._channels.releases.items())
            ],
            "machines": [
                {
                    "name": self._name_of(one),
                    "follows": self._marked(f"{one.machine_id} follows", one.group or one.channel),
                    "version": self._marked(f"{one.machine_id} runs", one.version),
                    "state": f"{_MARKS.get(str(one.state), '…')} {one.state}",
                    "seen": _ago(time.time() - one.last_seen),
                }
                for one in self._channels.machines
            ],
        }

    def _name_of(self, machine: MachineSeen) -> str:
        return machine.alias or self._names.get(machine.machine_id, machine.name)

    def _marked(self, what: str, value: str) -> str:
        """Return a value, with the one that was shown before if it was another."""
        before = self._before.get(what, value)
        return value if before == value else f"{value} (was {before})"

    def _values(self) -> dict[str, str]:
        values = {f"{name} offers": release.version for name, release in self._channels.releases.items()}
        for one in self._channels.machines:
            values[f"{one.machine_id} follows"] = one.group or one.channel
            values[f"{one.machine_id} runs"] = one.version
        return values

    def display(self) -> None:
        """Show the card below this cell, once. What has changed since it was shown before is marked."""
        if not self.is_shown and display.get_shell() is not None:
            now = self._values()
            self._before, self._shown = self._shown or now, now
        super().display()

    def verbs(self) -> Mapping[str, Callable[..., object]]:
        """Return nothing: the page only shows."""
        return {}

    def as_text(self) -> str:
        """Return the text of the card."""
        served = f"update server: {self.served_at} for machines on this host" if self.served_at else ""
        if not served and not self._channels.releases:
            served = "no update server runs here: fk.channels().serve() starts one"
        return "\n\n".join(part for part in (served, str(self._channels), self._changes()) if part)

    def _changes(self) -> str:
        """Return what has changed since the card was shown before, and the names of machines without an alias."""
        ids = {one.machine_id: self._name_of(one) for one in self._channels.machines}
        lines = []
        for what, value in self._values().items():
            if value != self._before.get(what, value):
                subject, verb = what.rsplit(" ", 1)
                lines.append(f"changed: {ids.get(subject, subject)} {verb} {self._marked(what, value)}")
        lines += [f"{one.name} is {ids[one.machine_id]}" for one in self._channels.machines
                  if one.name != ids[one.machine_id]]  # fmt: skip
        return "\n".join(lines)

    def kept_text(self) -> str:
        """Return the tables without the seconds, which change all the time."""
        state = self.state()
        rows = [f"{one['channel']} offers {one['version']}" for one in state["offers"]]
        rows += [
            f"{one['name']} follows {one['follows']}, runs {one['version']}: {one['state']}"
            for one in state["machines"]
        ]
        return "\n".join(rows) or "no channel offers anything, and no machine has asked yet"

    def _make_page(self) -> Page:
        threading.Thread(target=self._follow, name="flatkit: channels", daemon=True).start()
        return super()._make_page()

    def _follow(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)  # between two looks into the stored state
            with suppress(FlatkitError):  # it may be missing for a moment
                self.learn_names()
                self.draw()

    def learn_names(self) -> None:
        """Ask this notebook's running machines for their ids, as long as a machine of the table has no name."""
        if all(one.alias or one.machine_id in self._names for one in self._channels.machines):
            return
        for machine in live_machine.held():
            if machine.name not in self._names.values() and machine.state == "running":
                with suppress(FlatkitError):
                    self._names[str(machine.run("cat /etc/machine-id")).strip("{}\n ")] = machine.name


def _payloads() -> Path:
    return paths.state_dir() / "room" / "payloads"


def _ago(seconds: float) -> str:
    """Return a time in words, rounded, so that the table does not change each second."""
    if seconds < 15:
        return "now"
    return f"{seconds // 15 * 15:.0f} s ago" if seconds < 120 else f"{seconds // 60:.0f} min ago"


_card: ChannelsCard | None = None


def get_card() -> ChannelsCard:
    """Return the one card of this notebook."""
    global _card  # noqa: PLW0603  (one server a notebook, however often the cell is run)
    if _card is None:
        _card = ChannelsCard()
    return _card


def stop() -> None:
    """Stop this notebook's server, if there is one."""
    if _card is not None:
        _card.stop()
