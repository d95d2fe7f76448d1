"""Steps, facts and checks that the demos of updates share: the update server, the two slots, and what runs.

The same commands work on Flatcar and on the lab image; what a check expects comes from the machine itself, never from a version
that is written here, so that any two releases will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flatkit.demos.facts import SLOTS, UPDATE
from flatkit.steps import Boot, Fact, Step, Verdict, Where, says
from flatkit.updates.slots import Slot
from flatkit.updates.status import Operation, UpdateConf, UpdateStatus, parse_update_conf
from flatkit.version_numbers import version_key

# The two of all partitions that are slots: label, type, id, and the three numbers.
SHOW = 'sudo cgpt show "$(rootdev -s -d /usr)" | grep -A3 USR-'
CONF = Fact(name="update.conf", ask="cat /etc/flatcar/update.conf", parse=parse_update_conf)


@dataclass(frozen=True, kw_only=True)
class Versions:
    """The running version, and the one that ran when the machine first asked for updates ("" when it has not)."""

    running: str
    before: str

    def __str__(self) -> str:
        return f"version {self.running}" + (f"; it first asked as {self.before}" if self.before else "")


def parse_versions(text: str) -> Versions:
    """From the answer to VERSIONS."""
    running, _, before = text.strip().partition("\n")
    return Versions(running=running.strip(), before=before.strip())


# Not previous-version, which the engine empties at the first check after the restart.
VERSIONS = Fact(
    name="versions",
    ask='. /etc/os-release; echo "$VERSION_ID"; sudo cat /var/lib/update_engine/prefs/aleph-version 2>/dev/null; true',
    parse=parse_versions,
)


def pair(slots: tuple[Slot, ...]) -> tuple[Slot | None, Slot | None]:
    """The slot that runs, and the other one."""
    running = next((slot for slot in slots if slot.running), None)
    return running, next((slot for slot in slots if slot is not running), None)


def _verdict(slots: Any, *, holds: bool, expected: str) -> Verdict:
    found = "found " + ", ".join(map(str, slots))
    return Verdict(ok=holds, found=found if holds else f"{found}; expected {expected}")


def has_two_slots(slots: Any) -> Verdict:
    """One of two slots runs."""
    running, other = pair(slots)
    return _verdict(slots, holds=bool(running and other), expected="two slots, one of them running")


def is_staged(slots: Any) -> Verdict:
    """The next boot takes the other slot, with one try."""
    _, other = pair(slots)
    holds = bool(other and other.next and other.tries == 1 and not other.successful)
    return _verdict(
        slots, holds=holds, expected="that the slot which does not run is next, with tries=1 and successful=0"
    )


def is_on_new_slot(slots: Any) -> Verdict:
    """Check that the running slot has the highest priority, and that the other one is bootable."""
    running, other = pair(slots)
    holds = bool(running and other and running.priority > other.priority and other.bootable)
    return _verdict(
        slots, holds=holds, expected="that the slot with the highest priority runs, and the other can be booted"
    )


def is_good_with_way_back(slots: Any) -> Verdict:
    """Check that the running slot is marked good, and that the other one is bootable."""
    running, other = pair(slots)
    holds = bool(running and other and running.successful and other.successful and other.bootable)
    return _verdict(slots, holds=holds, expected="successful=1 on the slot that runs, and on the other one")


def is_good(slots: Any) -> Verdict:
    """Check that the running slot is marked good."""
    running, _ = pair(slots)
    return _verdict(slots, holds=bool(running and running.successful), expected="successful=1 on the slot that runs")


def goes_back_next(slots: Any) -> Verdict:
    """The next boot takes the other slot, which was good before."""
    _, other = pair(slots)
    holds = bool(other and other.next and other.successful)
    return _verdict(slots, holds=holds, expected="that the next boot takes the other slot, which has successful=1")


def other_is_given_up(slots: Any) -> Verdict:
    """The slot that runs is good; the other one, though of higher priority, has no try left."""
    running, other = pair(slots)
    holds = bool(running and other and running.successful and other.priority > running.priority and not other.bootable)
    return _verdict(
        slots, holds=holds, expected="that the old slot runs, and the other one has tries=0 and successful=0"
    )


def is_newer(versions: Any) -> Verdict:
    """Check that the running version is newer than the one before."""
    holds = bool(versions.before) and version_key(versions.running) > version_key(versions.before)
    return Verdict(ok=holds, found=f"found {versions}" + ("" if holds else "; expected a newer one than before"))


def is_the_old_one(versions: Any) -> Verdict:
    """Check that the running version is the one from before the update."""
    holds = bool(versions.before) and versions.running == versions.before
    return Verdict(ok=holds, found=f"found {versions}" + ("" if holds else "; expected the same version"))


def waits_for_reboot(status: Any) -> Verdict:
    """The update is staged."""
    return _is_at(status, {Operation.NEED_REBOOT}, "UPDATE_STATUS_UPDATED_NEED_REBOOT")


def is_under_way(status: Any) -> Verdict:
    """An update was offered, and is being worked on."""
    wanted = {
        Operation.AVAILABLE,
        Operation.DOWNLOADING,
        Operation.VERIFYING,
        Operation.FINALIZING,
        Operation.NEED_REBOOT,
    }
    return _is_at(status, wanted, "an update that is being worked on")


def is_being_written(status: Any) -> Verdict:
    """The update is on its way into the other slot, or there already."""
    return _is_at(status, {Operation.FINALIZING, Operation.NEED_REBOOT}, "UPDATE_STATUS_FINALIZING")


def has_nothing_new(status: Any) -> Verdict:
    """It has asked, and there is nothing for it."""
    verdict = _is_at(status, {Operation.IDLE}, "UPDATE_STATUS_IDLE, after a question to the server")
    asked = isinstance(status, UpdateStatus) and status.last_checked > 0
    return Verdict(
        ok=verdict.ok and asked, found=verdict.found if asked else f"{verdict.found}; it has asked nobody yet"
    )


def _is_at(status: Any, wanted: set[Operation], words: str) -> Verdict:
    if status is None:
        return Verdict(ok=False, found=f"the update client does not answer; expected {words}")
    ok = status.operation in wanted
    version = f" (version {status.new_version})" if status.new_version.strip("0.") else ""
    found = f'found "{status.operation}"{version}'
    return Verdict(ok=ok, found=found if ok else f"{found}; expected {words}")


def _asks_us(conf: Any) -> Verdict:
    assert isinstance(conf, UpdateConf)
    ok = conf.server.endswith("/v1/update/") and conf.reboot_strategy == "off" and bool(conf.group)
    found = f'found GROUP "{conf.group}", SERVER "{conf.server}", REBOOT_STRATEGY "{conf.reboot_strategy}"'
    return Verdict(
        ok=ok, found=found if ok else f"{found}; expected a channel, flatkit's server and no restart by itself"
    )


def boots(
    *, title: str, why: str, machine: str, config: str = "updates.bu", channel: str = "", notes: str = ""
) -> Step:
    """The step in which a machine is made whose config says that it is to be updated."""
    return Step(
        title=title,
        why=why,
        boot=Boot(config=config, machine=machine, channel=channel),
        where=Where.HOST,
        notes=notes,
        check=says("ready"),
        hint=f"flatkit console {machine}   shows how far the boot came",
    )


def points_at_server(*, group: str, machine: str = "", alias: str = "") -> Step:
    """The step that configures the update server and the group of a machine."""
    lines = [f"GROUP={group}", "SERVER={server}/v1/update/", "REBOOT_STRATEGY=off"]
    lines += [f"MACHINE_ALIAS={alias}"] if alias else []
    text = "\\n".join(lines)
    return Step(
        title=f"Where {f'the {alias} machine' if alias else 'it'} asks for updates",
        why="A machine follows one channel, and asks one server; Flatcar's own, unless update.conf names another. Here "
        "flatkit serves, and the machine is not to restart by itself.",
        command=f"printf '{text}\\n' | sudo tee /etc/flatcar/update.conf",
        machine=machine,
        check=_asks_us,
        hint="cat /etc/flatcar/update.conf",
        fact=CONF,
    )


def stages_update(
    *, machine: str = "", title: str = "Stage it", why: str = "", notes: str = "", predicts: str = ""
) -> Step:
    """The step in which an update is downloaded, verified and written to the other slot."""
    return Step(
        title=title,
        notes=notes,
        predicts=predicts,
        why=why
        or "The whole new system is downloaded, its signature is checked, and it is written to the slot that does not "
        "run. Nothing changes for what runs meanwhile.",
        command="update_engine_client -update",
        machine=machine,
        check=waits_for_reboot,
        hint='journalctl -u update-engine   says why there was none: the client itself calls a failure "No update available"',
        fact=UPDATE,
    )


def reboots_into_it(*, machine: str = "", title: str, why: str, notes: str = "", predicts: str = "") -> Step:
    """The step in which a machine restarts into the slot that was staged."""
    return Step(
        title=title, why=why, command="sudo systemctl reboot", machine=machine, reboots=True,
        check=is_on_new_slot, hint=SHOW, fact=SLOTS, notes=notes, predicts=predicts,
    )  # fmt: skip
