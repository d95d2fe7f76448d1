"""What learners write, in short: configs with one file, unit or user; and a machine that gives fixed answers."""

from __future__ import annotations

from typing import NamedTuple

from flatkit.lessons import get_task
from flatkit.lessons.exercise import Exercise, Write
from flatkit.testing.bench import Reply

HASH = "2367049e469bd3a0403cca631fc2602e5aacaf51c7619b11326b96669589dfc2"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIwq2Be0bPqb9Ko6nLZ6k4bOWl9TCJkfrDXNZ7JXbq0X grace@example"
BIG = next(act.text for act in get_task("08-small").setup if isinstance(act, Write))  # type: ignore[union-attr]
HEAD = "variant: flatcar\nversion: 1.0.0\n"
CONF = "/etc/flatcar/update.conf"


def file(path: str, *lines: str, mode: str = "", overwrite: bool = False) -> str:
    """A config with one file."""
    extra = (f"      mode: {mode}\n" if mode else "") + ("      overwrite: true\n" if overwrite else "")
    text = "".join(f"          {line}\n" for line in lines)
    inline = f"      contents:\n        inline: |\n{text}" if lines else ""
    return f"{HEAD}storage:\n  files:\n    - path: {path}\n{extra}{inline}"


def unit(name: str, *lines: str, enabled: bool = True) -> str:
    """A config with one unit."""
    text = "".join(f"        {line}\n" for line in lines)
    on = "      enabled: true\n" if enabled else ""
    return f"{HEAD}systemd:\n  units:\n    - name: {name}\n{on}      contents: |\n{text}"


def user(name: str, *keys: str, more: str = "") -> str:
    """A config with one user."""
    listed = "      ssh_authorized_keys:\n" + "".join(f"        - {key}\n" for key in keys) if keys else ""
    return f"{HEAD}passwd:\n  users:\n    - name: {name}\n{more}{listed}"


SERVICE = ("[Unit]", "Requires=docker.service", "After=docker.service", "[Service]", "Restart=always")
WANTED = ("[Install]", "WantedBy=multi-user.target")

CGPT = """\
/dev/vda3
      270336     1048576       3  Label: "USR-A"
                                  Type: Alias for flatcar-rootfs
                                  UUID: 7130C94A-213A-4E5A-8E26-6CCE9662F132
                                  Attr: priority={} tries=0 successful=1
     1318912     1048576       4  Label: "USR-B"
                                  Type: Alias for flatcar-rootfs
                                  UUID: E03DD35C-7C2D-4A47-B3FE-27F15780A57C
                                  Attr: priority={} tries={} successful={}
"""
NONE = '[{"hierarchy":"/usr","extensions":"none"}]\n'
MERGED = '[{"hierarchy":"/usr","extensions":["hi"]}]\n'


def text_of(name: str, *, solved: bool = False) -> str:
    """The first text that an exercise writes, at its start or when it is solved."""
    exercise = get_task(name)
    assert isinstance(exercise, Exercise)
    return next(act.text for act in (exercise.solve if solved else exercise.setup) if isinstance(act, Write))


class Answers:
    """A machine that gives these answers, one after the other."""

    def __init__(self, answers: list[str | Reply]) -> None:
        self._left = [answer if isinstance(answer, Reply) else Reply(answer) for answer in answers]

    def run(self, command: str) -> Reply:
        return self._left.pop(0)


class Mistake(NamedTuple):
    """A mistake: the learner's file, or the machine's answers to the check after it.

    `typed` is the mistake itself, for a real machine; `undo` removes what "Start over" leaves, because it is elsewhere.
    `rewinds`: only a rewind brings the machine back, and the card says so.
    """

    exercise: str
    what: str
    attempt: str | list[str | Reply]
    says: tuple[str, ...]
    never: tuple[str, ...] = ()
    typed: str = ""
    undo: str = ""
    rewinds: bool = False
