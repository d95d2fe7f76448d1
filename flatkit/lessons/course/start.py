"""00-start: a first config, and a first thing left on a machine."""

from __future__ import annotations

from typing import Any

from flatkit.lessons.checks import find_file, find_text, names_of, of_config, on_machine
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Remove, Type, Write
from flatkit.lessons.quizzes import quizzes_of
from flatkit.steps import Boot

_FIRST = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/hostname
      contents:
        inline: first
"""


def _is_named(ignition: dict[str, Any]) -> Finding:
    file = find_file(ignition, "/etc/hostname")
    name = (find_text(file) or "").strip() if file else ""
    if file is None:
        files = names_of(ignition.get("storage", {}).get("files"), "path")
        return Finding(ok=False, found=f"files in your config: {files}", expected="a file /etc/hostname",
                       look="flatkit explain first.bu")  # fmt: skip
    ok = bool(name) and name != "first"
    return Finding(ok=ok, found=f'the machine will be named "{name}"', expected="a name of your own, not first",
                   look="flatkit explain first.bu")  # fmt: skip


def _is_there(text: str, status: int) -> Finding:
    said = text.strip()
    ok = status == 0 and bool(said)
    found = f'/home/core/hello says "{said[:60]}"' if ok else "there is no /home/core/hello with a word in it"
    return Finding(ok=ok, found=found, expected="a file /home/core/hello that says something",
                   look='m.run("ls -l /home/core")')  # fmt: skip


START = Lesson(
    name="00-start",
    title="Start",
    exercises=(
        Exercise(
            name="00-name",
            title="Give it a name of your own",
            task="first.bu describes a machine named first. Change the file so that the machine gets another name.",
            setup=(Write(file="first.bu", text=_FIRST),),
            check=of_config("first.bu", _is_named),
            hints=(
                "A machine's name is the text of its file /etc/hostname.",
                'Open it with fk.editor("first.bu"), and replace the word after inline: by another one.',
            ),
            solve=(Write(file="first.bu", text=_FIRST.replace("inline: first", "inline: ada-s-machine")),),
            cleanup=(Remove(file="first.bu"),),
        ),
        Exercise(
            name="00-hello",
            title="Leave a word on the machine",
            task="Type on the machine: write any word into the file /home/core/hello.",
            machine=Boot(config="hello.bu", machine="hello"),
            check=on_machine("cat /home/core/hello", _is_there),
            hints=(
                "A cell that begins with %%on m is typed on the machine. You are the user core there.",
                "echo hi > /home/core/hello",
            ),
            solve=(Type(command="echo hi > /home/core/hello"),),
            cleanup=(Type(command="rm -f /home/core/hello"),),
            traces=("ls -A /home/core",),
        ),
    ),
    quizzes=quizzes_of("00-start"),
)  # fmt: skip
