"""Advice on update.conf, which update_engine, locksmithd and flatcar-update read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine.plan import StorageNode, text_of
from flatkit.untrusted import lines_of

# locksmith's pkg/config: any other strategy ends it with an error.
_STRATEGIES = ("reboot", "etcd-lock", "best-effort", "off")
_CHANNELS = ("stable", "beta", "alpha", "lts")
# locksmithd reads the file as systemd's EnvironmentFile=, which allows spaces around =; the others do not.
_OF_LOCKSMITHD = ("REBOOT_STRATEGY", "LOCKSMITHD_", "REBOOT_WINDOW_")
_KEYS = (
    "GROUP", "SERVER", "REBOOT_STRATEGY", "LOCKSMITHD_REBOOT_WINDOW_START", "LOCKSMITHD_REBOOT_WINDOW_LENGTH",
    "REBOOT_WINDOW_START", "REBOOT_WINDOW_LENGTH", "MACHINE_ALIAS",
)  # fmt: skip


def advise_updates(node: StorageNode) -> Iterator[Hint]:
    """Yield the advice on the file."""
    where, given = (*node.json_path, "contents"), {}
    for number, line in enumerate(lines_of(text_of(node.item["contents"]) or ""), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = line.partition("=")
        fix = _line_fix(key, equals, value)
        if fix:
            values = {"reader": "Flatcar", "line": str(number), "path": node.path, "fix": fix}
            yield hint(advice_messages.FILE_LINE, where, **values)
        else:
            given[key.strip()] = value.strip().strip("\"'")
    strategy, group = given.get("REBOOT_STRATEGY", ""), given.get("GROUP", "")
    if strategy and strategy not in _STRATEGIES:
        fix = f"It is one of {', '.join(_STRATEGIES)}; off never reboots by itself."
        values = {"program": "locksmithd", "key": "REBOOT_STRATEGY", "value": strategy, "fix": fix}
        yield hint(advice_messages.SETTING_ODD, where, **values)
    close = difflib.get_close_matches(group, _CHANNELS, n=1, cutoff=0.7)
    if close and group not in _CHANNELS and not given.get("SERVER"):
        values = {
            "program": "Flatcar's update server",
            "key": "GROUP",
            "value": group,
            "fix": f"Did you mean {close[0]}?",
        }
        yield hint(advice_messages.SETTING_ODD, where, **values)
    yield from _window(given, node)


def _line_fix(key: str, equals: str, value: str) -> str:
    """The cure for a line that nothing reads, "" for one that is right."""
    if not equals:
        name = re.split(r"[:\s]", key.strip(), maxsplit=1)[0]
        rest = key.strip()[len(name) :].strip(": \t")
        return f"Write {name.upper()}={rest}."
    name = key.strip()
    if name not in _KEYS and name.upper() in _KEYS:
        return f"Write {name.upper()}={value.strip()}."
    has_spaces = key != name or value != value.lstrip()
    if has_spaces and name in _KEYS and not name.startswith(_OF_LOCKSMITHD):
        return f"Write {name}={value.strip()}, without spaces."
    return ""


def _window(given: dict[str, str], node: StorageNode) -> Iterator[Hint]:
    """A window with a start and no length, or the other way round, ends locksmithd (locksmithctl/daemon.go)."""
    pair = [key for key in ("START", "LENGTH") if _of_window(given, key)]
    if len(pair) == 1:
        other = "LENGTH" if pair == ["START"] else "START"
        key, missing = f"LOCKSMITHD_REBOOT_WINDOW_{pair[0]}", f"LOCKSMITHD_REBOOT_WINDOW_{other}"
        fix = f"Write {missing}={'1h' if other == 'LENGTH' else 'Sun 04:00'}, for example."
        yield hint(advice_messages.SETTING_ALONE, (*node.json_path, "contents"), key=key, other=missing, fix=fix)


def _of_window(given: dict[str, str], key: str) -> str:
    return given.get(f"LOCKSMITHD_REBOOT_WINDOW_{key}") or given.get(f"REBOOT_WINDOW_{key}", "")
