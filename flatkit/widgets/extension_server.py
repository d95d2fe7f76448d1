"""This notebook's server of extensions: on this host, for machines here, from where systemd-sysupdate fetches versions."""

from __future__ import annotations

import threading
from pathlib import Path

from flatkit.api.extensions import offer_extensions
from flatkit.errors import HostError
from flatkit.listening import try_port
from flatkit.machines import Machine
from flatkit.updates.server import UpdateServer
from flatkit.widgets.results import Note

# Beside the update server's 8000: the course's configs name it.
PORT = 8010

_lock = threading.Lock()
_server: UpdateServer | None = None


def serve(folder: Path, machine: Machine, *, port: int = PORT) -> Note:
    """Offer the versions in a folder, and start the server on first use; `machine` reaches it on any host.

    Raises HostError when the port is taken, InputError for a file that cannot be read.
    """
    server = _started(port)
    names = offer_extensions(server, folder)
    machine.lend_port(server.port)
    place = f"{server.guest_url}/extensions"
    files = [
        f"  {name}/{path.name}" for name in names for path in sorted(folder.glob(f"{name}-*.raw")) if path.is_file()
    ]
    none = "  nothing: no file of this folder is named NAME-VERSION.raw"
    twin = f"in a terminal: flatkit sysext serve --port {server.port}"
    return Note(lines=(f"offered to {machine.name} at {place}:", *(files or [none]), twin))


def _started(port: int) -> UpdateServer:
    global _server  # noqa: PLW0603  (one server a notebook, however often the cell is run)
    with _lock:
        if _server is None:
            server = UpdateServer(port=port)
            beside = f"m.serve_extensions({port + 1}), and that number in the config's Path="
            start_on(server, port, beside=beside)
            _server = server
        return _server


def start_on(server: UpdateServer, port: int, *, beside: str) -> None:
    """Start a notebook's server. For a port that is taken, `beside` is what to type beside another seat's. Raises HostError."""
    try:
        server.start()
    except HostError as error:
        refusal = try_port(port)
        if refusal is None or not refusal.is_taken:
            raise
        hint = (
            "fk.clean() in the notebook that serves (or stop what listens there), then this cell again; "
            f"beside another seat's: {beside}"
        )
        raise HostError(error.message, hint=hint) from None


def stop() -> None:
    """Stop the server, if it runs."""
    global _server
    with _lock:
        server, _server = _server, None
    if server is not None:
        server.stop()
