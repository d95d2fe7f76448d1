"""Keeps the hub running: starts it, starts it again when it ends, and ends hub, proxy and services together.

The same with and without systemd, whose unit runs `flatkit seats serve`. The seats' servers and machines go on meanwhile.
"""

from __future__ import annotations

import os
import pwd
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from flatkit import jupyter_start
from flatkit.errors import HostError
from flatkit.files import save
from flatkit.locks import try_lock
from flatkit.machines import host_locks
from flatkit.machines.scheduler import turns
from flatkit.run import Child, start
from flatkit.seats.accounts import KILL_SECONDS, list_accounts, make_runtime_folder
from flatkit.seats.ending import end_seat
from flatkit.seats.settings import Settings, load

# Environment of the hub, the proxy and the services alone: the folder of their room. Seats do not get it.
MARK = "FLATKIT_SEATS_HUB"
# The account of the board, which parses what seats send.
NOBODY = "nobody"
LOG = "hub.log"
_LOCK, _PID = "supervisor.lock", "supervisor.pid"
# The hub gets this long to end, in seconds: it ends proxy and services.
_END_SECONDS = 25.0
# A hub that ran shorter than this waits before it is started again, each time longer.
_QUICK, _LONGEST_PAUSE = 20.0, 30.0
_LOG_MAX = 50 * 2**20


def serve(folder: Path, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Run the hub of a room until `stop` is set. Raises HostError if another supervisor does, or without a room."""
    settings = load(folder)
    lock = try_lock(folder / _LOCK, mode=0o600, wait=2.0)
    if lock is None:
        raise HostError("the room is running already", hint="flatkit seats status")
    try:
        # A hub that was started with SIGINT ignored would pass that on: each stop of a seat would take 10 s more.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        save(folder / _PID, f"{os.getpid()}\n")
        prepare(settings, say)
        pause = 0.0
        while not stop.wait(pause):
            end_leftovers(folder)
            mend_database(settings, say)
            began = time.monotonic()
            hub = start_hub(settings)
            say(f"the hub runs (process {hub.pid})")
            while hub.poll() is None and not stop.wait(0.2):
                pass
            if stop.is_set():
                hub.end(_END_SECONDS)
                break
            say(f"the hub has ended with status {hub.poll()}: it is started again")
            pause = min(_LONGEST_PAUSE, 2 * pause + 1) if time.monotonic() - began < _QUICK else 0.0
    finally:
        end_leftovers(folder)
        lock.release()


def prepare(settings: Settings, say: Callable[[str], None]) -> None:
    """Create what does not outlive a restart of the host: lock files and the seats' folders below /run."""
    try:
        host_locks.create(turns())
    except OSError as error:
        say(f"boots of different seats do not take turns: {error}")
    for user in list_accounts(settings.prefix):
        with suppress(HostError, OSError):
            make_runtime_folder(user)
    about = pwd.getpwnam(NOBODY)
    settings.board.mkdir(mode=0o700, exist_ok=True)
    os.chown(settings.board, about.pw_uid, about.pw_gid)


def start_hub(settings: Settings) -> Child:
    """Start JupyterHub; it starts the proxy and the services. Its output goes to the log."""
    log = settings.folder / LOG
    with suppress(OSError):
        if log.stat().st_size > _LOG_MAX:
            log.replace(log.with_suffix(".log.old"))
    config = Path(__file__).with_name("jupyterhub_config.py")
    words = [*jupyter_start.command("jupyterhub"), "--config", str(config)]
    return start(words, log=log, env={MARK: str(settings.folder)}, cwd=settings.folder)


def mend_database(settings: Settings, say: Callable[[str], None]) -> None:
    """Put a broken database of the hub aside: it starts with an empty one. Seats that it forgets are ended in order."""
    path = settings.folder / "hub.sqlite"
    if not path.exists() or _is_whole(path):
        return
    aside = path.with_name(f"hub.sqlite.broken-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    path.replace(aside)
    say(
        f'the hub\'s database was broken, and is now "{aside}": seats are ended; learners log in again and find their files'
    )
    for user in list_accounts(settings.prefix):
        end_seat(settings, user)


def _is_whole(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return bool(database.execute("pragma quick_check").fetchone()[0] == "ok")
    except sqlite3.Error:
        return False


def end_leftovers(folder: Path) -> None:
    """End hub, proxy and services that outlived their supervisor or their hub."""
    for which, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, KILL_SECONDS)):
        deadline = time.monotonic() + seconds
        for process in parts_of(folder):
            with suppress(ProcessLookupError):
                os.kill(process, which)
        while any(True for _ in parts_of(folder)) and time.monotonic() < deadline:
            time.sleep(0.05)


def parts_of(folder: Path) -> Iterator[int]:
    """Yield the process IDs of a room's hub, proxy and services."""
    mark = f"{MARK}={folder}".encode()
    ours = {os.geteuid(), pwd.getpwnam(NOBODY).pw_uid}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid not in ours or int(path.name) == os.getpid():
                continue
            if (
                mark in (path / "environ").read_bytes().split(b"\0")
                and "\nState:\tZ" not in (path / "status").read_text()
            ):
                yield int(path.name)
        except OSError:
            continue


def end_supervisor(folder: Path) -> None:
    """End the supervisor of a room, which ends the rest; wait for it. Its process ID is in the lock's neighbour."""
    process = read_pid(folder)
    if process is None:
        return
    for which, seconds in ((signal.SIGTERM, _END_SECONDS + 15), (signal.SIGKILL, KILL_SECONDS)):
        with suppress(ProcessLookupError):
            os.kill(process, which)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if read_pid(folder) is None:
                return
            time.sleep(0.1)


def read_pid(folder: Path) -> int | None:
    """Return the process ID of a room's supervisor while it runs: while its lock is held."""
    lock = try_lock(folder / _LOCK, mode=0o600) if folder.is_dir() else None
    if lock is not None or not folder.is_dir():
        if lock is not None:
            lock.release()
        return None
    with suppress(OSError, ValueError):
        return int((folder / _PID).read_text())
    return None
