"""Advice on systemd units: what systemd refuses, ignores, or never starts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from flatkit.butane import advice_messages
from flatkit.butane.advice.commands import advise_commands
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.advice.needs import advise_needs, advise_programs
from flatkit.butane.machine import image
from flatkit.butane.machine.image import UnitState
from flatkit.butane.machine.plan import BOOT_TARGETS, SYSTEMD_DIR, Plan
from flatkit.butane.machine.times import is_span
from flatkit.butane.machine.unit_file import (
    Assignment,
    is_kind,
    is_template,
    is_unit_list,
    keys_of,
    parse,
    sections_of,
    template_of,
    unit_type,
)
from flatkit.butane.machine.unit_verdict import bad_unit_names, unescape_path
from flatkit.butane.source.node import Path
from flatkit.report import Kind
from flatkit.untrusted import is_number

_SWITCHES = frozenset(("1", "yes", "y", "true", "t", "on", "0", "no", "n", "false", "f", "off"))
# systemd.service(5), systemd.kill(5).
_CHOICES = {
    "Type": ("simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"),
    "Restart": ("no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"),
    "KillMode": ("control-group", "process", "mixed", "none"),
}
_MEANT = {"true": "always", "yes": "always", "on": "always", "1": "always", "unless-stopped": "always", "false": "no"}
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_ENVIRONMENT_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+""")


def advise_units(plan: Plan) -> Iterator[Hint]:
    """Yield the advice on all units, also on those that are written as files."""
    for at, unit in enumerate(plan.units):
        name, path = str(unit.get("name", "")), ("systemd", "units", at)
        contents = str(unit.get("contents") or "")
        if unit.get("mask"):
            continue
        yield from _verdict(plan, name, path, contents)
        yield from _text(name, contents, (*path, "contents"))
        for number, dropin in enumerate(unit.get("dropins", ())):
            yield from _text(name, str(dropin.get("contents") or ""), (*path, "dropins", number, "contents"))
        second = second_start(plan, name, unit.get("dropins", ()))
        if second is not None:
            kind = Kind.INFO if image.unit_state(name) is UnitState.UNKNOWN else Kind.WARNING
            yield hint(advice_messages.UNIT_SECOND_START, (*path, "dropins", second, "contents"), kind, unit=name)
        yield from _start(plan, name, path, unit.get("enabled"))
        yield from _account(plan, name, (*path, "contents") if contents else path)
        yield from _group(plan, name, (*path, "contents") if contents else path)
        yield from advise_needs(plan, name, (*path, "contents") if contents else path)
        yield from advise_programs(plan, name, (*path, "contents") if contents else path)
        yield from advise_commands(plan, name, (*path, "contents") if contents else path)
        yield from _targets(plan, name, (*path, "contents") if contents else path)
        yield from _mount_point(plan, name, path)
    yield from _files(plan)


def _verdict(plan: Plan, name: str, path: Path, contents: str) -> Iterator[Hint]:
    found = plan.refusal(name) if contents else None
    if found is None:
        return
    if image.unit_state(name) is not UnitState.UNKNOWN and found.code in ("no-start", "no-listen", "no-time"):
        yield hint(advice_messages.UNIT_REPLACED, (*path, "contents"), unit=name, reason=found.words)
        return
    where = (*path, "name") if found.code == "name" else (*path, "contents")
    yield hint(advice_messages.UNIT_REFUSED, where, unit=name, reason=found.words, fix=found.fix)


def _text(name: str, text: str, path: Path) -> Iterator[Hint]:
    """Yield what systemd ignores in a unit's text or a drop-in."""
    kind = unit_type(name)
    if not kind or not text:
        return
    known = sections_of(kind)
    parsed = parse(text)
    for section in dict.fromkeys(section for section, _ in parsed.sections):
        if section not in known and not section.startswith("X-"):
            better = _close(section, known)
            fix = f"Did you mean [{better}]?" if better else f"A {kind} has the sections [{'], ['.join(known)}]."
            yield hint(advice_messages.UNIT_SECTION, path, unit=name, section=section, fix=fix)
    for item in parsed.assignments:
        if item.section in known:
            yield from _assignment(name, item, known, path)


def _assignment(name: str, item: Assignment, known: tuple[str, ...], path: Path) -> Iterator[Hint]:
    keys = keys_of(item.section)
    yield from _value(name, item, path)
    if is_unit_list(item.section, item.key):
        for word in bad_unit_names(item.value):
            fix = "Separate the names with spaces, without commas." if "," in word or ";" in word else (
                f"Write the whole name, for example {word}.service.")  # fmt: skip
            yield hint(advice_messages.UNIT_LIST, path, unit=name, key=item.key, word=word, fix=fix)
    if not keys or item.key in keys or item.key.startswith("X-"):
        return
    elsewhere = [section for section in known if item.key in keys_of(section)]
    close = _close(item.key, keys)
    # A key that resembles nothing may be new in a later systemd.
    fix = f"It belongs into the section [{elsewhere[0]}]." if elsewhere else f"Did you mean {close}=?" if close else ""
    if fix:
        yield hint(advice_messages.UNIT_KEY, path, unit=name, key=item.key, section=item.section, fix=fix)


def _close(word: str, known: tuple[str, ...] | frozenset[str]) -> str:
    lowered = {name.lower(): name for name in sorted(known)}
    found = difflib.get_close_matches(word.strip().lower(), lowered, n=1, cutoff=0.8)
    return lowered[found[0]] if found else ""


def second_start(plan: Plan, name: str, dropins: list[dict[str, str]]) -> int | None:
    """Return the number of the drop-in that adds an ExecStart= to a unit of the image without taking back the image's."""
    if unit_type(name) != "service" or plan.is_written(name) or image.is_oneshot(name):
        return None
    if plan.unit(name).last("Service", "Type") == "oneshot":
        return None
    for at, dropin in sorted(enumerate(dropins), key=lambda pair: str(pair[1].get("name", ""))):
        starts = [
            item.value
            for item in parse(str(dropin.get("contents") or "")).assignments
            if (item.section, item.key) == ("Service", "ExecStart")
        ]
        if starts:
            return at if starts[0] else None
    return None


def _start(plan: Plan, name: str, path: Path, enabled: bool | None) -> Iterator[Hint]:
    """Yield why a unit never starts."""
    written = plan.is_written(name)
    state = image.unit_state(name)
    if enabled and not written:
        if state is UnitState.UNKNOWN and plan.knows_all:
            yield hint(advice_messages.UNIT_UNKNOWN, (*path, "name"), Kind.INFO, unit=name)
        elif state is UnitState.STATIC and not plan.unit(name).installs:
            yield hint(advice_messages.UNIT_STATIC, (*path, "enabled"), Kind.INFO, unit=name)
    if written and enabled is None and _is_never_started(plan, name) and unit_type(name) not in ("target", "slice"):
        message = advice_messages.UNIT_NOT_ENABLED if plan.unit(name).installs else advice_messages.UNIT_UNUSED
        yield hint(message, (*path, "name"), Kind.INFO, unit=name)
    if written and enabled:
        yield from _service_of(plan, name, path)


def _is_never_started(plan: Plan, name: str) -> bool:
    if (
        not plan.is_whole
        or name in plan.referenced
        or is_template(name)
        or image.unit_state(name) is not UnitState.UNKNOWN
    ):
        return False
    return not any(template_of(one) == name for one in (*plan.unit_texts, *plan.referenced))


def _service_of(plan: Plan, name: str, path: Path) -> Iterator[Hint]:
    service = plan.triggered(name)
    if not service or "%" in service or not plan.knows_all or plan.refusal(name) is not None:
        return
    is_masked = any(one.get("mask") for one in plan.units if one.get("name") == service)
    if is_masked or plan.knows_unit(service) or (is_template(service) and plan.is_written(service)):
        return
    kind = unit_type(name)
    setting = "Service= in [Socket]" if kind == "socket" else f"Unit= in [{kind.capitalize()}]"
    if kind == "automount":
        setting = "the mount of the same name"
    yield hint(advice_messages.UNIT_NO_SERVICE, (*path, "contents"), unit=name, service=service, setting=setting)


def _account(plan: Plan, name: str, path: Path) -> Iterator[Hint]:
    """Yield the user of a service that nobody defines."""
    unit = plan.unit(name)
    user = unit.last("Service", "User")
    if not user or is_number(user) or "%" in user or not plan.knows_all or unit.last("Service", "DynamicUser"):
        return
    made = {str(one.get("name")) for one in plan.users} | image.users()
    if user not in made and not _has_sysusers(plan):
        yield hint(advice_messages.SERVICE_USER, path, unit=name, user=user)


def _group(plan: Plan, name: str, path: Path) -> Iterator[Hint]:
    """Yield the group of a service that nobody defines."""
    unit = plan.unit(name)
    group = unit.last("Service", "Group")
    if not group or is_number(group) or "%" in group or not plan.knows_all or unit.last("Service", "DynamicUser"):
        return
    made = {str(one.get("name")) for one in (*plan.users, *plan.groups)} | image.groups() | image.hidden_groups()
    if group not in made and not _has_sysusers(plan):
        yield hint(advice_messages.SERVICE_GROUP, path, unit=name, group=group)


def _has_sysusers(plan: Plan) -> bool:
    return any(node.path.startswith("/etc/sysusers.d/") for node in plan.nodes)


def _targets(plan: Plan, name: str, path: Path) -> Iterator[Hint]:
    """Yield what a unit is to start with and nobody has, and an order that nothing brings about."""
    unit = plan.unit(name)
    for target in unknown_starters(plan, name):
        close = difflib.get_close_matches(target, sorted(BOOT_TARGETS), n=1, cutoff=0.7)
        fix = f"Did you mean {close[0]}?" if close else "WantedBy=multi-user.target starts it at every boot."
        yield hint(advice_messages.UNIT_TARGET, path, unit=name, target=target, fix=fix)
    online = "network-online.target"
    is_ordered = online in unit.words("Unit", "After")
    if is_ordered and plan.is_whole and plan.is_written(name) and online not in plan.referenced:
        yield hint(advice_messages.UNIT_ONLINE, path, Kind.INFO, unit=name)


def unknown_starters(plan: Plan, name: str) -> tuple[str, ...]:
    """Return the units of WantedBy= and RequiredBy= that neither the config nor the image has."""
    if not plan.knows_all:
        return ()
    words = [word for key in ("WantedBy", "RequiredBy") for word in plan.unit(name).words("Install", key)]
    return tuple(word for word in words if unit_type(word) and "%" not in word and not plan.knows_unit(word)
                 and word not in BOOT_TARGETS)  # fmt: skip


def _mount_point(plan: Plan, name: str, path: Path) -> Iterator[Hint]:
    """Yield a mount whose folder cannot be made, since it is in the read-only image."""
    if unit_type(name) != "mount" or not plan.is_written(name) or plan.refusal(name) is not None:
        return
    where = plan.unit(name).last("Mount", "Where") or unescape_path(name.removesuffix(".mount"))
    place = image.place_of(where)
    if place is not None and place.kind == "read-only" and where != place.path:
        where_path = (*path, "contents")
        yield hint(advice_messages.MOUNT_READ_ONLY, where_path, Kind.INFO, place=place.path, path=where, unit=name)


def _files(plan: Plan) -> Iterator[Hint]:
    """Yield units that are written as files and that nothing starts."""
    enabled = {unit.get("name") for unit in plan.units if unit.get("enabled")}
    for node in plan.files():
        name = node.path.removeprefix(SYSTEMD_DIR)
        if not node.path.startswith(SYSTEMD_DIR) or "/" in name or not unit_type(name):
            continue
        found = plan.refusal(name)
        if found is not None:
            yield hint(
                advice_messages.UNIT_REFUSED, (*node.json_path, "path"), unit=name, reason=found.words, fix=found.fix
            )
        if name not in enabled and plan.unit(name).installs and _is_never_started(plan, name):
            yield hint(advice_messages.UNIT_AS_FILE, (*node.json_path, "path"), unit=name)


def _value(unit: str, item: Assignment, path: Path) -> Iterator[Hint]:
    """Yield the advice on one line of a unit."""
    found = _value_fault(item)
    if found is not None:
        value, reason, fix = found
        yield hint(advice_messages.UNIT_VALUE, path, unit=unit, key=item.key, value=value, reason=reason, fix=fix)


def _value_fault(item: Assignment) -> tuple[str, str, str] | None:
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
        odd = next(
            (word for word in _ENVIRONMENT_WORD.findall(value) if not _ENVIRONMENT_NAME.match(word.strip("\"'"))), ""
        )
        if odd:
            fix = 'Put double quotes around an assignment that has spaces in it: Environment="NAME=a b".'
            return odd, "it is not NAME=value", fix
    return None
