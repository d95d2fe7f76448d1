"""What the demos of extensions share: what is merged into /usr, and the line that copies a file to a machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from flatkit.steps import Fact, Verdict


def parse_merged(text: str) -> tuple[str, ...] | None:
    """The extensions that are merged into /usr, from `systemd-sysext status --json=short`; None where that is no answer."""
    try:
        rows = {row["hierarchy"]: row["extensions"] for row in json.loads(text)}
    except (ValueError, KeyError, TypeError):
        return None
    found = rows.get("/usr", "none")
    return () if isinstance(found, str) else tuple(found)


# No check may pass on it, least of all one that something is not there.
_NO_ANSWER = Verdict(ok=False, found="systemd-sysext gave no status that can be read")
MERGED = Fact(name="merged", ask="systemd-sysext status --json=short", parse=parse_merged)


def has(name: str) -> Callable[[Any], Verdict]:
    """A check: this extension is merged."""

    def check(names: Any) -> Verdict:
        if names is None:
            return _NO_ANSWER
        ok = name in names
        found = f"merged into /usr: {', '.join(names) or 'none'}"
        return Verdict(ok=ok, found=found if ok else f'{found}; expected "{name}" among them')

    return check


def lacks(*unwanted: str) -> Callable[[Any], Verdict]:
    """A check: none of these extensions is merged."""

    def check(names: Any) -> Verdict:
        if names is None:
            return _NO_ANSWER
        wrong = [name for name in unwanted if name in names]
        found = f"merged into /usr: {', '.join(names) or 'none'}"
        return Verdict(ok=not wrong, found=f"{found}; expected it without {', '.join(wrong)}" if wrong else found)

    return check


def copied(machine: str, file: str, target: str) -> str:
    """The line with which a person copies a file to a machine."""
    return f"flatkit ssh {machine} -- sudo tee {target} < {file} > /dev/null"
