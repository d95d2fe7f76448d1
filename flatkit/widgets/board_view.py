"""`fk.board()`: the trainer's board as a live table in a notebook. To speak to a seat, its page is one click away.

For a trainer with the board on this host, or with its address and the trainers' password. The output that is stored with the
notebook is the table as it was last, with its time.
"""

from __future__ import annotations

import getpass
import os
import threading
import time
from contextlib import suppress
from typing import Any

from flatkit.board.look import AddressLook, BoardLook, StoreLook, found_store
from flatkit.board.table import hint_of, marks_of, summary_of, table_of
from flatkit.errors import FlatkitError
from flatkit.widgets import display, html
from flatkit.widgets.display import Twin

_EVERY = 2.0  # seconds from one look to the next
_STATES = {"help": "◆ needs help", "stuck": "▲ stuck", "silent": "… silent", "away": "… away", "active": "● at work",
           "done": "○ done"}  # fmt: skip
_HEAD = ("Seat", "State", "Where", "Here for", "Last checks", "Hint", "Machine")
# The view that is live. A cell that is run again shows another one.
_live: BoardView | None = None


class BoardView(Twin):
    """The state of each seat of a room. In a notebook it is live until `stop()`, or until another board is shown."""

    def __init__(self, look: BoardLook) -> None:
        self._look, self._stop = look, threading.Event()
        self._state: dict[str, Any] = look.state()
        self._at, self._trouble = time.time(), ""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The seats, as the board sorts them: one that needs help comes first."""
        return list(self._state["rows"])

    def as_text(self) -> str:
        """Return the board as text, as `flatkit board` prints it."""
        rows = self._state["rows"]
        lines = [self._head, *(table_of(rows) if rows else ()), *filter(None, [self._trouble])]
        return "\n".join(lines)

    @property
    def _head(self) -> str:
        return f"Board, {time.strftime('%H:%M:%S', time.localtime(self._at))}: {summary_of(self._state)}"

    def refresh(self) -> None:
        """Look again. A board that does not answer is reported in the view, and looked at again later."""
        try:
            self._state, self._at, self._trouble = self._look.state(), time.time(), ""
        except FlatkitError as error:
            self._trouble = f"✗ {error.message}; this is the room as it was then"

    def stop(self) -> None:
        """Leave the table as it is now."""
        self._stop.set()

    def _ipython_display_(self) -> None:
        global _live
        if not display.can_replace():
            display.publish_text(self.as_text())
            return
        if _live is not None:
            _live.stop()
        _live, self._stop = self, threading.Event()
        ident = display.publish_live(self._as_html(), self.as_text())
        threading.Thread(target=self._follow, args=(ident, self._stop), name="flatkit: board", daemon=True).start()

    def _follow(self, ident: str, stop: threading.Event) -> None:
        while not stop.wait(_EVERY):
            with suppress(Exception):  # a page that is gone must not end the board
                self.refresh()
                display.publish_live(self._as_html(), self.as_text(), ident)

    def _as_html(self) -> str:
        head = "".join(f'<th scope="col">{html.text(name)}</th>' for name in _HEAD)
        body = "".join(_row(row) for row in self._state["rows"])
        page = [html.line(html.link("Open the board: hints, messages to all seats", self._look.address))]
        return html.block(
            html.line(html.text(self._head, "line")),
            f'<table aria-label="Board"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>' if body else "",
            html.line(html.text(self._trouble, "bad")) if self._trouble else "",
            *(page if self._look.address else ()),
        )


def _row(row: dict[str, Any]) -> str:
    word = f": {row['word']}" if row["word"] and row["status"] == "help" else ""
    status = html.text(f"{_STATES.get(row['status'], row['status'])}{word}", "line" if row["status"] == "help" else "")
    checks = html.text(" ".join(filter(None, (marks_of(row), row["failing"]))))
    here = html.text(f"{row['here'] // 60} min" if row["where"] else "")
    cells = (status, html.text(row["where"]), here, checks, html.text(hint_of(row["hint"])), html.text(row["machine"]))
    return f'<tr><th scope="row">{html.text(row["seat"])}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def show_board(address: str = "", password: str = "") -> BoardView:
    """Return the board of this host, or the one at an address. Without a password it is asked for. Raises FlatkitError.

    A password in a cell is stored with the notebook: leave it out, or set FLATKIT_TRAINER_PASSWORD.
    """
    if not address:
        return BoardView(StoreLook(found_store()))
    given = password or os.environ.get("FLATKIT_TRAINER_PASSWORD") or getpass.getpass("the trainers' password: ")
    return BoardView(AddressLook(address, given))
