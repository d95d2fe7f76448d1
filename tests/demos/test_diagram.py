"""The facts of a demo's picture: asked together, parsed from what machines said, kept by recordings."""

from __future__ import annotations

import pytest

from flatkit.demos import DEMOS
from flatkit.demos.diagram import DISK, parse_disk
from flatkit.demos.recording import find_event
from flatkit.demos.runner import play
from flatkit.errors import MachineError
from flatkit.events import FactSeen, Tape
from flatkit.steps import Boot, Demo, Fact, Step, Where, answers, says, together

# From a lab machine; the empty lines are of partitions without a label.
LSBLK = " 8G\nEFI-SYSTEM 128M\nBIOS-BOOT 2M\nUSR-A 512M\n 506M\nUSR-B 512M\nOEM 64M\nOEM-CONFIG 64M\nROOT 5G\n"
BOOT_ID = "0d5a3b0c-6a3c-4f0e-9c2e-0d4b6f0b1a2c"


def said(date: str = "2026-11-29T12:03:11Z", applied: str = BOOT_ID, now: str = BOOT_ID) -> str:
    return f"{LSBLK}--flatkit-cut--\n{date}\n{applied}\n{now}\n"


def test_the_disk_says_when_its_config_was_applied():
    disk = parse_disk(said())
    assert [part.label for part in disk.parts] == ["USR-A", "USR-B", "OEM", "ROOT"]
    assert disk.this_boot
    assert "in this boot (on 2026-11-29 at 12:03:11)" in disk.story
    later = parse_disk(said(now="another"))
    assert not later.this_boot
    assert "in an earlier boot" in later.story


@pytest.mark.parametrize("result", ["", "null\nnull\nid\n", "jq: error\n", "\x1b[2J\n"])
def test_a_disk_without_a_result_of_ignition_claims_nothing(result):
    disk = parse_disk(f"{LSBLK}--flatkit-cut--\n{result}")
    assert disk.provisioned == ""
    assert disk.story == "No config was applied to this disk."


@pytest.mark.parametrize("text", ["", "--flatkit-cut--", "ROOT", "lsblk: not a block device\n"])
def test_what_lists_no_partition_is_refused(text):
    with pytest.raises(MachineError):
        parse_disk(text)


class TwoPlaces:
    """A stage that answers questions of a picture: each command gets its own words back."""

    def __init__(self, *, is_off: bool = False) -> None:
        self.typed: list[tuple[str, str, str]] = []
        self.is_off = is_off

    def boot(self, boot, observer):
        return "ready"

    def host(self, command):
        self.typed.append(("host", "", command))
        return f"host said {command}"

    def guest(self, command, machine=""):
        self.typed.append(("guest", machine, command))
        if self.is_off and "--flatkit-next--" in command:
            raise MachineError("the machine is off")
        return "\n\n--flatkit-next--\n".join(f"answer {n}" for n in range(command.count("--flatkit-next--") + 1))

    def line(self, step):
        return self.fill(step.line)

    def fill(self, command):
        return command


ONE, TWO = Fact(name="one", ask="echo 1"), Fact(name="two", ask="echo 2")
HERE = Fact(name="here", ask="flatkit channels", where=Where.HOST)


def demo(*draws: Fact) -> Demo:
    return Demo(
        name="d", title="t", draws=draws,
        steps=(
            Step(title="b", why="w", boot=Boot(config="c.bu", machine="m"), where=Where.HOST, check=says("ready"), hint="h"),
            Step(title="h", why="w", command="ls", where=Where.HOST, check=says("ls"), hint="h"),
            Step(title="g", why="w", command="who", machine="m", check=says("answer"), hint="h"),
        ),
    )  # fmt: skip


def test_the_facts_of_a_picture_are_asked_together_after_each_step_at_the_machine():
    stage, tape = TwoPlaces(), Tape()
    assert play(demo(ONE, TWO), stage, tape).ok
    seen = [(event.number, event.fact, event.text) for event in tape.events if isinstance(event, FactSeen)]
    assert seen == [(n, fact, text) for n in (1, 3) for fact, text in (("one", "answer 0"), ("two", "answer 1"))]
    assert sum(together((ONE, TWO)) == command for _, _, command in stage.typed) == 2


def test_a_question_to_this_host_is_asked_there_after_every_step():
    stage, tape = TwoPlaces(), Tape()
    assert play(demo(HERE), stage, tape).ok
    assert [event.number for event in tape.events if isinstance(event, FactSeen)] == [1, 2, 3]
    assert all(where == "host" for where, _, command in stage.typed if "channels" in command)


def test_a_machine_that_does_not_answer_leaves_the_demo_and_the_picture_as_they_are():
    tape = Tape()
    assert play(demo(ONE, TWO), TwoPlaces(is_off=True), tape).ok
    assert not [event for event in tape.events if isinstance(event, FactSeen)]


def test_answers_come_back_in_the_order_of_their_questions():
    assert answers("a\nb\n\n--flatkit-next--\nc") == ["a\nb", "c"]
    assert together((ONE,)) == "{ echo 1\n} 2>/dev/null"


def test_a_recording_keeps_what_was_seen():
    event = FactSeen(demo="d", number=2, fact="disk", text=said())
    back = find_event(event.as_dict())
    assert isinstance(back, FactSeen)
    assert parse_disk(back.text) == DISK.parse(said())


def test_the_demos_that_change_slots_layers_channels_or_the_disk_have_a_picture():
    drawn = {name: demo.draws[0].name for name, demo in DEMOS.items() if demo.draws}
    assert drawn == {
        "update": "slots", "rollback": "slots", "powercut": "slots", "channels": "channels", "sysext": "layers",
        "containers": "layers", "provision": "disk", "reset": "disk",
    }  # fmt: skip
