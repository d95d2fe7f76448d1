"""The picture that moves beside a demo's steps, drawn from the answers that the demo's facts gave.

Live and in a recording it is made of the same events, and slots and layers look as in the machine's panel.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TypedDict

from flatkit.demos.channels import OFFERED, ChannelTable
from flatkit.demos.diagram import DISK, Disk
from flatkit.demos.facts import LAYERS, SLOTS
from flatkit.errors import FlatkitError
from flatkit.events import FactSeen
from flatkit.steps import Demo
from flatkit.widgets.guest_state import Inside, InsideState, as_text, followed, inside_of, inside_state


class DiskPartState(TypedDict):
    """A partition for the page. `written` marks the one that the config fills."""

    label: str
    size: str
    role: str
    written: bool


class RolloutState(TypedDict):
    """A machine of the channels' picture: the channel that it follows, the version that it runs, and how it is."""

    name: str
    group: str
    version: str
    state: str


class PictureState(TypedDict):
    """The picture for the page. `kind` is slots, layers, channels or disk; `story` is the picture in one sentence."""

    kind: str
    story: str
    inside: InsideState | None
    offers: list[list[str]]
    machines: list[RolloutState]
    parts: list[DiskPartState]


class MovingPicture:
    """Takes the answers in, in their order, and tells what is to be drawn; nothing before the first answer."""

    def __init__(self, demo: Demo) -> None:
        self._facts = {fact.name: fact for fact in demo.draws}
        self._values: dict[str, Any] = {}
        self._step = 0
        self._inside: Inside | None = None
        self.kind = next((kind for kind, fact in _KINDS.items() if fact.name in self._facts), "")

    def see(self, event: FactSeen) -> None:
        """Take an answer in. One that cannot be read, as after a power cut, leaves the picture as it was."""
        fact = self._facts.get(event.fact)
        if fact is None:
            return
        if event.number != self._step:
            self._step, self._values = event.number, {}
        with suppress(FlatkitError, ValueError, KeyError, IndexError):
            self._values[fact.name] = fact.parse(event.text)
            if self.kind in {"slots", "layers"} and len(self._values) == len(self._facts):
                self._inside = followed(inside_of(self._values), self._inside)

    @property
    def _disk(self) -> Disk | None:
        return self._values.get(DISK.name)

    @property
    def _table(self) -> ChannelTable | None:
        return self._values.get(OFFERED.name)

    def state(self) -> PictureState | None:
        """Return the picture for the page; None while there is nothing to draw."""
        empty: PictureState = {
            "kind": self.kind,
            "story": "",
            "inside": None,
            "offers": [],
            "machines": [],
            "parts": [],
        }
        if self._inside is not None:
            return {**empty, "story": self._inside.story, "inside": inside_state(self._inside)}
        if (table := self._table) is not None:
            return {
                **empty,
                "offers": [[channel, version] for channel, version in table.offers.items()],
                "machines": [
                    {"name": name, "group": row.group, "version": row.version, "state": table.state_of(name)}
                    for name, row in table.machines.items()
                ],
            }
        if (disk := self._disk) is not None:
            return {
                **empty,
                "story": disk.story,
                "parts": [
                    {"label": part.label, "size": part.size, "role": part.role, "written": part.label == "ROOT"}
                    for part in disk.parts
                ],
            }
        return None

    def as_text(self) -> str:
        """Return the picture in words; "" while there is nothing to draw."""
        if self._inside is not None:
            return as_text(self._inside)
        if (table := self._table) is not None:
            lines = [f"channel {channel} offers {version}" for channel, version in table.offers.items()]
            lines += [
                f"machine {name} follows {row.group}, runs {row.version}: {table.state_of(name)}"
                for name, row in table.machines.items()
            ]
            return "\n".join(lines)
        if (disk := self._disk) is not None:
            return "\n".join([*(f"{part.label} {part.size}: {part.role}" for part in disk.parts), disk.story])
        return ""


_KINDS = {"slots": SLOTS, "layers": LAYERS, "channels": OFFERED, "disk": DISK}
