"""The player: a demo step by step or all at once, on a pretended stage."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import flatkit as fk
from flatkit import paths
from flatkit.demos import DEMOS
from flatkit.errors import InputError, MachineError, UsageError
from flatkit.events import Observer, StepOutput, phase
from flatkit.machines import Creator, notebook_session
from flatkit.steps import Boot, Demo, Step, Where, says
from flatkit.testing.front import FakeFront
from flatkit.waiting import wait_until
from flatkit.widgets import usual_times
from flatkit.widgets.player import Player
from flatkit.widgets.player_state import PlayProgress

DEMO = Demo(
    name="small",
    title="A small demo",
    steps=(
        Step(title="Boot", why="It has to run.", boot=Boot(config="web.bu", machine="small"), where=Where.HOST,
             check=says("ready"), hint="look"),
        Step(title="Ask", why="It answers.", command="echo {port80}", check=says("8080"), hint="ask {port80}"),
        Step(title="Look", why="It stays.", command="ls", check=says("ls"), hint="none"),
    ),
)  # fmt: skip


class Stage:
    """Answers with the command; `broken` names a command that says nothing."""

    def __init__(self) -> None:
        self.typed: list[str] = []
        self.broken = ""
        self.is_open = False
        self.hold: threading.Event | None = None
        self.answers: dict[str, str] = {}
        self.there = {"small"}
        self.made_by: Creator | None = None

    @contextmanager
    def open(self, *, image: str, keep: bool, cancel: threading.Event, made_by: Creator) -> Iterator[Stage]:
        self.made_by = made_by
        self.is_open = True
        try:
            yield self
        finally:
            self.is_open = False

    def boot(self, boot: Boot, observer: Observer) -> str:
        with phase(observer, "kernel", "Kernel"):
            if self.hold:
                self.hold.wait(60)
        return "it is ready"

    def adopt(self, boot: Boot) -> None:
        if boot.machine not in self.there:
            raise MachineError(f'the machine "{boot.machine}" does not run any more')

    def host(self, command: str) -> str:
        return self.guest(command)

    def guest(self, command: str, machine: str = "") -> str:
        self.typed.append(command)
        return "" if command == self.broken else self.answers.get(command, command)

    def line(self, step: Step) -> str:
        return self.fill(step.line)

    def fill(self, command: str) -> str:
        return command.replace("{port80}", "8080")


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def player(stage: Stage, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Player:
    monkeypatch.setitem(DEMOS, "small", DEMO)
    return Player("small", stages=stage.open)


def until(condition: Any) -> None:
    assert wait_until(condition, seconds=60, pause=0.01), "in vain"


async def awaited(thing: Any) -> Any:
    return await thing


def test_awaiting_plays_all(player: Player, stage: Stage) -> None:
    assert "3 steps" in repr(player)
    assert asyncio.run(awaited(player)) is player
    assert player.ok
    assert stage.typed == ["echo 8080", "ls"]
    assert not stage.is_open
    assert stage.made_by == Creator(session=notebook_session(), task="demo small")
    text = repr(player)
    assert "every check passed" in text
    assert "✓ 2/3  Ask" in text
    assert "core@machine$ echo 8080" in text
    assert asyncio.run(awaited(player)).ok, "awaiting again gives the same run"


def left_by_a_dead_kernel(player: Player, stage: Stage, steps: int) -> None:
    """So many steps are played, and then the kernel dies: what stays is the file, written by a process that is gone."""
    for _ in range(steps):
        player.next()
    file = paths.state_dir() / "played" / "small.json"
    until(lambda: file.exists() and len(json.loads(file.read_text())["steps"]) == steps)
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = json.loads(file.read_text())
    player.stop()
    player.wait(60)
    assert not file.exists(), "a demo that was stopped begins again"
    file.write_text(json.dumps({**left, "pid": gone.pid}))
    stage.typed.clear()


def test_its_place_is_kept_over_a_restart_of_the_kernel(player: Player, stage: Stage) -> None:
    left_by_a_dead_kernel(player, stage, 2)
    again = Player("small", stages=stage.open)
    assert "2 of 3 steps were played before the kernel restarted" in repr(again)
    assert '✓ found "8080"' in repr(again), "with what they said"
    assert [step.state for step in again.steps] == ["ok", "ok", "next"]
    again.next().wait(60)
    assert again.ok
    assert stage.typed == ["ls"], "only what was left is played"
    assert "2 of 3" not in repr(Player("small", stages=stage.open)), "over is over"


def test_where_its_machine_is_gone_it_begins_again(player: Player, stage: Stage) -> None:
    left_by_a_dead_kernel(player, stage, 2)
    stage.there.clear()
    again = Player("small", stages=stage.open)
    asyncio.run(awaited(again))
    assert again.ok
    assert stage.typed == ["echo 8080", "ls"]
    assert any("begun again from the first step" in line for line in again.progress.said)


def test_a_move_where_its_machine_is_gone_is_not_made(player: Player, stage: Stage) -> None:
    """The steps before it are played again, and the user decides then."""
    left_by_a_dead_kernel(player, stage, 2)
    stage.there.clear()
    again = Player("small", stages=stage.open).skip()
    until(lambda: any("begun again from the first step" in line for line in again.progress.said))
    until(lambda: again.is_over or [step.state for step in again.steps] == ["ok", "ok", "next"])
    assert again.is_running
    again.all().wait(60)
    assert again.ok
    assert stage.typed == ["echo 8080", "ls"]


@pytest.mark.parametrize(
    "change",
    [{"pid": os.getppid()}, {"steps": [{}]}, {"steps": 5}, None],
    ids=["alive", "torn", "odd", "no"],
)
def test_a_place_that_is_not_ours_is_none(player: Player, stage: Stage, change: dict[str, Any] | None) -> None:
    left_by_a_dead_kernel(player, stage, 1)
    file = paths.state_dir() / "played" / "small.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}) if change else "{")
    assert [step.state for step in Player("small", stages=stage.open).steps] == ["next", "waiting", "waiting"]


def test_one_step_at_a_time(player: Player, stage: Stage) -> None:
    front = FakeFront(player.page)
    front.send({"verb": "next"})
    until(lambda: player.steps[1].state == "next" and player.steps[1].command == "echo 8080")
    assert stage.typed == []
    assert player.steps[2].state == "waiting"
    front.send({"verb": "next"})
    until(lambda: player.steps[2].state == "next")
    assert stage.typed == ["echo 8080"]
    front.send({"verb": "all"})
    player.wait(60)
    assert player.ok
    player.draw()
    assert player.page.state["verdict"] == "every check passed"
    assert player.page.state["over"]


def test_a_failed_check_ends_the_demo_with_its_hint(player: Player, stage: Stage) -> None:
    stage.broken = "echo 8080"
    asyncio.run(awaited(player))
    assert not player.ok
    text = repr(player)
    assert "a step failed" in text
    assert "✗ 2/3  Ask" in text
    assert "Next: ask 8080" in text
    assert player.steps[2].state == "waiting"


def test_stopping_closes_the_stage(player: Player, stage: Stage) -> None:
    player.next()
    until(lambda: player.steps[1].state == "next" and player.steps[0].state == "ok")
    player.stop()
    player.wait(60)
    assert not stage.is_open
    assert not player.ok
    assert player.verdict == "cancelled"
    player.all().wait(60)
    assert player.ok, "after a stop it can be played again"


def test_a_running_step_streams_and_knows_its_usual_time(player: Player, stage: Stage) -> None:
    player.all().wait(60)
    assert usual_times.recall("step small 2") >= 0
    usual_times.remember("step small 1", 80)
    usual_times.remember("step small 1", 60)
    stage.hold = threading.Event()
    player.next()
    until(lambda: player.is_working)
    progress = player.progress
    assert isinstance(progress, PlayProgress)
    progress.hear("CURRENT_OP=")
    progress.hear("DOWNLOADING\n")
    player.draw()
    first = player.page.state["steps"][0]
    assert first["output"] == "CURRENT_OP=DOWNLOADING"
    assert ", usually " in first["doing"]
    assert 0 <= first["share"] < 1
    progress.notify(StepOutput(demo="small", number=1, text="the answer"))
    progress.hear("a check's question")
    assert player.steps[0].output == "the answer"
    stage.hold.set()
    player.all().wait(60)
    assert player.ok
    assert all(step["share"] is None and step["doing"] == "" for step in player.state()["steps"])


def test_what_is_made_before_the_first_step_is_shown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    made = threading.Event()

    def offer(_: dict[str, str], observer: Observer) -> None:
        with phase(observer, "payload", "An update to 131.0.0: found or made"):
            made.wait(60)

    monkeypatch.setattr(stage, "offer", offer, raising=False)
    monkeypatch.setitem(DEMOS, "small", replace(DEMO, offers={"alpha": "lab-broken"}))
    player = Player("small", stages=stage.open)
    player.next()
    until(lambda: re.fullmatch(r"An update to 131\.0\.0: found or made, \d+ s …", player.verdict))
    assert player.state()["working"], "no button may be pressed meanwhile"
    made.set()
    until(lambda: player.verdict == "1 of 3 steps played")
    player.stop()
    player.wait(60)


def test_a_step_at_work_locks_the_buttons(player: Player, stage: Stage) -> None:
    stage.hold = threading.Event()
    player.next()
    until(lambda: player.is_working and bool(player.progress.phases))
    player.draw()
    told = player.page.state
    assert told["working"]
    assert told["running"]
    assert any(re.match(r"… \d+ s  .*Kernel", step["doing"]) for step in told["steps"])
    assert "Kernel" in repr(player)
    stage.hold.set()
    player.all().wait(60)
    assert player.ok


def test_play_shows_the_first_step_and_does_nothing_yet(shell: Any) -> None:
    shell.run_cell('p = fk.play("provision")\np').raise_error()
    (bundle,) = shell.shown.bundles
    assert "▶ 1/7  From Butane to Ignition" in bundle["text/plain"]
    assert "host$ flatkit butane web.bu" in bundle["text/plain"]
    assert not shell.user_ns["p"].is_running


def test_an_unknown_demo_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="provision"):
        fk.play("nothing")


@pytest.fixture
def no_libvirt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatkit.host.find_obstacle", lambda: "libvirt cannot be reached")


def test_where_nothing_can_boot_the_recorded_run_plays_and_says_so(folder: Path, no_libvirt: None) -> None:
    player = Player("provision", speed=0, stages=None)  # type: ignore[arg-type]
    assert asyncio.run(awaited(player)).ok
    player.draw()
    assert "no machine can boot here (libvirt cannot be reached), so you see a recorded run: recorded on" in repr(
        player
    )
    assert "recorded on" in player.page.state["banner"]
    assert "✓ 7/7" in repr(player)
    assert player.progress.phases, "the boot is shown as well"
    player.all().wait(60)
    assert player.ok, "and again"


def test_an_image_that_is_named_is_not_replaced_by_a_recording(player: Player, stage: Stage, no_libvirt: None) -> None:
    named = Player("provision", image="lab", stages=stage.open)
    named.all().wait(60)
    assert named.recording is None
    asyncio.run(awaited(player))
    assert player.recording is None, "a demo without a recording is tried all the same"


def test_a_recording_goes_step_by_step(folder: Path) -> None:
    player = Player("provision", recorded=True, speed=0)
    player.next()
    until(lambda: player.steps[1].state == "next" and player.steps[0].state == "ok")
    assert player.steps[2].state == "waiting"
    assert "recorded on" in repr(player)
    player.all().wait(60)
    assert player.ok


def test_one_click_goes_from_live_to_recorded_at_the_same_step(folder: Path, stage: Stage) -> None:
    player = Player("everywhere", image="lab", speed=0, stages=stage.open)
    front = FakeFront(player.page)
    stage.answers = {"flatkit everywhere web.bu": "✓ \n" * 20}
    player.next()
    until(lambda: player.steps[1].state == "next" and player.steps[0].state == "ok")
    front.send({"verb": "recorded"})
    assert not stage.is_open, "what ran is stopped"
    assert [step.state for step in player.steps[:3]] == ["ok", "next", "waiting"]
    assert player.steps[0].output == "✓ \n" * 20, "what was done for real stays"
    assert not player.page.state["recordable"]
    player.all().wait(60)
    assert [step.state for step in player.steps] == ["ok"] * 6
    assert player.ok


def test_a_live_step_that_hangs_is_left_for_the_recorded_one(
    folder: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flatkit.widgets.player._STOP_PATIENCE", 0.1)
    stage.hold = threading.Event()
    player = Player("provision", stages=stage.open)
    stage.answers["flatkit butane web.bu"] = '{"ignition":{"version":"3.3.0"}}'
    player.next()
    until(lambda: player.steps[0].state == "ok")
    player.next()
    until(lambda: player.steps[1].state == "running")
    player.recorded()
    assert stage.is_open, "it hangs still, and nobody waits for it"
    assert [step.state for step in player.steps[:3]] == ["ok", "next", "waiting"]
    player._speed = 0
    player.all().wait(60)
    assert player.ok
    stage.hold.set()
    until(lambda: not stage.is_open)
    assert player.ok
    assert [step.state for step in player.steps] == ["ok"] * 7


def test_a_live_run_that_ends_late_leaves_the_place_in_the_recorded_one(
    folder: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flatkit.widgets.player._STOP_PATIENCE", 0.1)
    stage.hold = threading.Event()
    player = Player("provision", stages=stage.open, speed=0)
    stage.answers["flatkit butane web.bu"] = '{"ignition":{"version":"3.3.0"}}'
    player.next()
    until(lambda: player.steps[0].state == "ok")
    player.next()
    until(lambda: player.steps[1].state == "running")
    live = player._job
    assert live
    player.recorded()
    player.next()
    file = paths.state_dir() / "played" / "provision.json"
    until(lambda: file.exists() and len(json.loads(file.read_text())["steps"]) == 2)
    stage.hold.set()
    assert live.wait(120)
    assert json.loads(file.read_text())["recorded"]
    player.stop()
    player.wait(120)
    assert not file.exists()


def test_its_place_is_forgotten_before_it_is_over(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    """A player that is made at that moment begins again, and takes nothing over."""
    was_running: list[bool] = []
    monkeypatch.setattr("flatkit.widgets.played_steps.forget", lambda _: was_running.append(player.is_running))
    player.all().wait(120)
    assert was_running == [True]


def test_a_demo_without_a_recording_says_so(player: Player) -> None:
    assert not player.can_be_recorded
    with pytest.raises(InputError, match="no recording"):
        player.recorded()


def test_a_demo_of_several_machines_or_none_is_not_played_on_ones_own() -> None:
    mine: Any = object()
    with pytest.raises(UsageError, match='the demo "channels" needs several machines'):
        Player("channels", guest=mine)
    with pytest.raises(UsageError, match='the demo "everywhere" needs no machine'):
        Player("everywhere", guest=mine)
