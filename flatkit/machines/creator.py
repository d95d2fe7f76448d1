"""The creator of a machine: the session (a notebook, a terminal, a Python program), and the demo or exercise in it.

A machine's record stores this, so that a session's clean-up removes what that session made and nothing else.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import PurePath

from flatkit.untrusted import printable

# jupyter_server sets it for each kernel: the path of the notebook. Programs that a cell starts inherit it.
_NOTEBOOK_VARIABLE = "JPY_SESSION_NAME"
_NOTEBOOK, _PROGRAM, _TERMINAL = "notebook", "python", "terminal"
_NAME_MAX = 4096
# Identifies a Python program or a kernel without a notebook's name. Process IDs are used again, so none is taken.
_THIS_PROGRAM = secrets.token_hex(8)


@dataclass(frozen=True, kw_only=True)
class Creator:
    """Creator of a machine. `session` is "notebook:PATH", "python:ID" or "terminal"; "" if nobody recorded it.

    `task` is the demo or exercise that made the machine for itself, such as "demo update"; "" for a user's own machine.
    """

    session: str = ""
    task: str = ""

    @property
    def session_name(self) -> str:
        """The session in words."""
        kind, _, name = self.session.partition(":")
        words = {_NOTEBOOK: f"notebook {PurePath(name).name}", _PROGRAM: "a Python session", "": "not recorded"}
        return words.get(kind, self.session)

    def __str__(self) -> str:
        return f"{self.task} ({self.session_name})" if self.task else self.session_name

    def matches(self, words: str) -> bool:
        """Return True if these words name the creator: its session, its task, or the kind or name of one of them."""
        kind, _, name = self.session.partition(":")
        task_kind, _, task_name = self.task.partition(" ")
        known = {kind, name, PurePath(name).name, self.session_name, self.task, task_kind, task_name, str(self)}
        return bool(words) and words in known

    @property
    def cleaned(self) -> Creator:
        """The same as a record contains it, without characters that a terminal or JSON would refuse."""
        return Creator(session=_name(self.session), task=_name(self.task))


# The default, and what older records have.
UNKNOWN_CREATOR = Creator()


def notebook_session(path: str = "") -> str:
    """Return the session of this kernel: its notebook's path, if that is known, else this Python process alone."""
    found = path or os.environ.get(_NOTEBOOK_VARIABLE, "")
    return _name(f"{_NOTEBOOK}:{found}") if found else f"{_PROGRAM}:{_THIS_PROGRAM}"


def terminal_session() -> str:
    """Return the session of a command: the terminal, or the notebook whose cell runs the command."""
    return notebook_session() if os.environ.get(_NOTEBOOK_VARIABLE) else _TERMINAL


def _name(text: str) -> str:
    # Records contain no characters that a terminal or JSON would refuse.
    return printable(text, limit=_NAME_MAX)
