"""01-provision: one more user by config, and a manual note that does not last."""

from __future__ import annotations

from typing import Any

from flatkit.lessons.checks import find_user, names_of, of_config, on_machine
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Remove, Type, Write
from flatkit.lessons.quizzes import quizzes_of
from flatkit.steps import Boot

_START = "variant: flatcar\nversion: 1.0.0\n"
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIwq2Be0bPqb9Ko6nLZ6k4bOWl9TCJkfrDXNZ7JXbq0X grace@example"
_SOLVED = f"""\
variant: flatcar
version: 1.0.0
passwd:
  users:
    - name: grace
      ssh_authorized_keys:
        - {_KEY}
"""


def _grace_can_log_in(ignition: dict[str, Any]) -> Finding:
    user = find_user(ignition, "grace")
    keys = len((user or {}).get("sshAuthorizedKeys", ()))
    users = names_of(ignition.get("passwd", {}).get("users"), "name")
    found = f"users in your config: {users}" if user is None else f"grace has {keys} SSH key{'' if keys == 1 else 's'}"
    return Finding(
        ok=keys > 0, found=found, expected="a user grace with an SSH key of hers", look="flatkit explain mine.bu"
    )


def _is_adas_note(text: str, status: int) -> Finding:
    owner = text.strip()
    if status:
        return Finding(ok=False, found="there is no /home/ada/note with something in it", expected="a note that belongs to ada",
                       look='m.run("sudo ls -l /home/ada")')  # fmt: skip
    return Finding(ok=owner == "ada", found=f"/home/ada/note belongs to {owner}", expected="a note that belongs to ada",
                   look='m.run("sudo ls -l /home/ada")')  # fmt: skip


PROVISION = Lesson(
    name="01-provision",
    title="Provisioned, not installed",
    exercises=(
        Exercise(
            name="01-note",
            title="A note for Ada",
            task="By hand, on the machine: leave a note for Ada. The file /home/ada/note has some text, and belongs to ada.",
            machine=Boot(config="web.bu", machine="web", guest_ports=(80,)),
            check=on_machine("sudo test -s /home/ada/note && sudo stat -c %U /home/ada/note", _is_adas_note),
            hints=(
                "You are core, and may not write in Ada's home. sudo may; but then the file belongs to root.",
                "echo hello | sudo -u ada tee /home/ada/note",
            ),
            solve=(Type(command="echo 'The page is yours' | sudo -u ada tee /home/ada/note"),),
            cleanup=(Type(command="sudo rm -f /home/ada/note"),),
            traces=("sudo ls -A /home/ada",),
        ),
        Exercise(
            name="01-user",
            title="Grace wants to log in",
            task="Write a config mine.bu with a user grace, who can log in with an SSH key. Take Ada's as the model.",
            setup=(Write(file="mine.bu", text=_START),),
            check=of_config("mine.bu", _grace_can_log_in),
            hints=(
                "Look at passwd: in web.bu. A user is an entry of the list users:, and begins with - name:",
                "Below - name: grace stands ssh_authorized_keys:, and below that - and one public key. Ada's will do here.",
            ),
            solve=(Write(file="mine.bu", text=_SOLVED),),
            cleanup=(Remove(file="mine.bu"),),
        ),
    ),
    quizzes=quizzes_of("01-provision"),
)  # fmt: skip
