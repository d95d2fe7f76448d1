"""A lesson to copy: a demo of two steps, two exercises and a quiz. docs/write-a-lesson.md explains each part."""

from flatkit.lessons.checks import find_file, find_text, of_config, on_machine
from flatkit.lessons.exercise import Choice, Exercise, Finding, Lesson, Question, Quiz, Remove, Type, Write
from flatkit.steps import Boot, Demo, Step, Where, is_equal, says

BOOT = Boot(config="my.bu", machine="my")
START = "variant: flatcar\nversion: 1.0.0\n"
SOLVED = START + "storage:\n  files:\n    - path: /etc/my.conf\n      contents:\n        inline: colour=blue\n"


def is_configured(ignition: dict) -> Finding:
    """Look at the result, say what was found, what was expected, and where to look closer."""
    text = find_text(find_file(ignition, "/etc/my.conf") or {}) or ""
    return Finding(
        ok="colour=" in text, found=f'/etc/my.conf says "{text.strip()}"', expected="a line colour=...",
        look="flatkit explain mine.bu",
    )  # fmt: skip


def is_noted(text: str, status: int) -> Finding:
    """The same with a machine: `text` is what the command said, `status` 0 means success."""
    return Finding(
        ok=status == 0, found=f'the note says "{text.strip()}"' if status == 0 else "there is no note",
        expected="a file /home/core/note", look='m.run("ls /home/core")',
    )  # fmt: skip


DEMO = Demo(
    name="my",
    title="What my lesson shows",
    steps=(
        Step(
            title="Boot it", why="One sentence why. And one more.", boot=BOOT, where=Where.HOST, check=says("ready"),
            hint="flatkit console my",
        ),
        Step(
            title="It has its name", why="The name is a file in the config.", command="hostname", check=is_equal("my\n"),
            hint="cat /etc/hostname",
        ),
    ),
)  # fmt: skip

LESSON = Lesson(
    name="my",
    title="What my lesson shows",
    exercises=(
        Exercise(
            name="my-config", title="A colour", task="In mine.bu: a file /etc/my.conf with a line colour=...",
            setup=(Write(file="mine.bu", text=START),), check=of_config("mine.bu", is_configured),
            hints=("It is a file below storage: files:", "contents: inline: colour=blue"),
            solve=(Write(file="mine.bu", text=SOLVED),), cleanup=(Remove(file="mine.bu"),),
        ),
        Exercise(
            name="my-note", title="A note", task="On the machine: write a note to /home/core/note.",
            machine=BOOT, traces=("ls -A /home/core",), check=on_machine("cat /home/core/note", is_noted),
            hints=("A cell that begins with %%on m is typed there.", "echo hello > /home/core/note"),
            solve=(Type(command="echo hello > /home/core/note"),), cleanup=(Type(command="rm -f /home/core/note"),),
        ),
    ),
    quizzes=(
        Quiz(name="my-recap", title="Recap", questions=(
            Question(ask="One?", choices=(Choice(text="No", why="Because."), Choice(text="Yes", why="It is.", is_right=True))),
            Question(ask="Two?", choices=(Choice(text="No", why="Because."), Choice(text="Yes", why="It is.", is_right=True))),
            Question(ask="Three?", choices=(Choice(text="No", why="Because."), Choice(text="Yes", why="It is.", is_right=True))),
        )),
    ),
)  # fmt: skip
