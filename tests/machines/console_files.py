"""The recorded consoles of tests/machines/consoles, and a timeline that is fed with them."""

from __future__ import annotations

from pathlib import Path

from flatkit.events import PhaseEnded, Tape
from flatkit.machines.timeline import Timeline

FOLDER = Path(__file__).parent / "consoles"


def read_console(name: str) -> list[tuple[float, str]]:
    """The lines of a recorded console with their seconds."""
    rows = (line.split("\t", 1) for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines())
    return [(float(at), text) for at, text in rows]


def texts(name: str) -> list[str]:
    """The lines alone."""
    return [text for _, text in read_console(name)]


def follow(lines: list[tuple[float, str]], *, emulated: bool = True) -> tuple[Timeline, Tape]:
    """A timeline after these lines; it ends at the SSH host key, as a wait does."""
    tape = Tape()
    timeline = Timeline(tape, emulated=emulated)
    timeline.start(lines[0][0])
    for at, text in lines:
        timeline.feed(text, at)
        if timeline.phase == "ssh":
            timeline.finish(at=at)
    return timeline, tape


def ended(tape: Tape) -> list[tuple[str, float]]:
    """The phases that ended, with their seconds to a tenth."""
    return [(event.phase, round(event.seconds, 1)) for event in tape.events if isinstance(event, PhaseEnded)]
