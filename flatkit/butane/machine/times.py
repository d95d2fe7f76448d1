"""Times as timers have them: spans and calendar events. Source: systemd.time(7), systemd's src/shared/calendarspec.c."""

from __future__ import annotations

import re

_UNITS_OF_TIME = (
    "usec|us|μs|µs|msec|ms|seconds|second|sec|s|minutes|minute|min|months|month|M|m|hours|hour|hr|h|days|day|d|weeks|week|"
    "w|years|year|y"
)
_SPAN = re.compile(rf"(\s*[0-9]+(\.[0-9]*)?\s*({_UNITS_OF_TIME})?)+\s*|infinity")


def is_span(value: str) -> bool:
    """Return True for a span of time, such as 5min or 1h 30m."""
    return _SPAN.fullmatch(value) is not None


_WORDS = frozenset(("minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semi-annually", "semiannually",
                    "bi-annually", "biannually", "yearly", "annually", "anually"))  # fmt: skip
_DAY = r"(mon|monday|tue|tuesday|wed|wednesday|thu|thursday|fri|friday|sat|saturday|sun|sunday)"
_DAYS = rf"{_DAY}((\.\.|-){_DAY})?(,{_DAY}((\.\.|-){_DAY})?)*,?"
_NUMBERS = r"(\*|[0-9]+(\.\.[0-9]+)?(/[0-9]+)?(,[0-9]+(\.\.[0-9]+)?(/[0-9]+)?)*)(/[0-9]+)?"
_DATE = rf"({_NUMBERS}-)?{_NUMBERS}[-~]{_NUMBERS}"
_SECONDS = r"(\*|[0-9.]+(\.\.[0-9.]+)?(/[0-9.]+)?(,[0-9.]+(\.\.[0-9.]+)?(/[0-9.]+)?)*)(/[0-9.]+)?"
_TIME = rf"{_NUMBERS}:{_NUMBERS}(:{_SECONDS})?"
_CLOCK = re.compile(r"([0-9*./,]+):([0-9*./,]+)(?::([0-9*/,]+))?")
_CALENDAR = re.compile(
    rf"(({_DAYS})\s*)?(({_DATE})([ T]|$))?\s*({_TIME})?(\s+[A-Za-z][A-Za-z0-9_+/-]*)?", re.IGNORECASE
)


def is_calendar(value: str) -> bool:
    """Return True for a calendar event of systemd.time(7)."""
    first = value.split(None, 1)[0].lower() if value.strip() else ""
    if first in _WORDS or value.startswith("@"):
        return True
    match = _CALENDAR.fullmatch(value.strip())
    if match is None or not value.strip():
        return False
    # The largest number of each part of the time.
    parts = [
        [int(number) for number in re.findall(r"[0-9]+", part)] for part in _CLOCK.findall(value)[-1:] for part in part
    ]
    return all(max(numbers, default=0) <= limit for numbers, limit in zip(parts, (24, 60, 60), strict=False))
