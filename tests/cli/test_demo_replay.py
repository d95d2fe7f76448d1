"""`flatkit demo run`: recordings played in the terminal, by wish and where nothing can boot."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flatkit import api, host
from flatkit.cli import main
from flatkit.demos import DEMOS
from flatkit.demos.recording import find_recording, read_recording, replay
from flatkit.events import Observer
from flatkit.steps import Boot, Step


def test_a_recording_plays_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "run", "provision", "--replay", "--speed", "0"]) == 0
    out = capsys.readouterr().out
    assert "recorded on " in out
    assert "nothing runs now" in out
    assert "7/7  And the system itself is read-only" in out
    assert "provision: every check passed (recorded on" in out


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    path = find_recording("provision")
    assert main(["demo", "run", "provision", "--replay", str(path), "--speed", "0", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["ok"] is True
    assert lines[-1]["recorded"]["provision"].startswith("recorded on")
    assert [line["number"] for line in lines if line["event"] == "step_ended"] == [1, 2, 3, 4, 5, 6, 7]


def test_all_of_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    path = find_recording("provision")
    assert path
    assert main(["demo", "run", "all", "--replay", str(path.parent), "--speed", "0"]) == 0
    assert capsys.readouterr().out.count("every check passed") == len(DEMOS)


def test_what_cannot_be_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = find_recording("everywhere")
    assert path
    for words, said, status in (
        (["--replay", str(path)], 'is a recording of "everywhere"', 1),
        (["--replay", str(tmp_path)], 'no recording of "provision"', 1),
        (["--replay", str(path), "--record", str(tmp_path)], "exclude each other", 2),
        (["--replay", "--speed", "-1"], "expected 0 or more", 2),
        (["--replay", "--speed", "nan"], "expected 0 or more", 2),
    ):
        assert main(["demo", "run", "provision", *words]) == status
        assert said in capsys.readouterr().err


def test_where_nothing_can_boot_the_recording_plays_by_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(host, "find_obstacle", lambda: "libvirt cannot be reached")
    assert main(["demo", "run", "provision", "--speed", "0"]) == 0
    out = capsys.readouterr().out
    assert "no machine can boot here (libvirt cannot be reached), so a recorded run is shown" in out
    assert "recorded on" in out


def test_a_real_obstacle_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu+unix:///system?socket=/nowhere/there")
    assert host.find_obstacle()


class Stage:
    """Answers as the recording does, for the commands of the demo."""

    image = "lab test"
    timeline = api.PhaseTimes()
    machines: tuple[Any, ...] = ()

    def __init__(self, outputs: list[str]) -> None:
        self.outputs = outputs

    def boot(self, boot: Boot, observer: Observer) -> str:
        return self.outputs.pop(0)

    def host(self, command: str) -> str:
        return self.outputs.pop(0)

    guest = host

    def line(self, step: Step) -> str:
        return self.fill(step.line)

    def fill(self, command: str) -> str:
        return command


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """`everywhere` played "for real", with outputs taken from its recording."""
    path = find_recording("everywhere")
    assert path
    outputs = [event.text for _, event in read_recording(path).events if event.name == "step_output"]  # type: ignore[attr-defined]

    @contextmanager
    def stage(**_: Any) -> Any:
        yield Stage(outputs)

    monkeypatch.setattr(api, "stage", stage)
    return outputs


def test_a_run_is_recorded(live: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "run", "everywhere", "--record", str(tmp_path)]) == 0
    assert "recorded: " in capsys.readouterr().out
    recording = read_recording(tmp_path / "everywhere.cast.gz")
    assert recording.ok
    assert recording.image == "lab test"
    assert replay(recording, Observer(), speed=0).ok


def test_step_by_step_and_on_with_the_recording(
    live: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\nr\n\n\n\n"))
    assert main(["demo", "run", "everywhere", "--step", "--speed", "1000"]) == 0
    said = capsys.readouterr()
    assert said.out.index("2/6") < said.out.index("recorded on ") < said.out.index("4/6")
    assert said.err.count("r: go on with the recording") == 3
    assert len(live) == 4, "two steps were played for real"


def test_q_stops(live: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\nq\n"))
    assert main(["demo", "run", "everywhere", "--step"]) == 1
    assert "stopped before this step" in capsys.readouterr().err


def test_recordings_of_a_wheel_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = find_recording("everywhere")
    assert path
    shutil.copy(path, tmp_path / "everywhere.cast.gz")
    monkeypatch.setattr("flatkit.paths.recordings_dir", lambda: tmp_path)
    assert find_recording("everywhere") == tmp_path / "everywhere.cast.gz"
    assert find_recording("provision") is None
