"""Advice on values of a unit's settings that systemd cannot read and therefore ignores."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine.times import is_span
from flatkit.butane.machine.unit_file import Assignment, is_kind
from flatkit.butane.source.node import Path

_SWITCHES = frozenset(("1", "yes", "y", "true", "t", "on", "0", "no", "n", "false", "f", "off"))
# systemd.service(5), systemd.kill(5).
_CHOICES = {
    "Type": ("simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"),
    "Restart": ("no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"),
    "KillMode": ("control-group", "process", "mixed", "none"),
}
_MEANT = {"true": "always", "yes": "always", "on": "always", "1": "always", "unless-stopped": "always", "false": "no"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+""")


def advise_value(unit: str, item: Assignment, path: Path) -> Iterator[Hint]:
    """Yield the advice on one line of a unit."""
    found = _fault(item)
    if found is not None:
        value, reason, fix = found
        yield hint(advice_messages.UNIT_VALUE, path, unit=unit, key=item.key, value=value, reason=reason, fix=fix)


def _fault(item: Assignment) -> tuple[str, str, str] | None:
    key, value = item.key, item.value
    if not value or "%" in value:
        return None
    if item.section == "Service" and key in _CHOICES and value not in _CHOICES[key]:
        meant = _MEANT.get(value.lower(), "") if key == "Restart" else ""
        close = difflib.get_close_matches(value.lower(), _CHOICES[key], n=1, cutoff=0.75)
        meant = meant or (close[0] if close else "")
        listed = ", ".join(_CHOICES[key])
        return value, f"it is one of {listed}", f"Did you mean {key}={meant}?" if meant else f"Write one of {listed}."
    if is_kind("BOOLEAN", item.section, key) and value.lower() not in _SWITCHES:
        return value, "it is yes or no", "Write yes or no."
    if is_kind("SECONDS", item.section, key) and not is_span(value):
        return value, "that is not a span of time", "Write for example 30s, 5min or infinity."
    if key == "EnvironmentFile" and not value.removeprefix("-").startswith("/"):
        return value, "the path is not absolute", "Write a path that starts with /."
    if key == "Environment":
        odd = next((word for word in _WORD.findall(value) if not _NAME.match(word.strip("\"'"))), "")
        if odd:
            fix = 'Put double quotes around an assignment that has spaces in it: Environment="NAME=a b".'
            return odd, "it is not NAME=value", fix
    return None
