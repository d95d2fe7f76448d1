"""docs/fidelity.md as data: its rows, what shows each of them, and what a run on real Flatcar fills in. Pure.

A row is seen when all that shows it was typed and did what was expected. The mapping is defined here and not in the table, which
is for readers; what a run does not show, or in part only, stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from flatkit.untrusted import lines_of

NEVER = "never yet"

# thing -> what shows it, all of these together: patterns of a capture's name (golden.py), or of what a demo types.
SHOWN_BY: Mapping[str, tuple[str, ...]] = {
    "Ignition": (r"^flatkit up \S+\.bu ", r"^fresh-ignition$"),
    "config hand-over": (r"^flatkit up \S+\.bu ",),
    "slot choice": (r"^fresh-cgpt-next$", r"^staged-cgpt-show$", r"\bsystemctl reboot\b"),
    "root hash": (r"^fresh-root-hash$",),
    "`cgpt`": (r"^fresh-cgpt-show$", r"^fresh-cgpt-show-partition$", r"^fresh-cgpt-find$", r"^fresh-cgpt-next$"),
    "`rootdev`": (r"^fresh-rootdev$", r"^fresh-rootdev-disk$"),
    "`flatcar-setgoodroot`": (r"^fresh-setgoodroot$",),
    "`update_engine_client`, update-engine": (r"^fresh-status$", r"^staged-update$", r"^staged-status$"),
    "`/usr/share/flatcar/update.conf`, `/etc/flatcar/update.conf`": (r"^fresh-update-conf$", r"^staged-update$"),
    "`flatcar-update`": (r"^staged-flatcar-update$|\bflatcar-update --to",),
    "`/boot`": (r"^fresh-boot$",),
    "OEM": (r"^fresh-oem$",),
    "`systemd-sysext`": (r"^fresh-sysext$",),
    "docker, containerd": (r"^fresh-docker$", r"^fresh-sysext$"),
    "`systemd-sysupdate`": (r"^fresh-sysupdate$",),
    "first boot": (r"^fresh-first-boot$",),
    "partition table": (r"^fresh-partitions$",),
    "`/usr`": (r"^fresh-usr$", r"^fresh-verity-table$", r"^fresh-verity-status$"),
    "kernel command line": (r"^fresh-cmdline$",),
    "`/etc`": (r"^fresh-etc$",),
    "`socat`": (r"^fresh-socat$",),
    "user `core`": (r"^fresh-core$",),
    "SSH keys": (r"^fresh-keys$",),
    "host key on the console": (r"^flatkit up \S+\.bu ",),
    "autologin on the console": (r"^fresh-autologin$",),
    "presets": (r"^fresh-preset$",),
    "SELinux": (r"^fresh-selinux$",),
    "PAM sessions": (r"^fresh-user-manager$",),
    "os-release": (r"^fresh-os-release$",),
    "version": (r"^fresh-version$",),
    # The second table: how flatkit deals with Flatcar's own servers and images.
    "release servers: addresses, files, `version.txt`, `lts-info`": (r"^flatkit images fetch lts-\d+",),
    "DIGESTS and signatures beside each file": (r"^flatkit images fetch ",),
    "release feed": (r"^flatkit images list ",),
    "phases on the console": (r"^flatkit up \S+\.bu ",),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Something that was typed in a run: its name and command, where it was typed, whether it did what was expected.

    `real`: on a machine that calls itself Flatcar or, for what concerns servers, on Flatcar's own with the pinned key.
    """

    name: str
    command: str
    place: str
    ok: bool
    real: bool


class Finding(str, Enum):
    """The result of a run for a row."""

    SEEN = "that were seen as written"
    DIFFERS = "that differ"
    NOT_SHOWN = "that this run does not show"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of one of the tables; `seen` is its last cell."""

    thing: str
    seen: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A row, what the run says about it, and by what."""

    row: Row
    finding: Finding
    by: tuple[Evidence, ...] = ()


def parse_rows(text: str) -> tuple[Row, ...]:
    """The rows of every table, without the heads."""
    lines, rows = lines_of(text), []
    for number, line in enumerate(lines):
        follows_head = number + 1 < len(lines) and re.match(r"\| *-{3}", lines[number + 1])
        if line.startswith("| ") and not line.startswith("| ---") and not follows_head:
            cells = _cells(line)
            rows.append(Row(thing=cells[0], seen=cells[-1], line=number))
    return tuple(rows)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def judge(rows: Iterable[Row], evidence: Sequence[Evidence]) -> tuple[Judged, ...]:
    """Compare each row with the run: only what is real counts, and one thing that differs outweighs all that do not."""
    real = [each for each in evidence if each.real]
    judged = []
    for row in rows:
        groups = [[each for each in real if _is_about(each, pattern)] for pattern in SHOWN_BY.get(row.thing, ())]
        by = tuple(dict.fromkeys(each for group in groups for each in group))
        if not all(each.ok for each in by):
            finding = Finding.DIFFERS
        else:
            finding = Finding.SEEN if groups and all(groups) else Finding.NOT_SHOWN
        judged.append(Judged(row=row, finding=finding, by=by))
    return tuple(judged)


def _is_about(evidence: Evidence, pattern: str) -> bool:
    return any(re.search(pattern, text) for text in (evidence.name, evidence.command))


def fill_in(text: str, judged: Iterable[Judged], *, words: str) -> str:
    """docs/fidelity.md with `words` ("Flatcar VERSION, DATE") in the rows that were seen; all others stay as they are.

    An older sighting, told in the same form, makes room for the new one; other words of a cell stay.
    """
    lines = text.splitlines(keepends=True)
    for each in judged:
        if each.finding is Finding.SEEN:
            old = each.row.seen
            kept = "" if old == NEVER else re.sub(r"(; )?Flatcar [^;|]*, \d{4}-\d\d-\d\d$", "", old)
            cell = f"{kept}; {words}" if kept else words
            line = lines[each.row.line]
            lines[each.row.line] = line.rstrip()[: -len(f"{old} |")] + f"{cell} |\n"
    return "".join(lines)
