"""Channels: a canary on beta beside a machine on stable; a version is promoted, and a broken one is caught by the canary."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from flatkit.demos import slots, update
from flatkit.demos.facts import SLOTS, UPDATE
from flatkit.steps import Demo, Fact, Step, Verdict, Where, says
from flatkit.untrusted import lines_of

STABLE, CANARY = update.MACHINE, "demo-canary"
_NO_BROKEN = "Flatcar publishes no release that is broken on purpose"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A machine as `flatkit channels` lists it."""

    group: str
    version: str
    state: str


@dataclass(frozen=True, kw_only=True)
class ChannelTable:
    """Parse the output of `flatkit channels`: channel -> version, and machine -> its row."""

    offers: dict[str, str]
    machines: dict[str, Row]

    def state_of(self, name: str) -> str:
        """Return what the server knows of a machine; since it asked last, its channel may have another release."""
        row = self.machines[name]
        is_old = row.state == "current" and self.offers.get(row.group, row.version) != row.version
        return "current when it asked last" if is_old else row.state

    def __str__(self) -> str:
        return "; ".join(f"{name} runs {row.version} ({row.state})" for name, row in self.machines.items()) or "nothing"


def parse_channels(text: str) -> ChannelTable:
    """From the output of `flatkit channels`: two tables, columns two spaces or more apart."""
    first, _, second = text.strip().partition("\n\n")
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines_of(first)[1:]]
    offers = {row[0]: row[1].split()[0] for row in rows if len(row) == 2}
    seen = [re.split(r"\s{2,}", line.strip()) for line in lines_of(second)[1:]]
    machines = {row[0]: Row(group=row[1], version=row[2], state=row[3]) for row in seen if len(row) == 5}
    return ChannelTable(offers=offers, machines=machines)


OFFERED = Fact(name="channels", ask="flatkit channels", parse=parse_channels, where=Where.HOST)


def _sees(judge: Callable[[ChannelTable], bool], expected: str) -> Callable[[Any], Verdict]:
    def check(text: Any) -> Verdict:
        table = parse_channels(str(text))
        ok = judge(table)
        return Verdict(ok=ok, found=f"found {table}" + ("" if ok else f"; expected {expected}"))

    return check


def _is_ahead(table: ChannelTable) -> bool:
    rows = table.machines
    return {"stable", "canary"} <= rows.keys() and rows["canary"].version != rows["stable"].version


def _is_caught(table: ChannelTable) -> bool:
    """The canary went back to what stable offers."""
    canary = table.machines.get("canary")
    return bool(canary and canary.state == "rolled back" and canary.version == table.offers["stable"])


def _look(title: str, why: str, check: Callable[[Any], Verdict], *, wait: float = 0.0) -> Step:
    return Step(
        title=title, why=why, command="flatkit channels", where=Where.HOST, check=check, wait=wait,
        hint="a machine is listed when it has asked once: update_engine_client -check_for_update",
    )  # fmt: skip


def _asks(name: str, machine: str, why: str) -> Step:
    return Step(
        title=f"The {name} machine asks", why=why, command="update_engine_client -update", machine=machine,
        check=slots.has_nothing_new, hint="journalctl -u update-engine", fact=UPDATE,
    )  # fmt: skip


_BEGIN = (
    slots.boots(
        title="A machine on stable",
        why="Most machines follow the channel stable. People depend on them, so they get only what others have tried.",
        machine=STABLE,
        notes="Two machines boot: begin with this demo's first two steps before the talk.",
    ),
    slots.boots(
        title="And a canary on beta",
        why="One machine runs what stable will be next, with the same work to do. It is named after the birds that warned "
        "miners.",
        machine=CANARY,
        config="canary.bu",
        channel="beta",
    ),
    slots.points_at_server(group="stable", machine=STABLE, alias="stable"),
    slots.points_at_server(group="beta", machine=CANARY, alias="canary"),
    _asks("stable", STABLE, "What stable offers is what it runs already. So the answer is: no update."),
    _asks("canary", CANARY, "It is ahead of stable, and up to date in its own channel. The server hears what it runs."),
    _look(
        "Who runs what",
        "The server remembers what each machine told it. The canary has run the newer version for a while, and is well.",
        _sees(_is_ahead, "the machines stable and canary, with different versions"),
    ),
)
_PROMOTE = (
    Step(
        title="Promote beta to stable",
        why="The canary is well, so everybody should get it. On your own server promoting means: stable now offers the very "
        "release that beta offers, the same bytes.",
        command="flatkit channels promote beta --to stable",
        where=Where.HOST,
        check=says("stable offers"),
        hint="flatkit channels",
    ),
)
_BROKEN = (
    Step(
        title="Promote alpha to beta",
        notes="Do not say yet that it is broken.",
        why="Next, what alpha has goes to beta. Nobody knows yet that this release never becomes healthy.",
        command="flatkit channels promote alpha --to beta",
        where=Where.HOST,
        check=says("beta offers"),
        hint="flatkit channels",
    ),
    slots.stages_update(
        machine=CANARY, title="The canary takes it",
        why="It is signed, whole, and staged like any other. A signature says where a version comes from, and nothing about "
        "how well it works.",
    ),
    slots.reboots_into_it(
        machine=CANARY, title="The canary restarts into it",
        why="It boots, and everything seems fine. But a part of it fails, and the slot runs on trial only.",
    ),
    Step(
        title="And comes back by itself",
        notes="Some minutes: ask what would have happened without a canary.",
        why="This release checks its own health: its slot is not marked good, and the machine restarts. The boot loader takes "
        "the version that worked. On Flatcar a health gate of yours does that.",
        command="systemctl --failed --no-legend --plain",
        machine=CANARY,
        reboots=True,
        by_itself=True,
        check=slots.other_is_given_up,
        hint=f"flatkit console {CANARY} --lines 80   shows both boots",
        fact=SLOTS,
    ),
    Step(
        title="Take it out of beta",
        why="A machine that came back would be offered the same version at its next check. So beta offers what stable "
        "does, until there is a better one.",
        command="flatkit channels promote stable --to beta",
        where=Where.HOST,
        check=says("beta offers"),
        hint="flatkit channels",
    ),
    _asks("canary", CANARY, "A machine reports with its next check how the last update went, some minutes after a boot. Here "
        "you ask for that check."),
    _look(
        "The server knows it",
        "The canary has reported that it went back. So nobody promotes this one to stable: the broken version met one machine, "
        "and not all of them.",
        _sees(_is_caught, "the canary rolled back, and stable without that version"),
        wait=90,
    ),
)  # fmt: skip

# Last, so that nobody waits for it while the canary is at work.
_ARRIVE = (
    Step(
        title="The stable machine gets what was promoted",
        why="Nobody touched this machine. It asks again, and is offered the version that the canary had vouched for, not the "
        "one that it gave back.",
        command="update_engine_client -check_for_update",
        machine=STABLE,
        check=slots.is_under_way,
        hint="journalctl -u update-engine",
        fact=UPDATE,
        wait=120,
    ),
)

CHANNELS = Demo(
    name="channels",
    title="Channels, and a canary",
    offers=(("stable", "lab"), ("beta", "lab-beta"), ("alpha", "lab-broken")),
    draws=(OFFERED,),
    steps=(*_BEGIN, *_PROMOTE, *(replace(step, lab_only=_NO_BROKEN) for step in _BROKEN), *_ARRIVE),
)
