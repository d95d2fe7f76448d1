"""01-provision: one more user by config, and a manual note that does not last."""

from __future__ import annotations

from typing import Any

from flatkit.butane.access import is_public_key
from flatkit.lessons.checks import find_on_host, find_user, names_of, of_config
from flatkit.lessons.exercise import Bench, Exercise, Finding, Lesson, Remove, Type, Write
from flatkit.lessons.quiz import quizzes_of
from flatkit.steps import Boot
from flatkit.untrusted import lines_of

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
# The owner of the note, or what is there instead; below it notes in other places.
NOTE = """\
f=/home/ada/note
if sudo test -d $f; then echo folder
elif sudo grep -q '[^[:space:]]' $f 2>/dev/null; then sudo stat -c %U $f
elif sudo test -e $f; then echo empty
else echo none; sudo find / /home /home/core /home/ada /root /tmp -maxdepth 1 -type f -iname 'note*' | head -n 3; fi"""


def _grace_can_log_in(ignition: dict[str, Any]) -> Finding:
    user = find_user(ignition, "grace")
    keys = len((user or {}).get("sshAuthorizedKeys", ()))
    users = names_of(ignition.get("passwd", {}).get("users"), "name")
    found = f"users in your config: {users}" if user is None else f"grace has {keys} SSH key{'' if keys == 1 else 's'}"
    expected, look = "a user grace with an SSH key of hers", "flatkit explain grace.bu"
    if user is not None and not keys and user.get("passwordHash"):
        found = "grace has a password, and no SSH key"
    bad = [key for key in (user or {}).get("sshAuthorizedKeys", ()) if not is_public_key(key)]
    if bad:
        found, expected = (
            f'"{bad[0].strip()[:40]}" is not a public key',
            "a whole line such as: ssh-ed25519 AAAA... grace@example",
        )
    if any("PRIVATE KEY" in key for key in bad):
        found = "that is a private key, which must never leave your computer: the public one ends with .pub"
    return Finding(ok=keys > 0 and not bad, found=found, expected=expected, look=look)


def is_adas_note(bench: Bench) -> Finding:
    """Check that Ada has a note of her own; tell an empty one, a foreign one and a wrong place apart."""
    kind, _, rest = str(bench.run(NOTE)).strip().partition("\n")
    others = ", ".join(line.strip() for line in lines_of(rest) if line.strip())
    if kind == "ada":
        return Finding(ok=True, found="/home/ada/note belongs to ada")
    found = {
        "none": f"{others} is there; the note belongs in /home/ada"
        if others
        else "there is no /home/ada/note" + find_on_host(bench, "note"),
        "empty": "/home/ada/note is empty",
        "folder": "/home/ada/note is a folder",
    }.get(kind, f"/home/ada/note belongs to {kind}: who writes a file owns it")
    return Finding(
        ok=False,
        found=found,
        expected="a note with some text that belongs to ada",
        look='m.run("sudo ls -l /home/ada")',
    )


PROVISION = Lesson(
    name="01-provision",
    title="Provisioned, not installed",
    exercises=(
        Exercise(
            name="01-note",
            title="A note for Ada",
            task="By hand, on the machine: leave a note for Ada. The file /home/ada/note has some text, and belongs to ada.",
            machine=Boot(config="web.bu", machine="web", guest_ports=(80,)),
            check=is_adas_note,
            hints=(
                "You are core, and may not write in Ada's home. sudo may; but then the file belongs to root.",
                "echo hello | sudo -u ada tee /home/ada/note",
            ),
            solve=(Type(command="echo 'The page is yours' | sudo -u ada tee /home/ada/note"),),
            cleanup=(Type(command="sudo rm -rf /home/ada/note"),),
            traces=("sudo ls -A /home/ada",),
        ),
        Exercise(
            name="01-user",
            title="Grace wants to log in",
            task="Write a config grace.bu with a user grace, who can log in with an SSH key. Take Ada's as the model.",
            setup=(Write(file="grace.bu", text=_START),),
            check=of_config("grace.bu", _grace_can_log_in),
            hints=(
                "Look at passwd: in web.bu. A user is an entry of the list users:, and begins with - name:",
                "Below - name: grace comes ssh_authorized_keys:, and below that - and one public key. Ada's will do here.",
            ),
            solve=(Write(file="grace.bu", text=_SOLVED),),
            cleanup=(Remove(file="grace.bu"),),
        ),
    ),
    quizzes=quizzes_of("01-provision"),
)  # fmt: skip
