"""The board's requests about looks and verbs: a trainer asks and sees, a seat answers and shows what was allowed.

Programs ask too: on the board's host with a key that the serving process wrote to a file of its own, elsewhere with a
trainer's secret.
"""

from __future__ import annotations

import hmac
from typing import Any

import tornado.web

from flatkit.board.asks import parse_answer, parse_piece
from flatkit.board.handlers import BoardHandler
from flatkit.errors import FlatkitError
from flatkit.untrusted import is_number

_PIECES_MAX = 50


class _Ask(BoardHandler):
    """A trainer asks a seat, or takes that back."""

    async def post(self) -> None:
        await self.must_be_trainer()
        values = self.values()
        seat, kind = values.get("seat"), values.get("kind")
        if not isinstance(seat, str) or seat not in self.board.overview.rows:
            raise tornado.web.HTTPError(400)
        try:
            if values.get("back") is True:
                self.board.asks.withdraw(seat, kind)
            else:
                self.board.asks.ask(seat, kind, values.get("machine", ""))
        except FlatkitError as error:
            return self.refuse(400, error.message)
        self.board.changed()
        self.finish({"asks": self.board.asks.for_page(seat)})
        return None


class _Look(BoardHandler):
    """A trainer reads what a seat shows; nothing of it is in an answer once the look is over."""

    async def get(self) -> None:
        await self.must_be_trainer()
        after = self.get_query_argument("after", "0")
        self.show_look(self.get_query_argument("seat", ""), int(after) if is_number(after) else -1)

    def show_look(self, seat: Any, after: Any) -> None:
        """Answer with what is behind a number."""
        if not isinstance(seat, str) or seat not in self.board.overview.rows or type(after) is not int or after < 0:
            raise tornado.web.HTTPError(400)
        shown = self.board.asks.look(seat, after)
        self.finish({**shown, "asks": self.board.asks.for_page(seat)})


class _Answer(BoardHandler):
    """A seat answers for itself: its name comes from its secret."""

    async def post(self) -> None:
        seat, values = await self.seat(), self.values()
        try:
            answer = parse_answer(values)
        except FlatkitError as error:
            return self.refuse(400, error.message)
        if self.board.asks.answer(seat, answer):
            self.board.changed()
        self.finish({"asks": self.board.asks.for_seat(seat)})
        return None


class _Show(BoardHandler):
    """A seat shows what its learner allowed; 409 outside of the allowed time, and nothing is kept."""

    async def post(self) -> None:
        seat, values = await self.seat(), self.values()
        pieces, ident = values.get("pieces"), values.get("ask")
        if not isinstance(pieces, list) or not isinstance(ident, str):
            raise tornado.web.HTTPError(400)
        if len(pieces) > _PIECES_MAX:
            raise tornado.web.HTTPError(413)
        # Before the texts are parsed, which costs more than all else here.
        if not self.board.asks.is_allowed(seat, ident):
            return self.refuse(409, "the learner has not allowed a look, or it is over")
        try:
            shown = [parse_piece(piece) for piece in pieces]
        except FlatkitError as error:
            return self.refuse(400, error.message)
        self.board.asks.show(seat, ident, shown)
        self.finish({})
        return None


class _DeskHandler(BoardHandler):
    """A request of a program. On the board's host a key is a trainer's secret for this process."""

    async def must_be_trainer(self) -> None:
        """Refuse all others: the key is in a header, another secret in the body."""
        word, _, key = self.request.headers.get("Authorization", "").partition(" ")
        if word == "key":
            if not hmac.compare_digest(key.encode("utf-8", "replace"), self.board.key.encode()):
                raise tornado.web.HTTPError(403)
        elif not await self.board.door.is_trainers_program(self, self.values().get("password")):
            raise tornado.web.Finish


class _State(_DeskHandler):
    """The room as it is now."""

    async def post(self) -> None:
        await self.must_be_trainer()
        self.finish(self.board.overview.as_dict(self.board.clock()))


class _DeskAsk(_DeskHandler, _Ask):
    pass


class _DeskLook(_DeskHandler, _Look):
    async def post(self) -> None:
        await self.must_be_trainer()
        values = self.values()
        self.show_look(values.get("seat"), values.get("after"))


ASK_ROUTES: tuple[tuple[str, type[Any]], ...] = (("ask", _Ask), ("look", _Look), ("answer", _Answer), ("show", _Show))
# Without the door's own checks, which ask for a browser's login.
DESK_ROUTES: tuple[tuple[str, type[Any]], ...] = (("desk/ask", _DeskAsk), ("desk/look", _DeskLook), ("state", _State))
