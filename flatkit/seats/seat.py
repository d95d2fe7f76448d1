"""`flatkit seat`: what runs in a seat, the same in an account of a host and in a pod.

It prepares the course's folder and the place of libvirt's sockets, and replaces itself by JupyterHub's single-user server.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from flatkit import jupyter_start
from flatkit.accounts import my_name, my_uid
from flatkit.errors import FlatkitError, UsageError
from flatkit.events import Observer, Said
from flatkit.lessons import jupyter_server
from flatkit.lessons.layout import find_folder
from flatkit.run import become
from flatkit.seat_env import PAGES, SEAT
from flatkit.seats import container_end

COURSE = "flatkit-course"
_EXTENSION = "flatkit.seats.page_proxy"
# Longest orderly shutdown of one machine, in seconds; then its power goes.
_PATIENCE = 20.0


def start(arguments: Sequence[str], *, folder: Path | None = None) -> NoReturn:
    """Become the seat's server. `arguments` go to it. Raises UsageError, MissingDependency, HostError.

    Started by JupyterHub: without it, `flatkit course` is what a learner wants.
    """
    if "JUPYTERHUB_API_TOKEN" not in os.environ:
        raise UsageError("this is not a seat of a JupyterHub, which starts this command", hint="flatkit course")
    course = find_folder(folder or Path.home() / COURSE)
    os.environ.update(environment())
    os.chdir(course)
    first = min(course.glob("*.ipynb"), default=None)
    options = [f"--ServerApp.root_dir={course}", *container_end.options(_EXTENSION)]
    options += jupyter_server.options()
    options += [f"--ServerApp.default_url=/lab/tree/{first.name}"] if first else []
    become([*jupyter_start.command("jupyterhub.singleuser"), *options, *arguments])


def environment() -> dict[str, str]:
    """Return the variables that server, kernels and terminals of a seat need beside those that are set."""
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
    wanted = {
        SEAT: os.environ.get(SEAT) or os.environ.get("JUPYTERHUB_USER") or my_name(),
        PAGES: f"{prefix}flatkit/page/",
        "XDG_RUNTIME_DIR": str(runtime_folder()),
    }
    return {**wanted, **jupyter_server.environment()}


def runtime_folder() -> Path:
    """Return the folder of libvirt's sockets, made if necessary: always the same one, or machines would be out of sight.

    A pod has no /run/user/UID: there it is a folder of this user below the temporary one.
    """
    for path in (os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{my_uid()}"):
        if path and os.access(path, os.W_OK) and Path(path).stat().st_uid == my_uid():
            return Path(path)
    own = Path(tempfile.gettempdir()) / f"flatkit-run-{my_uid()}"
    with suppress(FileExistsError):
        own.mkdir(mode=0o700)
    about = own.lstat()
    if own.is_symlink() or about.st_uid != my_uid() or about.st_mode & 0o077:
        raise UsageError(f'"{own}" is not a closed folder of yours', hint="export XDG_RUNTIME_DIR=/some/folder")
    return own


def stop_machines(observer: Observer | None = None) -> list[str]:
    """Switch this user's running machines off, one after the other; return what went wrong. Their disks stay: `flatkit up`."""
    from flatkit.machines import Machine
    from flatkit.machines.cleanup import find_machines
    from flatkit.machines.handle import MachineState
    from flatkit.machines.store import folders

    if not folders():
        return []  # libvirt is not started for nothing
    watcher, faults = observer or Observer(), []
    on = {MachineState.RUNNING, MachineState.BOOTING, MachineState.PAUSED, MachineState.FAILED}
    for info in find_machines():
        if info.state is MachineState.ELSEWHERE:
            faults.append(f'"{info.name}": {info.cause}')
        if info.state not in on:
            continue
        try:
            Machine(info.name).stop(patience=_PATIENCE)
            watcher.notify(Said(text=f'"{info.name}" is switched off'))
        except FlatkitError as error:
            faults.append(error.message)
    return faults
