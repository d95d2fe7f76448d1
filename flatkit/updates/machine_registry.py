"""The update server's table of machines: limited in size, and safe from a participant who invents machines. Pure.

A whole room may come from one address (NAT, or one trainer with thirty guests), so an address has no fixed quota. In a
full table a new machine replaces another new machine first. Machines with a history outlive those with one request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from flatkit.updates.model import Group, MachineSeen, PublishedRelease, SeenEvent, UpdateState
from flatkit.updates.omaha import AppRequest, UpdateEvent

MACHINES_MAX = 1000
EVENTS_MAX = 50
_EVENTS_MIN = 8  # times all machines, that is less than all events
EVENTS_IN_ALL = 10_000
_NEWCOMER_SECONDS = 60.0
_TROUBLE = frozenset({UpdateState.FAILED, UpdateState.ROLLED_BACK})
# States that end when another version runs.
_PAST = _TROUBLE | {UpdateState.RECOVERED}


def note(
    machines: dict[str, MachineSeen],
    app: AppRequest,
    *,
    group: Group,
    offer: PublishedRelease | None,
    now: float,
    origin: str = "",
) -> None:
    """Store a machine's request. `origin` is the address that it came from."""
    before = machines.get(app.machine_id)
    if before is None:
        if len(machines) >= MACHINES_MAX:
            del machines[_choose_victim(machines.values()).machine_id]
        before = MachineSeen(
            machine_id=app.machine_id,
            version=app.version,
            channel=group.channel,
            origin=origin,
            first_seen=now,
            last_seen=now,
        )
    events = tuple(SeenEvent(at=now, version=app.version, event=event) for event in app.events if not event.is_ignored)
    machines[app.machine_id] = replace(
        before,
        version=app.version,
        channel=group.channel,
        group=group.name,
        board=app.board or before.board,
        oem=app.oem or before.oem,
        alias=app.alias or before.alias,
        last_seen=now,
        checks=before.checks + app.is_update_check,
        offered=(offer.version if offer else "") if app.is_update_check else before.offered,
        state=_state(before, app, offer),
        events=(before.events + events)[-EVENTS_MAX:],
    )
    if events:
        _bound_events(machines)


def _bound_events(machines: dict[str, MachineSeen]) -> None:
    """Shorten the longest history of the address with the most events, as long as there are too many in all."""
    counts: Counter[str] = Counter()
    for machine in machines.values():
        counts[machine.origin] += len(machine.events)
    while counts.total() > EVENTS_IN_ALL:
        origin, _ = counts.most_common(1)[0]
        longest = max((one for one in machines.values() if one.origin == origin), key=lambda one: len(one.events))
        machines[longest.machine_id] = replace(longest, events=longest.events[-_EVENTS_MIN:])
        counts[origin] -= len(longest.events) - _EVENTS_MIN


def _choose_victim(machines: Iterable[MachineSeen]) -> MachineSeen:
    """Return the machine to forget: of an address that has more than half of them, else a new one from the address with most."""
    found = list(machines)
    newcomers = [machine for machine in found if machine.known_for < _NEWCOMER_SECONDS]
    origin, count = _most_common(found)
    if newcomers and count * 2 <= len(found):
        origin, found = _most_common(newcomers)[0], newcomers
    return min(
        (machine for machine in found if machine.origin == origin),
        key=lambda machine: (machine.known_for >= _NEWCOMER_SECONDS, machine.last_seen),
    )


def _most_common(machines: list[MachineSeen]) -> tuple[str, int]:
    return Counter(machine.origin for machine in machines).most_common(1)[0]


def _state(before: MachineSeen, app: AppRequest, offer: PublishedRelease | None) -> UpdateState:
    """Return the new state. A machine in trouble stays so at a check, since it asks again by itself.

    Its trouble ends with an event, with another version that it runs, or with an offer of another version. A failure also
    ends with a check that gets no offer: the machine asks as it should, and nothing is left that could fail.
    """
    known = before.state
    if known in _PAST and app.version != before.version:
        known = UpdateState.CURRENT
    state = known
    for event in app.events:
        state = _after(event, state)
    if not app.is_update_check:
        return state
    is_another = offer is not None and offer.version != before.offered
    if state is known is UpdateState.FAILED and offer is None:
        return UpdateState.RECOVERED
    if state in _TROUBLE and not (state is known and is_another):
        return state
    if offer:
        return UpdateState.OFFERED
    return state if state is UpdateState.RECOVERED else UpdateState.CURRENT


def _after(event: UpdateEvent, state: UpdateState) -> UpdateState:
    if event.is_ignored:
        return state
    if event.is_rollback:
        return UpdateState.ROLLED_BACK
    return _STATES.get((event.type, event.result), state)


_STATES = {
    (3, 0): UpdateState.FAILED,
    (3, 1): UpdateState.INSTALLED,
    (3, 2): UpdateState.CURRENT,  # the first check after the reboot reports it
    (13, 1): UpdateState.DOWNLOADING,
    (14, 1): UpdateState.DOWNLOADED,
    (800, 1): UpdateState.INSTALLED,  # sent by Nebraska's updater library, after which 3/1 comes
}
