"""The room's login as JupyterHub asks for it. The decisions are in `login`."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.auth import Authenticator
from tornado import web

from flatkit.seats.login import Door, Pins, Refused
from flatkit.seats.settings import Settings

# Rendered by the hub as a template: it escapes what the learner typed.
# White on the hub's own orange has too little contrast to be read on a projector: 2.8 to 1, here 5.5.
_FORM = """
<style>
 #login-main .auth-form-header, #login_submit { background: #b3480a; border-color: #b3480a; color: #fff }
 #login-main .login_error { color: #a61b00 }
 #login-main label { margin: 1rem 0 .25rem }
 #login-main .note { font-size: .875rem; margin: .25rem 0 1rem }
</style>
<form action="{{ authenticator_login_url | e }}" method="post" role="form">
 <div class="auth-form-header"><h1>Take a seat</h1></div>
 <div class="auth-form-body m-auto">
  {% if login_error %}<p class="login_error" role="alert">{{ login_error | e }}</p>{% endif %}
  <input type="hidden" name="_xsrf" value="{{ xsrf | e }}"/>
  <label for="username_input">Name of your seat (letters and digits)</label>
  <input id="username_input" name="username" class="form-control" autocapitalize="off" autocorrect="off"
   autocomplete="username" maxlength="40" required autofocus value="{{ (username or '') | e }}"/>
  <label for="room_input">The room's password, as the trainer shows it</label>
  <input id="room_input" name="room" type="password" class="form-control" maxlength="100" autocomplete="off"/>
  <label for="password_input">A PIN of your own: choose one, and come back with it</label>
  <input id="password_input" name="password" type="password" class="form-control" maxlength="100" required
   autocomplete="current-password"/>
  <p class="note">The first to use a name owns it. At least 4 characters; do not use a password of yours.</p>
  <p class="note">The trainer's board shows where you are: notebook, step, checks, hints, answers and machines, never
   the contents of files.
   What your cells print is shown only while you allow it.
   In a terminal of your seat, <code>flatkit leave</code> ends that.</p>
  <input id="login_submit" type="submit" class="btn btn-jupyter form-control" value="Sit down"/>
 </div>
</form>
"""
# What a wrong try costs, in seconds.
_COST = 0.5


class RoomAuthenticator(Authenticator):
    """Lets learners of a room in. `configure` gives it the room."""

    custom_html = _FORM
    settings: Settings

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._door = Door(self.settings, Pins(self.settings.folder / "pins.sqlite"))

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str:
        """Return the name of the seat. Raises HTTPError, whose message the login page shows."""
        words = {key: data.get(key, "") for key in ("username", "room", "password")}
        try:
            return await asyncio.to_thread(
                self._door.enter, name=words["username"], room=words["room"], pin=words["password"],
                address=str(handler.request.remote_ip),
            )  # fmt: skip
        except Refused as refused:
            await asyncio.sleep(_COST)
            error = web.HTTPError(429 if refused.wait else 403)
            error.jupyterhub_message = refused.message  # type: ignore[attr-defined]  # what the hub's page shows
            raise error from None

    def normalize_username(self, username: str) -> str:
        """Return the name of a seat as it is stored."""
        return username.strip().lower()
