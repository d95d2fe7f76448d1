"""Recordings, progress and played demos that somebody else wrote: read within bounds, told in words, never lost."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
import time
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flatkit.cli.show import Terminal
from flatkit.demos import DEMOS, recording
from flatkit.demos.recording import Recording, find_recording, read_recording, replay
from flatkit.errors import Cancelled, InputError
from flatkit.events import Event, Observer, Said, StepEnded, StepOutput, StepStarted
from flatkit.lessons.exercise import Choice, Question, Quiz, State
from flatkit.lessons.progress import Progress, TaskRecord, remembered
from flatkit.lessons.quiz import QuizAttempt
from flatkit.lessons.workspace import FolderBench
from flatkit.widgets import drafts, played_steps
from flatkit.widgets.played_steps import PlayedSteps, StepShown
from flatkit.widgets.player_state import PlayProgress

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SAID: dict[str, Any] = {"event": "said", "at": 1.0, "text": "x"}
STARTED: dict[str, Any] = {
    "event": "step_started", "at": 1.0, "demo": "d", "number": 1, "total": 1, "title": "t", "why": "w", "command": "c",
    "where": "host",
}  # fmt: skip


def header(*events: Any, **changes: Any) -> dict[str, Any]:
    about = {"format": 1, "demo": "d", "image": "i", "version": "0", "ok": True, "events": list(events)}
    values = {"version": 2, "width": 80, "height": 24, "timestamp": 1_700_000_000, "title": "t", "flatkit": about}
    for name, value in changes.items():
        (about if name in about else values)[name] = value
    return values


def write(folder: Path, values: Any) -> Path:
    path = folder / "d.cast"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def test_a_small_one_is_read(tmp_path: Path) -> None:
    found = read_recording(write(tmp_path, header(SAID, STARTED)))
    assert [type(event) for _, event in found.events] == [Said, StepStarted]


NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1", "1e9", "true", "null", '"1"', "[]", "9" * 400]


@pytest.mark.parametrize("number", NUMBERS)
def test_times_that_nobody_waits_for(tmp_path: Path, number: str) -> None:
    text = json.dumps(header({**SAID, "at": "HERE"})).replace('"HERE"', number)
    with pytest.raises(InputError, match="cannot be played"):
        read_recording(write(tmp_path, text))


@pytest.mark.parametrize("number", [*NUMBERS, "253402300800"])
def test_dates_that_are_none(tmp_path: Path, number: str) -> None:
    with pytest.raises(InputError, match="cannot be played"):
        read_recording(write(tmp_path, json.dumps(header(timestamp="HERE")).replace('"HERE"', number)))


WRONG: list[Any] = [
    [],
    3,
    "x",
    None,
    True,
    {},
    {"flatkit": []},
    header(events={}),
    header(events=[3]),
    header(events=[None]),
    header(events=[[]]),
    header(demo=3),
    header(title=None),
    header(image=["x"]),
    header(ok="yes"),
    header(ok=1),
    header({"event": 3, "at": 1}),
    header({"event": [], "at": 1}),
    header({**SAID, "text": 3}),
    header({**SAID, "text": None}),
    header({**SAID, "text": ["x"] * 9}),
    header({**STARTED, "number": 0}),
    header({**STARTED, "number": -1}),
    header({**STARTED, "number": 10**9}),
    header({**STARTED, "number": 1.5}),
    header({**STARTED, "number": True}),
    header({**STARTED, "total": "many"}),
    header({"event": "said", "text": "x"}),
    header({"event": "phase_ended", "at": 1, "phase": "p", "title": "t", "seconds": "long"}),
    header({"event": "phase_ended", "at": 1, "phase": "p", "title": "t", "seconds": 1, "ok": "yes"}),
    header({**SAID, "text": "\ud800"}),
    header(demo="\udfff"),
]


@pytest.mark.parametrize("values", WRONG, ids=range(len(WRONG)))
def test_wrong_types_are_told(tmp_path: Path, values: Any) -> None:
    with pytest.raises(InputError, match="cannot be played: it is not a recording of flatkit") as caught:
        read_recording(write(tmp_path, values))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", ["[" * 200_000, '{"flatkit":' * 100_000, "{", "", "\x00", "1" * 5000])
def test_json_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="cannot be played"):
        read_recording(write(tmp_path, text))


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros that pack a thousandfold: one line without an end, and the same behind a header that is fine."""
    monkeypatch.setattr(recording, "_HEADER_MAX", 1024 * 1024)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"".join([*(packer.compress(bytes(1024 * 1024)) for _ in range(128)), packer.flush()])
    path = tmp_path / "d.cast.gz"
    tracemalloc.start()
    try:
        path.write_bytes(zeros)
        with pytest.raises(InputError, match="its header has more than"):
            read_recording(path)
        path.write_bytes(gzip.compress(json.dumps(header(SAID)).encode() + b"\n") + zeros)
        assert len(read_recording(path).events) == 1
        assert tracemalloc.get_traced_memory()[1] < 48 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_bounds_of_file_and_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, header(SAID, SAID, SAID))
    monkeypatch.setattr(recording, "_EVENTS_MAX", 2)
    with pytest.raises(InputError, match="it has 3 events; expected at most 2"):
        read_recording(path)
    monkeypatch.setattr(recording, "_PACKED_MAX", 10)
    with pytest.raises(InputError, match="larger than 10 bytes"):
        read_recording(path)


def test_a_pipe_is_no_recording(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "d.cast")
    with pytest.raises(InputError, match="not a regular file"):
        read_recording(tmp_path / "d.cast")


def test_the_shipped_ones_are_far_within_the_bounds() -> None:
    for name in DEMOS:
        path = find_recording(name)
        assert path
        assert path.stat().st_size * 20 < recording._PACKED_MAX
        line = gzip.decompress(path.read_bytes()).partition(b"\n")[0]
        assert len(line) * 20 < recording._HEADER_MAX
        assert len(json.loads(line)["flatkit"]["events"]) * 20 < recording._EVENTS_MAX


class Clock(threading.Event):
    """Keeps what it is asked to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return False


@pytest.mark.parametrize(("speed", "longest"), [(1.0, 120.0), (2.0, 60.0), (1e-300, threading.TIMEOUT_MAX)])
def test_a_long_pause_is_cut_short(tmp_path: Path, speed: float, longest: float) -> None:
    rows = [STARTED, {**SAID, "at": 80_000.0}, {**SAID, "at": 2.0}]
    clock = Clock()
    replay(read_recording(write(tmp_path, header(*rows))), Observer(), speed=speed, cancel=clock)
    assert max(clock.waits) == longest
    assert min(clock.waits) >= 0


def test_what_a_later_version_adds_is_left_out(tmp_path: Path) -> None:
    found = read_recording(write(tmp_path, header({**SAID, "mood": [1]}, {"event": "orbit_reached", "at": "soon"})))
    assert [event.as_dict() for _, event in found.events] == [SAID]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    "event",
    "at",
    "text",
    "phase",
    "title",
    "number",
    "total",
    "ok",
    "seconds",
    "found",
    "hint",
    "demo",
    "line",
    "machine",
]
NAMES = [
    "said",
    "step_started",
    "step_output",
    "step_ended",
    "phase_started",
    "phase_ended",
    "waiting",
    "console_line",
    "x",
]
ROWS = st.lists(
    st.dictionaries(st.sampled_from(KEYS), JSON | st.integers(1, 3) | st.floats(0, 10), max_size=9)
    | st.builds(lambda more: {**STARTED, **more}, st.dictionaries(st.sampled_from(KEYS), JSON, max_size=2))
    | st.builds(
        lambda name, more: {**SAID, "event": name, **more},
        st.sampled_from(NAMES),
        st.dictionaries(st.sampled_from(KEYS), JSON, max_size=2),
    ),
    max_size=6,
)


def read_or_tell(path: Path) -> Recording | None:
    """The recording; None when it was refused in words. Every other exception fails the test."""
    try:
        return read_recording(path)
    except InputError as error:
        if "cannot be played" not in error.message:
            raise
        return None


@FUZZ
@given(
    rows=ROWS,
    changes=st.dictionaries(
        st.sampled_from(["demo", "image", "ok", "title", "timestamp", "events", "flatkit"]), JSON, max_size=1
    ),
)
def test_any_recording_is_played_or_told(tmp_path: Path, rows: list[Any], changes: dict[str, Any]) -> None:
    found = read_or_tell(write(tmp_path, header(*rows, **changes)))
    if found is None:
        return
    out = io.StringIO()
    result = replay(found, Terminal(out, verbose=True), speed=0)
    assert isinstance(result.ok, bool)
    assert not any(one in out.getvalue() for one in "\x1b\r\x07\x9b\u202e")
    progress = PlayProgress(DEMOS["everywhere"], threading.Event())
    progress.allow(1000)
    replay(found, progress, speed=0)


@FUZZ
@given(data=st.binary(max_size=300), at=st.integers(0, 4000), is_packed=st.booleans())
def test_bytes_that_were_changed_are_played_or_told(tmp_path: Path, data: bytes, at: int, is_packed: bool) -> None:
    source = find_recording("everywhere")
    assert source
    whole = source.read_bytes() if is_packed else gzip.decompress(source.read_bytes())
    path = tmp_path / "everywhere.cast.gz"
    path.write_bytes(whole[:at] + data + whole[at + len(data) :])
    found = read_or_tell(path)
    if found is not None:
        replay(found, Observer(), speed=0)


def test_a_recording_with_more_steps_than_the_demo(tmp_path: Path) -> None:
    demo = DEMOS["everywhere"]
    progress = PlayProgress(demo, threading.Event())
    progress.allow(1000)
    before = progress.steps[:]
    many: list[Event] = [
        StepStarted(demo="d", number=999, total=999, title="t", why="w", command="c", where="host"),
        StepOutput(demo="d", number=999, text="x"),
        StepEnded(demo="d", number=999, ok=True, found="f", hint="", seconds=1.0),
    ]
    for event in many:
        progress.notify(event)
    assert progress.steps == before


# Progress

TASKS = st.dictionaries(
    st.text(max_size=8),
    JSON
    | st.fixed_dictionaries(
        {},
        optional={
            "state": st.sampled_from([str(state) for state in State]) | JSON,
            "is_set_up": st.booleans() | JSON,
            "start": st.text() | JSON,
            "hints": st.integers(-2, 3) | JSON,
            "answers": st.lists(st.none() | st.integers(-1, 5), max_size=3) | JSON,
            "new": JSON,
        },
    ),
    max_size=4,
)


@FUZZ
@given(values=JSON | st.fixed_dictionaries({"format": st.just(1) | JSON, "tasks": TASKS | JSON}))
def test_any_progress_is_read_and_nothing_is_lost(tmp_path: Path, values: Any) -> None:
    for file in tmp_path.iterdir():
        file.unlink()
    file = tmp_path / "progress.json"
    data = json.dumps(values).encode()
    file.write_bytes(data)
    quiz = Quiz(
        name="q", title="t", questions=(Question(ask="?", choices=(Choice(text="a", why="w", is_right=True),)),)
    )
    known = Progress(file).all()
    kept = [path.read_bytes() for path in tmp_path.glob("progress.json*") if not path.name.endswith(".lock")]
    assert data in kept, "the file is there as it was, or aside"
    Progress(file).change("mine", lambda record: replace(record, hints=record.hints + 1))
    again = Progress(file).all()
    assert {name: record for name, record in again.items() if name != "mine"} == {
        name: record for name, record in known.items() if name != "mine"
    }
    assert str(QuizAttempt(quiz, Progress(file)).standing)


def test_what_is_good_in_a_broken_file_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    text = '{"format": 1, "tasks": {"good": {"state": "passed"}, "bad": {"state": "flying"}, "worse": [1]}}'
    file.write_text(text)
    assert Progress(file).all() == {"good": TaskRecord(state=State.PASSED)}
    assert (tmp_path / "progress.json.broken-1").read_text() == text
    assert Progress(file).all() == {"good": TaskRecord(state=State.PASSED)}
    assert not (tmp_path / "progress.json.broken-2").exists()


def test_what_a_later_version_keeps_stays(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    file.write_text('{"format": 1, "tasks": {"a": {"state": "passed", "medal": "gold"}}}')
    Progress(file).change("a", lambda record: replace(record, hints=1))
    kept = json.loads(file.read_text())["tasks"]["a"]
    assert (kept["medal"], kept["hints"], kept["state"]) == ("gold", 1, "passed")


BAD_RECORDS = [
    '{"hints": -1}',
    '{"hints": true}',
    '{"hints": 1e400}',
    f'{{"hints": {"9" * 4000}}}',
    '{"answers": [true]}',
    '{"answers": "abc"}',
    '{"answers": {}}',
    '{"start": 3}',
    '{"is_set_up": "yes"}',
    '{"state": ["passed"]}',
    "null",
]


@pytest.mark.parametrize("record", BAD_RECORDS)
def test_a_record_of_wrong_types_begins_again(tmp_path: Path, record: str) -> None:
    file = tmp_path / "progress.json"
    file.write_text(f'{{"format": 1, "tasks": {{"a": {record}}}}}')
    assert Progress(file).get("a") == TaskRecord()
    assert (tmp_path / "progress.json.broken-1").exists()


def test_files_that_are_none(tmp_path: Path) -> None:
    """A link is replaced and not written through; a folder or a pipe is kept aside."""
    file, other = tmp_path / "progress.json", tmp_path / "precious"
    other.write_text("precious")
    for make in (lambda: file.symlink_to(other), lambda: file.symlink_to("/dev/zero"), lambda: file.symlink_to(tmp_path / "none"),
                 file.mkdir, lambda: os.mkfifo(file)):  # fmt: skip
        make()
        assert Progress(file).get("a") == TaskRecord()
        Progress(file).change("a", lambda record: replace(record, hints=1))
        assert Progress(file).get("a").hints == 1
        assert other.read_text() == "precious"
        file.unlink()


def test_what_a_machine_said_does_not_make_the_file_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    start = remembered("\ud800\x1b[2J" + "x" * 50_000_000)
    Progress(file).change("a", lambda record: replace(record, start=start))
    assert Progress(file).get("a").start == start
    assert file.stat().st_size < 10_000


# Played demos

DEMO = DEMOS["everywhere"]


def shown(**changes: Any) -> dict[str, Any]:
    step = DEMO.steps[0]
    return {
        "number": 1,
        "title": step.title,
        "why": "w",
        "command": "c",
        "where": "host",
        "state": "ok",
        "output": "o",
        "found": "f",
        "hint": "",
        "seconds": 1.0,
        **changes,
    }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    (tmp_path / "played").mkdir()
    return tmp_path / "played" / "everywhere.json"


def test_a_played_demo_is_found(place: Path) -> None:
    place.write_text(json.dumps({"pid": os.getpid(), "recorded": False, "steps": [shown()]}))
    assert played_steps.find(DEMO) == PlayedSteps(steps=(StepShown(**shown()),))


BAD_PLAYED: list[Any] = [
    {"pid": 10**30},
    {"pid": -1},
    {"pid": 0},
    {"pid": True},
    {"pid": "1"},
    {"pid": 1.5},
    {"recorded": 1},
    {"steps": 3},
    {"steps": [3]},
    {"steps": [shown(number=2)]},
    {"steps": [shown(number=10**9)]},
    {"steps": [shown(output=3)]},
    {"steps": [shown(seconds="x")]},
    {"steps": [shown(seconds=-1)]},
    {"steps": [shown(seconds=True)]},
    {"steps": [shown(state=["ok"])]},
    {"steps": {"a": 1}},
]


@pytest.mark.parametrize("changes", BAD_PLAYED, ids=range(len(BAD_PLAYED)))
def test_a_played_demo_of_wrong_types_counts_as_none(place: Path, changes: dict[str, Any]) -> None:
    place.write_text(json.dumps({"pid": os.getpid(), "recorded": False, "steps": [shown()], **changes}))
    assert played_steps.find(DEMO) == PlayedSteps()


@FUZZ
@given(
    values=JSON
    | st.fixed_dictionaries(
        {
            "pid": st.integers() | JSON,
            "recorded": st.booleans() | JSON,
            "steps": JSON
            | st.lists(
                st.builds(lambda more: shown(**more), st.dictionaries(st.sampled_from([*shown()]), JSON, max_size=2)),
                max_size=3,
            ),
        }
    )
)
def test_any_played_demo_is_read(place: Path, values: Any) -> None:
    place.write_text(json.dumps(values))
    found = played_steps.find(DEMO)
    PlayProgress(DEMO, threading.Event(), found.steps)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"pid": ' * 50_000, '"\\ud800"'])
def test_a_played_demo_that_is_nested_counts_as_none(place: Path, text: str) -> None:
    place.write_text(text)
    assert played_steps.find(DEMO) == PlayedSteps()


def test_a_replay_can_be_stopped_in_a_long_pause(tmp_path: Path) -> None:
    stop = threading.Event()

    class Stopper(Observer):
        def on_step_started(self, event: StepStarted) -> None:
            threading.Timer(0.05, stop.set).start()

    began = time.monotonic()
    with pytest.raises(Cancelled):
        replay(read_recording(write(tmp_path, header(STARTED, {**SAID, "at": 80_000.0}))), Stopper(), cancel=stop)
    assert time.monotonic() - began < 60


def test_a_learners_file_that_is_a_pipe_or_a_device_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.bu")
    (tmp_path / "zero.bu").symlink_to("/dev/zero")
    for name in ("pipe.bu", "zero.bu"):
        with pytest.raises(InputError, match="not a regular file"):
            FolderBench(tmp_path).read(name)
        with pytest.raises(InputError, match="not a regular file"):
            drafts.read_draft(tmp_path / name)
