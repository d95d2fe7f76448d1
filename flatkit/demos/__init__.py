"""The demos: tuples of steps as data, one file each, and the one runner that plays any of them."""

from __future__ import annotations

from flatkit.demos.everywhere import EVERYWHERE
from flatkit.demos.provision import PROVISION
from flatkit.errors import UsageError
from flatkit.steps import Demo

DEMOS: dict[str, Demo] = {demo.name: demo for demo in (PROVISION, EVERYWHERE)}


def get_demo(name: str) -> Demo:
    """The demo of that name. Raises UsageError."""
    if name not in DEMOS:
        raise UsageError(f'there is no demo "{name}"; expected one of {", ".join(DEMOS)}', hint="flatkit demo list")
    return DEMOS[name]
