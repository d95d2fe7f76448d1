"""Advice on what a unit needs to start: its programs, and other units, files and folders that are not there."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from flatkit.butane import advice_messages
from flatkit.butane.advice.commands import PREFIXES
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine import image
from flatkit.butane.machine.plan import EMPTY_FOLDERS, EXTENSION_DIRS, Plan, StorageNode, data_of
from flatkit.butane.machine.unit_file import unit_type
from flatkit.butane.source.node import Path
from flatkit.report import Kind

# Programs of the image's own extensions.
_BUILT_IN = {
    "docker": "docker-flatcar.raw", "dockerd": "docker-flatcar.raw", "ctr": "containerd-flatcar.raw",
    "containerd": "containerd-flatcar.raw",
}  # fmt: skip
_REQUIRE = ("Requires", "BindsTo", "Requisite")
_TYPES = ("service", "socket", "timer", "path", "target")


def advise_programs(plan: Plan, name: str, path: Path) -> Iterator[Hint]:
    """Yield the advice on one service."""
    if unit_type(name) != "service":
        return
    seen = set()
    for text in plan.unit(name).texts:
        for item in text.assignments:
            words = item.value.lstrip(PREFIXES).split()
            if item.section != "Service" or not item.key.startswith("Exec") or not words or tuple(words[:2]) in seen:
                continue
            seen.add(tuple(words[:2]))
            yield from _program(plan, name, words[0], path)
            if words[0].rpartition("/")[2] == "docker" and words[1:2] == ["compose"] and plan.knows_all:
                compose = image.moved_program("docker-compose")
                assert compose is not None
                values = {"program": "docker compose", "instead": compose.instead}
                yield hint(advice_messages.PROGRAM_MISSING, path, unit=name, **values)


def _program(plan: Plan, name: str, program: str, path: Path) -> Iterator[Hint]:
    node = plan.by_path.get(program)
    if node is not None:
        if node.kind == "files":
            yield from _written(plan, name, program, node)
        return
    moved = image.moved_program(program)
    off = next(
        (one for one in EXTENSION_DIRS if plan.is_off(f"{one}/{_BUILT_IN.get(posixpath.basename(program), '')}")), ""
    )
    if off and not plan.has_extension:
        values = {"program": program, "path": f"{off}/{_BUILT_IN[posixpath.basename(program)]}"}
        yield hint(advice_messages.PROGRAM_TURNED_OFF, path, unit=name, **values)
    if not plan.knows_all:
        return
    if moved is not None:
        yield hint(advice_messages.PROGRAM_MISSING, path, unit=name, program=program, instead=moved.instead)
    elif program.startswith("/usr/local/"):
        instead = "a file below /opt/bin, or an extension"
        yield hint(advice_messages.PROGRAM_MISSING, path, unit=name, program=program, instead=instead)
    elif program.startswith(EMPTY_FOLDERS) and not _may_appear(plan, program):
        files = {node.path for node in plan.files() if node.item.get("mode", 0) & 0o111}
        base = posixpath.basename(program)
        same = [file for file in sorted(files) if posixpath.basename(file) == base]
        close = same or difflib.get_close_matches(program, sorted(files), n=1, cutoff=0.8)
        fix = f"Is {close[0]} meant?" if close else "Write the file, too, with mode: 0755, or correct the path."
        yield hint(advice_messages.PROGRAM_UNWRITTEN, path, Kind.INFO, unit=name, program=program, fix=fix)


def _written(plan: Plan, name: str, program: str, node: StorageNode) -> Iterator[Hint]:
    """Yield what keeps a file of the config from being run (execve(2))."""
    mode = node.item.get("mode", 0o644)
    if not mode & 0o111:
        values = {"program": program, "mode": f"{mode:04o}"}
        yield hint(advice_messages.PROGRAM_NOT_EXECUTABLE, node.json_path, unit=name, **values)
        return
    contents: dict[str, Any] = node.item.get("contents", {})
    data = data_of(contents) if contents.get("source") and not node.item.get("append") else None
    if not data:
        return
    where = (*node.json_path, "contents")
    if not data.startswith((b"#!", b"\x7fELF")):
        yield hint(advice_messages.PROGRAM_NO_SHEBANG, where, unit=name, program=program)
        return
    words = data.partition(b"\n")[0][2:].decode(errors="replace").split() if data.startswith(b"#!") else []
    if len(words) > 1 and words[0].endswith("/env"):
        words = [word for word in words[1:] if not word.startswith("-")]
    asked = words[0] if words else ""
    moved = image.moved_program(asked)
    if asked and plan.knows_all and (moved is not None or image.lacks_shell(asked)):
        instead = moved.instead if moved is not None else "#!/bin/bash"
        yield hint(
            advice_messages.PROGRAM_INTERPRETER, where, unit=name, program=program, interpreter=asked, instead=instead
        )


def _may_appear(plan: Plan, program: str) -> bool:
    """True if something else of the config may bring a program: a filesystem, a folder that is unpacked, another command."""
    if plan.is_on_filesystem(program) or any(name.endswith((".mount", ".automount")) for name in plan.unit_texts):
        return True
    runs = sum(
        item.value.lstrip(PREFIXES).split()[:1] == [program]
        for unit in plan.unit_texts
        for text in plan.unit(unit).texts
        for item in text.assignments
        if item.key.startswith("Exec")
    )
    folder = re.escape(posixpath.dirname(program))
    return plan.mentions(program, runs) or plan.finds(rf"{folder}/?(?![\w./-])")


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
