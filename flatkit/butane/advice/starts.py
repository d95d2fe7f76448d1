"""Advice on what starts units, and does not: the image's own links, extensions, timers, names on the bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine import image
from flatkit.butane.machine.image import UnitState
from flatkit.butane.machine.plan import BOOT_TARGETS, Plan
from flatkit.butane.machine.unit_file import unit_type
from flatkit.report import Kind

_FROM_LAST_RUN = frozenset(("OnUnitActiveSec", "OnUnitInactiveSec"))
_FIRST_RUNS = ("OnCalendar", "OnBootSec", "OnStartupSec", "OnActiveSec", *_FROM_LAST_RUN)


def advise_starts(plan: Plan) -> Iterator[Hint]:
    """Yield the advice."""
    cycle = find_cycle(plan)
    for at, unit in enumerate(plan.units):
        if unit.get("name") in cycle:
            both = " and ".join(f'"{name}"' for name in cycle)
            yield hint(advice_messages.ORDER_CYCLE, ("systemd", "units", at, "contents"), units=both)
    for at, unit in enumerate(plan.units):
        name, path = str(unit.get("name", "")), ("systemd", "units", at)
        if unit.get("mask"):
            continue
        if keeps_starting(unit):
            needed = image.needed_by(name)
            fix = "Write mask: true, so that nothing can start it."
            if needed:
                fix = f"Leave it out: {needed} needs it, and does not start if it is masked."
            yield hint(advice_messages.UNIT_NOT_DISABLED, (*path, "enabled"), unit=name, fix=fix)
        if unit.get("enabled") and comes_late(plan, name):
            yield hint(advice_messages.UNIT_IN_EXTENSION, (*path, "enabled"), Kind.INFO, unit=name)
        if unit.get("enabled") is None and not unit.get("contents"):
            yield from _only_installed(plan, unit, name, at)
        twin = plan.bus_twin(name)
        if twin and list(plan.unit_texts).index(twin) < list(plan.unit_texts).index(name):
            bus = plan.unit(name).last("Service", "BusName")
            yield hint(advice_messages.BUS_NAME_TWICE, (*path, "contents"), unit=name, other=twin, name=bus)
        if never_elapses(plan, name):
            where = (*path, "contents")
            yield hint(advice_messages.TIMER_NEVER, where, unit=name, service=plan.triggered(name))


def find_cycle(plan: Plan) -> tuple[str, ...]:
    """Return units of the config that wait for each other in a ring, () if there are none."""
    before: dict[str, set[str]] = {name: set() for name in plan.unit_texts}
    for name in plan.unit_texts:
        unit = plan.unit(name)
        before[name].update(other for other in unit.words("Unit", "After") if other in before)
        for other in unit.words("Unit", "Before"):
            before.get(other, set()).add(name)
    ready = [name for name in before if not before[name]]
    after: dict[str, list[str]] = {}
    for name, others in before.items():
        for other in others:
            after.setdefault(other, []).append(name)
    while ready:
        name = ready.pop()
        del before[name]
        for later in after.get(name, ()):
            before[later].discard(name)
            ready += [later] if not before[later] else []
    if not before:
        return ()
    trail = [min(before)]
    while (name := min(before[trail[-1]])) not in trail:
        trail.append(name)
    return tuple(trail[trail.index(name) :])


def keeps_starting(unit: dict[str, Any]) -> bool:
    """Return True for a unit that is disabled in vain: presets and links in /etc do not touch the image's own links."""
    return unit.get("enabled") is False and image.unit_state(str(unit.get("name", ""))) is UnitState.STARTS


def comes_late(plan: Plan, name: str) -> bool:
    """Return True for a unit of an extension of the image that no link of the config starts."""
    if not image.is_in_extension(name) or plan.is_written(name):
        return False
    return not any(node.path.endswith(f".wants/{name}") for node in plan.nodes)


def _only_installed(plan: Plan, unit: dict[str, Any], name: str, at: int) -> Iterator[Hint]:
    """Yield a drop-in's [Install] section, which takes effect when the unit is enabled, and nothing does that."""
    if image.unit_state(name) is UnitState.STARTS or not unit.get("dropins") or name in plan.referenced:
        return
    if plan.unit(name).installs and plan.is_whole:
        yield hint(advice_messages.DROPIN_INSTALL, ("systemd", "units", at, "name"), Kind.INFO, unit=name)


def never_elapses(plan: Plan, name: str) -> bool:
    """Return True for a timer that counts from the last run of a unit that nothing runs (timer_enter_waiting in timer.c)."""
    if unit_type(name) != "timer" or not plan.is_written(name) or not plan.is_whole:
        return False
    unit = plan.unit(name)
    keys = {key for key, _ in unit.pool("Timer", _FIRST_RUNS)}
    if not keys or not keys <= _FROM_LAST_RUN or unit.has("Timer", ("OnClockChange", "OnTimezoneChange")):
        return False
    service = plan.triggered(name)
    if not plan.is_written(service):
        return False
    enabled = any(one.get("enabled") for one in plan.units if one.get("name") == service)
    wanted = set(plan.unit(service).words("Install", "WantedBy")) & BOOT_TARGETS
    named = any(service in f"{text}{dropins}" for other, (text, dropins) in plan.unit_texts.items() if other != name)
    return not (enabled and wanted) and not named
