"""Faults that happen to machines, and what must be true after each: a clear state, a next verb that works, and nothing left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flatkit import paths
from flatkit.machines import Hypervisor, get_machine
from flatkit.machines.domain import domain_name
from flatkit.machines.store import owner_id

NAME = "fault"
CALL = (sys.executable, "-m", "flatkit")

# Where the process is killed or the domain removed: the verb, and the event that its --json shows by then (the phase
# that begins; "" is as soon as it says anything). Verbs besides `up` need a machine that is ready.
KILLS = (
    ("up", "create"),
    ("up", "continue"),
    ("up", "firmware"),
    ("up", "kernel"),
    ("up", "ignition-files"),
    ("up", "units"),
    ("up", "ssh"),
    ("up", "checkpoint"),
    ("up", "login"),
    ("checkpoint", "checkpoint"),
    ("rewind", "rewind"),
)
# These take time only where no template is continued.
COLD = ("firmware", "kernel")
REMOVALS = (("up", "firmware"), ("up", "kernel"), ("up", "units"), ("up", "checkpoint"), ("rewind", "ssh"))


@dataclass(frozen=True, kw_only=True)
class Left:
    """What flatkit has on this host, for this state folder."""

    domains: tuple[str, ...]
    processes: tuple[int, ...]
    folders: tuple[str, ...]
    ports: tuple[int, ...]


def count() -> Left:
    """Count domains, QEMU processes with the ports they listen on, and machines' folders and locks."""
    found = _processes()
    machines = paths.machines_dir()
    hypervisor = Hypervisor()
    domains = tuple(domain.domain for domain in hypervisor.owned(owner_id()))
    hypervisor.close()
    return Left(
        domains=domains,
        processes=tuple(found),
        folders=tuple(sorted(path.name for path in machines.iterdir())) if machines.is_dir() else (),
        ports=tuple(port for ports in found.values() for port in ports),
    )


def _processes() -> dict[int, list[int]]:
    mark = domain_name(owner_id(), "")
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "qemu" in words.split("\0")[0] and f"guest={mark}" in words:
            found[int(path.parent.name)] = [int(port) for port in re.findall(r"hostfwd=tcp:[\d.]+:(\d+)-", words)]
    return found


def words_for(verb: str) -> list[str]:
    """The call of a verb that shows its events."""
    more = {"up": ["up", "--name", NAME, "--image", "lab"], "checkpoint": ["checkpoint", NAME, "one"]}
    return [*CALL, *more.get(verb, [verb, NAME]), "--json"]


@contextmanager
def at(verb: str, phase: str) -> Iterator[subprocess.Popen[str]]:
    """The process of a verb at the moment when a phase begins."""
    words = [*words_for(verb), *(["--cold"] if phase in COLD else [])]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "phase_started" and event["phase"] == phase:
                break
        else:
            raise AssertionError(f"{verb} ended without the phase {phase}")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def flatkit(*words: str) -> subprocess.CompletedProcess[str]:
    """A call of the command, to its end."""
    return subprocess.run([*CALL, *words], capture_output=True, text=True, timeout=400, check=False)


def state() -> str:
    """What `flatkit list` calls the machine; "" when it lists none."""
    rows = [json.loads(line) for line in flatkit("list", "--json").stdout.splitlines()]
    return next((row["state"] for row in rows if row.get("name") == NAME), "")


def works() -> None:
    """Hold that the machine comes up by the next verb, answers, and can be removed without a rest."""
    done = flatkit("up", "--name", NAME, "--image", "lab")
    assert done.returncode == 0, done.stderr
    assert flatkit("ssh", NAME, "--", "echo", "well").stdout == "well\n"
    assert state() == "running"
    one = count()
    assert (len(one.domains), len(one.processes)) == (1, 1)


def kill(verb: str, phase: str) -> str:
    """Kill the process of a verb, and hold what must be true after it. Returns the state that was found."""
    if verb != "up":
        works()
    with at(verb, phase) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    found = state()
    assert found in {"", "leftover", "booting", "running", "stopped", "paused"}
    works()
    if verb == "checkpoint":
        assert flatkit("checkpoint", NAME, "one").returncode == 0
    assert flatkit("rewind", NAME).returncode == 0
    return found


def remove_domain(verb: str, phase: str) -> str:
    """Destroy and undefine the domain from outside, and hold what must be true after it. Returns the state that was found."""
    if verb != "up":
        works()
    hypervisor = Hypervisor()
    with at(verb, phase) as process:
        domain = domain_name(owner_id(), NAME)
        hypervisor.destroy(domain)
        hypervisor.undefine(domain)
        assert process.stdout is not None
        result = json.loads(process.stdout.read().splitlines()[-1])
        process.wait()
    hypervisor.close()
    assert result["event"] == "result"
    assert process.returncode == (0 if result["ok"] else 1)
    if phase != "checkpoint":
        # Without the checkpoint the first boot is still a boot; the login says what happened.
        assert not result["ok"]
    found = state()
    if found == "failed":
        # Looked at between the two, its domain was "switched off from outside"; after both, "removed from outside".
        assert "from outside" in get_machine(NAME).record.cause
        assert flatkit("down", NAME).returncode == 0
    works()
    return found


def clear(before: Left) -> None:
    """Remove the machine, and hold that nothing is there but what was before."""
    assert flatkit("down", NAME).returncode == 0
    assert count() == before
