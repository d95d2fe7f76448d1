"""A lesson of your own: flatkit demo run examples/lesson-motd; flatkit lesson prove examples/lesson-motd."""

from pathlib import Path

from flatkit.lessons.checks import find_file, find_text, of_config
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Remove, Write
from flatkit.steps import Boot, Demo, Step, Where, says

SOLVED = (Path(__file__).parent / "motd.bu").read_text()


def greets(ignition: dict) -> Finding:
    text = find_text(find_file(ignition, "/etc/motd.d/welcome") or {})
    found = f'the greeting says "{text.strip()}"' if text else "no text for /etc/motd.d/welcome"
    return Finding(ok=bool(text), found=found, expected="a greeting", look="flatkit explain door.bu")


DEMO = Demo(
    name="motd",
    title="A greeting at the door",
    steps=(
        Step(title="Boot", why="The greeting is part of the config.", where=Where.HOST,
             boot=Boot(config="motd.bu", machine="motd"), check=says("ready"), hint="flatkit console motd"),
        Step(title="It greets", why="The file was there before anybody logged in.", command="cat /etc/motd.d/welcome",
             check=says("Welcome"), hint="flatkit explain motd.bu"),
    ),
)  # fmt: skip
LESSON = Lesson(
    name="motd",
    title="A greeting at the door",
    exercises=(
        Exercise(name="motd-door", title="Your own words", task="In door.bu: greet the user who logs in.",
                 check=of_config("door.bu", greets), setup=(Write(file="door.bu", text=SOLVED.replace("Welcome", '""')),),
                 hints=("The file is /etc/motd.d/welcome.", "Write your words after inline:"),
                 solve=(Write(file="door.bu", text=SOLVED),), cleanup=(Remove(file="door.bu"),)),
    ),
)  # fmt: skip
