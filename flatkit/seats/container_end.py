"""The end of a seat in a container: its machines are switched off in order when its server ends, before its process does.

On a host the hub does it (`ending`). In a container process 1 ends with the server, and every QEMU with it, as in a power cut.
This is an extension of the seat's server, which `flatkit seat` and `flatkit course` enable below a container's process 1.
"""

from __future__ import annotations

import atexit
import os
import sys
from logging import Logger
from pathlib import Path
from typing import Any

from flatkit.errors import FlatkitError
from flatkit.run import run

EXTENSION = "flatkit.seats.container_end"
# Longest time for all machines, in seconds. The values of the cluster leave a pod as long (deploy/kubernetes).
SECONDS = 50.0


def is_container() -> bool:
    """Return True in a container whose process 1 is our parent: the seat's image sets the variable, and runs tini."""
    return os.getppid() == 1 and bool(os.environ.get("container"))  # noqa: SIM112  (systemd's name)


def options(*others: str) -> list[str]:
    """Return the option that enables this extension where it is needed, and others in any case."""
    wanted = [*others, *([EXTENSION] if is_container() else [])]
    return [f"--ServerApp.jpserver_extensions={dict.fromkeys(wanted, True)}"] if wanted else []


def switch_off(log: Logger) -> None:
    """Switch this user's machines off, in a process of its own: the server's event loop has ended."""
    try:
        done = run([sys.executable, "-m", "flatkit", "seat", "stop"], cwd=Path("/"), timeout=SECONDS, check=False)
        said = done.stderr.strip() or "they are off"
    except FlatkitError as error:
        said = error.message
    log.warning("the end of this seat's machines: %s", said)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": EXTENSION}]


def _load_jupyter_server_extension(app: Any) -> None:
    # After the server's own end, so kernels have ended and start no machine any more.
    atexit.register(switch_off, app.log)
