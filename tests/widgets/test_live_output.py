"""A long command shows what comes meanwhile, the seconds and the usual time; a short one shows its result alone."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from notebook_parts import CONFIG

import flatkit as fk
from flatkit import paths
from flatkit.testing.hypervisor import FakeHypervisor
from flatkit.widgets import usual_times
from flatkit.widgets.live_machine import LiveMachine
from flatkit.widgets.live_output import LiveOutput
from flatkit.widgets.machine_commands import MachineDependencies


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def kernel(shell: Any, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a notebook's page shows: an update replaces the display of its name."""
    shown: dict[str, dict[str, Any]] = {}
    order: list[dict[str, Any]] = []

    def publish(data: dict[str, Any], *, transient: dict[str, str], update: bool) -> None:
        assert update == (transient["display_id"] in shown)
        shown[transient["display_id"]] = data
        order.append(data)

    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    monkeypatch.setattr(shell.display_pub, "publish", publish)
    return order


@pytest.fixture
def machine(folder: Path, backend: MachineDependencies) -> LiveMachine:
    (folder / "web.bu").write_text(CONFIG)
    return fk.up("web.bu").wait(120)


def test_a_short_command_shows_nothing_of_its_own(kernel: list[dict[str, Any]]) -> None:
    clock = Clock()
    live = LiveOutput("k", clock=clock)
    for _ in range(3):
        clock.now += 0.6
        live.hear("word\n")
    live.end(ok=True)
    assert kernel == []
    assert usual_times.recall("k") == 0


def test_a_long_one_streams_and_is_remembered(kernel: list[dict[str, Any]]) -> None:
    clock = Clock()
    live = LiveOutput("k", str.upper, clock=clock)
    live.hear("first <b>\n")
    clock.now += 2
    live.hear("")
    assert kernel[-1]["text/plain"] == "FIRST <B>\n… 2 s"
    assert "FIRST &lt;B&gt;" in kernel[-1]["text/html"]
    live.hear("second\n")
    assert len(kernel) == 1, "at most twice a second"
    clock.now += 38
    live.hear("")
    assert kernel[-1]["text/plain"] == "FIRST <B>\nSECOND\n… 40 s"
    live.end(ok=True)
    assert kernel[-1]["text/plain"] == "it took 40 s"

    again = LiveOutput("k", clock=clock)
    clock.now += 10
    again.hear("")
    assert kernel[-1]["text/plain"] == "… 10 s, usually 40 s"
    assert 'style="width:60px"' in kernel[-1]["text/html"]
    clock.now += 70
    again.hear("")
    assert "fk-bar" not in kernel[-1]["text/html"].partition("</style>")[2], "no bar for what takes longer than usual"
    again.end(ok=False)
    assert kernel[-1]["text/plain"] == "it ended after 80 s"
    assert usual_times.recall("k") == 40


def test_a_cell_on_a_machine_streams(
    machine: LiveMachine, kernel: list[dict[str, Any]], hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flatkit.widgets.live_output._PATIENCE", 0.0)
    monkeypatch.setattr("flatkit.widgets.live_output._GAP", 0.0)
    monkeypatch.setattr("flatkit.widgets.cell_shell.new_mark", lambda: "mark")
    (guest,) = hypervisor.guests.values()
    guest.answer = lambda _: ("mark begin bHM=\nhello\n\nmark end 0\n", "", 0)
    assert machine.type("ls").commands[0].output == "hello\n"
    assert any(data["text/plain"].startswith("core@web$ ls\nhello\n… ") for data in kernel)
    assert kernel[-1]["text/plain"].startswith("it took ")


STATUS = "LAST_CHECKED_TIME=1\nPROGRESS=0.25\nCURRENT_OP=UPDATE_STATUS_DOWNLOADING\nNEW_VERSION=2\nNEW_SIZE=9\n"


def test_an_update_tells_its_phase(
    machine: LiveMachine, kernel: list[dict[str, Any]], hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flatkit.widgets.live_output._PATIENCE", 0.0)
    monkeypatch.setattr("flatkit.widgets.live_output._GAP", 0.0)
    (guest,) = hypervisor.guests.values()
    guest.answer = lambda command: (STATUS if "-status" in command else "done\n", "", 0)
    assert str(machine.run("update_engine_client -update | tail -n 1")) == "done\n"
    phase = "downloading, and writing to the slot that does not run (25%)"
    shown = [data for data in kernel if phase in data["text/plain"]]
    assert shown
    assert 'style="width:60px"' in shown[-1]["text/html"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"k": -1}', '{"k": "x"}', '{"k": true}', '{"k": 1e99}'])
def test_a_broken_cache_only_costs_the_estimate(folder: Path, text: str) -> None:
    paths.state_dir().mkdir(parents=True, exist_ok=True)
    (paths.state_dir() / "usual-times.json").write_text(text)
    assert usual_times.recall("k") == 0
    usual_times.remember("k", 3)
    assert usual_times.recall("k") == 3


def test_the_cache_stays_small(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usual_times, "_ENTRIES_MAX", 3)
    for number in range(5):
        usual_times.remember(f"k{number}", 4)
    usual_times.remember("k2", 8)
    usual_times.remember("k5", 4)
    assert [usual_times.recall(f"k{number}") for number in range(6)] == [0, 0, 6, 0, 4, 4]
    assert "echo" not in usual_times.key_of("echo secret", "web")


def test_the_work_of_a_button_shows_nothing_below_another_cell(kernel: list[dict[str, Any]]) -> None:
    clock = Clock()
    live = LiveOutput("k", clock=clock)

    def work() -> None:
        clock.now += 10
        live.hear("word\n")
        live.end(ok=True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(120)
    assert kernel == []
    assert usual_times.recall("k") == 10


def test_two_times_at_once_are_both_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second writer comes while the first one is between reading and writing."""
    del folder
    read, other = usual_times._read, threading.Thread(target=lambda: usual_times.remember("b", 7))

    def read_slowly() -> dict[str, float]:
        known = read()
        if threading.current_thread() is not other and other.ident is None:
            other.start()
            other.join(0.2)  # without a lock it ends here
        return known

    monkeypatch.setattr(usual_times, "_read", read_slowly)
    usual_times.remember("a", 5)
    other.join()
    assert (usual_times.recall("a"), usual_times.recall("b")) == (5, 7)
