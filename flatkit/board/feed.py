"""Text that this process shows to a trainer during an allowed look, until it is sent. In memory alone, and bounded.

Outside of the allowed time nothing is taken, and what was not sent is dropped.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from flatkit import web
from flatkit.board.asks import ShownPiece, make_piece
from flatkit.board.heard_asks import HeardAsk
from flatkit.board.journal import JoinedSeat
from flatkit.errors import InputError

# Characters: kept until they are sent, and in one request. In JSON one of them may have 6 bytes, and the board takes 128 KiB.
_TEXT_MAX, _IN_ONE_POST, _PIECES_IN_ONE_POST = 128 * 1024, 10 * 1024, 40
_JOINED_MAX, _COSTS = 4 * 1024, 100
_ANSWER_MAX = 64 * 1024


class LookFeed:
    """Thread-safe. `take` is called where something is shown, `send` in the sender's thread."""

    def __init__(self, *, post: Callable[..., web.Response] = web.post, clock: Callable[[], float] = time.time) -> None:
        self._post, self._clock = post, clock
        # Reentrant: what Python collects while this thread is in here may print an error, which comes here as well.
        self._lock = threading.RLock()
        self._look: HeardAsk | None = None
        self._pieces: deque[ShownPiece] = deque()
        self._screens: dict[str, ShownPiece] = {}
        self._drawn: dict[str, str] = {}

    def follow(self, look: HeardAsk | None) -> None:
        """Begin with this look, go on with it, or end."""
        with self._lock:
            if (self._look and self._look.ident) != (look and look.ident):
                self._pieces.clear()
                self._screens.clear()
                self._drawn.clear()
            self._look = look

    @property
    def is_open(self) -> bool:
        """True while the learner allows a look."""
        look = self._look
        return look is not None and look.left(self._clock()) > 0

    def take(self, kind: str, source: str, text: str) -> bool:
        """Take what is shown, if a look is allowed; return True if there is something to send."""
        if not self.is_open or (not text.strip() and kind != "screen"):
            return False
        with suppress(InputError), self._lock:
            piece = make_piece(kind, source, text)
            if kind != "screen":
                self._append(piece)
                return True
            if self._drawn.get(piece.source) != piece.text:
                self._drawn[piece.source] = piece.text
                self._screens[piece.source] = piece
                return True
        return False

    def _append(self, piece: ShownPiece) -> None:
        """Add a piece; lines that follow each other become one. The oldest ones go when there are too many."""
        last = self._pieces[-1] if self._pieces else None
        is_next = last is not None and last.kind == piece.kind == "output" and last.source == piece.source
        if last is not None and is_next and len(last.text) + len(piece.text) < _JOINED_MAX:
            self._pieces[-1] = replace(piece, text=f"{last.text}\n{piece.text}")
        else:
            self._pieces.append(piece)
        size = sum(len(one.text) + _COSTS for one in tuple(self._pieces))
        while size > _TEXT_MAX:
            size -= len(self._pieces.popleft().text) + _COSTS

    def send(self, seat: JoinedSeat) -> int:
        """Send the first of what was taken, in one request; return how many pieces. Raises FetchError.

        What was not sent is sent later. The caller looks at the learner's log before each call: the look may have ended.
        """
        look = self._look
        if look is None or not self.is_open or not (batch := self._next_batch()):
            return 0
        pieces = [{"kind": one.kind, "source": one.source, "text": one.text} for one in batch]
        headers = {"Content-Type": "application/json", "Authorization": f"token {seat.token}"}
        body = json.dumps({"ask": look.ident, "pieces": pieces}).encode()
        is_sent = False
        try:  # refused if the board does not know the yes yet, or not any more
            is_sent = self._post(f"{seat.url}/show", body, headers=headers, limit=_ANSWER_MAX).ok
        finally:
            if not is_sent:
                self._put_back(look, batch)
        return len(batch) if is_sent else 0

    def _next_batch(self) -> list[ShownPiece]:
        """Take the next pieces out, as many as one request may have."""
        batch: list[ShownPiece] = []
        with self._lock:
            size = 0
            for piece in (*self._screens.values(), *self._pieces):
                size += len(piece.text) + _COSTS
                if len(batch) == _PIECES_IN_ONE_POST or (batch and size > _IN_ONE_POST):
                    break
                batch.append(piece)
            for piece in batch:
                if piece.kind == "screen":
                    del self._screens[piece.source]
                else:
                    self._pieces.popleft()
        return batch

    def _put_back(self, look: HeardAsk, batch: list[ShownPiece]) -> None:
        with self._lock:
            if self._look is None or self._look.ident != look.ident:
                return
            for piece in reversed(batch):
                if piece.kind == "screen":
                    self._screens.setdefault(piece.source, piece)
                else:
                    self._pieces.appendleft(piece)
