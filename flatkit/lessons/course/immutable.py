"""03-immutable: the digest of the system, and a command of your own although /usr is read-only."""

from __future__ import annotations

import re

from flatkit.lessons.checks import on_machine
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Type
from flatkit.lessons.quiz import quizzes_of
from flatkit.steps import Boot
from flatkit.untrusted import lines_of

_CUT = "--given--"
_GIVEN = r"sed -n 's/.*verity.usrhash=\([0-9a-f]*\).*/\1/p' /proc/cmdline"
DIGEST = f"cat /home/core/digest 2>/dev/null; echo {_CUT}; {_GIVEN}"
# As at a login, so that the machine's own PATH applies. bash's `type -P` also finds a file that may not be executed.
COMMAND = """bash -lc 'p=$(type -P hello); if [ -x "$p" ]; then echo "$p"; hello; else
find /opt /home/core /var/lib /etc -maxdepth 3 -name hello -type f -printf "%M %p\\n" 2>/dev/null; false; fi'"""
_MACHINE = Boot(config="sealed.bu", machine="sealed")


def is_digest(text: str, status: int) -> Finding:
    """Check that the file contains exactly the root hash that the kernel was given."""
    written, _, given = (part.strip() for part in text.partition(_CUT))
    ok = status == 0 and bool(given) and written == given
    found = f"/home/core/digest says {written[:20]}..." if ok else f'/home/core/digest says "{written[:60]}"'
    if not written:
        found = "there is no /home/core/digest with something in it"
    elif not ok and re.search(rf"\b{given}\b", written):
        found = "/home/core/digest has the root hash, and more besides"
    elif not ok and re.fullmatch(r"[0-9a-f]+", written):
        size = len(written)
        found += f", {size} digits" if size != len(given) else ", which is another hash: take the one in /proc/cmdline"
    return Finding(ok=ok, found=found, expected="a file /home/core/digest with the 64 digits of the root hash, no more",
                   look='m.run("cat /home/core/digest")')  # fmt: skip


def is_command(text: str, status: int) -> Finding:
    """Check that `hello` is found by its name, and prints something."""
    path, _, said = (part.strip() for part in text.strip().partition("\n"))
    expected, look = "a command hello, found by its name, that says something", 'm.run("ls -l /opt/bin; echo $PATH")'
    if path.startswith("/"):
        ok = status == 0 and bool(said)
        found = f'{path} says "{said[:60]}"' if said else f"{path} is found, and says nothing"
        found += f", and ends with status {status}" if said and status else ""
        return Finding(ok=ok, found=found, expected=expected, look=look)
    # Without a command the rest of the text lists files of that name: mode and path.
    files = [line.split(" ", 1) for line in lines_of(text) if re.match(r"-[rwxsStT-]{9} /", line)]
    if not files:
        return Finding(
            ok=False, found="no command hello is found, and no file of that name", expected=expected, look=look
        )
    mode, place = files[0]
    why = (
        "which is not in a folder that $PATH names"
        if place.rpartition("/")[0] != "/opt/bin"
        else "which may not be executed"
    )
    return Finding(ok=False, found=f"there is {place} ({mode}), {why}", expected=expected, look=look)


IMMUTABLE = Lesson(
    name="03-immutable",
    title="Immutable",
    exercises=(
        Exercise(
            name="03-digest",
            title="Write down the digest",
            task="The file /home/core/digest on the machine holds the root hash of its system, 64 digits, and nothing else.",
            machine=_MACHINE,
            check=on_machine(DIGEST, is_digest),
            hints=(
                "The root hash is in /proc/cmdline, after verity.usrhash=. grep -o shows only what fits; cut takes a part.",
                "grep -o 'verity.usrhash=.*' /proc/cmdline | cut -d = -f 2 > /home/core/digest",
            ),
            solve=(Type(command=f"{_GIVEN} > /home/core/digest"),),
            cleanup=(Type(command="rm -rf /home/core/digest"),),
            traces=("ls -A /home/core",),
        ),
        Exercise(
            name="03-command",
            title="A command of your own",
            task="Make hello a command of this machine: typed by its name alone, it says any word. It cannot be in /usr/bin.",
            machine=_MACHINE,
            check=on_machine(COMMAND, is_command),
            hints=(
                "A command is a file that may be executed, in a folder that echo $PATH names. One of these is not in /usr.",
                "printf '#!/bin/sh\\necho hi\\n' | sudo tee /opt/bin/hello; sudo chmod +x /opt/bin/hello",
            ),
            solve=(
                Type(
                    command="printf '#!/bin/sh\\necho hi\\n' | sudo tee /opt/bin/hello && sudo chmod +x /opt/bin/hello"
                ),
            ),
            cleanup=(Type(command="sudo rm -rf /opt/bin/hello"),),
            traces=("ls -A /opt/bin",),
        ),
    ),
    quizzes=quizzes_of("03-immutable"),
)  # fmt: skip
