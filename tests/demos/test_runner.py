"""The runner with a stage of fakes: order, checks, waiting, failing."""

from __future__ import annotations

from flatkit.demos.runner import play
from flatkit.errors import MachineError, WaitTimeout
from flatkit.events import StepEnded, StepOutput, StepStarted, Tape
from flatkit.steps import Boot, Demo, Fact, Step, Where, is_equal, says


class FakeStage:
    """Answers from a table; a list of answers is used up one by one."""

    def __init__(self, answers):
        self.answers = answers
        self.typed = []

    def _answer(self, where, command):
        self.typed.append((where, command))
        answer = self.answers[command]
        if isinstance(answer, Exception):
            raise answer
        return (
            answer.pop(0)
            if isinstance(answer, list) and len(answer) > 1
            else answer[0]
            if isinstance(answer, list)
            else answer
        )

    def boot(self, boot, observer):
        return self._answer("boot", boot.command)

    def host(self, command):
        return self._answer("host", command)

    def guest(self, command, machine=""):
        return self._answer(f"guest {machine}".strip(), command)

    def reboot(self, command, observer, machine="", *, by_itself=False):
        return self._answer(f"reboot {machine}{' itself' if by_itself else ''}".strip(), command)

    def offer(self, offers, observer):
        self.typed.append(("offer", offers))

    def line(self, step):
        return self.fill(step.line)

    def fill(self, command):
        return command.replace("{port80}", "24000")


def step(command, check, **more):
    return Step(title=command, why="w", command=command, check=check, hint="look at {port80}", **more)


def test_steps_are_played_in_order_where_they_belong():
    boot = Boot(config="web.bu", machine="m", guest_ports=(80,))
    demo = Demo(
        name="d",
        title="t",
        steps=(
            Step(title="b", why="w", boot=boot, where=Where.HOST, check=says("ready"), hint="h"),
            step("curl {port80}", says("hi"), where=Where.HOST),
            step("hostname", is_equal("web"), fact=Fact(name="n", ask="cat /etc/hostname")),
        ),
    )
    stage = FakeStage({boot.command: "ready", "curl 24000": "hi", "hostname": "whatever", "cat /etc/hostname": "web\n"})
    tape = Tape()
    result = play(demo, stage, tape)
    assert result.ok
    assert stage.typed == [
        ("boot", "flatkit up web.bu --name m --forward 0:80"),
        ("host", "curl 24000"),
        ("guest", "hostname"),
        ("guest", "cat /etc/hostname"),
    ]
    kinds = [type(event) for event in tape.events]
    assert kinds == [StepStarted, StepOutput, StepEnded] * 3


def test_the_first_failure_ends_the_demo_and_says_what_was_found():
    demo = Demo(name="d", title="t", steps=(step("a", says("yes")), step("b", says("never played"))))
    tape = Tape()
    result = play(demo, FakeStage({"a": "no"}), tape)
    assert not result.ok
    assert len(result.steps) == 1
    ended = tape.events[-1]
    assert ended.ok is False
    assert ended.found == 'found "no", expected "yes" in it'
    assert ended.hint == "look at 24000"


def test_a_step_waits_for_its_condition():
    demo = Demo(name="d", title="t", steps=(step("state", is_equal("up"), fact=Fact(name="s", ask="ask"), wait=30),))
    stage = FakeStage({"state": "", "ask": ["starting\n", "starting\n", "up\n"]})
    assert play(demo, stage, Tape()).ok
    assert stage.typed.count(("guest", "ask")) == 3


def test_an_error_is_a_failed_check_and_not_a_crash():
    demo = Demo(name="d", title="t", steps=(step("x", says("y")),))
    tape = Tape()
    result = play(demo, FakeStage({"x": MachineError("the connection is gone", hint="flatkit list")}), tape)
    assert not result.ok
    assert "the connection is gone" in tape.events[-1].found


def test_a_question_without_an_answer_is_not_shown_as_a_command_that_the_learner_never_typed():
    demo = Demo(name="d", title="t", steps=(step("x", says("y"), fact=Fact(name="slots", ask="echo --cut--")),))
    tape = Tape()
    slow = WaitTimeout('"echo --cut--" did not end within 60 s', hint="give it a longer timeout")
    assert not play(demo, FakeStage({"x": "", "echo --cut--": slow}), tape).ok
    found = tape.events[-1].found
    assert found == "the machine did not answer in time (asked for: slots)\n  Next: wait a moment, and look again"


def test_a_step_is_played_on_the_machine_that_it_names_and_waits_for_a_reboot():
    demo = Demo(
        name="d",
        title="t",
        offers=(("stable", "lab-beta"),),
        steps=(
            step("hostname", says("one"), machine="one"),
            step("sudo reboot", says("up again"), reboots=True, machine="two"),
            step("who", says("back"), reboots=True, by_itself=True, machine="two"),
        ),
    )
    stage = FakeStage({"hostname": "one", "sudo reboot": "up again", "who": "back"})
    assert play(demo, stage, Tape()).ok
    assert stage.typed == [
        ("offer", (("stable", "lab-beta"),)), ("guest one", "hostname"), ("reboot two", "sudo reboot"),
        ("reboot two itself", "who"),
    ]  # fmt: skip


def test_a_stage_can_be_opened_again_and_again() -> None:
    """A module of the function's name in the package would take the function's place at the first call."""
    from flatkit import api

    for _ in range(2):
        with api.stage(image="lab") as local:
            assert local.machines == []
