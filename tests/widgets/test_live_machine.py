"""The machine of a notebook: verbs that return at once, awaiting, cancelling, one object a name, clear refusals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notebook_parts import CONFIG, Web, answer_inside, join_threads

import flatkit as fk
from flatkit.errors import Cancelled, ConfigFaults, FetchError, InputError, MachineError, UsageError
from flatkit.machines import Creator, Machine
from flatkit.testing.front import FakeFront
from flatkit.testing.hypervisor import FakeHypervisor
from flatkit.web import Response
from flatkit.widgets import live_machine
from flatkit.widgets.live_machine import LiveMachine
from flatkit.widgets.machine_info import parse_usage

pytestmark = pytest.mark.usefixtures("backend")

USAGE_SAID = """0.12 0.05 0.01 1/80 900
65.30 110.00
MemTotal:         983040 kB
MemAvailable:     778240 kB
/dev/root 4000000 400000 3600000 10% /
"""


@pytest.fixture
def config(folder: Path) -> Path:
    file = folder / "web.bu"
    file.write_text(CONFIG)
    return file


async def awaited(thing: Any) -> Any:
    return await thing


@pytest.fixture
def machine(config: Path) -> LiveMachine:
    return fk.up("web.bu", ports=80).wait(120)


def test_up_returns_at_once_and_await_waits(config: Path) -> None:
    m = fk.up("web.bu", ports=80)
    assert asyncio.run(awaited(m)) is m
    assert m.state == "running"
    assert m.image.startswith("lab image")
    assert "● web: running; ready after" in repr(m)
    assert "Kernel" in repr(m)
    assert m.url(80) in repr(m)
    assert m.timeline.total > 0
    assert "together" in repr(m.timeline)


def test_commands_show_what_was_typed_and_said(machine: LiveMachine, hypervisor: FakeHypervisor) -> None:
    (guest,) = hypervisor.guests.values()
    guest.answer = lambda command: ("6.12\n", "", 0) if command == "uname -r" else ("", "no such file\n", 2)
    done = machine.run("uname -r")
    assert repr(done) == "core@web$ uname -r\n6.12"
    assert str(done) == "6.12\n"
    failed = machine.run("ls /nowhere")
    assert not failed.ok
    assert repr(failed).splitlines()[1:] == ["no such file", "[status 2]"]
    assert "[status 2]" in failed._repr_html_()


def test_the_same_cell_again_gives_the_same_machine(machine: LiveMachine) -> None:
    again = fk.up("web.bu", ports=80)
    assert again is machine
    again.wait(120)
    assert "running already" in repr(again)
    assert again.timeline.total > 0, "the boot that was watched is not forgotten"
    assert fk.up("web.bu").wait(120) is machine
    assert len(live_machine.held()) == 1


def test_the_same_cell_again_while_it_boots_changes_nothing(config: Path, silent: Callable[[], None]) -> None:
    silent()
    m = fk.up("web.bu")
    assert fk.up("web.bu") is m
    with pytest.raises(MachineError, match="still booting") as caught:
        fk.up("web.bu", memory=512)
    assert "await m" in caught.value.hint
    m.cancel(wait=True)


def test_before_it_is_ready_each_verb_says_what_to_wait_for(config: Path, silent: Callable[[], None]) -> None:
    silent()
    m = fk.up("web.bu", ports=80)
    for verb in (lambda: m.run("true"), lambda: m.page(80), lambda: m.type("true")):
        with pytest.raises(MachineError, match="not ready yet") as caught:
            verb()
        assert caught.value.hint.startswith("await m")
    with pytest.raises(MachineError, match="at work already"):
        m.boot(None, None)  # type: ignore[arg-type]
    m.cancel(wait=True)


def test_a_hint_names_the_variable_that_holds_the_machine(config: Path, silent: Callable[[], None], shell: Any) -> None:
    silent()
    shell.user_ns["canary"] = canary = fk.up("web.bu", name="bird")
    with pytest.raises(MachineError, match="not ready yet") as caught:
        canary.run("true")
    assert caught.value.hint.startswith("await canary ")
    with pytest.raises(MachineError, match="still booting") as caught:
        fk.up("web.bu", name="bird", memory=512)
    assert caught.value.hint.startswith("await canary, or canary.cancel()")
    canary.cancel(wait=True)
    with pytest.raises(MachineError, match="is absent") as caught:
        canary.run("true")
    assert caught.value.hint.startswith("canary = fk.up(...), then: await canary ")


def test_cancel_undoes_a_boot(config: Path, silent: Callable[[], None], hypervisor: FakeHypervisor) -> None:
    silent()
    m = fk.up("web.bu")
    page = m.card.page
    front = FakeFront(page)
    front.send({"verb": "cancel"})
    with pytest.raises(Cancelled):
        asyncio.run(awaited(m))
    assert m.state == "absent"
    assert hypervisor.owned() == []
    join_threads("refresher")
    assert page.state["error"] == "cancelled"
    assert page.state["verbs"] == []


def test_a_boot_that_fails_raises_in_the_cell_that_awaits(config: Path, hypervisor: FakeHypervisor) -> None:
    hypervisor.refusals = [MachineError("no memory", hint="close something")] * 9
    m = fk.up("web.bu")
    with pytest.raises(MachineError, match="no memory"):
        asyncio.run(awaited(m))
    assert "✗ web" in repr(m)
    assert "Next: close something" in repr(m)


def test_a_changed_config_is_refused_with_the_way_out(machine: LiveMachine, config: Path) -> None:
    config.write_text(CONFIG.replace("inline: web", "inline: other"))
    with pytest.raises(MachineError, match="once, on the first boot") as caught:
        fk.up("web.bu", ports=80)
    assert caught.value.hint.startswith('fk.up("web.bu", ..., fresh=True)')
    old = machine._machine.record.uuid
    fresh = fk.up("web.bu", ports=80, fresh=True)
    assert fresh is machine
    fresh.wait(120)
    assert fresh._machine.record.uuid != old


def test_a_comment_is_no_other_config(machine: LiveMachine, config: Path) -> None:
    config.write_text("# a remark\n" + CONFIG)
    assert fk.up("web.bu", ports=80).wait(120) is machine


def test_other_ports_are_refused_with_the_way_out(machine: LiveMachine) -> None:
    with pytest.raises(MachineError, match="other ports") as caught:
        fk.up("web.bu", ports=[80, 8080])
    assert "fresh=True" in caught.value.hint


def test_restart_keeps_the_disk(machine: LiveMachine) -> None:
    uuid = machine._machine.record.uuid
    assert machine.restart() is machine
    machine.wait(120)
    assert machine.state == "running"
    assert machine._machine.record.uuid == uuid
    assert "Shutting down" in repr(machine.timeline)


def test_a_pulled_plug_is_said_and_mended(machine: LiveMachine) -> None:
    assert "pulled" in repr(machine.unplug())
    assert machine.state == "stopped"
    with pytest.raises(MachineError, match="is stopped") as caught:
        machine.run("true")
    assert "m.restart()" in caught.value.hint
    assert machine.restart().wait(120).state == "running"


def test_stop_and_up_again(machine: LiveMachine) -> None:
    machine.stop().wait(120)
    assert machine.state == "stopped"
    assert "its disk is kept" in repr(machine)
    assert fk.up("web.bu", ports=80).wait(120).state == "running"


def test_down_can_be_repeated_and_await_tells_then(machine: LiveMachine) -> None:
    assert "is removed" in repr(machine.down())
    assert "nothing to do" in repr(machine.down())
    assert machine.state == "absent"
    with pytest.raises(MachineError, match="is absent") as caught:
        asyncio.run(awaited(machine))
    assert "fk.up" in caught.value.hint


def test_a_page_waits_for_its_first_answer(machine: LiveMachine, server: Web) -> None:
    server.answers = [FetchError("nothing listens there"), Response(url="", status=404, text="gone")]
    page = machine.page(80, "/a.html")
    assert server.asked == [machine.url(80) + "a.html"] * 2
    assert repr(page).splitlines() == [f"{machine.url(80)}a.html answered with status 404", "gone"]
    assert page.link == page.url
    assert f'href="{page.url}"' in page._repr_html_()
    assert "&lt;h1&gt;" in machine.page(80)._repr_html_()
    server.answers = [FetchError("nothing listens there")] * 99
    with pytest.raises(FetchError) as caught:
        machine.page(80, timeout=0)
    assert "systemctl --failed" in caught.value.hint


def test_the_console_is_searched_from_its_first_line_on(machine: LiveMachine) -> None:
    console = machine._machine.folder.console
    old = "[   19.76] device-mapper: verity: 254:3: data block 51968 is corrupted\n"
    later = "".join(f"[   20.{number}] another boot\n" for number in range(5000))
    console.write_text(old + later + console.read_text())
    assert repr(machine.console_with("is corrupted", "Kernel panic")) == old.rstrip()
    assert repr(machine.console_with("no such", "words")) == "(no line with no such or words)"


def test_a_port_that_is_not_forwarded_is_named(machine: LiveMachine) -> None:
    with pytest.raises(MachineError, match='"443"') as caught:
        machine.page(443)
    assert "ports=[443]" in caught.value.hint


def test_clean_removes_all_and_says_what(machine: LiveMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    import flatkit.machines.cleanup as cleanup
    import flatkit.machines.handle as module

    for place in (cleanup, module):
        monkeypatch.setattr(place, "Hypervisor", lambda *_: machine._machine.hypervisor)
    assert repr(fk.clean()) == "removed: web"
    assert machine.state == "absent"
    assert repr(fk.clean()).startswith("nothing to clean")


def test_clean_leaves_what_another_session_made_and_names_it(
    machine: LiveMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flatkit.machines.cleanup as cleanup
    import flatkit.machines.handle as module

    for place in (cleanup, module):
        monkeypatch.setattr(place, "Hypervisor", lambda *_: machine._machine.hypervisor)
    monkeypatch.setenv("JPY_SESSION_NAME", "/course/05-channels.ipynb")
    assert fk.up("web.bu", name="canary").wait(120).state == "running"
    for made_by, name in ((Creator(session="terminal"), "a terminal's"), (Creator(), "an older flatkit's")):
        folder = machine.machine.folder
        folder.update(folder.get(), made_by=made_by)
        text = repr(fk.clean())
        assert ("removed: canary" in text) == (name == "a terminal's")
        assert f"other machines of yours stay: web (made by: {made_by})" in text
        assert "fk.clean(everything=True)" in text
        assert machine.state == "running"
        assert machine.run("hostname").ok
    assert live_machine.get("canary").state == "absent"
    assert repr(fk.clean(everything=True)) == "removed: web"
    assert machine.state == "absent"


def test_clean_ends_a_boot_of_this_notebook_and_no_restart_of_anothers_machine(
    machine: LiveMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flatkit.machines.cleanup as cleanup
    import flatkit.machines.handle as module

    for place in (cleanup, module):
        monkeypatch.setattr(place, "Hypervisor", lambda *_: machine._machine.hypervisor)
    machine.machine.folder.update(machine.machine.record, made_by=Creator(session="terminal"))
    hold, cancelled = threading.Event(), []

    def work(cancel: threading.Event) -> None:
        hold.wait(120)
        cancelled.append(cancel.is_set())

    machine._begin("restarting", work)
    own = live_machine.get("own")
    own._begin("booting", lambda cancel: cancelled.append(cancel.wait(120)))
    text = repr(fk.clean())
    assert "web (made by: terminal)" in text
    assert "removed: own" in text, "a boot was ended: there was something to clean"
    assert cancelled == [True]
    hold.set()
    machine.wait(120)
    assert cancelled == [True, False]


def test_a_config_with_faults_is_refused_at_once(config: Path) -> None:
    config.write_text(CONFIG.replace("inline: web", "inlin: web\n      mode: rwx"))
    with pytest.raises(ConfigFaults) as caught:
        fk.up("web.bu")
    assert len(caught.value.report) >= 1
    assert caught.value.hint.startswith('fk.editor("web.bu")'), "nothing for a terminal"
    assert "line 6" not in caught.value.message, "Butane counts in its own way; the details have the lines"
    assert live_machine.held() == []


def test_a_missing_config_names_the_cells_that_make_one(folder: Path) -> None:
    with pytest.raises(InputError, match=r'no file "none\.bu"') as caught:
        fk.up("none.bu")
    assert "%%butane none.bu" in caught.value.hint


def test_a_misspelt_config_names_the_one_that_is_there(config: Path) -> None:
    with pytest.raises(InputError, match=r'did you mean "web\.bu"'):
        fk.up("wbe.bu")


@pytest.mark.parametrize(("wrong", "right"), [({"ports": "80"}, "ports=80"), ({"ports": ["80", 8]}, "ports=[80, 8]")])
def test_a_number_in_quotes_is_answered_with_the_fix(config: Path, wrong: dict[str, Any], right: str) -> None:
    with pytest.raises(UsageError, match="without quotes") as caught:
        fk.up("web.bu", **wrong)
    assert right in caught.value.hint


def test_without_a_config_there_is_a_machine_too(folder: Path) -> None:
    assert fk.up().wait(120).name == "machine"


def test_the_view_tells_the_page_what_makes_sense(machine: LiveMachine) -> None:
    page = machine.card.page
    machine.card.draw()
    told = page.state
    assert (told["name"], told["state"], told["busy"]) == ("web", "running", False)
    assert told["badge"].startswith("lab image")
    assert "stop" in told["verbs"]
    assert "cancel" not in told["verbs"]
    assert any(row["title"] == "Kernel" and row["ok"] and not row["open"] for row in told["phases"])
    assert told["console"]


def test_a_button_that_cannot_be_served_says_why(machine: LiveMachine) -> None:
    page = machine.card.page
    front = FakeFront(page)
    machine.down()
    assert page.state["state"] == "absent"
    front.send({"verb": "restart"})
    assert '"web"' in page.state["error"]
    assert page.state["hint"]


def test_buttons_do_what_they_say(machine: LiveMachine) -> None:
    page = machine.card.page
    front = FakeFront(page)
    front.send({"verb": "unplug"})
    assert page.state["verbs"] == ["start", "rewind"]
    front.send({"verb": "start"})
    machine.wait(120)
    assert machine.state == "running"
    front.send({"verb": "rewind"})
    assert "running; booted" in repr(machine.wait(120)), "without a checkpoint that is a first boot"


def test_a_look_inside_goes_to_the_page(machine: LiveMachine, hypervisor: FakeHypervisor) -> None:
    (guest,) = hypervisor.guests.values()
    guest.answer = answer_inside
    page = machine.card.page
    FakeFront(page).send({"verb": "look", "tab": "slots"})
    join_threads("look inside")
    (slot, other) = page.state["inside"]["slots"]
    assert (slot["label"], slot["running"], slot["version"]) == ("USR-A", True, "110.2.0")
    assert other["state"] == "empty"
    assert [layer["name"] for layer in page.state["inside"]["layers"]] == ["docker-flatcar", "wrong"]
    assert "USR-A 110.2.0: running, marked good" in repr(machine.slots)
    assert "docker-flatcar: merged (built in)" in repr(machine.extensions)


def test_what_is_known_and_used_goes_to_the_page(machine: LiveMachine, hypervisor: FakeHypervisor) -> None:
    (guest,) = hypervisor.guests.values()
    guest.answer = lambda _: (USAGE_SAID, "", 0)
    page = machine.card.page
    FakeFront(page).send({"verb": "look", "tab": "facts"})
    join_threads("look inside")
    facts = {row["name"]: row["value"] for row in page.state["facts"]}
    assert facts["memory"] == "256 MiB"
    assert facts["checkpoints"] == "none"
    assert facts["ports"].endswith("leads to 80")
    assert facts["ports"].count("leads to") == 2, "SSH and what was asked for, and not what flatkit needs itself"
    assert "flatkit ssh web" in facts["log in"]
    assert "256 MiB of memory, 2 processors" in repr(machine)
    usage = {row["name"]: row["value"] for row in page.state["usage"]}
    assert usage["memory in use"] == "200 MiB of 960 MiB"
    assert usage["up"] == "1 min 5 s"


@pytest.mark.parametrize("text", ["", "0.1\n", USAGE_SAID.replace("983040", "many"), "a b c\n" * 5])
def test_an_answer_that_says_no_usage_shows_none(text: str) -> None:
    assert parse_usage(text) is None


def test_a_machine_that_is_removed_from_outside_is_seen(machine: LiveMachine, hypervisor: FakeHypervisor) -> None:
    """By another program: the panel sees it at its next look, and its buttons and terminal go with the machine."""
    page = machine.card.page
    front = FakeFront(page)
    terminal = machine.terminal()
    other = Machine("web", hypervisor=hypervisor)
    other.stop()
    front.send({"verb": "look"})
    assert (page.state["state"], page.state["verbs"]) == ("stopped", ["start", "rewind"])
    other.down()
    front.send({"verb": "look"})
    assert page.state["headline"] == "removed: there is no such machine now"
    assert (page.state["verbs"], page.state["facts"], page.state["phases"]) == ([], [], [])
    assert terminal.page.state["gone"]
    front.send({"verb": "restart"})
    front.send({"verb": "look"})
    assert '"web"' in page.state["error"], "what a button said is not taken away by the next look"


def test_two_verbs_at_once_do_not_mix(machine: LiveMachine) -> None:
    results: list[str] = []

    def restart() -> None:
        try:
            machine.restart()
            results.append("began")
        except MachineError as error:
            results.append(error.hint)

    threads = [threading.Thread(target=restart) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    machine.wait(120)
    assert results.count("began") == 1


def test_rewind_and_checkpoint_are_jobs(machine: LiveMachine, hypervisor: FakeHypervisor) -> None:
    assert asyncio.run(awaited(machine.checkpoint("before-update"))) is machine
    assert "running; checkpoint before-update (0 MB) is saved" in repr(machine)
    assert asyncio.run(awaited(machine.rewind("before-update"))) is machine
    assert 'running; back at "before-update" after' in repr(machine)
    assert machine.run("echo").ok
    with pytest.raises(MachineError, match='no checkpoint "later"'):
        machine.rewind("later").wait(120)
    assert 'no checkpoint "later"' in repr(machine)
    machine.checkpoint("fresh").wait(120)
    assert 'running; back at "fresh" after' in repr(machine.rewind().wait(120))


@pytest.mark.parametrize(
    ("given", "said", "right"),
    [
        (None, "ports=None", "ports=80"),
        (80.0, "ports=80.0", "ports=80"),
        ({80: 8080}, "ports={80: 8080}", "ports=80"),
        (True, "ports=True", "ports=80"),
        (["80", 443], "ports=['80', 443]", "ports=[80, 443]"),
    ],
)
def test_ports_of_another_kind_are_named(given: Any, said: str, right: str) -> None:
    with pytest.raises(UsageError) as caught:
        fk.up(ports=given)
    assert caught.value.message.startswith(said)
    assert caught.value.hint == f"fk.up(..., {right})"


def test_a_look_that_was_under_way_at_a_rewind_is_not_remembered(
    machine: LiveMachine, hypervisor: FakeHypervisor
) -> None:
    (guest,) = hypervisor.guests.values()
    asked, answer = threading.Event(), threading.Event()

    def slow(command: str) -> tuple[str, str, int]:
        asked.set()
        answer.wait(300)
        return answer_inside(command)

    guest.answer = slow
    thread = threading.Thread(target=machine.look_inside)
    thread.start()
    assert asked.wait(120)
    machine.forget_changes(versions=True)  # a rewind begins with it
    answer.set()
    thread.join(120)
    assert machine.seen is None
    assert machine.look_inside() is machine.seen


def test_a_look_at_the_machine_just_before_it_goes_back_is_not_remembered(
    machine: LiveMachine, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (guest,) = hypervisor.guests.values()
    guest.answer = answer_inside
    rewind = machine.machine.rewind

    def after_a_look(**more: Any) -> Any:
        machine.look_inside()
        return rewind(**more)

    monkeypatch.setattr(machine.machine, "rewind", after_a_look)
    machine.rewind().wait(120)
    assert machine.seen is None
