"""The seat that this process is in: one account of a host for many, or one pod. `flatkit seat` sets these variables."""

from __future__ import annotations

import os

# Name of the seat; path of the page proxy, which leads to this seat's machines (seats/page_proxy.py).
SEAT, PAGES = "FLATKIT_SEAT", "FLATKIT_PAGES"


def is_seat() -> bool:
    """Return True in a seat: its user has no root, and the browser is on another computer."""
    return bool(os.environ.get(SEAT))


def page_url(port: int) -> str:
    """Return the address of a host port's page for the user's browser: in a seat, a path of the hub's address."""
    base = os.environ.get(PAGES, "")
    return f"{base.rstrip('/')}/{port}/" if is_seat() and base else f"http://127.0.0.1:{port}/"
