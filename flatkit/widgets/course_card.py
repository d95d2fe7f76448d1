"""`fk.course`: the course as a path, what is next, and on coming back where one was.

A picture and links in plain HTML: JupyterLab opens a link to a notebook as a tab, and to a cell at that cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from flatkit.errors import FlatkitError
from flatkit.lessons.course import COURSE
from flatkit.lessons.glossary import plan
from flatkit.lessons.overview import Overview, Stop, overview
from flatkit.lessons.progress import Progress
from flatkit.lessons.review import choose, memories
from flatkit.machines import MachineInfo, find_machines
from flatkit.widgets import display, html
from flatkit.widgets.display import Twin

_STEP, _RADIUS, _SMALL, _TOP, _LOW = 76, 17, 12, 30, 86
_EARLIER = "earlier"


@dataclass(frozen=True, kw_only=True, repr=False)
class CourseCard(Twin):
    """The path, as a picture and as text. `saved`: the learner's machines, by the notebook that made them."""

    path: Overview
    saved: Mapping[str, tuple[str, ...]]
    due: int
    now: datetime

    @property
    def lines(self) -> tuple[str, ...]:
        """The sentences below the picture, without the next notebook."""
        cheer = ("✓ You have walked the core path: you can describe, boot, update and extend a machine.",)
        last = self.path.last
        is_news = last is not None and (last.name != self.path.here or last.name in self.saved)
        back = (self._back(last),) if last and is_news else ()
        many = "question" if self.due == 1 else "questions"
        due = (f'{self.due} {many} from before: fk.check("review")   (or flatkit review, in a terminal)',)
        return (*(cheer if self.path.is_core_done else ()), *back, self.path.story, *(due if self.due else ()))

    def _back(self, last: Stop) -> str:
        when = _day(last.at, self.now)
        kept = self.saved.get(last.name, ())
        machines = f" Your machine{'s' if len(kept) > 1 else ''} {', '.join(kept)}" if kept else ""
        saved = f"{machines} {'are' if len(kept) > 1 else 'is'} saved: the cell that made it finds it again."
        place = "here" if last.name == self.path.here else f"in {last.name}"
        return f"You were {place} {when}, at {last.last_task}.{saved if kept else ''}"

    def as_text(self) -> str:
        """Return the text of the card."""
        width = max(len(stop.title) for stop in self.path.stops)
        rows = [
            f"{'▶' if stop is self.path.next else ' '} {stop.mark} {stop.title:<{width}}  {_kind(stop)}, {stop.state}"
            for stop in self.path.stops
        ]
        following = self.path.next
        last = (f"Next: {following.file}",) if following else ()
        return "\n".join([*rows, *self.lines, *last])

    def _repr_html_(self) -> str:
        following, back = self.path.next, self.path.last
        parts = [_picture(self.path), *(html.line(html.text(line)) for line in self.lines)]
        if back and back.name != self.path.here and back is not following and not back.is_done:
            parts.append(html.line("Back to: ", _link(back)))
        if following:
            parts.append(html.line("<b>Next: ", _link(following), "</b>", html.text(f", {following.state}")))
        rows = "".join(
            f"<tr><td>{html.text(stop.mark)}</td><td>{_link(stop)}</td><td>{html.text(_kind(stop))}</td>"
            f"<td>{html.text(stop.state)}</td></tr>"
            for stop in self.path.stops
        )
        return html.block(*parts, html.folded("All notebooks", f"<table>{rows}</table>"))


def _kind(stop: Stop) -> str:
    return "core" if stop.core else "to take home"


def _link(stop: Stop) -> str:
    return f'<a href="{html.escape(stop.file)}">{html.text(stop.title)}</a>'


def _day(at: datetime | None, now: datetime) -> str:
    if at is None:
        return _EARLIER
    day = at.astimezone(now.tzinfo).date()
    days = (now.date() - day).days
    return {0: "today", 1: "yesterday"}.get(days, f"on {day:%A}, {day.day} {day:%B}")


def _picture(path: Overview) -> str:
    """Draw the core path as a line of circles, and the notebooks to take home below it."""
    places = {stop.name: _RADIUS + 22 + _STEP * number for number, stop in enumerate(path.stops)}
    core = [places[stop.name] for stop in path.core]
    width = max(places.values()) + _RADIUS + 22
    line = "stroke:var(--jp-border-color1,#999);stroke-width:3"
    parts = [f'<line x1="{min(core)}" y1="{_TOP}" x2="{max(core)}" y2="{_TOP}" style="{line}"/>'] if core else []
    parts += [_circle(stop, places[stop.name], stop is path.next) for stop in path.stops]
    said = ". ".join(f"{stop.title}: {stop.state}" for stop in path.stops)
    named = f'role="img" aria-label="{html.escape(f"The course as a path. {said}")}"'
    return (
        f'<svg {named} viewBox="0 0 {width} {_LOW + 40}" style="width:100%;max-width:{width}px;display:block" '
        f'font-size="12" text-anchor="middle" fill="currentColor">{"".join(parts)}</svg>'
    )


def _circle(stop: Stop, x: int, is_next: bool) -> str:
    y, radius = (_TOP, _RADIUS) if stop.core else (_LOW, _SMALL)
    blue, grey = "var(--jp-brand-color1,#1976d2)", "var(--jp-border-color1,#999)"
    background = "var(--jp-layout-color1,#fff)"
    fill = "var(--jp-success-color0,#1b5e20)" if stop.is_done else background
    edge = blue if is_next else "var(--jp-success-color0,#1b5e20)" if stop.is_begun else grey
    number, _, topic = stop.name.partition("-")
    ink = "var(--jp-ui-inverse-font-color0,#fff)" if stop.is_done else "currentColor"
    bold = " font-weight='bold'" if is_next else ""
    return (
        f'<circle cx="{x}" cy="{y}" r="{radius}" style="fill:{fill};stroke:{edge};stroke-width:{4 if is_next else 2}"/>'
        f'<text x="{x}" y="{y + 4}" style="fill:{ink}">{stop.mark if stop.is_done else html.escape(number)}</text>'
        f'<text x="{x}" y="{y + radius + 15}"{bold}>{html.escape(topic.replace("-", " "))}</text>'
    )


def get_course() -> CourseCard:
    """Return the course as this learner has done it so far. Raises HostError for a file that cannot be read."""
    now = datetime.now().astimezone()
    records = Progress().all()
    path = overview(plan(), COURSE, records, here=_notebook(display.session()))
    due = len(choose(memories(records), now))
    return CourseCard(path=path, saved=_saved(), due=due, now=now)


def _notebook(session: str) -> str:
    """Return the course's notebook of a session: `notebook:PATH`; a newer one beside it counts as the same."""
    kind, _, path = session.partition(":")
    return PurePath(path).name.partition(".")[0] if kind == "notebook" else ""


def _saved() -> dict[str, tuple[str, ...]]:
    try:
        there: list[MachineInfo] = find_machines()
    except FlatkitError:  # no libvirt: then no machine can be used either
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for info in there:
        if str(info.state) in {"running", "stopped"} and not info.made_by.task:
            notebook = _notebook(info.made_by.session)
            found[notebook] = (*found.get(notebook, ()), f'"{info.name}"')
    return found
