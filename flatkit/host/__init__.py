"""The checks of `flatkit doctor`: what this host can do, each with a reason and the one command that fixes it.

Called host and not doctor, because `flatkit.doctor` is the function that a notebook calls.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from flatkit import paths
from flatkit.accounts import why_refused
from flatkit.errors import FlatkitError, HostError
from flatkit.host.software import check_image, check_jupyter, check_programs, check_trust
from flatkit.host.space import check_disk, check_folders, check_memory, check_ports
from flatkit.host.system import Examination as Examination
from flatkit.host.system import Health as Health
from flatkit.host.system import HostCheck as HostCheck
from flatkit.host.system import System, check_clock, check_processor, check_system, find_system, for_seat, split_hint
from flatkit.host.virtual import check_accelerator, check_libvirt, check_other_host, check_rights
from flatkit.host.virtual import find_obstacle as find_obstacle
from flatkit.machines.remote import check_uri, is_remote

_Checks = dict[str, Callable[[], HostCheck]]


def examine(system: System | None = None) -> Examination:
    """Look at the host; changes nothing, and one broken part does not hide the others. `system` is for tests."""
    from flatkit.machines.daemon import default_uri

    system, uri = system or find_system(), default_uri()
    with suppress(HostError):
        return _examine(system, check_uri(uri))
    # Where it leads is not known. The check of libvirt reports it; the rest is looked at as on a host of its own.
    return _examine(system, "qemu:///session")


def _examine(system: System, uri: str) -> Examination:
    checks: _Checks = {"system": partial(check_system, system, uri), "python": _python}
    if is_remote(uri):
        checks |= {"host": partial(check_other_host, uri), "libvirt": check_libvirt, "image": check_image}
    elif system.boots_machines:
        checks |= _of_machines(system, uri)
    checks |= {"jupyter": check_jupyter, "clock": partial(check_clock, system)}
    return Examination(checks=tuple(for_seat(_guarded(name, check)) for name, check in checks.items()))


def _of_machines(system: System, uri: str) -> _Checks:
    """The checks that matter where machines boot on this host."""
    from flatkit.images.lab.build import find_lab_image

    lab = None
    with suppress(FlatkitError):  # reported by the check of the folders
        lab = find_lab_image()
    return {
        "processor": check_processor,
        "libvirt": check_libvirt,
        "rights": partial(check_rights, uri),
        "accelerator": partial(check_accelerator, system, kernel=lab.kernel if lab else None),
        "memory": check_memory,
        "disk": partial(check_disk, has_image=lab is not None),
        "folders": check_folders,
        "ports": check_ports,
        "image": check_image,
        "trust": check_trust,
        "programs": check_programs,
    }


def _guarded(name: str, check: Callable[[], HostCheck]) -> HostCheck:
    why = "flatkit needs it"
    try:
        return check()
    except FlatkitError as error:
        fix, note = split_hint(error.hint)
        return HostCheck(name=name, state=Health.FAIL, found=error.message, why=why, fix=fix, note=note)
    except RuntimeError as error:  # pathlib's, for a user without a home
        found = f"cannot be looked at: {error}"
        return HostCheck(name=name, state=Health.FAIL, found=found, why=why, fix="export HOME=/some/folder")
    except OSError as error:
        path = Path(os.fsdecode(error.filename)) if error.filename is not None else None
        found = str(error) if path is None else f'"{path}": {why_refused(path, error)}'
        fix, note = (
            split_hint(paths.way_out(path, error)) if path else ("", "The system's own words; flatkit knows no fix.")
        )
        return HostCheck(
            name=name, state=Health.FAIL, found=f"cannot be looked at: {found}", why=why, fix=fix, note=note
        )


def _python() -> HostCheck:
    version = platform.python_version()
    state = Health.OK if sys.version_info >= (3, 11) else Health.FAIL
    return HostCheck(
        name="python", state=state, found=f"Python {version}", why="flatkit is written for 3.11 and later",
        fix="sudo apt install python3", note="Or your system's own way to a newer Python; then: make setup.",
    )  # fmt: skip
