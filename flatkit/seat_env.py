"""The seat that this process is in: one account of a host for many, or one pod. `flatkit seat` sets these variables."""

from __future__ import annotations

import os

# Name of the seat; path of the page proxy, which leads to this seat's machines (seats/page_proxy.py).
SEAT, PAGES = "FLATKIT_SEAT", "FLATKIT_PAGES"
# Address of the hub's board for this seat; what the token of a seat's server may do there.
BOARD, POST_SCOPE = "FLATKIT_BOARD", "custom:board:post"


def is_seat() -> bool:
    """Return True in a seat: its user has no root, and the browser is on another computer."""
    return bool(os.environ.get(SEAT))


def page_url(port: int) -> str:
    """Return the address of a host port's page for the user's browser: in a seat, a path of the hub's address."""
    base = os.environ.get(PAGES, "")
    return f"{base.rstrip('/')}/{port}/" if is_seat() and base else f"http://127.0.0.1:{port}/"


def hub_board() -> tuple[str, str, str] | None:
    """Return the hub's board, this seat's name there, and its token; None where the hub has no board."""
    url, name, token = (os.environ.get(one, "") for one in (BOARD, SEAT, "JUPYTERHUB_API_TOKEN"))
    return (url, name, token) if url and name and token else None
