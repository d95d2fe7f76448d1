"""`fk.channels`: which channel offers what, and which machine runs which version, as the update server saw it.

The table is the server's own book; a room that is served, a demo and a notebook's own server write the same kind of book.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from flatkit import paths
from flatkit.errors import FlatkitError, HostError
from flatkit.events import Observer
from flatkit.room.serve import PORT, open_channels
from flatkit.updates.channels import Channels
from flatkit.updates.server import UpdateServer
from flatkit.widgets import display, html, kit
from flatkit.widgets.twin import Twin
from flatkit.workshop.offers import offer_lab

_LOOK_SECONDS = 1.0
# What the course's own server offers: each channel its release of the lab image.
LAB = {"stable": "lab", "beta": "lab-beta", "alpha": "lab-alpha"}


class ChannelsCard(Twin):
    """The table, kept up to date while it is shown. `serve()` starts an update server in this notebook; `url` is its address."""

    def __init__(self, channels: Channels | None = None) -> None:
        self._channels = channels or open_channels()
        self._lock = threading.Lock()
        self._server: UpdateServer | None = None
        self._view: ChannelsView | None = None
        self._place = display.Place()

    @property
    def channels(self) -> Channels:
        """The book that is shown."""
        return self._channels

    @property
    def served_at(self) -> str:
        """The address of this notebook's server; "" when there is none."""
        return self._server.guest_url if self._server else ""

    @property
    def url(self) -> str:
        """The server's address as a machine reaches it. Raises HostError when none was started here."""
        if not self.served_at:
            raise HostError("no update server runs in this notebook", hint="fk.channels().serve()")
        return self.served_at

    def serve(self, *, port: int = PORT, observer: Observer | None = None, **offers: str) -> Self:
        """Start an update server on this host (127.0.0.1), which offers a release of the lab image in each channel.

        With `offers` only those are made: serve(stable="lab-beta"). Starting it twice changes the offers only. Raises HostError
        when the port is taken, ImageError.
        """
        with self._lock:
            server = self._server
            if server is None:
                server = UpdateServer(port=port, channels=self._channels)
                try:
                    server.start()
                except HostError as error:
                    hint = (
                        "fk.clean() in the notebook that serves (or end what listens there), then this cell again; "
                        f"beside another seat's: serve(port={port + 1}), and that number in each config's SERVER"
                    )
                    raise HostError(error.message, hint=hint) from None
                self._server = server
        offer_lab(server, offers or LAB, folder=_payloads(), observer=observer)
        self._draw()
        return self

    def promote(self, channel: str, *, to: str) -> Self:
        """Let a channel offer what another one offers. Raises UsageError."""
        self._channels.promote(channel, to=to)
        self._draw()
        return self

    def stop(self) -> Self:
        """End this notebook's server; what it saw stays in the table."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.stop()
            shutil.rmtree(_payloads(), ignore_errors=True)
        return self

    def as_text(self) -> str:
        """Return the text twin."""
        served = f"update server: {self.served_at} for machines on this host" if self.served_at else ""
        return "\n\n".join(part for part in (served, str(self._channels)) if part)

    def _draw(self) -> None:
        if self._view is not None:
            self._view.show(self)

    def _ipython_display_(self) -> None:
        if not self._place.is_new():
            return
        if self._view is None:
            self._view = ChannelsView()
            threading.Thread(target=self._follow, name="flatkit: channels", daemon=True).start()
        self._draw()
        self._place.shown()
        display.publish(self._view, repr(self))

    def _follow(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)  # between two looks into the book
            with suppress(FlatkitError):  # the book may be away for a moment
                self._draw()


def _payloads() -> Path:
    return paths.state_dir() / "room" / "payloads"


class ChannelsView:
    """Draws the two tables in HTML; what does not change sends nothing."""

    def __init__(self) -> None:
        self.widget = kit.HTML()

    def show(self, card: ChannelsCard) -> None:
        """Draw them."""
        self.widget.value = as_html(card.channels, url=card.served_at)


def as_html(channels: Channels, *, url: str = "", now: Callable[[], float] = time.time) -> str:
    """The channels and the machines as two tables."""
    offers = [(name, release.version) for name, release in sorted(channels.releases.items())]
    seen = [
        (
            one.name,
            one.group or one.channel,
            one.version,
            f"{_mark(str(one.state))} {one.state}",
            _ago(now() - one.last_seen),
        )
        for one in channels.machines
    ]
    head = html.line(html.text(f"Update server for machines on this host: {url}", "dim")) if url else ""
    empty = html.line(html.text("No machine has asked yet.", "dim"))
    machines = _table(("machine", "follows", "runs", "state", "seen"), seen) if seen else empty
    return html.block(head, _table(("channel", "offers"), offers), machines, role="status")


def _mark(state: str) -> str:
    """A state as one character, so that colour is never needed."""
    return {"current": "✓", "failed": "✗", "rolled back": "↩"}.get(state, "…")


def _ago(seconds: float) -> str:
    """Roughly, so that the table is not drawn anew each second."""
    return (
        "now"
        if seconds < 15
        else f"{seconds // 15 * 15:.0f} s ago"
        if seconds < 120
        else f"{seconds // 60:.0f} min ago"
    )


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    cells = "".join(f'<th scope="col">{html.text(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{html.text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


_card: ChannelsCard | None = None


def get_card() -> ChannelsCard:
    """The one card of this notebook."""
    global _card  # noqa: PLW0603  (one server a notebook, however often the cell is run)
    if _card is None:
        _card = ChannelsCard()
    return _card


def stop() -> None:
    """End this notebook's server, if there is one."""
    if _card is not None:
        _card.stop()
