"""The door of a board that is a service of a JupyterHub: the hub identifies users. This module alone of the room imports it.

A seat is the user of the token that came along, if that token may post for this user. A trainer came through the hub's
OAuth, and has the scope of this service. The hub's cookie is useless to pages of other paths: each request of the page
carries its token against forgery. A program has a token with that scope. It can add the seats of a rehearsal alone.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated

from flatkit.board.events import REHEARSED
from flatkit.board.handlers import BoardHandler
from flatkit.seat_env import POST_SCOPE

_TOKEN_MAX = 200


class HubDoor:
    """A `BoardDoor`. Each seat that posts is added."""

    mixins: tuple[type[Any], ...] = (HubOAuthenticated,)

    def __init__(self) -> None:
        self._auth = HubOAuth.instance()
        self.prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
        self.settings: Mapping[str, Any] = {"cookie_secret": secrets.token_bytes(32)}
        self.handlers: Sequence[tuple[str, type[Any]]] = (("oauth_callback", _Callback), ("join", _Join))

    async def find_seat(self, handler: BoardHandler) -> str | None:
        """Return the user whose token may post."""
        word, _, token = handler.request.headers.get("Authorization", "").partition(" ")
        if word != "token" or not token:
            return None
        if rehearsed := handler.board.ledger.find_seat(token):  # no user's seat has a secret here
            return rehearsed
        user = await self._auth.user_for_token(token, sync=False)  # type: ignore[no-untyped-call]
        if not user or user.get("kind") != "user":
            return None
        name = str(user["name"])
        if not self._auth.check_scopes({f"{POST_SCOPE}!user={name}"}, user):  # type: ignore[no-untyped-call]
            return None
        handler.board.take_seat(name)
        return name

    async def is_trainer(self, handler: BoardHandler) -> bool:
        """Return True for a user with the scope of this service, who came by OAuth. A token alone opens no page."""
        if "Authorization" in handler.request.headers:
            return False
        user = await self._auth.get_user(handler, sync=False)  # type: ignore[no-untyped-call]
        handler.asked_by = user["name"] if user else ""
        # This sets the cookie that the page's own requests must repeat.
        handler.xsrf_token  # noqa: B018
        return bool(user and self._auth.check_scopes(self._auth.access_scopes, user))  # type: ignore[no-untyped-call]

    async def is_trainers_program(self, handler: BoardHandler, secret: Any) -> bool:
        """Return True for a token of the hub with the scope of this service."""
        if isinstance(secret, str) and len(secret) <= _TOKEN_MAX and secret.isascii() and secret.isalnum():
            user = await self._auth.user_for_token(secret, sync=False)  # type: ignore[no-untyped-call]
            if user and self._auth.check_scopes(self._auth.access_scopes, user):  # type: ignore[no-untyped-call]
                return True
        handler.refuse(403, "this is not a token of a trainer; the hub's page /hub/token makes one")
        return False

    def show_login(self, handler: BoardHandler) -> None:
        """Send a browser to the hub's login; refuse who is logged in, and is not a trainer."""
        if handler.asked_by or "Authorization" in handler.request.headers:
            handler.refuse(403, "this page is for the trainers of the room")
        else:
            handler.redirect(handler.get_login_url())


class _Join(BoardHandler):
    """A seat of a rehearsal joins. A user's name has no dash."""

    async def post(self) -> None:
        values = self.values()
        if await self.board.door.is_trainers_program(self, values.get("password")):
            name = values.get("seat")
            if isinstance(name, str) and name.startswith(REHEARSED):
                self.join(name)
            else:
                self.refuse(403, "the seats of a hub's board are its users")


class _Callback(HubOAuthCallbackHandler):
    """The end of the hub's login."""

    def initialize(self, board: object) -> None:
        """Take the board, as all handlers do."""
