"""Records a demo's run as an asciicast v2 file, compressed with gzip, and reads it back.

Every asciicast player shows the terminal's text and a marker at each step. flatkit's own events are in the header,
under a key that players skip. They replay a run through the same observers, with its times. Format:
https://docs.asciinema.org/manual/asciicast/v2/
"""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TextIO, TypeVar

from flatkit import paths
from flatkit.demos.runner import DemoResult, StepResult
from flatkit.errors import Cancelled, InputError
from flatkit.events import Event, Observer, Said, StepEnded, StepOutput, StepStarted
from flatkit.files import read_regular, save
from flatkit.untrusted import parse_json, shell_word

_FORMAT = 1
_WIDTH, _HEIGHT = 110, 32
SUFFIX = ".cast.gz"

# Limits for reading; flatkit's own recordings stay below a twentieth of each.
_PACKED_MAX = 16 * 1024 * 1024
_HEADER_MAX = 16 * 1024 * 1024
_EVENTS_MAX = 100_000
_STEPS_MAX = 1000
_SECONDS_MAX = 24 * 3600
_TIMESTAMP_MAX = 253_402_300_799  # the end of the year 9999
_NUMBER_MAX = 1e15
_T = TypeVar("_T")


class _Pieces:
    """A stream that keeps the text written since the last read."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def take(self) -> str:
        text = "".join(self._parts).replace("\n", "\r\n")
        self._parts.clear()
        return text


class Recorder(Observer):
    """Keeps every event with its time and its screen output. `screen` makes the observer that draws on a stream."""

    def __init__(self, *, demo: str, title: str, screen: Callable[[TextIO], Observer]) -> None:
        self._demo, self._title = demo, title
        self._began, self._timestamp = time.monotonic(), time.time()
        self._pieces = _Pieces()
        self._screen = screen(self._pieces)  # type: ignore[arg-type]
        self._events: list[dict[str, Any]] = []
        self._lines: list[list[Any]] = []

    def notify(self, event: Event) -> None:
        """Keep the event and its screen output."""
        at = round(max(0.0, event.at - self._began), 3)
        self._events.append({**event.as_dict(), "at": at})
        if isinstance(event, StepStarted):
            self._lines.append([at, "m", f"{event.number}/{event.total} {event.title}"])
        self._screen.notify(event)
        if text := self._pieces.take():
            self._lines.append([at, "o", text])

    def write(self, folder: Path, *, ok: bool, image: str) -> Path:
        """Write DEMO.cast.gz into the folder, whole or not at all. Raises InputError."""
        from flatkit import __version__

        about = {
            "format": _FORMAT,
            "demo": self._demo,
            "image": image,
            "version": __version__,
            "ok": ok,
            "events": self._events,
        }
        header = {
            "version": 2, "width": _WIDTH, "height": _HEIGHT, "timestamp": int(self._timestamp),
            "duration": self._lines[-1][0] if self._lines else 0.0, "idle_time_limit": 3.0,
            "title": f"{self._title} ({image})", "env": {"TERM": "xterm-256color"}, "flatkit": about,
        }  # fmt: skip
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in (header, *self._lines))
        path = folder / f"{self._demo}{SUFFIX}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            save(path, gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0))
        except OSError as error:
            raise InputError(
                f'the recording "{path}" cannot be written: {error.strerror}', hint="--record SOME-FOLDER-OF-YOURS"
            ) from None
        return path


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A recorded run: `events` are pairs of an event and the seconds since the start."""

    demo: str
    title: str
    image: str
    version: str
    recorded: datetime
    ok: bool
    events: tuple[tuple[float, Event], ...]

    @property
    def seconds(self) -> float:
        """Length of the run in seconds."""
        return self.events[-1][0] if self.events else 0.0

    @property
    def banner(self) -> str:
        """The notice shown during every replay."""
        return f"recorded on {self.recorded:%d %B %Y}, {self.image}; nothing runs now"


def read_recording(path: Path) -> Recording:
    """Read a file written by a Recorder, compressed or not. Raises InputError, also for a file over the limits above."""
    try:
        return _recording_from(_first_line(read_regular(path, limit=_PACKED_MAX)))
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, KeyError, TypeError, EOFError, OverflowError, zlib.error) as error:
        words = str(error) if isinstance(error, ValueError) else type(error).__name__
        reason = f"it is not a recording of flatkit ({words})"
    raise InputError(
        f'the recording "{path}" cannot be played: {reason}', hint="flatkit demo run provision --record DIR"
    )


def _first_line(data: bytes) -> bytes:
    """Return the header of an asciicast; the rest is for other players. Decompresses no more than a header may have."""
    if data[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            data = packed.readline(_HEADER_MAX + 1)
    line = data.partition(b"\n")[0]
    if len(line) > _HEADER_MAX:
        raise ValueError(f"its header has more than {_HEADER_MAX} bytes")
    return line


def _recording_from(line: bytes) -> Recording:
    header = parse_json(line, limit=_HEADER_MAX)
    about = _typed(header, "flatkit", dict)
    rows = _typed(about, "events", list)
    if len(rows) > _EVENTS_MAX:
        raise ValueError(f"it has {len(rows)} events; expected at most {_EVENTS_MAX}")
    events = tuple((event.at, event) for row in rows if (event := find_event(row)))
    if not all(0 <= at <= _SECONDS_MAX for at, _ in events):
        raise ValueError(f"its times are not within 0 and {_SECONDS_MAX} s")
    steps = [event for _, event in events if isinstance(event, StepStarted | StepOutput | StepEnded)]
    if not all(1 <= event.number <= _STEPS_MAX for event in steps):
        raise ValueError(f"its steps are not numbered from 1 to {_STEPS_MAX}")
    timestamp = _typed(header, "timestamp", int)
    if not 0 <= timestamp <= _TIMESTAMP_MAX:
        raise ValueError("its date is out of range")
    return Recording(
        demo=_typed(about, "demo", str), title=_typed(header, "title", str), image=_typed(about, "image", str),
        version=_typed(about, "version", str), ok=_typed(about, "ok", bool), events=events,
        recorded=datetime.fromtimestamp(timestamp, UTC),
    )  # fmt: skip


def _typed(values: Any, key: str, kind: type[_T]) -> _T:
    """Return a value of a JSON object. Raises ValueError for an unexpected type: `true` is not a number here."""
    value = values.get(key) if isinstance(values, dict) else None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f'"{key}" is missing, or not of the type {kind.__name__}')
    return value


def find_event(values: Any) -> Event | None:
    """Return the event of a recorded line; None for an event unknown to this version. Raises ValueError for wrong types.

    Fields that a later version added are ignored. An event with a missing field counts as unknown.
    """
    name = _typed(values, "event", str)
    kind = _known().get(name)
    if kind is None:
        return None
    found: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in values:
            found[field.name] = _field(values, field.name, str(field.type))
        elif field.default is MISSING and field.default_factory is MISSING:
            return None
    if "at" not in found:
        raise ValueError(f'an event "{name}" has no time')
    return kind(**found)


def _field(values: dict[str, Any], name: str, kind: str) -> Any:
    if kind != "float":
        return _typed(values, name, {"str": str, "int": int, "bool": bool}[kind])
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _NUMBER_MAX:
        raise ValueError(f'"{name}" is not a number that can be used')
    return float(value)


@cache
def _known() -> dict[str, type[Event]]:
    return {kind.name_of(): kind for kind in _kinds(Event)}


def _kinds(base: type[Event]) -> list[type[Event]]:
    return [kind for child in base.__subclasses__() for kind in (child, *_kinds(child))]


def find_recording(demo: str, place: Path | None = None) -> Path | None:
    """Return the path of a demo's recording: the file `place`, one in the folder `place`, or the one in the package, or None."""
    if place is not None and place.is_file():
        return place
    folder = place or paths.recordings_dir()
    return next((file for suffix in (SUFFIX, ".cast") if (file := folder / f"{demo}{suffix}").is_file()), None)


def get_recording(demo: str, place: Path | None = None) -> Recording:
    """Return a demo's recording. Raises InputError when there is none, or when it belongs to another demo."""
    path = find_recording(demo, place)
    if path is None:
        where = f'in "{place}"' if place else "with this flatkit"
        raise InputError(
            f'there is no recording of "{demo}" {where}', hint=f"flatkit demo run {shell_word(demo)} --record DIR"
        )
    recording = read_recording(path)
    if recording.demo != demo:
        raise InputError(
            f'"{path}" is a recording of "{recording.demo}"; expected one of "{demo}"',
            hint=f"flatkit demo run {shell_word(recording.demo)} --replay {shell_word(path)}",
        )
    return recording


# Longest pause of a replay, in seconds; even a slow boot reports something every second.
_LONGEST_PAUSE = 120.0


def replay(
    recording: Recording,
    observer: Observer,
    *,
    speed: float = 1.0,
    start: int = 1,
    last: int = 0,
    cancel: threading.Event | None = None,
) -> DemoResult:
    """Send the recorded events to the observer, `speed` times as fast (0: without pauses), from step `start` on.

    With `last` the replay ends with that step, and the caller says that it is one.

    An observer may pause the replay, as it may pause a real run. Pauses are cut to two minutes. Raises Cancelled.
    """
    stop = cancel or threading.Event()
    if not last:
        observer.notify(Said(text=recording.banner))
    started: StepStarted | None = None
    results: list[StepResult] = []
    total, before = 0, None
    for at, event in recording.events:
        if isinstance(event, StepStarted):
            started, total = event, event.total
        if started is None or started.number < start:
            continue
        if last and started.number > last:
            break
        pause = 0.0 if before is None else min(max(0.0, at - before), _LONGEST_PAUSE)
        if speed > 0 and stop.wait(min(pause / speed, threading.TIMEOUT_MAX)):
            raise Cancelled("the recording was stopped")
        before = at
        observer.notify(replace(event, at=time.monotonic()))
        if isinstance(event, StepEnded) and started.number == event.number:
            results.append(StepResult(title=started.title, command=started.command, ok=event.ok, found=event.found,
                                      seconds=event.seconds))  # fmt: skip
    return DemoResult(demo=recording.demo, steps=tuple(results), total=max(0, (last or total) - start + 1))
