"""00-start: a first config, and a first thing left on a machine."""

from __future__ import annotations

import re
from typing import Any

from flatkit.lessons.checks import find_file, find_on_host, find_text, names_of, of_config
from flatkit.lessons.exercise import Bench, Exercise, Finding, Lesson, Remove, Type, Write
from flatkit.lessons.quiz import quizzes_of
from flatkit.steps import Boot
from flatkit.untrusted import lines_of

_FIRST = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/hostname
      contents:
        inline: first
"""


_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_NAME_MAX = 64
# What is at the place, and below it the text, or files of a similar name elsewhere. No sudo: its first use leaves a file there.
HELLO = """\
f=/home/core/hello
if [ -d $f ]; then echo folder
elif grep -q '[^[:space:]]' $f 2>/dev/null; then echo text; head -c 200 $f
elif [ -e $f ]; then echo empty
else echo none; find / /home /home/core /tmp -maxdepth 1 -type f -iname 'hello*' 2>/dev/null | head -n 3; fi"""


def _is_named(ignition: dict[str, Any]) -> Finding:
    file = find_file(ignition, "/etc/hostname")
    name = (find_text(file) or "").strip() if file else ""
    if file is None:
        files = names_of(ignition.get("storage", {}).get("files"), "path")
        return Finding(ok=False, found=f"files in your config: {files}", expected="a file /etc/hostname",
                       look="flatkit explain first.bu")  # fmt: skip
    expected, found = "a name of your own, not first", f'the machine will be named "{name}"'
    ok = _HOST_NAME.fullmatch(name) is not None and len(name) <= _NAME_MAX and name != "first"
    if not name:
        found = "/etc/hostname is empty"
    elif name != "first" and not ok:
        found, expected = f'"{name}" is not a valid host name', "letters, digits and -, without spaces, at most 64"
    return Finding(ok=ok, found=found, expected=expected, look="flatkit explain first.bu")


def is_there(bench: Bench) -> Finding:
    """Check that /home/core/hello on the machine says something; tell an empty file and a wrong place apart."""
    kind, _, rest = str(bench.run(HELLO)).strip().partition("\n")
    expected, look = "a file /home/core/hello that says something", 'm.run("ls -l /home/core")'
    if kind == "text":
        return Finding(ok=True, found=f'/home/core/hello says "{rest.strip()[:60]}"')
    others = ", ".join(line.strip() for line in lines_of(rest) if line.strip())
    found = {
        "folder": "/home/core/hello is a folder",
        "empty": "/home/core/hello is empty",
    }.get(kind, f"{others} is there; the file belongs in /home/core, and is named hello" if others else "")
    found = found or "there is no /home/core/hello" + find_on_host(bench, "hello")
    return Finding(ok=False, found=found, expected=expected, look=look)


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
            check=is_there,
            hints=(
                "A cell that begins with %%on m is typed on the machine. You are the user core there.",
                "echo hi > /home/core/hello",
            ),
            solve=(Type(command="echo hi > /home/core/hello"),),
            cleanup=(Type(command="rm -rf /home/core/hello"),),
            traces=("ls -A /home/core",),
        ),
    ),
    quizzes=quizzes_of("00-start"),
)  # fmt: skip
