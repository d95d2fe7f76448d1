"""What a notebook brings to its machine: a file arrives whole, by the real ssh, and each refusal says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from notebook_parts import CONFIG

import flatkit as fk
from flatkit.errors import CommandFailed, InputError, MachineError, WaitTimeout
from flatkit.testing.hypervisor import FakeHypervisor
from flatkit.widgets.live_machine import LiveMachine
from flatkit.widgets.results import Ran

pytestmark = pytest.mark.usefixtures("backend")
PLACE = "/var/lib/extensions/tree.raw"


@pytest.fixture
def machine(folder: Path) -> LiveMachine:
    (folder / "web.bu").write_text(CONFIG)
    (folder / "tree.raw").write_bytes(b"\x00\xff" * 5000)
    return fk.up("web.bu").wait(120)


def test_a_file_is_put_beside_its_place_and_then_moved_there(machine: LiveMachine, hypervisor: FakeHypervisor) -> None:
    (guest,) = hypervisor.guests.values()
    said = repr(machine.put("tree.raw", PLACE))
    # Cards ask the machine for facts meanwhile.
    assert guest.commands.count(f"sudo tee {PLACE}.part > /dev/null && sudo mv {PLACE}.part {PLACE}") == 1
    assert f"tree.raw is on web now: {PLACE}" in said
    assert f"flatkit ssh web -- sudo tee {PLACE} < tree.raw > /dev/null" in said


def test_a_copy_that_fails_is_told(machine: LiveMachine, hypervisor: FakeHypervisor) -> None:
    (guest,) = hypervisor.guests.values()
    guest.answer = lambda _: ("", "tee: /usr/x.part: Read-only file system\n", 1)
    with pytest.raises(CommandFailed, match="Read-only file system"):
        machine.put("tree.raw", "/usr/x")


def test_a_file_that_is_not_there_names_what_makes_it(machine: LiveMachine) -> None:
    with pytest.raises(InputError, match=r'"wood\.raw" cannot be read') as caught:
        machine.put("wood.raw", PLACE)
    assert "m.build_extension" in caught.value.hint


def test_a_machine_that_is_not_there_is_said_first(folder: Path) -> None:
    ghost = LiveMachine("ghost")
    for verb in (lambda: ghost.put("tree.raw", PLACE), lambda: ghost.build_extension("tree")):
        with pytest.raises(MachineError, match='the machine "ghost" is absent'):
            verb()


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("echo hi > /etc/x", "as root: COMMAND | sudo tee FILE"),
        ("cat /etc/shadow", "as root: sudo COMMAND"),
        ("sudo echo hi > /etc/x", "instead: COMMAND | sudo tee FILE"),
        ("sudo -u ada echo hi > /home/ada/x", "instead: COMMAND | sudo -u ada tee FILE"),
    ],
)
def test_a_denied_permission_says_what_to_write(command: str, advice: str) -> None:
    ran = Ran(machine="web", user="core", command=command, output="bash: /etc/x: Permission denied\n", status=1)
    assert repr(ran).endswith(advice)
    assert advice in ran._repr_html_().replace("&gt;", ">")


def test_a_word_in_the_place_of_a_command_says_how_words_are_written() -> None:
    said = "bash: hi: command not found\n"
    ran = Ran(machine="web", user="core", command="hi > /home/core/x", output=said, status=127)
    assert repr(ran).endswith("echo WORDS > FILE")
    ran = Ran(
        machine="web", user="core", command="hello", output="bash: /opt/bin/hello: Permission denied\n", status=126
    )
    assert "chmod +x FILE" in repr(ran)
    ran = Ran(machine="web", user="core", command="htop -d 10", output=said, status=127)
    assert repr(ran).endswith("[status 127]")


@pytest.mark.parametrize(("command", "status"), [("nano /etc/hosts", 127), ("sudo vi /etc/hosts", 1), ("vim", 127)])
def test_an_editor_in_a_cell_is_told_what_changes_a_file(command: str, status: int) -> None:
    ran = Ran(machine="web", user="core", command=command, output="command not found\n", status=status)
    assert repr(ran).endswith("sed -i s/OLD/NEW/ FILE")


def test_other_failures_get_no_advice() -> None:
    for command, output in (
        ("sudo touch /usr/x", "Read-only file system"),
        ("sudo -u ada ls /root", "Permission denied"),
    ):
        assert repr(Ran(machine="web", user="core", command=command, output=output, status=1)).endswith("[status 1]")


def test_a_command_that_takes_too_long_says_how_to_wait_longer(
    machine: LiveMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: object, **__: object) -> None:
        raise WaitTimeout("bash -c did not end", hint="give it a longer timeout")

    monkeypatch.setattr(machine.machine, "run", late)
    for ask in (machine.run, machine.type):
        with pytest.raises(WaitTimeout, match="within 120 s") as caught:
            ask("sleep 200")
        assert "timeout=600" in caught.value.hint
