"""Checks of memory, disk, ports, and of folders that QEMU must be able to enter."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from flatkit import paths
from flatkit.accounts import find_obstacle
from flatkit.emulators import list_emulators
from flatkit.host.system import Health, HostCheck, split_hint
from flatkit.plain_names import forget, plain

# A machine of the course, and JupyterLab with a kernel beside it.
_MACHINE_MIB, _QEMU_MIB, _JUPYTER_MIB = 1024, 200, 400
_IMAGE_MIB, _BUILD_MIB, _MACHINES_MIB = 700, 1800, 1500


def check_memory(free: int | None = None) -> HostCheck:
    """Check that the course's machines fit in memory: one always, two where an exercise compares."""
    from flatkit.machines.disks import measure_room
    from flatkit.machines.domain import domain_name
    from flatkit.machines.store import owner_id

    free = measure_room(existing(paths.machines_dir())).memory_mib if free is None else free
    one = _MACHINE_MIB + _QEMU_MIB + _JUPYTER_MIB
    two = one + _MACHINE_MIB + _QEMU_MIB
    state = Health.OK if free >= two else Health.WARN if free >= one else Health.FAIL
    ours = domain_name(owner_id(), "")  # another user's machine cannot be stopped from here
    name = next((one.domain.removeprefix(ours) for one in list_emulators() if one.domain.startswith(ours)), "")
    return HostCheck(
        name="memory", state=state, found=f"{free} MiB free; the course wants {one} for one machine, {two} for two",
        why=f"each machine takes {_MACHINE_MIB} MiB and QEMU {_QEMU_MIB}, Jupyter some {_JUPYTER_MIB}",
        fix=f"flatkit stop {name}" if name else "",
        note="Closing other programs helps: ps -eo rss,comm --sort=-rss | head shows the largest.",
    )  # fmt: skip


def check_disk(*, has_image: bool, free: dict[Path, int] | None = None) -> HostCheck:
    """Check that the image and the machines' disks fit. `free` gives MiB by folder, for tests."""
    from flatkit.usage import advise

    cache, machines = existing(paths.cache_dir()), existing(_top(paths.machines_dir()))
    known = free or {folder: shutil.disk_usage(folder).free // 2**20 for folder in (cache, machines)}
    image = 0 if has_image else _IMAGE_MIB + _BUILD_MIB
    needs = {cache: image, machines: _MACHINES_MIB}
    if _same_disk(cache, machines):
        needs = {cache: image + _MACHINES_MIB}
    state, found = Health.OK, []
    for folder, need in needs.items():
        # A machine's disk grows while it is used: half of what the whole course wants is a start.
        short = Health.WARN if known[folder] >= need // 2 else Health.FAIL
        state = state if known[folder] >= need else _worse(state, short)
        found.append(f"{known[folder]} MiB free in {folder}, {need} wanted")
    return HostCheck(
        name="disk", state=state, found="; ".join(found), why="an image, and what each machine writes, are stored there",
        fix="export FLATKIT_CACHE=/larger/cache FLATKIT_STATE=/larger/state",
        note=f"Or make room: {advise(machines)}." if state is not Health.OK else "",
    )  # fmt: skip


def check_folders() -> HostCheck:
    """Check that cache and state can be written, for root also entered by the user that QEMU runs as, and have usable names.

    Raises HostError for a name that needs a link where none can be made.
    """
    folders = {path: existing(path) for path in (paths.cache_dir(), paths.state_dir(), _top(paths.machines_dir()))}
    why = "images and machines are stored there, and QEMU must be able to open them"
    found = " and ".join(str(path) for path in folders)
    found += f"; read first: {shared}" if (shared := paths.shared_cache_dir()) else ""
    for path, there in folders.items():
        if obstacle := find_obstacle(path):
            fix, note = split_hint(paths.way_out(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES))))
            said = f'"{path}" cannot be used: {obstacle}'
            return HostCheck(name="folders", state=Health.FAIL, found=said, why=why, fix=fix, note=note)
        if not os.access(there, os.W_OK):  # no right that anybody could give: a file system for reading only
            return HostCheck(
                name="folders", state=Health.FAIL, found=f'"{there}" cannot be written to', why=why,
                fix="export FLATKIT_CACHE=/writable/cache FLATKIT_STATE=/writable/state",
            )  # fmt: skip
        closed = find_closed(there) if _is_root() else None
        if closed:
            return HostCheck(
                name="folders", state=Health.FAIL, found=f"{closed} may not be entered by other users", why=why,
                fix=f"chmod o+x {closed}", note="As root, QEMU runs as libvirt's own user.",
            )  # fmt: skip
        plain(path)
        forget(path)
    return HostCheck(name="folders", state=Health.OK, found=found, why=why)


def find_closed(folder: Path, *, below: Path = Path("/")) -> Path | None:
    """The first folder on the way down that other users may not enter."""
    way = [path for path in (*reversed(folder.parents), folder) if path.is_relative_to(below) and path != below]
    return next((path for path in way if not path.stat().st_mode & 0o001), None)


def check_ports() -> HostCheck:
    """Check that there are free ports to forward to machines."""
    from flatkit.machines import ports

    port = ports.find_free_port()  # raises HostError with its own hint when all are taken
    return HostCheck(
        name="ports", state=Health.OK, found=f"{ports.LOWEST} to {ports.HIGHEST} on 127.0.0.1, {port} is free",
        why="SSH and the pages of machines are reached through them",
    )  # fmt: skip


def existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    for path in (folder, *folder.parents):
        try:
            if path.exists():
                return path
        except PermissionError:
            continue  # what is above it can still be looked at
    return Path("/")


def _top(machines: Path) -> Path:
    """The state for the machines' folder in it, which need not exist yet; else that folder itself."""
    return paths.state_dir() if machines.parent == paths.state_dir() else machines


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def _worse(one: Health, other: Health) -> Health:
    return Health.FAIL if Health.FAIL in {one, other} else other


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
