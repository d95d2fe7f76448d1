"""Advice on systemd units: what systemd refuses, ignores, or never starts."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from flatkit.butane import messages
from flatkit.butane.diagnostics import Hint, hint
from flatkit.butane.machine import image
from flatkit.butane.machine.image import UnitState
from flatkit.butane.machine.plan import SYSTEMD_DIR, Plan
from flatkit.butane.machine.unit_file import (
    Assignment,
    is_template,
    is_unit_list,
    keys_of,
    parse,
    sections_of,
    template_of,
    unit_type,
)
from flatkit.butane.machine.unit_verdict import bad_unit_names
from flatkit.butane.source.node import Path
from flatkit.report import Kind
from flatkit.untrusted import is_number

_PREFIXES = "@:+!|-"


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
            yield hint(messages.UNIT_SECOND_START, (*path, "dropins", second, "contents"), kind, unit=name)
        yield from _start(plan, name, path, unit.get("enabled"))
        yield from _account(plan, name, (*path, "contents") if contents else path)
        yield from _programs(plan, name, (*path, "contents") if contents else path)
    yield from _files(plan)


def _verdict(plan: Plan, name: str, path: Path, contents: str) -> Iterator[Hint]:
    found = plan.refusal(name) if contents else None
    if found is None:
        return
    if image.unit_state(name) is not UnitState.UNKNOWN and found.code in ("no-start", "no-listen", "no-time"):
        yield hint(messages.UNIT_REPLACED, (*path, "contents"), unit=name, reason=found.words)
        return
    where = (*path, "name") if found.code == "name" else (*path, "contents")
    yield hint(messages.UNIT_REFUSED, where, unit=name, reason=found.words, fix=found.fix)


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
            yield hint(messages.UNIT_SECTION, path, unit=name, section=section, fix=fix)
    for item in parsed.assignments:
        if item.section in known:
            yield from _assignment(name, item, known, path)


def _assignment(name: str, item: Assignment, known: tuple[str, ...], path: Path) -> Iterator[Hint]:
    keys = keys_of(item.section)
    if is_unit_list(item.section, item.key):
        for word in bad_unit_names(item.value):
            fix = "Separate the names with spaces, without commas." if "," in word or ";" in word else (
                f"Write the whole name, for example {word}.service.")  # fmt: skip
            yield hint(messages.UNIT_LIST, path, unit=name, key=item.key, word=word, fix=fix)
    if not keys or item.key in keys or item.key.startswith("X-"):
        return
    elsewhere = [section for section in known if item.key in keys_of(section)]
    close = _close(item.key, keys)
    # A key that resembles nothing may be new in a later systemd.
    fix = f"It belongs into the section [{elsewhere[0]}]." if elsewhere else f"Did you mean {close}=?" if close else ""
    if fix:
        yield hint(messages.UNIT_KEY, path, unit=name, key=item.key, section=item.section, fix=fix)


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
            yield hint(messages.UNIT_UNKNOWN, (*path, "name"), Kind.INFO, unit=name)
        elif state is UnitState.STATIC and not plan.unit(name).installs:
            yield hint(messages.UNIT_STATIC, (*path, "enabled"), Kind.INFO, unit=name)
    if written and enabled is None and _is_never_started(plan, name) and unit_type(name) not in ("target", "slice"):
        message = messages.UNIT_NOT_ENABLED if plan.unit(name).installs else messages.UNIT_UNUSED
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
    if plan.knows_unit(service) or (is_template(service) and plan.is_written(service)):
        return
    kind = unit_type(name)
    setting = "Service= in [Socket]" if kind == "socket" else f"Unit= in [{kind.capitalize()}]"
    if kind == "automount":
        setting = "the mount of the same name"
    yield hint(messages.UNIT_NO_SERVICE, (*path, "contents"), unit=name, service=service, setting=setting)


def _account(plan: Plan, name: str, path: Path) -> Iterator[Hint]:
    """Yield the user of a service that nobody defines."""
    unit = plan.unit(name)
    user = unit.last("Service", "User")
    if not user or is_number(user) or "%" in user or not plan.knows_all or unit.last("Service", "DynamicUser"):
        return
    made = {str(one.get("name")) for one in plan.users} | image.users()
    if user not in made and not any(node.path.startswith("/etc/sysusers.d/") for node in plan.nodes):
        yield hint(messages.SERVICE_USER, path, unit=name, user=user)


def _programs(plan: Plan, name: str, path: Path) -> Iterator[Hint]:
    """Yield programs that a service runs, and that are missing or not executable."""
    if unit_type(name) != "service":
        return
    seen = set()
    for text in plan.unit(name).texts:
        for item in text.assignments:
            words = item.value.lstrip(_PREFIXES).split()
            if item.section != "Service" or not item.key.startswith("Exec") or not words or words[0] in seen:
                continue
            seen.add(words[0])
            yield from _program(plan, name, words[0], path)


def _program(plan: Plan, name: str, program: str, path: Path) -> Iterator[Hint]:
    node = plan.by_path.get(program)
    if node is not None and node.kind == "files":
        mode = node.item.get("mode", 0o644)
        if not mode & 0o111:
            yield hint(messages.PROGRAM_NOT_EXECUTABLE, node.json_path, unit=name, program=program, mode=f"{mode:04o}")
        return
    moved = image.moved_program(program)
    if not plan.knows_all:
        return
    if moved is not None:
        yield hint(messages.PROGRAM_MISSING, path, unit=name, program=program, instead=moved.instead)
    elif program.startswith("/usr/local/"):
        instead = "a file below /opt/bin, or an extension"
        yield hint(messages.PROGRAM_MISSING, path, unit=name, program=program, instead=instead)


def _files(plan: Plan) -> Iterator[Hint]:
    """Yield units that are written as files and that nothing starts."""
    enabled = {unit.get("name") for unit in plan.units if unit.get("enabled")}
    for node in plan.files():
        name = node.path.removeprefix(SYSTEMD_DIR)
        if not node.path.startswith(SYSTEMD_DIR) or "/" in name or not unit_type(name):
            continue
        found = plan.refusal(name)
        if found is not None:
            yield hint(messages.UNIT_REFUSED, (*node.json_path, "path"), unit=name, reason=found.words, fix=found.fix)
        if name not in enabled and plan.unit(name).installs and _is_never_started(plan, name):
            yield hint(messages.UNIT_AS_FILE, (*node.json_path, "path"), unit=name)
