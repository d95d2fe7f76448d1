"""The trainer's board: what happens at each seat, so that nobody is stuck alone. docs/board.md has the format of events.

At a seat, `journal` keeps what happens in a numbered file and `sender` posts it; on the board, `ledger` stores each event
once and in order, `overview` says how each seat is doing, and `server` shows it to the trainers.
"""

from __future__ import annotations

import sys
import types
from typing import Any


class _CallableRoom(types.ModuleType):
    """This room is also a name for trainers, `fk.board()`; as a module of the package it would hide a function of that name."""

    def __call__(self, address: str = "", password: str = "") -> Any:
        """Show the trainer's board in a notebook: that of this host, or the one at an address with the trainers' password."""
        return sys.modules["flatkit"]._show_board(address, password)  # noqa: SLF001


sys.modules[__name__].__class__ = _CallableRoom
