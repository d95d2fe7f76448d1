"""Records a demo's run as an asciicast v2 file, packed with gzip, and reads it back.

The terminal's text and a marker at each step are what any player of asciicasts shows; flatkit's own events lie in the header,
below a key of its own, which players skip. By them a run is played again through the same observers (replay.py).
Format: https://docs.asciinema.org/manual/asciicast/v2/
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from flatkit import paths
from flatkit.errors import InputError
from flatkit.events import Event, Observer, StepStarted
from flatkit.machines.store import write_bytes_atomically

_FORMAT = 1
_WIDTH, _HEIGHT = 110, 32
SUFFIX = ".cast.gz"


class _Pieces:
    """A stream that keeps what was written to it since it was last asked."""

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
    """Keeps every event with its time, and what a screen shows for it. `screen` makes the observer that draws on a stream."""

    def __init__(self, *, demo: str, title: str, screen: Callable[[TextIO], Observer]) -> None:
        self._demo, self._title = demo, title
        self._began, self._timestamp = time.monotonic(), time.time()
        self._pieces = _Pieces()
        self._screen = screen(self._pieces)  # type: ignore[arg-type]
        self._events: list[dict[str, Any]] = []
        self._lines: list[list[Any]] = []

    def notify(self, event: Event) -> None:
        """Keep it."""
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
            write_bytes_atomically(path, gzip.compress(text.encode(), 9, mtime=0))
        except OSError as error:
            raise InputError(
                f'the recording "{path}" cannot be written: {error.strerror}', hint="--record SOME-FOLDER-OF-YOURS"
            ) from None
        return path


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A recorded run: `events` are pairs of seconds since its begin and the event."""

    demo: str
    title: str
    image: str
    version: str
    recorded: datetime
    ok: bool
    events: tuple[tuple[float, Event], ...]

    @property
    def seconds(self) -> float:
        """How long the run took."""
        return self.events[-1][0] if self.events else 0.0

    @property
    def banner(self) -> str:
        """What is said wherever it is played."""
        return f"recorded on {self.recorded:%d %B %Y}, {self.image}; nothing runs now"


def read_recording(path: Path) -> Recording:
    """Read a file that was written by a Recorder, packed or not. Raises InputError."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
        header = json.loads(text.partition("\n")[0])
        about = header["flatkit"]
        events = [(float(values["at"]), event) for values in about["events"] if (event := find_event(values))]
        return Recording(
            demo=about["demo"], title=header["title"], image=about["image"], version=about["version"], ok=bool(about["ok"]),
            recorded=datetime.fromtimestamp(header["timestamp"], UTC), events=tuple(events),
        )  # fmt: skip
    except OSError as error:
        reason = error.strerror or str(error)
    except (ValueError, KeyError, TypeError, EOFError) as error:
        reason = f"it is no recording of flatkit's ({type(error).__name__})"
    raise InputError(
        f'the recording "{path}" cannot be played: {reason}', hint="flatkit demo run provision --record DIR"
    )


def find_event(values: dict[str, Any]) -> Event | None:
    """The event of a recorded line; None for one that this version does not know."""
    kinds = {kind.name_of(): kind for kind in _kinds(Event)}
    kind = kinds.get(values.get("event", ""))
    if kind is None:
        return None
    try:
        return kind(**{name: value for name, value in values.items() if name != "event"})
    except TypeError:
        return None


def _kinds(base: type[Event]) -> list[type[Event]]:
    return [kind for child in base.__subclasses__() for kind in (child, *_kinds(child))]


def find_recording(demo: str, place: Path | None = None) -> Path | None:
    """The recording of a demo: the file `place`, the one in the folder `place`, or the one that ships; None without one."""
    if place is not None and place.is_file():
        return place
    folder = place or paths.recordings_dir()
    return next((file for suffix in (SUFFIX, ".cast") if (file := folder / f"{demo}{suffix}").is_file()), None)


def get_recording(demo: str, place: Path | None = None) -> Recording:
    """The recording of a demo, read. Raises InputError when there is none, and when it is another demo's."""
    path = find_recording(demo, place)
    if path is None:
        where = f'in "{place}"' if place else "with this flatkit"
        raise InputError(f'there is no recording of "{demo}" {where}', hint=f"flatkit demo run {demo} --record DIR")
    recording = read_recording(path)
    if recording.demo != demo:
        raise InputError(
            f'"{path}" is a recording of "{recording.demo}"; expected one of "{demo}"',
            hint=f"flatkit demo run {recording.demo} --replay {path}",
        )
    return recording
