"""Butane text -> Ignition: what the `butane` tool does for variant flatcar, in Python, with positions both ways.

`translate` is the whole of it; handover.py fits its result to a machine, explain.py and teach.py speak about it.
"""

from __future__ import annotations

from flatkit.butane.transpile import Translation, translate

__all__ = ["Translation", "translate"]
