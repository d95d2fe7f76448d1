"""Sentences about units, and about their start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flatkit.butane.access import ssh_ports
from flatkit.butane.advice.starts import comes_late, keeps_starting, never_elapses
from flatkit.butane.advice.units import second_start, unknown_starters
from flatkit.butane.machine import image
from flatkit.butane.machine.image import UnitState
from flatkit.butane.machine.plan import BOOT_TARGETS, Plan
from flatkit.butane.machine.told import Told, count, listed
from flatkit.butane.machine.unit_file import is_template, unit_type
from flatkit.butane.transpile import Translation
from flatkit.untrusted import is_number

_MADE = "Ignition mounts the filesystem only while it works; this unit mounts it at every boot (with_mount_unit)."
_PRESET = "Ignition writes a preset (enable) to /etc/systemd/system-preset; systemd acts on it at the first boot."
_LISTEN = ("ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO")
_WATCHED = {
    "PathExists": "as soon as {} exists", "PathExistsGlob": "as soon as something fits {}", "PathChanged": "when {} changes",
    "PathModified": "when {} changes", "DirectoryNotEmpty": "as soon as something is in {}",
}  # fmt: skip
_TIMES = ("OnCalendar", "OnBootSec", "OnActiveSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec")


def explain_units(plan: Plan, translation: Translation) -> Iterator[Told]:
    """Yield a sentence for each unit."""
    for at, unit in enumerate(plan.units):
        path = ("systemd", "units", at)
        made = translation.provenance.to_yaml((*path, "contents"))[-1:] == ("with_mount_unit",)
        text = _unit(plan, unit, made)
        yield Told(text=text, path=path, reason=_MADE if made else _PRESET if unit.get("enabled") else "")


def starts_at_boot(plan: Plan, unit: dict[str, Any]) -> bool:
    """Return True if a unit of the config will start, listen or be mounted at every boot, for certain."""
    name = str(unit["name"])
    if not unit.get("enabled") or unit.get("mask") or is_template(name) or _refused(plan, unit):
        return False
    if not plan.is_written(name):
        return not comes_late(plan, name) and image.unit_state(name) in (UnitState.STARTS, UnitState.INSTALLABLE)
    return bool(set(_wanted_by(plan, name)) & BOOT_TARGETS)


def _unit(plan: Plan, unit: dict[str, Any], made: bool) -> str:
    name = str(unit["name"])
    if unit.get("mask"):
        return f"The unit {name} is masked, so that nothing can start it."
    acts = ["written by Butane" if made else "written"] if unit.get("contents") else []
    if acts and image.unit_state(name) is not UnitState.UNKNOWN:
        acts = ["written in place of the image's own"]
    dropins = len(unit.get("dropins", ()))
    acts += [f"changed by {count(dropins, 'drop-in')}"] if dropins else []
    if "enabled" in unit:
        acts.append("enabled" if unit["enabled"] else "disabled")
    if not acts:
        return f"The unit {name} is left as it is."
    later = _later(plan, unit)
    return f"The unit {name} is {listed(acts)}{f': {later}' if later else ''}.{_ports(plan, name)}"


def _later(plan: Plan, unit: dict[str, Any]) -> str:
    """Say when the unit starts, if at all."""
    name = str(unit["name"])
    if words := _refused(plan, unit):
        return words
    if unit.get("enabled"):
        return _enabled(plan, name)
    if keeps_starting(unit):
        return "that changes nothing, since the image starts it by a link below /usr"
    if unit.get("enabled") is False:
        return _others(plan, name) or "it does not start by itself"
    if not plan.is_written(name):
        return "" if image.unit_state(name) is not UnitState.UNKNOWN else "that has an effect if the image has it"
    if image.unit_state(name) is UnitState.STARTS:
        return _boot(plan, name)
    return _others(plan, name) or (
        "its instances are started by name" if is_template(name) else "nothing here starts it"
    )


def _refused(plan: Plan, unit: dict[str, Any]) -> str:
    name = str(unit["name"])
    found = plan.refusal(name)
    if found is not None:
        return f"systemd refuses it, since {found.words}"
    if twin := plan.bus_twin(name):
        bus = plan.unit(name).last("Service", "BusName")
        return f"systemd refuses either it or {twin}, since both have BusName={bus}"
    if second_start(plan, name, unit.get("dropins", ())) is None:
        return ""
    if image.unit_state(name) is UnitState.UNKNOWN:
        return "if the image has it with an ExecStart= of its own, systemd refuses it, unless it is Type=oneshot"
    return "systemd refuses it, since it has two ExecStart= then"


def _enabled(plan: Plan, name: str) -> str:
    if is_template(name) and not plan.unit(name).last("Install", "DefaultInstance"):
        return "it is a template, so nothing starts without an instance"
    if plan.is_written(name):
        return _written(plan, name)
    state = image.unit_state(name)
    if state is UnitState.STATIC and not plan.unit(name).installs:
        return "enabling does nothing, since the image's unit has no [Install] section"
    if comes_late(plan, name):
        return f"{_boot(plan, name)} if its extension is there in time: a link would make sure"
    if state is UnitState.KNOWN:
        return "it starts when what wants it is started"
    return _boot(plan, name) + (" if the image has it" if state is UnitState.UNKNOWN else "")


def _wanted_by(plan: Plan, name: str) -> tuple[str, ...]:
    unit = plan.unit(name)
    return tuple(
        word
        for key in ("WantedBy", "RequiredBy", "UpheldBy")
        for value in unit.values("Install", key)
        for word in value.split()
    )


def _written(plan: Plan, name: str) -> str:
    if not plan.unit(name).installs:
        others = _others(plan, name)
        return "enabling does nothing, since it has no [Install] section" + (f", but {others}" if others else "")
    wanted = _wanted_by(plan, name)
    if set(wanted) & BOOT_TARGETS:
        return _boot(plan, name)
    if not wanted:
        names = [word for key in ("Alias", "Also") for word in plan.unit(name).words("Install", key)]
        return f"it starts when something asks for {listed(names)}"
    unknown = unknown_starters(plan, name)
    if set(unknown) == set(wanted):
        return f"nothing starts it: {listed(unknown)} is neither written here nor known in Flatcar's image"
    return f"it starts whenever {listed([word for word in wanted if word not in unknown])} does"


def _others(plan: Plan, name: str) -> str:
    """Say which units of the config start this one."""
    off = {str(one.get("name")) for one in plan.units if one.get("enabled") is False or one.get("mask")}
    starters = [other for other in plan.unit_texts if other not in {name, *off} and plan.triggered(other) == name]
    if starters:
        return f"{listed(starters)} {'starts' if len(starters) == 1 else 'start'} it"
    if any(plan.triggered(other) == name for other in off):
        return ""
    return "another unit here asks for it" if name in plan.referenced else ""


def _boot(plan: Plan, name: str) -> str:
    """Say what a unit does from every boot on, by its type."""
    unit, kind, at = plan.unit(name), unit_type(name), "at every boot"
    if unit.last("Unit", "ConditionFirstBoot").lower() in ("1", "yes", "y", "true", "t", "on"):
        at = "at the first boot only"
    elif _has_conditions(plan, name):
        at += " at which its conditions hold"
    service = plan.triggered(name)
    refused = ", which systemd refuses" if service and plan.refusal(service) else ""
    if service and any(one.get("mask") for one in plan.units if one.get("name") == service):
        refused = ", which is masked"
    if kind == "timer" and never_elapses(plan, name):
        return f"it never starts {service}, since nothing makes the first run that it counts from"
    if kind == "timer":
        times = ", ".join(f"{key}={value}" for key, value in unit.pool("Timer", _TIMES))
        return f"from every boot on it starts {service}{f' ({times})' if times else ''}{refused}"
    if kind == "socket":
        where = listed([f"port {value}" if is_number(value) else value for _, value in unit.pool("Socket", _LISTEN)])
        begin = f"it listens{f' on {where}' if where else ''} {at}"
        return f"{begin} and starts {service} when somebody connects{refused}" if plan.is_written(name) else begin
    if kind == "path":
        if not plan.is_written(name):
            return f"it begins to watch {at}"
        when = " or ".join(_WATCHED[key].format(value) for key, value in unit.pool("Path", _WATCHED))
        return f"{'from every boot on' if at == 'at every boot' else at} it starts {service} {when}{refused}"
    if kind == "mount":
        return f"it is mounted {at}"
    if kind == "swap":
        return f"it is used {at}"
    if kind == "service" and unit.last("Service", "Type") == "oneshot":
        return f"it runs {at}"
    return f"it starts {at}"


def _has_conditions(plan: Plan, name: str) -> bool:
    return any(
        item.section == "Unit" and item.key.startswith(("Condition", "Assert")) and item.value
        for text in plan.unit(name).texts
        for item in text.assignments
    )


def _ports(plan: Plan, name: str) -> str:
    if name != "sshd.socket":
        return ""
    ports = ssh_ports(plan.ignition)
    if ports == ("22",):
        return ""
    return f" SSH listens on {listed(ports)} from then on{'' if '22' in ports else ', not on port 22'}."
