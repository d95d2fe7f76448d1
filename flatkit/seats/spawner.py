"""Starts a seat's server as the seat's own Unix user, within its limits, and ends all of it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner, set_user_setuid
from tornado import web

from flatkit.errors import FlatkitError, HostError
from flatkit.files import open_regular
from flatkit.images.lab import cache_gc
from flatkit.seats.accounts import ensure_account, find_account, runtime_folder
from flatkit.seats.ending import end_seat, environment_of
from flatkit.seats.limits import SeatLimits
from flatkit.seats.names import account_of
from flatkit.seats.settings import Settings
from flatkit.untrusted import lines_of, printable

# Time between two looks at a server that starts, in seconds.
_LOOK_SECONDS = 0.2
# A server with less than this on its disk, in bytes, could not even lay out the course.
_LEAST_FREE = 50 * 2**20
_LOG, _LOG_TAIL, _WORDS_MAX = ".flatkit-seat.log", 4096, 300


def refuse_full_disk(home: Path) -> str:
    """Return why a seat cannot start on this disk, or ""."""
    free = shutil.disk_usage(home).free
    return f"the disk of this host is full ({free // 2**20} MiB are free for {home})" if free < _LEAST_FREE else ""


def last_words(user: pwd.struct_passwd) -> str:
    """Return the last line that a seat's server wrote; "" if there is none. The file is the learner's own: not trusted."""
    with suppress(OSError), open_regular(Path(user.pw_dir) / _LOG, follow=False) as file:
        about = os.fstat(file.fileno())
        if about.st_uid == user.pw_uid and about.st_nlink == 1:
            file.seek(max(0, about.st_size - _LOG_TAIL))
            lines = [line.strip() for line in lines_of(file.read(_LOG_TAIL).decode(errors="replace")) if line.strip()]
            said = [line for line in lines if not line.startswith("Next:")]  # flatkit's hint is for a terminal
            return printable(said[-1], limit=_WORDS_MAX) if said else ""
    return ""


async def _is_listening(address: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


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
            log = os.open(_LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
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
            raise self.spoken_error(error.message) from None
        if refusal := refuse_full_disk(Path(user.pw_dir)):
            raise self.spoken_error(refusal)
        with suppress(OSError):  # so that images stay which its machines use
            cache_gc.note_machines(self.settings.cache / "lab", Path(user.pw_dir, ".local/state/flatkit/machines"))
        address, port = await super().start()  # type: ignore[no-untyped-call]
        await self._wait_until_listening(user, address, port)
        return address, port

    async def _wait_until_listening(self, user: pwd.struct_passwd, address: str, port: int) -> None:
        """Wait for the server, at most `start_timeout`. The hub's own look comes later and later, up to 5 s apart.

        Raises HTTPError as soon as the server has ended; the hub would wait for `http_timeout`.
        """
        while not await _is_listening(address, port):
            if (status := await self.poll()) is not None:  # type: ignore[no-untyped-call]
                said = await asyncio.to_thread(last_words, user)
                raise self.spoken_error(
                    f"the server of your seat has ended with status {status}" + (f": {said}" if said else "")
                )
            await asyncio.sleep(_LOOK_SECONDS)

    def spoken_error(self, words: str) -> web.HTTPError:
        """Return the error for the hub's log, with what its page shows to the learner. Other errors' words it does not show."""
        error = web.HTTPError(503, f"{self.account}: {words}")
        error.jupyterhub_message = f"{words}. Tell the trainer."  # type: ignore[attr-defined]
        return error

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
