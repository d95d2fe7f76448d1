"""The door of a board that is a service of a JupyterHub: the hub identifies users. This module alone of the room imports it.

A seat is the user of the token that came along, if that token may post for this user. A trainer came through the hub's
OAuth, and has the scope of this service. The hub's cookie is useless to pages of other paths: each request of the page
carries its token against forgery.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated

from flatkit.board.handlers import BoardHandler
from flatkit.seat_env import POST_SCOPE


class HubDoor:
    """A `BoardDoor`. Each seat that posts is added."""

    mixins: tuple[type[Any], ...] = (HubOAuthenticated,)

    def __init__(self) -> None:
        self._auth = HubOAuth.instance()
        self.prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
        self.settings: Mapping[str, Any] = {"cookie_secret": secrets.token_bytes(32)}
        self.handlers: Sequence[tuple[str, type[Any]]] = (("oauth_callback", _Callback),)

    async def find_seat(self, handler: BoardHandler) -> str | None:
        """Return the user whose token may post."""
        word, _, token = handler.request.headers.get("Authorization", "").partition(" ")
        if word != "token" or not token:
            return None
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

    def show_login(self, handler: BoardHandler) -> None:
        """Send a browser to the hub's login; refuse who is logged in, and is not a trainer."""
        if handler.asked_by or "Authorization" in handler.request.headers:
            handler.refuse(403, "this page is for the trainers of the room")
        else:
            handler.redirect(handler.get_login_url())


class _Callback(HubOAuthCallbackHandler):
    """The end of the hub's login."""

    def initialize(self, board: object) -> None:
        """Take the board, as all handlers do."""
