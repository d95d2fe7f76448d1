"""Calendar events of timers, read as systemd reads them. Source: systemd.time(7), systemd's src/shared/calendarspec.c."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass

_WORDS = frozenset(("minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semi-annually", "semiannually",
                    "bi-annually", "biannually", "yearly", "annually", "anually"))  # fmt: skip
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS = {word: number for number, name in enumerate(_WEEK) for word in (name, name[:3])}
_DAY = re.compile(r"([a-z]+)(?:(\.\.|-)([a-z]+))?", re.IGNORECASE)
_PART = re.compile(r"([0-9]+)(?:\.\.([0-9]+))?(?:/([0-9]+))?")
_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:\.\.([0-9]+(?:\.[0-9]+)?))?(?:/([0-9]+(?:\.[0-9]+)?))?")
_STAMP = re.compile(r"@[0-9]{1,10}")


@dataclass(frozen=True)
class _Field:
    low: float
    high: float
    is_seconds: bool = False


_YEAR, _MONTH, _DAY_OF_MONTH = _Field(1970, 2199), _Field(1, 12), _Field(1, 31)
_HOUR, _MINUTE, _SECOND = _Field(0, 23), _Field(0, 59), _Field(0, 59.999999, is_seconds=True)


def is_calendar(value: str) -> bool:
    """Return True for a calendar event that systemd can read."""
    text = _without_zone(value.strip())
    if text.lower() in _WORDS:
        return True
    if not text:
        return False
    rest = _without_days(text)
    if rest is None:
        return False
    if rest.startswith("@"):
        return _STAMP.fullmatch(rest) is not None
    words = rest.split()
    if len(words) > 2 or (len(words) == 2 and not _is_date(words[0])):
        return False
    if not words:
        return True
    return _is_time(words[-1]) or (len(words) == 1 and _is_date(words[0]))


def _without_zone(text: str) -> str:
    before, space, last = text.rpartition(" ")
    if not space or not last[:1].isalpha():
        return text
    is_zone = last.upper() == "UTC" or ("/" in last and last in zoneinfo.available_timezones())
    # Names without a slash, such as CET, are zones of some hosts only.
    is_zone = is_zone or (last in zoneinfo.available_timezones() and last.lower() not in _DAYS)
    return before.rstrip() if is_zone else text


def _without_days(text: str) -> str | None:
    """Return what follows the days of the week, None if these cannot be read."""
    days, _, rest = text.partition(" ")
    if not days[0].isalpha():
        return text
    for part in days.rstrip(",").split(","):
        match = _DAY.fullmatch(part)
        names = [name.lower() for name in (match[1], match[3]) if name] if match else []
        if not names or any(name not in _DAYS for name in names):
            return None
        if len(names) == 2 and _DAYS[names[0]] > _DAYS[names[1]]:
            return None
    return rest.strip()


def _is_date(word: str) -> bool:
    if word.count("~") > 1 or ("~" in word and "-" in word.partition("~")[2]):
        return False
    parts = word.replace("~", "-").split("-")
    fields = {2: (_MONTH, _DAY_OF_MONTH), 3: (_YEAR, _MONTH, _DAY_OF_MONTH)}.get(len(parts), ())
    if not fields:
        return False
    from_end = "~" in word
    checked = zip(parts, fields, strict=True)
    return all(_is_chain(part, field, from_end=from_end and field is _DAY_OF_MONTH) for part, field in checked)


def _is_time(word: str) -> bool:
    parts = word.split(":")
    fields = {2: (_HOUR, _MINUTE), 3: (_HOUR, _MINUTE, _SECOND)}.get(len(parts), ())
    return bool(fields) and all(_is_chain(part, field) for part, field in zip(parts, fields, strict=True))


def _is_chain(text: str, field: _Field, *, from_end: bool = False) -> bool:
    """Return True for `*`, or numbers with ranges and repetitions that are in the field's range (chain_valid)."""
    if text == "*":
        return True
    return all(_is_part(part, field, from_end=from_end) for part in text.split(","))


def _is_part(text: str, field: _Field, *, from_end: bool) -> bool:
    match = (_SECONDS if field.is_seconds else _PART).fullmatch(text)
    if match is None:
        return False
    start, stop, repeat = (None if part is None else float(part) for part in match.groups())
    assert start is not None
    if field is _YEAR:
        start, stop = _full_year(start), None if stop is None else _full_year(stop)
    if not field.low <= start <= field.high or (stop is not None and not field.low <= stop <= field.high):
        return False
    if repeat == 0 or (repeat or 0) > field.high - field.low:
        return False
    if stop is not None:
        return start <= stop
    return start - (repeat or 0) >= field.low if from_end else start + (repeat or 0) <= field.high


def _full_year(year: float) -> float:
    return year + 2000 if year < 70 else year + 1900 if year < 100 else year


_CRON_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CRON_FIELD = re.compile(r"(?:\*|[0-9]+(?:-[0-9]+)?)(?:/[0-9]+)?")


def from_cron(text: str) -> str:
    """Return the calendar event of five fields of cron, or of a word such as @daily; "" for what has no simple one."""
    if text.startswith("@") and text[1:].lower() in _WORDS:
        return text[1:].lower()
    fields = text.split()
    if len(fields) != 5 or not all(_CRON_FIELD.fullmatch(part) for field in fields for part in field.split(",")):
        return ""
    minute, hour, day, month, weekday = fields
    # cron runs on either of the two, systemd on days that are both.
    if weekday != "*" and (day != "*" or "/" in weekday):
        return ""
    days = re.sub(r"[0-9]+", lambda found: _CRON_DAYS[int(found[0]) % 7], weekday).replace("-", "..")
    date = f"*-{_from_field(month, 1)}-{_from_field(day, 1)}"
    found = f"{'' if weekday == '*' else days + ' '}{date} {_from_field(hour, 0)}:{_from_field(minute, 0)}:00"
    return found if is_calendar(found) else ""


def _from_field(field: str, first: int) -> str:
    """Return a field in systemd's words: */5 is 0/5, 1-5 is 1..5, and 5 has two digits."""
    words = []
    for part in field.split(","):
        begin, slash, step = part.partition("/")
        begin = begin.replace("-", "..") if begin != "*" or not slash else str(first)
        words.append(f"{begin.zfill(2) if begin != '*' and '..' not in begin and not slash else begin}{slash}{step}")
    return ",".join(words)
