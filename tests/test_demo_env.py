"""The stage of demos without a machine: what is booted, rewound, left alone, and what stands for what in a command."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flatkit import api
from flatkit.api import demo_env
from flatkit.api.demo_servers import flatcar_server
from flatkit.demos import get_demo
from flatkit.demos.runner import play
from flatkit.errors import HostError, MachineError
from flatkit.events import Observer, Said, Tape
from flatkit.images import ImageKind
from flatkit.machines import Creator, MachineState
from flatkit.steps import Boot, Demo, Fact, Step, Where, is_equal, says


class Machine:
    """Answers with its name; remembers what was done to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.done: list[str] = []
        self.forwards: tuple[Any, ...] = ()
        self.os_id = "flatcar-lab"
        self.state = MachineState.ABSENT
        self.record = SimpleNamespace(made_by=Creator())

    def run(self, command: str, *, timeout: float = 0, on_output: Any = None) -> Any:
        said = f"{self.os_id}\n" if "os-release" in command else self.name
        return type("Said", (str,), {"stdout": said, "check": lambda self: self})(said)

    def rewind(self, **_: Any) -> str:
        self.done.append("rewind")
        return "back at fresh"

    def down(self) -> list[str]:
        self.done.append("down")
        return []


@pytest.fixture
def booted(monkeypatch: pytest.MonkeyPatch) -> list[api.Wish]:
    """The wishes that were booted; the machines of them are pretended ones."""
    wishes: list[api.Wish] = []

    def boot(config: Path, wish: api.Wish, **_: Any) -> Any:
        wishes.append(wish)
        return SimpleNamespace(machine=Machine(wish.name), timeline=api.PhaseTimes())

    monkeypatch.setattr("flatkit.api.demo_env.boot_machine", boot)
    monkeypatch.setattr(demo_env, "Machine", Machine)
    monkeypatch.setattr(demo_env, "find_image", lambda name, **_: SimpleNamespace(
        kind=ImageKind.LAB if name.startswith("lab") else ImageKind.FLATCAR))  # fmt: skip
    return wishes


BOOT = Boot(config="updates.bu", machine="demo-update")


MINE = [Creator(), Creator(session="terminal"), Creator(session="notebook:/a/04-updates.ipynb")]


@pytest.mark.parametrize("made_by", MINE, ids=str)
@pytest.mark.parametrize("state", [MachineState.RUNNING, MachineState.STOPPED, MachineState.FAILED])
def test_a_users_own_machine_with_a_demos_name_is_never_removed(
    booted: list[api.Wish], monkeypatch: pytest.MonkeyPatch, state: MachineState, made_by: Creator
) -> None:
    mine = Machine("demo-update")
    mine.state, mine.record = state, SimpleNamespace(made_by=made_by)
    monkeypatch.setattr(demo_env, "Machine", lambda _: mine)
    with api.stage(image="lab") as stage, pytest.raises(MachineError, match="which no demo made") as caught:
        stage.boot(BOOT, Observer())
    assert caught.value.hint.startswith("flatkit down demo-update")
    assert (mine.done, booted) == ([], [])


@pytest.mark.parametrize(("state", "task"), [
    (MachineState.RUNNING, "demo update"), (MachineState.FAILED, "exercise 04-hold"), (MachineState.LEFTOVER, ""),
])  # fmt: skip
def test_what_an_earlier_demo_left_is_replaced(
    booted: list[api.Wish], monkeypatch: pytest.MonkeyPatch, state: MachineState, task: str
) -> None:
    left = Machine("demo-update")
    left.state, left.record = state, SimpleNamespace(made_by=Creator(session="terminal", task=task))
    monkeypatch.setattr(demo_env, "Machine", lambda _: left)
    mine = Creator(session="terminal", task="demo update")
    with api.stage(image="lab", made_by=mine) as stage:
        stage.boot(BOOT, Observer())
        assert left.done == ["down"]
    assert [wish.made_by for wish in booted] == [mine]


def test_only_a_demos_own_machine_is_taken_over_after_a_restart_of_the_kernel(
    booted: list[api.Wish], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Machine("demo-update")
    there.state = MachineState.RUNNING
    monkeypatch.setattr(demo_env, "Machine", lambda _: there)
    with api.stage(image="lab") as stage:
        with pytest.raises(MachineError, match="of the earlier run does not run any more"):
            stage.adopt(BOOT)
        assert stage.machines == []
    assert there.done == []
    there.record = SimpleNamespace(made_by=Creator(task="demo update"))
    with api.stage(image="lab") as stage:
        stage.adopt(BOOT)
        assert stage.machines == [there]
    assert there.done == ["down"]  # it is this demo's, and goes with it


def test_an_equal_machine_is_rewound_for_the_next_demo_and_removed_once(booted: list[api.Wish]) -> None:
    with api.stage(image="lab", reuse=True) as stage:
        assert "ready" in stage.boot(BOOT, Observer())
        first = stage.machines[-1]
        stage.begin()
        assert stage.machines == []
        with pytest.raises(MachineError, match="no machine was booted yet"):
            stage.guest("hostname")
        assert stage.boot(BOOT, Observer()) == 'the machine "demo-update" is ready, back at fresh'
        assert stage.machines == [first]
        stage.boot(Boot(config="updates.bu", machine="demo-other"), Observer())
        assert [wish.name for wish in booted] == ["demo-update", "demo-other"]
        assert booted[0].keep_fresh
    assert first.done == ["rewind", "down"]  # type: ignore[attr-defined]


def test_machines_that_no_later_demo_boots_are_let_go(booted: list[api.Wish]) -> None:
    def demo(boot: Boot) -> Demo:
        return Demo(
            name="later", title="t", steps=(Step(title="t", why="w.", boot=boot, check=is_equal("x"), hint="h"),)
        )

    first = demo(next(step.boot for step in get_demo("update").steps if step.boot))
    other = Boot(config="twins.bu", machine="demo-other")
    with api.stage(image="lab", reuse=True) as stage:
        assert first.steps[0].boot
        stage.boot(first.steps[0].boot, Observer())
        stage.boot(other, Observer())
        kept, gone = stage.machines
        # A demo that goes on after `update` wants the machine which that one boots.
        stage.let_go([demo(Boot(config="updates.bu", machine="demo-update", after="update"))])
        assert (kept.done, gone.done) == ([], ["down"])  # type: ignore[attr-defined]
        stage.let_go([])
        assert kept.done == ["down"]  # type: ignore[attr-defined]
    assert (kept.done, gone.done) == (["down"], ["down"])  # type: ignore[attr-defined]


def test_a_demo_that_is_played_alone_saves_no_checkpoint(booted: list[api.Wish]) -> None:
    with api.stage(image="lab") as stage:
        stage.boot(BOOT, Observer())
    assert not booted[0].keep_fresh


def test_a_machine_of_ones_own_is_played_on_and_stays(booted: list[api.Wish]) -> None:
    mine: Any = Machine("mine")
    step = Step(title="boot", why="w.", boot=BOOT, where=Where.HOST, check=says("ready"), hint="h")
    with api.stage(guest=mine) as stage:
        assert stage.line(step) == BOOT.command.replace("demo-update", "mine")
        assert "it is there already" in stage.boot(BOOT, Observer())
        assert stage.guest("hostname") == "mine"
        assert stage.fill("flatkit unplug demo-update") == "flatkit unplug mine"
        assert stage.is_lab
    assert booted == []
    assert mine.done == []


def test_a_name_that_begins_as_the_demos_is_put_in_once(booted: list[api.Wish]) -> None:
    mine: Any = Machine("demo-update-2")
    step = Step(title="boot", why="w.", boot=BOOT, where=Where.HOST, check=says("ready"), hint="h")
    with api.stage(guest=mine) as stage:
        before = stage.line(step)
        stage.boot(BOOT, Observer())
        assert before == stage.line(step) == BOOT.command.replace("demo-update", "demo-update-2")


def test_a_restart_by_itself_counts_from_the_last_one_even_before_the_command(booted: list[api.Wish]) -> None:
    mine: Any = Machine("mine")
    mine.console_size, waited = 100, []

    def wait_for_boot(*, since: int, **_: Any) -> None:
        waited.append(since)
        mine.console_size += 1000

    mine.wait_for_boot = wait_for_boot
    with api.stage(guest=mine) as stage:
        stage.boot(BOOT, Observer())
        stage.reboot("who", Observer(), by_itself=True)  # none was seen yet
        stage.reboot("sudo systemctl reboot", Observer())
        mine.console_size += 50  # it restarts while nobody looks
        stage.reboot("who", Observer(), by_itself=True)
        mine.console_size += 50
        stage.reboot("sudo systemctl reboot", Observer())
    assert waited == [100, 1100, 2100, 3200]


@pytest.mark.parametrize(("image", "command"), [
    ("lab", "flatkit up canary.bu --name demo-canary --image lab-beta"),
    ("stable", "flatkit up canary.bu --name demo-canary --image beta"),
])  # fmt: skip
def test_a_channel_is_the_images_own(image: str, command: str, booted: list[api.Wish]) -> None:
    boot = Boot(config="canary.bu", machine="demo-canary", channel="beta")
    with api.stage(image=image) as stage:
        assert stage.fill(boot.command) == command
        stage.boot(boot, Observer())
    assert booted[0].image == command.rpartition(" ")[2]


def test_a_demo_goes_on_where_another_one_ended(booted: list[api.Wish], monkeypatch: pytest.MonkeyPatch) -> None:
    last = Step(title="end", why="w.", command="hostname", check=is_equal("demo-update"), hint="h",
                fact=Fact(name="name", ask="hostname"))  # fmt: skip
    first = Demo(name="first", title="t", steps=(
        Step(title="boot", why="w.", boot=BOOT, where=Where.HOST, check=says("ready"), hint="h"), last))  # fmt: skip
    monkeypatch.setattr("flatkit.demos.get_demo", lambda _: first)
    after = Boot(config="updates.bu", machine="demo-update", after="first")
    assert after.command == "flatkit demo run first --keep"
    tape = Tape()
    with api.stage(image="lab", reuse=True) as stage:
        assert 'the demo "first" took' in stage.boot(after, tape)
        stage.begin()
        assert stage.boot(after, tape) == 'the machine "demo-update" is ready, as the demo "first" leaves it'
    assert len(booted) == 1
    assert [event.text for event in tape.events if isinstance(event, Said)] == ["first 1/2: boot", "first 2/2: end"]
    assert all(isinstance(event, Said) for event in tape.events)


def test_a_step_of_the_lab_alone_is_left_out_on_flatcar(booted: list[api.Wish]) -> None:
    steps = (
        Step(title="boot", why="w.", boot=BOOT, where=Where.HOST, check=says("ready"), hint="h"),
        Step(title="broken", why="w.", command="false", check=says("never"), hint="h", lab_only="there is none"),
    )
    tape = Tape()
    with api.stage(image="stable") as stage:
        result = play(Demo(name="d", title="t", steps=steps), stage, tape)
    assert result.ok
    assert result.total == 1
    assert '"broken" is left out on a Flatcar image: there is none' in [
        event.text for event in tape.events if isinstance(event, Said)
    ]
    with api.stage(image="lab") as stage:
        assert not play(Demo(name="d", title="t", steps=steps), stage, Tape()).ok


SERVERS = [
    ("http://127.0.0.1:8000", "http://10.0.2.2:8000"),
    ("http://localhost:8000/", "http://10.0.2.2:8000"),
    ("http://192.0.2.7:8000", "http://192.0.2.7:8000"),
    ("https://updates.example.com", "https://updates.example.com"),
]


@pytest.mark.parametrize(("given", "seen"), SERVERS)
def test_flatcars_releases_come_from_the_server_that_was_named(
    given: str, seen: str, booted: list[api.Wish], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_UPDATE_SERVER", given)
    with api.stage(image="stable") as stage:
        stage.offer((("stable", "lab-beta"),), Observer())
        assert stage.fill("SERVER={server}/v1/update/") == f"SERVER={seen}/v1/update/"


def test_without_such_a_server_it_says_what_a_flatcar_image_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLATKIT_UPDATE_SERVER", raising=False)
    with pytest.raises(HostError) as caught:
        flatcar_server()
    assert "flatkit room serve" in caught.value.hint
    assert "--image lab" in caught.value.hint
