"""Spans of time as systemd reads them. Source: systemd.time(7), systemd's src/basic/time-util.c."""

from __future__ import annotations

import re

_SECONDS = {
    "usec us μs µs": 1e-6, "msec ms": 1e-3, "seconds second sec s": 1, "minutes minute min m": 60, "hours hour hr h": 3600,
    "days day d": 86400, "weeks week w": 604800, "months month M": 2629800, "years year y": 31557600,
}  # fmt: skip
_UNITS = {unit: seconds for units, seconds in _SECONDS.items() for unit in units.split()}
_PART = re.compile(r"\s*\+?([0-9]*\.[0-9]+|[0-9]+)(?!\.)\s*([A-Za-zμµ]*)")
# systemd counts microseconds in 64 bits.
_MOST = 2**64 / 1e6


def is_span(value: str) -> bool:
    """Return True for a span of time, such as 5min or 1h 30m."""
    text = value.strip()
    if text == "infinity":
        return True
    at, total = 0, 0.0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or (match[2] and match[2] not in _UNITS):
            return False
        total += float(match[1]) * _UNITS.get(match[2], 1)
        at = match.end()
    return bool(text) and total < _MOST
