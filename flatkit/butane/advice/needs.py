"""Advice on what a unit needs to start, and what is not there: units, files and folders."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import EMPTY_FOLDERS, Plan
from flatkit.butane.machine.unit_file import unit_type
from flatkit.butane.source.node import Path
from flatkit.report import Kind

_REQUIRE = ("Requires", "BindsTo", "Requisite")
_TYPES = ("service", "socket", "timer", "path", "target")


def advise_needs(plan: Plan, name: str, path: Path) -> Iterator[Hint]:
    """Yield the advice on one unit."""
    if not plan.is_written(name) or plan.refusal(name) is not None:
        return
    masked = {str(one.get("name")) for one in plan.units if one.get("mask")}
    unit = plan.unit(name)
    for other in dict.fromkeys(word for key in _REQUIRE for word in unit.words("Unit", key)):
        if other in masked:
            yield hint(advice_messages.UNIT_NEEDS_MASKED, path, unit=name, other=other)
        elif plan.knows_all and unit_type(other) in _TYPES and "%" not in other and not plan.knows_unit(other):
            yield hint(advice_messages.UNIT_NEEDS_UNIT, path, Kind.INFO, unit=name, other=other)
    if not plan.knows_all:
        return
    for file in unit.values("Service", "EnvironmentFile"):
        fix = f"Write the file, too, or EnvironmentFile=-{file} if it may be missing."
        if file.startswith(("/etc/", *EMPTY_FOLDERS)) and not _may_be_there(plan, file, "EnvironmentFile"):
            yield hint(advice_messages.UNIT_NEEDS_PATH, path, Kind.INFO, unit=name, path=file, fix=fix)
    folder = unit.last("Service", "WorkingDirectory").rstrip("/")
    if f"{folder}/".startswith(EMPTY_FOLDERS) and not folder.startswith("/home/"):
        is_made = any(node.path.startswith(f"{folder}/") for node in plan.nodes)
        if not is_made and not _may_be_there(plan, folder, "WorkingDirectory"):
            fix = "List it below storage.directories."
            yield hint(advice_messages.UNIT_NEEDS_PATH, path, Kind.INFO, unit=name, path=folder, fix=fix)


def _may_be_there(plan: Plan, path: str, key: str) -> bool:
    """True if the config makes a path, mounts something over it, or names it elsewhere."""
    if path in plan.by_path or image.existing_file(path) is not None or "*" in path or "%" in path:
        return True
    if plan.is_on_filesystem(path) or any(name.endswith((".mount", ".automount")) for name in plan.unit_texts):
        return True
    given = sum(value == path for one in plan.unit_texts for value in plan.unit(one).values("Service", key))
    return plan.mentions(path, given) or plan.mentions(f"{posixpath.dirname(path)} ")
