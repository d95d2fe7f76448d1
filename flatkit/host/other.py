"""The other host of LIBVIRT_DEFAULT_URI: whether SSH leads there, and whether machines fit."""

from __future__ import annotations

from flatkit.errors import HostError
from flatkit.host.check import Health, HostCheck

# A machine of the course with its QEMU; an image, and what a machine writes.
_MEMORY_MIB, _DISK_MIB = 1224, 2200
_WHY = "machines take their memory and disk from it"


def check_other_host(uri: str) -> HostCheck:
    """Ask that host over SSH, as booting a machine there would."""
    from flatkit.machines.remote import find_remote
    from flatkit.machines.remote_backend import survey

    try:
        host = find_remote(uri)
        assert host is not None
        return judge(host.target, survey(host))
    except HostError as error:
        return HostCheck(name="host", state=Health.FAIL, found=error.message, why=_WHY, fix=error.hint)


def judge(target: str, said: dict[str, str]) -> HostCheck:
    """Interpret the answer of that host."""
    memory, disk, missing = int(said.get("memory") or 0), int(said.get("disk") or 0), said.get("missing")
    if missing:
        return HostCheck(
            name="host", state=Health.FAIL, found=f"{target} has no program {missing}", why="disks are made there with it",
            fix=f"ssh -t {target} sudo apt-get install -y qemu-utils tar coreutils procps",
        )  # fmt: skip
    kvm = "KVM" if said.get("kvm") else "no KVM: machines are emulated, and slow"
    fits = memory >= _MEMORY_MIB and disk >= _DISK_MIB
    return HostCheck(
        name="host",
        state=Health.OK if fits and said.get("kvm") else Health.WARN,
        found=f"{target}: {memory} MiB of memory and {disk} MiB of disk free, {said.get('arch')}, {kvm}",
        why=_WHY,
        fix="" if fits else f"ssh -t {target}",
        note=""
        if fits
        else f"Make room there: a machine wants {_MEMORY_MIB} MiB of memory, the course {_DISK_MIB} MiB of disk.",
    )
