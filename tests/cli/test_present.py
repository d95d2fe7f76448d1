"""`flatkit present`: by lines from a pipe, on a real terminal with a pretended machine, and its notes on a second one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_step_keys import Terminal, hangs

from flatkit.board.ledger import Ledger
from flatkit.cli import main
from flatkit.cli.keys import keys_of
from flatkit.cli.stage_view import StageView, clock, notes_lines, stage_lines
from flatkit.waiting import wait_until

# A demo on a machine that counts its commands, with checkpoints; it never boots anything.
PROGRAM = """\
import contextlib, sys
from flatkit import api, demos
from flatkit.errors import MachineError
from flatkit.steps import Boot, Demo, Step, Where, says

class Stage:
    is_lab, machines, count, saved, there = True, (), 0, {}, False
    def boot(self, boot, observer):
        self.there = True
        return "it is ready"
    def host(self, command):
        return command
    def guest(self, command, machine=""):
        self.count += 1
        return f"{command}: count {self.count}" + "\\n" * (command == "long")
    def line(self, step):
        return self.fill(step.line)
    def fill(self, command):
        return command
    def keep(self, name, observer, *, save):
        if name == "before-4":
            raise MachineError('the machine "m" is stopped')
        self.saved[name] = self.count
    def go_back(self, name, observer):
        self.count = self.saved[name]

@contextlib.contextmanager
def stage(**_):
    yield Stage()
    print("cleaned up")

def step(title, command, **more):
    return Step(title=title, why=f"Why {title}.", command=command, check=says("count"), hint="h", **more)

api.stage = stage
demos.DEMOS["small"] = Demo(name="small", title="A small demo", steps=(
    Step(title="Boot", why="w", boot=Boot(config="web.bu", machine="m"), where=Where.HOST, check=says("ready"), hint="h"),
    step("Ask", "ask", notes="Hands up first.", predicts="04-predict"),
    step("Look", "look"), step("Off", "off")))
from flatkit.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    (tmp_path / "program.py").write_text(PROGRAM)
    made = Terminal("present", "small", "--minutes", "20", folder=tmp_path, program=(str(tmp_path / "program.py"),))
    yield made
    made.close()


def test_a_demo_is_presented_by_keys_with_a_rewind(terminal: Terminal, state: Path) -> None:
    at = terminal.wait_for("1  Boot", "n next")
    terminal.press("n")
    at = terminal.wait_for("it is ready", "n next", since=at)
    terminal.press("\x1b[C")  # right: the next step is shown, and not run
    at = terminal.wait_for("2  Ask", "For how long is the machine out of service", "n next", since=at)
    (notes,) = (state / "present").glob("*.json")
    assert notes.stat().st_mode & 0o777 == 0o600
    assert (state / "present").stat().st_mode & 0o777 == 0o700
    terminal.press("3")
    at = terminal.wait_for("1 in all, hands counted", since=at)
    terminal.press("v")
    at = terminal.wait_for("hands for each answer", since=at)
    terminal.press("2 0 7 1\n")
    at = terminal.wait_for("10 in all", "n next", since=at)
    assert "It is away for one restart" not in terminal.text
    terminal.press("\r")
    at = terminal.wait_for("ask: count 1", "It is away for one restart", "n next", since=at)
    for key, words in (("n", "3  Look"), ("n", "look: count 2"), ("b", "looking back"), ("b", "it is ready")):
        terminal.press(key)
        at = terminal.wait_for(words, "n next", since=at)
    terminal.press("j")
    at = terminal.wait_for("jump to step", since=at)
    terminal.press("2\n")
    at = terminal.wait_for("ask: count 1", "looking back; the machine is at step 3", "n next", since=at)
    terminal.press("w")
    at = terminal.wait_for("rewinding to before step 2", "2  Ask", "n next", since=at)
    terminal.press("n")
    at = terminal.wait_for("ask: count 1", "n next", since=at)  # it counts from before again
    terminal.press("g")
    at = terminal.wait_for("ask: count 2", "n next", since=at)
    for key, words in (
        ("n", "3  Look"), ("s", "4  Off"), ("n", "off: count 3"),
        ("w", "step 4 has no checkpoint (the machine \"m\" is stopped); the nearest is before step 2: w again goes there"),
        ("w", "2  Ask"),
    ):  # fmt: skip
        terminal.press(key)
        at = terminal.wait_for(words, "n next", since=at)
    terminal.press("q")
    terminal.wait_for("cleaned up", since=at)
    assert terminal.process.wait(120) == 0
    assert terminal.is_as_before
    assert list((state / "present").iterdir()) == []


def test_the_notes_follow_on_a_second_terminal(terminal: Terminal) -> None:
    at = terminal.wait_for("1  Boot", "n next")
    command = [sys.executable, "-m", "flatkit", "present", "--notes"]
    lines = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True)
    assert lines.stdout is not None
    first = json.loads(lines.stdout.readline())
    assert (first["event"], first["step"], first["minutes"], first["next_step"]) == ("notes", "Boot", 20, "Ask")
    text = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert text.stdout is not None
    assert " left" in text.stdout.readline()
    terminal.press("n")
    at = terminal.wait_for("it is ready", "n next", since=at)
    terminal.press("n")
    at = terminal.wait_for("2  Ask", since=at)
    asked = next(row for row in map(json.loads, lines.stdout) if row["step"] == "Ask")
    assert asked["notes"] == "Hands up first."
    assert any("▸ Hands up first." in line for line in text.stdout)
    terminal.press("q")
    assert terminal.process.wait(120) == 0
    assert json.loads(lines.communicate(timeout=120)[0].splitlines()[-1])["ok"] is True
    assert text.communicate(timeout=120)[0].rstrip().endswith("the presentation is over")
    assert lines.returncode == text.returncode == 0


def present(monkeypatch: pytest.MonkeyPatch, lines: str, *arguments: str) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    return main(["present", *arguments])


def test_lines_from_a_pipe_present_a_recording(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert present(monkeypatch, "n\nn\nb\nwhat\nj 6\nn\nw\nr\n", "provision", "--recorded", "--speed", "0") == 0
    said = capsys.readouterr().out
    for words in (
        "● recorded on", "found an Ignition config", "that key means nothing here", "6  The page is served",
        "Hello from a machine that nobody installed", "rewinding to before step 6", "this is the recording already",
        "provision: 1 ok, 4 skipped, 2 waiting",
    ):  # fmt: skip
        assert words in said, words
    assert said.count("n next · b back") == 1, "the keys are said once"
    assert "--notes" not in said
    assert "People write Butane" not in said, "the explanation is the presenter's"


def test_json_says_what_happens_line_by_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("immutable", "--recorded", "--speed", "0", "--json")
    assert present(monkeypatch, "n\nn\nv 1 2 3 4\nn\nn\nn\nn\nn\nb\nb\nw\nb\nn\nn\nn\nq\n", *arguments) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(isinstance(row.pop("at"), float) for row in rows)
    told = [row for row in rows if row["event"] in {"shown", "votes", "rewound", "refused", "result"}]
    votes = {"event": "votes", "prediction": "03-predict-attack", "votes": [1, 2, 3, 4]}
    assert told[1] == {**votes, "source": "hands"}
    assert {**votes, "source": told[4]["source"]} in told[2:], "counted once more before the answer"
    assert {"event": "rewound", "step": 2} in told
    assert told[-1]["ok"] is True
    assert told[-1]["marks"][:4] == ["ok", "ok", "waiting", "waiting"]
    assert told[-1]["recorded"] is True
    assert sum(row["event"] == "step_ended" for row in rows) == 5


# A demo of the shipped one's name, so that it has a recording; its second step never ends by itself.
LESSON = """\
from flatkit.steps import Demo, Step, Where, says

STEPS = [("Quick", "echo quick"), ("Hangs", "echo began >&2; sleep 600")]
DEMO = Demo(name="provision", title="A demo that hangs", steps=tuple(
    Step(title=title, why="w", command=command, where=Where.HOST, check=says("quick"), hint="h") for title, command in STEPS))
"""


def play_until_it_hangs(terminal: Terminal) -> int:
    """Play LESSON until its second step hangs; return where the terminal's text ends."""
    at = terminal.wait_for("1  Quick", "n next")
    for key, words in (("n", "✓"), ("n", "2  Hangs")):
        terminal.press(key)
        at = terminal.wait_for(words, "n next", since=at)
    terminal.press("n")
    at = terminal.wait_for("… runs", since=at)
    assert wait_until(lambda: hangs(terminal.process.pid), seconds=120)
    return at


def test_a_step_that_hangs_is_left_for_its_recording(tmp_path: Path) -> None:
    (tmp_path / "lesson.py").write_text(LESSON)
    terminal = Terminal("present", str(tmp_path), folder=tmp_path)
    try:
        at = play_until_it_hangs(terminal)
        terminal.press("r")
        at = terminal.wait_for("recorded on", "n next", since=at)
        terminal.press("b")
        at = terminal.wait_for("quick", "n next", since=at)  # done for real, it stays
        terminal.press("q")
        assert terminal.process.wait(120) == 0
    finally:
        terminal.close()


def test_a_step_that_hangs_without_a_recording_is_left_and_can_run_again(tmp_path: Path) -> None:
    (tmp_path / "lesson.py").write_text(LESSON.replace('name="provision"', 'name="unrecorded"'))
    terminal = Terminal("present", str(tmp_path), folder=tmp_path)
    try:
        at = play_until_it_hangs(terminal)
        terminal.press("r")
        at = terminal.wait_for("2  Hangs", '! there is no recording of "unrecorded"', "n next", since=at)
        terminal.press("q")
        assert terminal.process.wait(120) == 0
    finally:
        terminal.close()


def test_the_rooms_answers_are_shown_before_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: Path
) -> None:
    ledger = Ledger(state / "room" / "board.sqlite")
    for seat, choice in (("ada", 3), ("bob", 0)):
        ledger.add_seat(seat)
        event = {"n": 1, "at": 1.0, "kind": "prediction", "task": "03-predict-attack", "question": 1, "choice": choice}
        ledger.add(seat, "j", [event])
    assert present(monkeypatch, "n\nn\nj 4\nn\n", "immutable", "--recorded", "--speed", "0") == 0
    said = capsys.readouterr().out
    before, _, after = said.partition("4  Mount it writable")
    assert "2 in all, from the board" in before
    assert "All three fail." not in before
    assert "✓ 4  None of them" in after
    assert "All three fail." in after
    ledger.close()


def test_hands_that_cannot_be_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = "2\nn\nn\n7\nv 1 2\n3\nj 4\nn\n3\nq\n"
    assert present(monkeypatch, lines, "immutable", "--recorded", "--speed", "0", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["said"] for row in rows if row["event"] == "refused"] == [
        "no prediction is open at this step", "there is no answer 7; expected 1 to 4",
        "4 numbers are needed, one for each answer: v 12 3 5", "no prediction is open at this step",
    ]  # fmt: skip
    assert [row["votes"] for row in rows if row["event"] == "votes"] == [[0, 0, 1, 0]] * 2, "counted, and once more"


@pytest.mark.parametrize(("arguments", "why"), [
    ([], "which demo?"), (["nothing"], 'there is no demo "nothing"'), (["--notes"], "no presentation runs here"),
    (["provision", "--recorded", "--image", "lab"], "exclude each other"), (["provision", "--minutes", "-1"], "expected 0 to"),
    (["provision", "--speed", "-1"], "expected 0 or more"),
    (["./$(id)", "--recorded", "--image", "lab"], "flatkit present './$(id)' --recorded"),
])  # fmt: skip
def test_wrong_calls_are_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], why: str) -> None:
    assert main(["present", *arguments]) == 2
    assert why in capsys.readouterr().err


def test_the_notes_of_a_dead_presentation_are_removed(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    (state / "present").mkdir(parents=True)
    (state / "present" / f"{gone.pid}.json").write_text("{}")
    (state / "present" / "x.json").write_text("{}")
    assert main(["present", "--notes"]) == 2
    (state / "present" / f"{os.getpid()}.json").write_text('{"demo": 1}')
    assert main(["present", "--notes"]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(("data", "keys"), [
    (b"n", ["n"]), (b"\x1b[C", ["right"]), (b"\x1bOD", ["left"]), (b"\x1b[6~n", ["pagedown", "n"]), (b"\x1b[1;5C", ["escape"]),
    (b"\x1b", ["escape"]), (b"nn", ["n", "n"]), ("ä".encode(), ["Ã", "¤"]), (b"", []),
])  # fmt: skip
def test_keys_of_a_terminal(data: bytes, keys: list[str]) -> None:
    assert keys_of(data) == keys


def view(**more: Any) -> StageView:
    values: dict[str, Any] = {
        "demo": "d", "title": "A demo", "shown": 2, "machine_at": 2, "total": 3,
        "step": "A step", "why": "Because.", "notes": "Say it.",
        "prompt": "host$", "command": "do it", "state": "ok", "output": "", "found": "found it", "hint": "", "seconds": 1.0,
        "typical": 12.0, "next_step": "The next", "banner": "", "said": "", "keys": "keys", "explains": False, "began": 100.0,
        "minutes": 10.0, "poll": None, **more,
    }  # fmt: skip
    return StageView.parse(json.loads(json.dumps(values)))


def test_long_output_fits_the_screen_and_what_is_hidden_is_escaped() -> None:
    output = "\n".join(["x" * 500, "\x1b[2Jevil", *map(str, range(100))])
    lines = [text for text, _ in stage_lines(view(output=output), width=60, height=24)]
    assert len(lines) <= 23
    assert all(len(line) <= 60 for line in lines)
    assert any("\\x1b[2Jevil" in line for line in lines)
    assert any("more lines" in line for line in lines)
    assert "Because." not in " ".join(lines)
    assert "   Because." in [text for text, _ in stage_lines(view(explains=True), width=60, height=24)]


@pytest.mark.parametrize(("minutes", "now", "said"), [
    (10.0, 160.0, "1:00 spent   9:00 left"), (10.0, 760.0, "11:00 spent   1:00 OVER"), (0.0, 190.5, "1:30 spent"),
    (10.0, 50.0, "0:00 spent   10:00 left"),
])  # fmt: skip
def test_the_clock(minutes: float, now: float, said: str) -> None:
    assert clock(view(minutes=minutes), now) == said
    text = "\n".join(line for line, _ in notes_lines(view(minutes=minutes), now=now, width=80))
    for words in (said, "▸ Say it.", "Because.", "took 12 s when it was recorded", "then: The next", "found it"):
        assert words in text


@pytest.mark.parametrize("poll", [
    {"ask": "?", "choices": [], "votes": [], "source": "", "right": 0, "happened": ""},
    {"ask": "?", "choices": ["a"], "votes": [1, 2], "source": "", "right": 0, "happened": ""},
    {"ask": "?", "choices": [1], "votes": [1], "source": "", "right": 0, "happened": ""}, {"ask": "?"}, 5,
])  # fmt: skip
def test_a_view_that_is_none_is_refused(poll: Any) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        view(poll=poll)


ODD_VALUES = (
    float("nan"), float("inf"), -float("inf"), 1e308, 10**400, -1, 0, "", "\x1b[31m", "\n" * 1000, "a" * 10_000, " ", "\t",
    "\u202e", True, [], {}, [1, 10**400], [-5, -7], ["\x1b", "b"],
)  # fmt: skip


def names_of_a_view() -> list[str]:
    return [name for name in view().as_dict() if name != "poll"]


@pytest.mark.parametrize("name", [*names_of_a_view(), "ask", "choices", "votes", "source", "right", "happened"])
def test_an_odd_view_is_refused_or_drawn_on_any_terminal(name: str) -> None:
    poll = {"ask": "?", "choices": ["a", "b"], "votes": [1, 2], "source": "s", "right": 0, "happened": "h"}
    for odd in ODD_VALUES:
        more = {name: odd} if name in names_of_a_view() else {"poll": {**poll, name: odd}}
        try:
            found = view(**{"explains": True, "output": "o", **more})
        except (ValueError, TypeError, KeyError):
            continue
        for width, height in ((80, 24), (20, 3), (5, 2), (1, 1), (0, 0)):
            assert stage_lines(found, width=width, height=height)
            assert notes_lines(found, now=2.0, width=width)
