"""The state of a room, for a trainer's program: from the store on this host, or from a board at an address.

There it wants the trainers' password, or of a hub's board a token of the hub.

Both give what the page of the board draws (`RoomOverview.as_dict`).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Protocol

from flatkit import paths, web
from flatkit.board.ledger import Ledger
from flatkit.board.overview import RoomOverview
from flatkit.errors import InputError, UsageError
from flatkit.untrusted import parse_json, printable

_STATE_MAX = 4 * 1024 * 1024
_ROW = ("seat", "status", "where", "here", "results", "failing", "machine", "word", "hint")


def own_store() -> Path:
    """Return the store of the board that this user serves."""
    return paths.state_dir() / "room" / "board.sqlite"


def found_store() -> Path:
    """Return the store of this host's board: where it has a room with seats, that of its hub."""
    hub = paths.state_dir() / "seats-board" / "room" / "board.sqlite"
    return hub if hub.exists() else own_store()


class BoardLook(Protocol):
    """A board to look at. `address` is that of its page, "" where it is not known."""

    address: str

    def state(self) -> dict[str, Any]:
        """Return the room as it is now. Raises FlatkitError."""


class StoreLook:
    """The store of this host's board, read again when it has changed."""

    address = ""

    def __init__(self, store: Path) -> None:
        if not store.exists():
            raise UsageError(
                f'there is no board on this host: "{printable(store)}" does not exist',
                hint='flatkit board serve   in a terminal, or fk.board("http://ADDRESS:8020")',
            )
        self._ledger = Ledger(store)
        self._overview, self._version = RoomOverview(), -1

    def state(self) -> dict[str, Any]:
        """Return the room as it is now."""
        version = self._ledger.version
        if version != self._version:
            ledger = self._ledger
            self._overview = RoomOverview.replay(ledger.seats, ledger.events(), ledger.said())
            self._version = version
        return self._overview.as_dict(time.time())


class AddressLook:
    """A board elsewhere. Its answer is text from outside."""

    def __init__(self, address: str, password: str) -> None:
        self.address = f"{address.rstrip('/')}/"
        web.check_address(self.address)
        self._password = password

    def state(self) -> dict[str, Any]:
        """Return the room as it is now. Raises InputError for a wrong password, FetchError."""
        body = json.dumps({"password": self._password}).encode()
        found = web.post(f"{self.address}state", body, headers={"Content-Type": "application/json"}, limit=_STATE_MAX)
        try:
            values = parse_json(found.data, limit=_STATE_MAX)
        except ValueError:
            values = None
        if isinstance(values, dict) and isinstance(values.get("error"), str):
            raise InputError(
                f'the board "{printable(self.address)}" said: {printable(values["error"], limit=200)}',
                hint="flatkit board serve printed the trainers' password; a hub makes a token on its page /hub/token",
            )
        if not found.ok:
            raise web.refusal(self.address, found.status)
        if not _is_state(values):
            raise web.captive(self.address, found.final_url)
        state: dict[str, Any] = values
        return state


def _is_state(values: Any) -> bool:
    """Return True for a state whose rows can be drawn."""
    if not isinstance(values, dict) or not isinstance(values.get("rows"), list):
        return False
    return (
        isinstance(values.get("counts"), dict)
        and isinstance(values.get("room"), str)
        and _is_middle(values.get("middle"))
        and all(_is_row(row) for row in values["rows"])
    )


def _is_middle(middle: Any) -> bool:
    return isinstance(middle, dict) and (not middle or {"notebook", "step"} <= set(middle))


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not set(_ROW) <= set(row):
        return False
    hint, results = row["hint"], row["results"]
    return (
        all(isinstance(row[name], str) for name in _ROW if name not in {"here", "results", "hint"})
        and isinstance(row["here"], int)
        and isinstance(hint, dict)
        and (not hint or ("shown" in hint and isinstance(hint.get("ago"), int)))
        and isinstance(results, list)
        and all(isinstance(one, dict) and isinstance(one.get("verdict"), str) for one in results)
    )
