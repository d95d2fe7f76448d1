"""Makes a room, and removes it: settings, the running hub, accounts. `cli/seats.py` shows it."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from flatkit import paths
from flatkit.errors import FlatkitError, HostError
from flatkit.files import read_regular, save
from flatkit.listening import try_port
from flatkit.locks import try_lock
from flatkit.machines import host_locks
from flatkit.machines.store import make_folder
from flatkit.run import run, start
from flatkit.seats import certificate, one_room, supervisor
from flatkit.seats import settings as store
from flatkit.seats.accounts import list_accounts, remove_account
from flatkit.seats.ending import end_seat
from flatkit.seats.limits import LIMITS
from flatkit.seats.login import Pins
from flatkit.seats.settings import Settings, digest, new_password
from flatkit.untrusted import printable
from flatkit.web import get

UNIT = Path("/etc/systemd/system/flatkit-seats.service")
_SYSTEMD = Path("/run/systemd/system")
_ANSWER_SECONDS = 120.0
_HEALTH = "/hub/health"
_LOWEST, _HIGHEST = 18000, 18999
_NONE: Mapping[str, str] = MappingProxyType({})
_TEXT = """\
[Unit]
Description=flatkit: seats for a room (JupyterHub)
After=network-online.target
Wants=network-online.target

[Service]
Environment=FLATKIT_STATE={state}
ExecStart={python} -m flatkit seats serve
Restart=always
RestartSec=1
# Seats and their machines go on when the hub is started again.
KillMode=process
Delegate=yes
TasksMax=infinity

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, kw_only=True)
class Passwords:
    """The passwords of a room, shown once."""

    room: str
    trainer: str


def folder() -> Path:
    """Return the folder of this host's room."""
    return paths.state_dir() / "seats"


def cache() -> Path:
    """Return the cache that the seats share. Not root's own: there libvirt gives images to QEMU's user."""
    own = paths.cache_dir()
    return own.with_name(f"{own.name}-seats")


@contextmanager
def alone() -> Iterator[None]:
    """Keep other commands from changing the room meanwhile. Raises HostError while one does."""
    lock = try_lock(make_folder(folder().parent) / "seats.lock", mode=0o600)
    if lock is None:
        raise HostError(
            "another command changes the room of this host now: flatkit seats up, archive, reset or down",
            hint="flatkit seats status   (once that command has ended)",
        )
    try:
        yield
    finally:
        lock.release()


def find() -> Settings | None:
    """Return the room, None if there is none. Raises HostError if it cannot be read."""
    return store.load(folder()) if (folder() / "room.json").exists() else None


def is_new(settings: Settings) -> bool:
    """Return True if nobody can lose anything: there are no files of this room, not even unreadable ones, and no seats."""
    return not settings.folder.exists() and not list_accounts(settings.prefix)


def make_settings(old: Settings | None, wanted: Settings, *, fresh: bool) -> tuple[Settings, Passwords | None]:
    """Return the room's settings, and its passwords if they are new. An earlier room keeps its ports and passwords."""
    hub, api, board = free_ports(but=wanted.port)
    if old and wanted.port not in {old.hub_port, old.api_port, old.board_port}:
        hub, api, board = old.hub_port, old.api_port, old.board_port or board
    wanted = replace(wanted, hub_port=hub, api_port=api, board_port=board)
    if old and not fresh:
        return replace(
            wanted, room_hash=old.room_hash, trainer_hash=old.trainer_hash, proxy_password=old.proxy_password,
        ), None  # fmt: skip
    words = Passwords(room=new_password(2), trainer=new_password(4))
    return replace(
        wanted, room_hash=digest(words.room), trainer_hash=digest(words.trainer), proxy_password=new_password(8),
    ), words  # fmt: skip


def free_ports(*, but: int = 0) -> tuple[int, int, int]:
    """Return three free ports of 127.0.0.1 below the range of outgoing connections, not `but`. Raises HostError."""
    found: list[int] = []
    for port in random.sample(range(_LOWEST, _HIGHEST), k=200):
        if port != but and try_port(port) is None:
            found.append(port)
        if len(found) == 3:
            return found[0], found[1], found[2]
    raise HostError(
        f"no three ports from {_LOWEST} to {_HIGHEST} are free", hint="ss -Hltnp   (shows the programs that hold them)"
    )


def has_systemd() -> bool:
    """Return True where systemd is the system's first process."""
    return _SYSTEMD.is_dir()


def unit_text(settings: Settings) -> str:
    """Return the unit that keeps the room running."""
    return _TEXT.format(state=settings.folder.parent, python=settings.bin / "python")


def begin(settings: Settings) -> None:
    """Start the supervisor, or start it again with other settings. Raises HostError, CommandFailed."""
    stop(settings)
    if has_systemd():
        save(UNIT, unit_text(settings))
        run(["systemctl", "daemon-reload"])
        run(["systemctl", "enable", "--now", UNIT.name])
    else:
        environment = {"FLATKIT_STATE": str(settings.folder.parent)}
        words = [str(settings.bin / "python"), "-m", "flatkit", "seats", "serve"]
        start(words, log=settings.folder / "supervisor.log", env=environment, cwd=Path("/"))
    wait_until_served(settings)


def wait_until_served(settings: Settings, *, seconds: float = _ANSWER_SECONDS) -> None:
    """Wait until the hub answers through the proxy, with the room's certificate. Raises HostError with the end of its log."""
    deadline, answers = time.monotonic() + seconds, False
    while time.monotonic() < deadline:
        answers = is_served(settings)
        if answers and shows_certificate(settings):
            return
        time.sleep(0.2)
    log = settings.folder / supervisor.LOG
    words = "the hub did not answer"
    if answers:
        words = f'the proxy did not take the certificate "{printable(settings.certificate)}"'
    raise HostError(f"{words} within {seconds:.0f} s", hint=f"tail -n 50 {log}   (as root)")


def is_served(settings: Settings) -> bool:
    """Return True if the hub answers, and the proxy listens."""
    try:
        if not get(f"http://127.0.0.1:{settings.hub_port}{_HEALTH}", timeout=5.0).ok:
            return False
        if settings.certificate:
            return certificate.ask(_nearest(settings), settings.port, _HEALTH).is_there
        place = _nearest(settings)
        return get(f"http://{f'[{place}]' if ':' in place else place}:{settings.port}{_HEALTH}", timeout=5.0).ok
    except (FlatkitError, OSError):
        return False


def shows_certificate(settings: Settings) -> bool:
    """Return True if the proxy shows the certificate that is on the disk now, or the room has none."""
    if not settings.certificate:
        return True
    try:
        shown = certificate.ask(_nearest(settings), settings.port, _HEALTH).certificate
        return shown == certificate.stored(Path(settings.certificate))
    except OSError:
        return False


def limits_of(settings: Settings) -> str:
    """Return the limits of each seat in words, as the hub found them when it began; "" if it has not begun yet."""
    try:
        return printable(read_regular(settings.folder / LIMITS, limit=1000).decode(errors="replace").strip())
    except OSError:
        return ""


def _nearest(settings: Settings) -> str:
    """Return an address of this host at which the proxy listens."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  (compared, not bound)


def stop(settings: Settings) -> None:
    """End the supervisor with hub, proxy and services. Seats go on."""
    if has_systemd() and UNIT.exists():
        run(["systemctl", "stop", UNIT.name], check=False)
    supervisor.end_supervisor(settings.folder)
    supervisor.end_leftovers(settings.folder)


def end_seats(settings: Settings) -> None:
    """End the room and every seat: nobody's files change any more. They stay."""
    stop(settings)
    for user in list_accounts(settings.prefix):
        end_seat(settings, user)


def remove_seats(
    settings: Settings, say: Callable[[str], None], *, unsaved: Mapping[str, str] = _NONE
) -> dict[str, str]:
    """Remove the seats: machines, processes, home, account, and the owners of names. Raises HostError.

    Returns the seats that are kept, with the reason: `unsaved` ones, and those whose account cannot be removed.
    """
    kept: dict[str, str] = {}
    for user in list_accounts(settings.prefix):
        seat = user.pw_name.removeprefix(settings.prefix)
        if seat in unsaved:
            kept[seat] = unsaved[seat]
            continue
        end_seat(settings, user)
        try:
            remove_account(user)
        except FlatkitError as error:
            kept[seat] = error.message
        else:
            say(f'the seat "{user.pw_name}" is removed')
    pins = settings.folder / "pins.sqlite"
    if kept and pins.exists():
        owned = Pins(pins)
        owned.keep(kept)
        owned.close()
    else:
        pins.unlink(missing_ok=True)
    for name in ("hub.sqlite", "cookie_secret", "routes.toml", "traefik.toml"):
        (settings.folder / name).unlink(missing_ok=True)
    shutil.rmtree(settings.board, ignore_errors=True)
    return kept


def remove_room(
    settings: Settings, say: Callable[[str], None], *, unsaved: Mapping[str, str] = _NONE
) -> dict[str, str]:
    """Remove the room: hub, seats, unit, settings. The archives stay. Raises HostError.

    Returns the seats that were kept, as `remove_seats` does: then the room stays too, closed, for the next `up` or `down`.
    """
    stop(settings)
    kept = remove_seats(settings, say, unsaved=unsaved)
    host_locks.remove()
    if UNIT.exists() and has_systemd():
        run(["systemctl", "disable", UNIT.name], check=False)
        UNIT.unlink()
        run(["systemctl", "daemon-reload"], check=False)
    if not kept:
        shutil.rmtree(settings.folder)
        one_room.give_up(settings.folder)
    return kept


def owners(settings: Settings) -> list[str]:
    """Return the names of seats that are owned; none if nobody came yet. Raises HostError."""
    if not (settings.folder / "pins.sqlite").exists():
        return []
    pins = Pins(settings.folder / "pins.sqlite")
    try:
        return pins.names()
    finally:
        pins.close()


def here() -> Path:
    """Return the bin folder of the environment that this runs in. Raises HostError if other users cannot read it."""
    place = Path(sys.executable).parent
    for path in (place, *place.parents, Path(__file__).parent, *Path(__file__).parents):
        if not path.stat().st_mode & 0o001:
            raise HostError(
                f'other users cannot enter "{path}"', hint="flatkit seats up   (without --here: into /opt/flatkit)"
            )
    if os.geteuid() != 0:
        raise HostError("only root can make a room", hint="sudo flatkit seats up")
    return place
