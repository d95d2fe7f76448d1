"""The text of `flatkit present`: the step for the audience, and the presenter's notes with a clock. Pure."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from flatkit.cli.screen import BOLD, DIM, GREEN, RED, Code
from flatkit.untrusted import lines_of, printable, printable_lines

Line = tuple[str, Code | None]  # a text and its color
_LINE_ROWS = 3
_NARROWEST, _WIDEST = 20, 100
_BAR = 24
_NUMBER_MAX = 1e15
_MARKS = {"ok": "✓", "failed": "✗", "skipped": "–", "running": "…"}
_ROWS_LEAST = 4


@dataclass(frozen=True, kw_only=True)
class Poll:
    """The audience's answers to a prediction. `right` is -1, and `happened` "", until the answer was shown."""

    ask: str = ""
    choices: tuple[str, ...] = ()
    votes: tuple[int, ...] = ()
    source: str = ""
    right: int = -1
    happened: str = ""


@dataclass(frozen=True, kw_only=True)
class StageView:
    """All that is shown of a presentation; `shown` is the step in sight, `machine_at` the one where the machine is."""

    demo: str
    title: str
    shown: int
    machine_at: int
    total: int
    step: str
    why: str
    notes: str
    prompt: str
    command: str
    state: str
    output: str
    found: str
    hint: str
    seconds: float
    typical: float
    next_step: str
    banner: str
    said: str
    keys: str
    explains: bool
    began: float
    minutes: float
    poll: Poll | None = None

    @classmethod
    def parse(cls, values: Any) -> Self:
        """Return the view of JSON values, as `asdict` gave them. Raises ValueError, KeyError, TypeError."""
        kinds: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
        found: dict[str, Any] = {}
        for one in fields(cls):
            kind = kinds.get(str(one.type))
            value = values[one.name]
            if kind in {int, float}:
                _check_number(one.name, value)
            if kind is float and type(value) is int:
                value = float(value)
            if kind is not None and type(value) is not kind:
                raise ValueError(f'"{one.name}" is not of the type {kind.__name__}')
            found[one.name] = value
        poll = found["poll"]
        return cls(**{**found, "poll": None if poll is None else _parse_poll(poll)})

    def as_dict(self) -> dict[str, Any]:
        """Return the view as JSON-ready values."""
        return asdict(self)


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, int | float) and not abs(value) <= _NUMBER_MAX:  # also not a number
        raise ValueError(f'"{name}" is not a number that can be used')


def _parse_poll(values: Any) -> Poll:
    poll = Poll(**{**values, "choices": tuple(values["choices"]), "votes": tuple(values["votes"])})
    texts = (poll.ask, poll.source, poll.happened, *poll.choices)
    if not all(isinstance(text, str) for text in texts) or not all(type(n) is int for n in (poll.right, *poll.votes)):
        raise ValueError("not a poll")
    for number in poll.votes:
        _check_number("votes", number)
    if not poll.choices or len(poll.choices) != len(poll.votes):
        raise ValueError("not a poll")
    return poll


def _wide(width: int) -> int:
    """Return how long lines may be: a pane of a few columns cuts them."""
    return max(_NARROWEST, min(width - 2, _WIDEST))


def stage_lines(view: StageView, *, width: int, height: int) -> list[Line]:
    """Return the lines for the audience: the step, its command, what it said, and the room's answers."""
    wide = _wide(width)
    head: list[Line] = [(f"{view.title}   {view.shown}/{view.total}", DIM), ("", None)]
    if view.banner:
        head += [(line, BOLD) for line in _wrap(f"● {view.banner}", wide)]
    if view.shown < view.machine_at:
        head.append((f"looking back; the machine is at step {view.machine_at}, and stays there", RED))
    title = _wrap(f"{view.shown}  {view.step}", wide)
    head += [("", None), *((line, BOLD) for line in title), ("━" * max(map(len, title)), BOLD)]
    head += [(f"   {line}", None) for line in _wrap(view.why, wide - 3)] if view.explains else []
    head += [("", None), *((line, BOLD) for line in _command(view, wide)), ("", None)]
    tail: list[Line] = []
    if view.state == "running":
        tail.append(("… runs", DIM))
    elif view.found or view.state == "skipped":
        color = {"ok": GREEN, "failed": RED}.get(view.state, DIM)
        text = printable_lines(view.found, lines=6) or "left out"
        tail += [(line, color) for line in _wrap(f"{_MARKS.get(view.state, ' ')} {text}", wide)]
    if view.hint:
        tail.append((f"Next: {printable(view.hint)}", None))
    tail += _poll_lines(view.poll, wide) if view.poll else []
    tail += [("", None), (f"! {printable(view.said)}", RED)] if view.said else []
    tail += _keys(view, wide)
    rows = max(_ROWS_LEAST, height - len(head) - len(tail) - 2)
    return _without_gaps([*head, *_output(view.output, rows, wide), *tail])


def _without_gaps(lines: list[Line]) -> list[Line]:
    """Return the lines with one empty line where there were several."""
    return [line for at, line in enumerate(lines) if line[0] or at == 0 or lines[at - 1][0]]


def _keys(view: StageView, width: int) -> list[Line]:
    lines: list[Line] = [(line.strip(" ·"), DIM) for line in _wrap(view.keys, width)]
    return [("", None), *lines] if lines else []


def _command(view: StageView, width: int) -> list[str]:
    return _wrap(f"{view.prompt} {view.command}", width, indent="    ")


def _output(text: str, rows: int, width: int) -> list[Line]:
    """Return what fits; a long line takes at most three rows."""
    shown: list[str] = []
    lines = lines_of(text.rstrip())
    for at, line in enumerate(lines):
        parts = textwrap.wrap(printable_lines(line), width - 3, replace_whitespace=False, drop_whitespace=False) or [""]
        parts = [*parts[: _LINE_ROWS - 1], f"{parts[_LINE_ROWS - 1][:-1]}…"] if len(parts) > _LINE_ROWS else parts
        if len(shown) + len(parts) > rows - (at + 1 < len(lines)):
            break
        shown += parts
    else:
        at = len(lines)
    rest: list[Line] = [(f"   … {len(lines) - at} more lines", DIM)] if at < len(lines) else []
    found: list[Line] = [(f"   {line}", None) for line in shown]
    return [*found, *rest, ("", None)] if lines else []


def _poll_lines(poll: Poll, width: int) -> list[Line]:
    most, longest = max([*poll.votes, 1]), max(len(printable(choice)) for choice in poll.choices)
    lines: list[Line] = [("", None), *((line, BOLD) for line in _wrap(f"? {poll.ask}", width))]
    for number, (choice, votes) in enumerate(zip(poll.choices, poll.votes, strict=True), start=1):
        bar = "█" * round(votes / most * _BAR)
        mark = "✓" if number - 1 == poll.right else " "
        text = f" {mark} {number}  {printable(choice):<{longest}}  {bar} {votes}"
        lines.append((text, GREEN if mark == "✓" else None))
    lines.append((f"   {sum(poll.votes)} in all, {poll.source}", DIM))
    return lines + [(line, BOLD) for line in _wrap(poll.happened, width)]


def notes_lines(view: StageView, *, now: float, width: int) -> list[Line]:
    """Return the presenter's lines: the clock, what to say, and what comes next."""
    wide = _wide(width)
    lines: list[Line] = [(clock(view, now), BOLD), ("", None)]
    back = f"   (looking back; the machine is at {view.machine_at})" if view.shown < view.machine_at else ""
    state = f"   {_MARKS[view.state]} {view.state}" if view.state in _MARKS else ""
    lines.append((f"{view.shown}/{view.total}  {view.step}{state}{back}", BOLD))
    lines += [(f"  {line}", None) for line in _wrap(view.why, wide - 2)]
    if view.notes:
        lines += [("", None), *((f"  ▸ {line}", GREEN) for line in _wrap(view.notes, wide - 4))]
    lines += [("", None), *((line, DIM) for line in _command(view, wide))]
    if view.typical >= 1:
        lines.append((f"  took {view.typical:.0f} s when it was recorded", DIM))
    if view.found:
        lines += [(f"  {line}", None) for line in _wrap(printable_lines(view.found, lines=6), wide - 2)]
    if view.hint:
        lines.append((f"  Next: {printable(view.hint)}", RED))
    lines += _poll_lines(view.poll, wide) if view.poll else []
    lines += [("", None), (f"then: {view.next_step}" if view.next_step else "then: the end", None)]
    lines += [(f"! {printable(view.said)}", RED)] if view.said else []
    return [*lines, *_keys(view, wide)]


def clock(view: StageView, now: float) -> str:
    """Return the time spent, and what is left of the minutes."""
    spent = max(0.0, now - view.began)
    if not view.minutes:
        return f"{_minutes(spent)} spent"
    left = view.minutes * 60 - spent
    return f"{_minutes(spent)} spent   " + (f"{_minutes(left)} left" if left >= 0 else f"{_minutes(-left)} OVER")


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _wrap(text: str, width: int, *, indent: str = "") -> list[str]:
    lines = lines_of(printable_lines(text))
    return [
        part
        for line in lines
        for part in textwrap.wrap(
            line, max(width, _NARROWEST), subsequent_indent=indent, break_on_hyphens=False, replace_whitespace=False
        )
    ]
