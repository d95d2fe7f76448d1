"""Advice about what Butane accepts and the machine refuses, ignores or loses. Advice never stops anything.

Each piece has the code of its message. A code is switched off by a comment `# flatkit: ignore CODE` (several codes are
separated by spaces or commas): on the line of the advice, or alone on the line above, for that place; before the first
key, for the whole file. `flatkit explain --ignore CODE` and the environment variable FLATKIT_IGNORE_ADVICE do so for all.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from flatkit.butane.advice.accounts import advise_accounts
from flatkit.butane.advice.disks import advise_disks
from flatkit.butane.advice.docker import advise_docker
from flatkit.butane.advice.files import advise_files
from flatkit.butane.advice.hint import Hint
from flatkit.butane.advice.networks import advise_networks
from flatkit.butane.advice.readers import advise_readers
from flatkit.butane.advice.sources import advise_resources, advise_sources
from flatkit.butane.advice.starts import advise_starts
from flatkit.butane.advice.system import advise_system
from flatkit.butane.advice.units import advise_units
from flatkit.butane.diagnostics import entry_of, path_text
from flatkit.butane.machine.plan import Plan
from flatkit.butane.source.node import MAPPING
from flatkit.butane.transpile import Translation
from flatkit.report import Entry

_PARTS = (advise_accounts, advise_disks, advise_files, advise_resources, advise_sources, advise_units, advise_starts,
          advise_networks, advise_readers, advise_docker, advise_system)  # fmt: skip
_COMMENT = re.compile(r"(?:^|\s)#\s*flatkit:\s*ignore\s+([a-z0-9-]+(?:[\s,]+[a-z0-9-]+)*)\s*$")
ENVIRONMENT = "FLATKIT_IGNORE_ADVICE"
# Codes of what makes the first boot fail on Flatcar.
FATAL = frozenset((
    "path-read-only", "path-kernel", "overwrite-needed", "group-undefined", "group-hidden", "group-exists", "user-group-exists",
    "user-nameless", "user-name", "id-taken", "not-gzip", "merge-not-ignition", "raid-small",
    "account-field", "not-a-device", "disk-full", "parent-file", "owner-undefined", "hard-dangling",
))  # fmt: skip


def advise(translation: Translation) -> Iterator[Entry]:
    """Yield the advice about a config that translates, in the order of its lines."""
    if translation.ignition is None:
        return
    _, hints = plan_and_hints(translation.ignition)
    # A mode that Butane itself finds odd is not mentioned twice.
    said = {entry.path for entry in translation.report if entry.path.endswith(".mode")}
    entries = [entry for one in hints if (entry := _entry(one, translation)).path not in said]
    found = dict.fromkeys((entry.code, entry.path, entry.message) for entry in entries)
    kept = {(entry.code, entry.path, entry.message): entry for entry in reversed(entries)}
    yield from sorted((kept[key] for key in found), key=lambda entry: entry.span.line if entry.span else 0)


def find_hints(plan: Plan) -> tuple[Hint, ...]:
    """Return all advice about a plan."""
    return tuple(one for part in _PARTS for one in part(plan))


def plan_and_hints(ignition: dict[str, Any]) -> tuple[Plan, tuple[Hint, ...]]:
    """Return the plan of a config, and the advice about it; the last one is kept, as a config is explained and linted in turn."""
    kept = next((one for one in tuple(_LAST) if one[0].ignition is ignition), None)
    if kept is None:
        plan = Plan(ignition)
        kept = (plan, find_hints(plan))
        _LAST.append(kept)
    return kept


_LAST: deque[tuple[Plan, tuple[Hint, ...]]] = deque(maxlen=1)


def _entry(one: Hint, translation: Translation) -> Entry:
    path, span = translation.provenance.origin(one.path)
    entry = entry_of(one.message(**one.values), kind=one.kind, path=path_text(path), span=span)
    teach = one.message.advice.format_map(one.values) if one.values else one.message.advice
    return replace(entry, teach=teach)


def without_ignored(entries: Iterable[Entry], translation: Translation, ignore: Iterable[str] = ()) -> Iterator[Entry]:
    """Leave out what the user has switched off. Butane's own messages cannot be switched off."""
    everywhere = {*re.split(r"[\s,]+", os.environ.get(ENVIRONMENT, "")), *ignore}
    lines = translation.text.split("\n")
    root = translation.root
    head = root.line if root is not None and root.kind == MAPPING else 0
    by_line: dict[int, set[str]] = {}
    for number, line in enumerate(lines, start=1):
        match = _COMMENT.search(line) if "flatkit" in line else None
        if match is None:
            continue
        codes = set(re.split(r"[\s,]+", match[1]))
        if number < head:
            everywhere |= codes
        else:
            target = number + 1 if line.lstrip().startswith("#") else number
            by_line.setdefault(target, set()).update(codes)
    for entry in entries:
        here = by_line.get(entry.span.line, set()) if entry.span else set()
        if entry.code not in everywhere | here:
            yield entry
