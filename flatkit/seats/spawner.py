"""Starts a seat's server as the seat's own Unix user, within its limits, and ends all of it."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner, set_user_setuid

from flatkit.errors import FlatkitError, HostError
from flatkit.images.lab import cache_gc
from flatkit.seats.accounts import ensure_account, find_account, runtime_folder
from flatkit.seats.ending import end_seat, environment_of
from flatkit.seats.limits import SeatLimits
from flatkit.seats.names import account_of
from flatkit.seats.settings import Settings


class SeatSpawner(LocalProcessSpawner):
    """A learner's server. `configure` gives it the room."""

    settings: Settings
    limits: SeatLimits

    @property
    def account(self) -> str:
        """The Unix account of the seat: never the name that the learner typed."""
        return account_of(self.user.name, prefix=self.settings.prefix)

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return what the new process does before it becomes the server: limits as root, then the seat's user."""
        limit, become = self.limits.before_exec(name), set_user_setuid(self.account)  # type: ignore[no-untyped-call]

        def before() -> None:
            limit()
            become()
            os.umask(0o077)
            # As the seat's user, into its own home: what it prints fills nobody else's disk.
            log = os.open(
                ".flatkit-seat.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600
            )
            for descriptor in (1, 2):
                os.dup2(log, descriptor)

        return before

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add the user's variables. After a restart of the hub they must come out the same, so nothing is stored."""
        user = pwd.getpwnam(self.account)
        env.update(
            USER=user.pw_name, LOGNAME=user.pw_name, HOME=user.pw_dir, SHELL=user.pw_shell or "/bin/sh",
            XDG_RUNTIME_DIR=str(runtime_folder(user)), **environment_of(self.settings, self.user.name),
        )  # fmt: skip
        return env

    async def start(self) -> Any:
        """Make the account if necessary, and start the server; return its address."""
        try:
            user = await asyncio.to_thread(ensure_account, self.account)
        except FlatkitError as error:
            error.jupyterhub_message = f"{error.message}. Tell the trainer."  # type: ignore[attr-defined]
            raise
        with suppress(OSError):  # so that images stay which its machines use
            cache_gc.note_machines(self.settings.cache / "lab", Path(user.pw_dir, ".local/state/flatkit/machines"))
        return await super().start()  # type: ignore[no-untyped-call]

    async def run_post_stop_hook(self) -> None:
        """Switch the seat's machines off and end what it runs, when its server has ended in whatever way."""
        try:
            user = await asyncio.to_thread(find_account, self.account)
        except HostError:
            return  # an account of the host: nothing of it is ended
        if user is None:
            return
        if said := await asyncio.to_thread(end_seat, self.settings, user):
            self.log.warning("ending the machines of %s: %s", self.account, said)
