"""The player's other moves, on a pretended stage with checkpoints: again, skip, rewind to before a step, jump."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from test_player import DEMO, Stage, until

from flatkit.demos import DEMOS
from flatkit.errors import MachineError, UsageError
from flatkit.events import Observer
from flatkit.steps import Boot
from flatkit.testing.front import FakeFront
from flatkit.widgets.player import Player


class PointedStage(Stage):
    """Its machine counts the commands; a checkpoint keeps the count."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: dict[str, int] = {}
        self.is_off = False

    def open(self, *, reuse: bool = False, **more: Any) -> Any:
        assert reuse
        return super().open(**more)

    def boot(self, boot: Boot, observer: Observer) -> str:
        self.typed.clear()
        return super().boot(boot, observer)

    def keep(self, name: str, observer: Observer, *, save: bool) -> None:
        assert save
        if self.is_off:
            raise MachineError('the machine "small" is stopped')
        self.saved[name] = len(self.typed)

    def go_back(self, name: str, observer: Observer) -> None:
        if self.is_off:
            raise MachineError("the checkpoint is gone")
        del self.typed[self.saved[name] :]


@pytest.fixture
def stage() -> PointedStage:
    return PointedStage()


@pytest.fixture
def player(stage: PointedStage, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Player:
    monkeypatch.setitem(DEMOS, "small", DEMO)
    return Player("small", stages=stage.open, checkpoints=True)


def states(player: Player) -> list[str]:
    return [step.state for step in player.steps]


def settles(player: Player, *expected: str) -> None:
    """Wait until the steps have these states, and the player waits for its user."""
    until(lambda: states(player) == list(expected) and player._progress.is_free)


def moves(player: Player) -> list[str]:
    return [step["move"] for step in player.state()["steps"]]


def test_again_runs_the_last_step_once_more(player: Player, stage: PointedStage) -> None:
    front = FakeFront(player.page)
    assert not player.state()["again"]
    player.next().next()
    settles(player, "ok", "ok", "next")
    assert player.state()["again"]
    assert player.state()["skip"]
    assert moves(player) == ["rewind", "rewind", ""]
    front.send({"verb": "again"})
    until(lambda: len(stage.typed) == 2)
    settles(player, "ok", "ok", "next")
    assert stage.typed == ["echo 8080", "echo 8080"]
    player.all().wait(60)
    assert player.ok


def test_a_step_that_failed_waits_for_what_the_user_decides(player: Player, stage: PointedStage) -> None:
    stage.broken = "echo 8080"
    player.next().next()
    settles(player, "ok", "failed", "waiting")
    assert player.is_running
    assert "step 2 failed: g runs it again, s skips it" in player.verdict
    assert player.state()["kind"] == "bad"
    with pytest.raises(UsageError, match="step 2 failed"):
        player.next()
    stage.broken = ""
    player.again()
    settles(player, "ok", "ok", "next")
    player.skip().wait(60)
    assert states(player) == ["ok", "ok", "skipped"]
    assert player.ok, "what was left out is not counted"


def test_a_rewind_undoes_the_steps_on_the_machine_too(player: Player, stage: PointedStage) -> None:
    player.next().next()
    settles(player, "ok", "ok", "next")
    FakeFront(player.page).send({"verb": "rewind", "step": 2})
    settles(player, "ok", "next", "waiting")
    assert stage.typed == []
    assert player.steps[1].output == ""
    assert player.steps[1].command == "echo 8080"
    player.all().wait(60)
    assert player.ok
    assert stage.typed == ["echo 8080", "ls"]


def test_without_a_checkpoint_the_nearest_is_offered(player: Player, stage: PointedStage) -> None:
    front = FakeFront(player.page)
    player.next()
    settles(player, "ok", "next", "waiting")
    stage.is_off = True
    player.next()
    settles(player, "ok", "ok", "next")
    stage.is_off = False
    front.send({"verb": "rewind", "step": 2})
    assert "the nearest is before step 1: w again goes there" in player.page.state["verdict"]
    assert player.state()["again"], "looking at it changes nothing"
    front.send({"verb": "rewind", "step": 2})
    settles(player, "next", "waiting", "waiting")
    player.stop()


def test_a_rewind_that_goes_wrong_leaves_the_steps_as_they_are(player: Player, stage: PointedStage) -> None:
    player.next().next()
    settles(player, "ok", "ok", "next")
    stage.is_off = True
    player.rewind()
    until(lambda: "the checkpoint is gone" in player.state()["verdict"])
    settles(player, "ok", "ok", "next")
    player.skip().wait(60)
    assert states(player) == ["ok", "ok", "skipped"]


def test_steps_are_left_out_by_a_jump_but_not_a_boot(player: Player, stage: PointedStage) -> None:
    with pytest.raises(UsageError, match="step 1 boots a machine that later steps need"):
        player.jump(3)
    with pytest.raises(UsageError, match="no step has run yet"):
        player.again()
    assert not player.is_running
    player.next()
    settles(player, "ok", "next", "waiting")
    assert moves(player) == ["rewind", "", "jump"]
    player.jump(3)
    settles(player, "ok", "skipped", "next")
    player.next().wait(60)
    assert stage.typed == ["ls"]
    assert player.ok
    with pytest.raises(UsageError, match="the demo is over"):
        player.rewind()


@pytest.mark.parametrize("step", [0, 4, "2", True, None, 1.0])
def test_a_message_with_another_step_is_refused(player: Player, step: object) -> None:
    with pytest.raises(UsageError, match="no such step; expected 1 to 3"):
        player.jump(step)
    FakeFront(player.page).send({"verb": "jump", "step": step})
    assert "no such step" in player.page.state["verdict"]


def test_a_move_waits_until_the_step_has_ended(player: Player, stage: PointedStage) -> None:
    stage.hold = threading.Event()
    player.next()
    until(lambda: player.is_working)
    with pytest.raises(UsageError, match="a step is being played"):
        player.skip()
    assert moves(player) == ["", "", ""]
    stage.hold.set()
    settles(player, "ok", "next", "waiting")
    player.stop()


def test_a_recording_can_be_rewound_anywhere(folder: Path) -> None:
    player = Player("provision", recorded=True, speed=0)
    player.jump(3)
    until(lambda: player.steps[2].state == "next" and player._progress.is_free)
    player.next()
    until(lambda: player.steps[2].state == "ok" and player._progress.is_free)
    player.rewind(1)
    until(lambda: player.steps[0].state == "next" and player._progress.is_free)
    player.all().wait(60)
    assert player.ok
