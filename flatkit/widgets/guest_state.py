"""The state of a running machine, for its panel: the slots and their versions, a running update, the layers of `/usr`.

Only `look` asks the machine. A look also contains what changed since the one before: that is what a learner watches for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

from flatkit.demos.facts import LAYERS, SLOTS, UPDATE, VERITY, VERSION, Layer
from flatkit.errors import FlatkitError
from flatkit.steps import Fact
from flatkit.updates.slots import Slot
from flatkit.updates.status import Operation, UpdateStatus
from flatkit.widgets import html
from flatkit.widgets.display import Twin

# Each operation in words; all others are idle.
_DOING = {
    Operation.CHECKING: "asking the update server",
    Operation.AVAILABLE: "an update is there",
    Operation.DOWNLOADING: "downloading, and writing to the slot that does not run",
    Operation.VERIFYING: "verifying what was written",
    Operation.FINALIZING: "giving the new slot priority",
    Operation.NEED_REBOOT: "staged and verified: the next boot runs it",
    Operation.REPORTING_ERROR: "the update failed; nothing was changed",
}
# Operations during which the slot that does not run is overwritten.
_WRITING = {Operation.DOWNLOADING, Operation.VERIFYING, Operation.FINALIZING}


@dataclass(frozen=True, kw_only=True)
class Inside:
    """One look. `versions` are those of the slots, as far as they were seen; `added` and `removed` name layers.

    `rolled_back` names the slot whose trial ended in a return to the other one.
    """

    version: str = ""
    slots: tuple[Slot, ...] = ()
    update: UpdateStatus | None = None
    verity: str = ""
    layers: tuple[Layer, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    rolled_back: str = ""
    trouble: str = ""

    @property
    def running(self) -> Slot | None:
        """The slot that `/usr` comes from."""
        return next((slot for slot in self.slots if slot.running), None)

    @property
    def doing(self) -> str:
        """The update client's operation in words; "" when it is idle."""
        update = self.update
        if update is None or update.operation not in _DOING:
            return ""
        return _DOING[update.operation] + (f" ({self.share:.0%})" if self.share is not None else "")

    @property
    def share(self) -> float | None:
        """The downloaded part, from 0 to 1; None without a download."""
        update = self.update
        return update.progress if update and update.operation is Operation.DOWNLOADING else None

    @property
    def story(self) -> str:
        """The slots in one sentence."""
        here = self.running
        if here is None:
            return ""
        after = next((slot for slot in self.slots if slot.next), None)
        if not here.successful:
            return f"{here.label} runs on trial: it is not marked good yet. If it fails now, the next boot takes the other slot."
        if after is None:
            return f"{here.label} runs."
        if after.label != here.label:
            return f"{here.label} runs; the next boot takes {after.label}, with {_tries(after)}."
        again = f"{here.label} runs, and the next boot takes it again."
        return (
            f"↩ Rolled back: the trial of {self.rolled_back} did not become good. {again}"
            if self.rolled_back
            else again
        )

    def slot_state(self, slot: Slot) -> str:
        """Return the state of a slot in a few words, so that it can be read without colours."""
        if slot.running:
            return "running, marked good" if slot.successful else "running on trial"
        here = self.running
        if slot.next and (here is None or here.successful):
            return "verified, takes over at the next boot"
        if slot.bootable:
            return "the way back"
        if slot.priority or slot.tries or slot.successful:
            return "given up: no try left"
        return "empty" if not self.versions.get(slot.label) else "not to be booted"


def _tries(slot: Slot) -> str:
    return "no try limit" if slot.successful else "one try" if slot.tries == 1 else f"{slot.tries} tries"


def look(run: Callable[[str], Any], before: Inside | None = None) -> Inside:
    """Ask a machine; `run` runs a command and returns its result. A question that fails is reported in `trouble`, not raised."""
    troubles: list[str] = []

    def ask(fact: Fact) -> Any:
        try:
            return fact.look(lambda command: str(run(command).stdout))
        except FlatkitError as error:
            troubles.append(error.message)
            return None

    values = {fact.name: ask(fact) for fact in (VERSION, SLOTS, UPDATE, VERITY, LAYERS)}
    return followed(replace(inside_of(values), trouble="; ".join(dict.fromkeys(troubles))), before)


def inside_of(values: Mapping[str, Any]) -> Inside:
    """Return a look that was put together from the values of facts, by their names; what is missing is not known."""
    return Inside(
        version=values.get(VERSION.name) or "",
        slots=values.get(SLOTS.name) or (),
        update=values.get(UPDATE.name),
        verity=values.get(VERITY.name) or "",
        layers=values.get(LAYERS.name) or (),
    )


def followed(now: Inside, before: Inside | None) -> Inside:
    """Return the look with what the one before knew: versions of slots, and layers that were added or removed."""
    versions = _kept_versions(now, before) if before else {}
    here = now.running
    if here and now.version:
        versions[here.label] = now.version
    update = now.update
    other = next((slot for slot in now.slots if not slot.running), None)
    if other and update and update.operation is Operation.NEED_REBOOT and update.new_version.strip("0."):
        versions[other.label] = update.new_version
    now = replace(now, rolled_back=_rolled_back(now, before))
    names = {layer.name for layer in now.layers if layer.merged}
    if before is None:
        return replace(now, versions=versions)
    old = {layer.name for layer in before.layers if layer.merged}
    if names == old:
        # Until something else happens, the last change stays in sight.
        return replace(now, versions=versions, added=before.added, removed=before.removed)
    return replace(now, versions=versions, added=tuple(sorted(names - old)), removed=tuple(sorted(old - names)))


def _kept_versions(now: Inside, before: Inside) -> dict[str, str]:
    """Return the versions that the look before knew, but for a slot that was written since, or is being written."""
    known = dict(before.versions)
    tries = {slot.label: slot.tries for slot in before.slots}
    for slot in now.slots:
        is_written = now.update is not None and now.update.operation in _WRITING
        # Only a new system gets tries; each boot on trial takes one away.
        is_new = not slot.successful and slot.tries > tries.get(slot.label, slot.tries)
        if not slot.running and (is_written or is_new):
            known.pop(slot.label, None)
    return known


def _rolled_back(now: Inside, before: Inside | None) -> str:
    """Return the slot that was on trial before and has no try left now; it is kept until it has one again."""
    tried = (
        {slot.label for slot in before.slots if not slot.successful and (slot.running or slot.next)}
        if before
        else set()
    )
    was = before.rolled_back if before else ""
    for slot in now.slots:
        if not slot.running and not slot.bootable and slot.label in {*tried, was}:
            return slot.label
    return ""


@dataclass(frozen=True, kw_only=True, repr=False)
class Look(Twin):
    """One part of a look ("slots" or "layers"), for the value of a cell."""

    part: str
    inside: Inside

    def as_text(self) -> str:
        """Return the text of the card."""
        only = {"slots": replace(self.inside, layers=()), "layers": replace(self.inside, slots=(), update=None)}
        return as_text(only[self.part])

    def _repr_html_(self) -> str:
        return html.block(html.pre(repr(self), f"the {self.part} of the machine"))


def as_text(inside: Inside) -> str:
    """Return the look for a terminal, a log or a screen reader."""
    lines = [inside.trouble] if inside.trouble else []
    for slot in inside.slots:
        version = inside.versions.get(slot.label, "unknown version")
        lines.append(f"{slot.label} {version}: {inside.slot_state(slot)} (priority={slot.priority} tries={slot.tries} "
                     f"successful={int(slot.successful)})")  # fmt: skip
    lines += [text for text in (inside.story, inside.doing and f"update: {inside.doing}") if text]
    if inside.layers:
        lines.append("/usr, from the bottom: the image" + (" (verity: valid)" if inside.verity == "V" else ""))
        lines += [f"  + {layer}{' (built in)' if layer.built_in else ''}" for layer in inside.layers]
    return "\n".join(lines or ["nothing is known about the running system yet"])


class SlotState(TypedDict):
    """A slot for the page."""

    label: str
    version: str
    priority: int
    tries: int
    successful: bool
    running: bool
    next: bool
    state: str


class LayerState(TypedDict):
    """A layer of `/usr` for the page. `refused` is the reason why it is not merged."""

    name: str
    merged: bool
    builtIn: bool
    masked: bool
    refused: str


class InsideState(TypedDict):
    """A look for the page."""

    version: str
    story: str
    doing: str
    progress: float | None
    verity: str
    trouble: str
    added: list[str]
    removed: list[str]
    slots: list[SlotState]
    layers: list[LayerState]


def inside_state(inside: Inside) -> InsideState:
    """Return the look for the page."""
    return {
        "version": inside.version,
        "story": inside.story,
        "doing": inside.doing,
        "progress": inside.share,
        "verity": inside.verity,
        "trouble": inside.trouble,
        "added": list(inside.added),
        "removed": list(inside.removed),
        "slots": [
            {
                "label": slot.label,
                "version": inside.versions.get(slot.label, ""),
                "priority": slot.priority,
                "tries": slot.tries,
                "successful": slot.successful,
                "running": slot.running,
                "next": slot.next,
                "state": inside.slot_state(slot),
            }
            for slot in inside.slots
        ],
        "layers": [
            {
                "name": layer.name,
                "merged": layer.merged,
                "builtIn": layer.built_in,
                "masked": layer.masked,
                "refused": layer.refused,
            }
            for layer in inside.layers
        ],
    }
