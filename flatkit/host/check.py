"""The result of `flatkit doctor`: one line for each check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flatkit.untrusted import printable


class Health(str, Enum):
    """The result of a check: warn means that it works, but less well than it could."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"

    def __str__(self) -> str:
        return self.value

    @property
    def mark(self) -> str:
        """A sign for it that needs no colour."""
        return {Health.OK: "✓", Health.WARN: "!", Health.FAIL: "✗"}[self]


@dataclass(frozen=True, kw_only=True)
class HostCheck:
    """One line of doctor: what was looked at, what was found, why it matters in one clause, the one command that fixes it.

    `note` is what else to know before you type the fix.
    """

    name: str
    state: Health
    found: str
    why: str
    fix: str = ""
    note: str = ""


_LOOKS = ("flatkit list", "ip -brief", "ls ", "ps ", "ss ", "virsh ")


def split_hint(hint: str) -> tuple[str, str]:
    """Split an error's hint into its fix and what else it says. A command that only looks changes nothing, so it is not a fix."""
    if hint.startswith(_LOOKS):
        return "", f"To look: {hint}"
    fix, _, rest = hint.partition("   ")
    fix, either, other = fix.partition(", or: ")
    note = f"Or: {other}" if either else ""
    return fix, " ".join(part for part in (note, rest.strip(" ,")) if part)


@dataclass(frozen=True, kw_only=True)
class Examination:
    """All checks. `ok` says whether machines can boot; `verdict` says it in words."""

    checks: tuple[HostCheck, ...]

    @property
    def ok(self) -> bool:
        """True when no check failed."""
        return all(check.state is not Health.FAIL for check in self.checks)

    @property
    def verdict(self) -> str:
        """The sum of it in one line."""
        if self.ok:
            return "this host can boot machines"
        broken = ", ".join(check.name for check in self.checks if check.state is Health.FAIL)
        return f"this host cannot boot machines yet: {broken}"

    def __str__(self) -> str:
        width = max(len(check.name) for check in self.checks)
        lines = []
        for check in self.checks:
            lines.append(f"{check.state.mark} {printable(check.name):<{width}}  {printable(check.found, limit=2000)}")
            lines.append(f"  {'':<{width}}  ({printable(check.why)})")
            if check.state is not Health.OK:
                lines += [f"  {'':<{width}}  fix: {printable(check.fix, limit=2000)}"] if check.fix else []
                lines += [f"  {'':<{width}}  {printable(check.note, limit=2000)}"] if check.note else []
        return "\n".join([*lines, self.verdict])
