"""Recorded runs: written as asciicast v2, read back, and played through the same observers."""

from __future__ import annotations

import gzip
import io
import json
import shlex
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flatkit.cli.show import Terminal
from flatkit.demos import DEMOS
from flatkit.demos.recording import Recorder, find_event, find_recording, get_recording, read_recording, replay
from flatkit.demos.runner import play
from flatkit.errors import Cancelled, InputError
from flatkit.events import ConsoleLine, Event, Observer, Said, StepEnded, StepStarted, Tape, phase
from flatkit.steps import Boot, Demo, Step, Where, says

DEMO = Demo(
    name="small",
    title="A small demo",
    steps=(
        Step(title="Boot", why="It runs.", boot=Boot(config="web.bu", machine="m"), where=Where.HOST,
             check=says("ready"), hint="h"),
        Step(title="Ask", why="It answers.", command="hostname", check=says("web"), hint="h"),
        Step(title="Miss", why="It fails.", command="false", check=says("never"), hint="look"),
    ),
)  # fmt: skip


class Stage:
    def boot(self, boot: Boot, observer: Observer) -> str:
        with phase(observer, "kernel", "Kernel", typical=2.0):
            observer.notify(ConsoleLine(machine="m", text="[    0.0] Linux ünd more"))
        return "ready"

    def host(self, command: str) -> str:
        return ""

    def guest(self, command: str, machine: str = "") -> str:
        return "web\n"

    def line(self, step: Step) -> str:
        return self.fill(step.line)

    def fill(self, command: str) -> str:
        return command


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Tape]:
    recorder = Recorder(demo="small", title="A small demo", screen=lambda stream: Terminal(stream, verbose=True))
    tape = Tape()

    class Both(Observer):
        def notify(self, event: Event) -> None:
            recorder.notify(event)
            tape.notify(event)

    result = play(DEMO, Stage(), Both())
    return recorder.write(tmp_path / "new" / "folder", ok=result.ok, image="lab 4593.2.5"), tape


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def test_it_is_an_asciicast_with_a_marker_for_each_step(recorded: tuple[Path, Tape]) -> None:
    header, *events = lines_of(recorded[0])
    assert header["version"] == 2
    assert header["width"] > 0
    assert header["height"] > 0
    assert isinstance(header["timestamp"], int)
    assert header["title"] == "A small demo (lab 4593.2.5)"
    assert {code for _, code, _ in events} == {"o", "m"}
    assert [data for _, code, data in events if code == "m"] == ["1/3 Boot", "2/3 Ask", "3/3 Miss"]
    times = [at for at, _, _ in events]
    assert times == sorted(times)
    assert header["duration"] == times[-1]
    text = "".join(data for _, code, data in events if code == "o")
    assert "core@machine$ hostname\r\n" in text
    assert "Linux ünd more" in text, "the console is on the screen"
    assert "\n" not in text.replace("\r\n", "")


def test_it_is_read_back_as_it_was(recorded: tuple[Path, Tape]) -> None:
    path, tape = recorded
    recording = read_recording(path)
    assert (recording.demo, recording.ok, recording.image) == ("small", False, "lab 4593.2.5")
    assert [type(event) for _, event in recording.events] == [type(event) for event in tape.events]
    plain = path.with_name("small.cast")
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    assert read_recording(plain) == recording
    assert find_recording("small", path.parent) == path
    path.unlink()
    assert find_recording("small", plain.parent) == plain
    assert find_recording("small", plain) == plain
    assert find_recording("other", plain.parent) is None


def test_it_plays_through_any_observer_and_says_that_it_is_recorded(recorded: tuple[Path, Tape]) -> None:
    recording = read_recording(recorded[0])
    tape = Tape()
    result = replay(recording, tape, speed=0)
    first, *rest = tape.events
    assert isinstance(first, Said)
    now = datetime.now(UTC)  # midnight may have passed since the recording
    days = tuple(f"recorded on {now - ago:%d %B %Y}, lab 4593.2.5" for ago in (timedelta(), timedelta(days=1)))
    assert first.text.startswith(days)
    assert [event.as_dict() | {"at": 0} for event in rest] == [
        event.as_dict() | {"at": 0} for event in recorded[1].events
    ]
    assert (result.demo, result.total, [step.ok for step in result.steps]) == ("small", 3, [True, True, False])
    assert not result.ok
    screen = io.StringIO()
    replay(recording, Terminal(screen), speed=0)
    assert "2/3  Ask" in screen.getvalue()
    assert "recorded on" in screen.getvalue()


def test_it_goes_on_from_a_step(recorded: tuple[Path, Tape]) -> None:
    tape = Tape()
    result = replay(read_recording(recorded[0]), tape, speed=0, start=2)
    assert [event.number for event in tape.events if isinstance(event, StepStarted)] == [2, 3]
    assert result.total == 2


def test_the_speed_scales_the_times(recorded: tuple[Path, Tape], monkeypatch: pytest.MonkeyPatch) -> None:
    recording = read_recording(recorded[0])
    waited: list[float] = []

    class Clock(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0.0)
            return False

    for speed in (1.0, 4.0):
        waited.clear()
        replay(recording, Observer(), speed=speed, cancel=Clock())
        assert sum(waited) == pytest.approx((recording.events[-1][0] - recording.events[0][0]) / speed)


def test_it_can_be_stopped(recorded: tuple[Path, Tape]) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        replay(read_recording(recorded[0]), Observer(), cancel=stop)


def test_what_a_later_version_records_is_left_out() -> None:
    assert find_event({"event": "slots_flipped", "at": 1.0}) is None
    assert find_event({"event": "said", "at": 1.0, "words": "x"}) is None
    assert find_event({"event": "said", "at": 1.0, "text": "x"}) == Said(at=1.0, text="x")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"{", b"\xff", b"\x1f\x8bnot gzip", b'{"version":2,"flatkit":3}', b'{"version":2,"width":80}\n[0,"o",""]',
     gzip.compress(b"{}", mtime=0)[:12]],
)  # fmt: skip
def test_what_is_no_recording_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.cast").write_bytes(data)
    with pytest.raises(InputError, match="cannot be played") as caught:
        read_recording(tmp_path / "x.cast")
    assert "--record" in caught.value.hint
    with pytest.raises(InputError, match="No such file"):
        read_recording(tmp_path / "none")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recorder = Recorder(demo="d", title="t", screen=Terminal)
    with pytest.raises(InputError, match="cannot be written"):
        recorder.write(tmp_path / "file" / "below", ok=True, image="")


SHIPPED = [find_recording(name) for name in DEMOS]


def test_every_demo_ships_a_recording_of_a_run_that_passed() -> None:
    for name, path in zip(DEMOS, SHIPPED, strict=True):
        assert path, f"make recordings   (there is none of {name})"
        recording = read_recording(path)
        assert recording.ok
        started = [event for _, event in recording.events if isinstance(event, StepStarted)]
        steps = DEMOS[name].steps
        assert [(event.title, event.why) for event in started] == [(step.title, step.why) for step in steps], (
            "make recordings"
        )
        assert all(event.ok for _, event in recording.events if isinstance(event, StepEnded))


def test_the_recordings_stay_small_and_name_no_host() -> None:
    packed = [path for path in SHIPPED if path]
    assert sum(path.stat().st_size for path in packed) <= 3_000_000
    for path in packed:
        text = gzip.decompress(path.read_bytes()).decode()
        for place in ("/home/", "/root/", "/tmp/", "/work/", "/var/tmp/"):
            assert place not in text.replace("/home/core", "").replace("/home/ada", ""), f"{path.name} names {place}"


def test_the_name_in_a_recording_is_no_command(tmp_path: Path) -> None:
    name = "everywhere; touch owned #'$(id)`id`\n"
    recorder = Recorder(demo=name, title="t", screen=lambda stream: Terminal(stream, verbose=True))
    path = recorder.write(tmp_path, ok=True, image="i").rename(tmp_path / "a file; id.cast.gz")
    with pytest.raises(InputError, match="is a recording of") as caught:
        get_recording("provision", path)
    shown = name.replace("\n", "\\n")
    assert shlex.split(caught.value.hint) == ["flatkit", "demo", "run", shown, "--replay", str(path)]
