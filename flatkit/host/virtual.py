"""libvirt, QEMU and the accelerator, here or on the other host of LIBVIRT_DEFAULT_URI: whether machines start and fit there."""

from __future__ import annotations

import os
from pathlib import Path

from flatkit.accounts import my_name
from flatkit.errors import HostError, MissingDependency
from flatkit.host.system import Health, HostCheck, System, split_hint

_LIBVIRT_WHY = "it starts and stops the machines"


def check_libvirt() -> HostCheck:
    """Check that libvirt answers at its URI. The error of a libvirt that does not has its own fix."""
    from flatkit.machines import Hypervisor

    hypervisor = Hypervisor()
    try:
        hypervisor.connect()
        libvirt, qemu = hypervisor.version()
    except MissingDependency as error:
        return HostCheck(
            name="libvirt", state=Health.FAIL, found=error.message, why=_LIBVIRT_WHY, fix="make setup",
            note=split_hint(error.hint)[1] or f"By hand: {error.hint}",
        )  # fmt: skip
    except HostError as error:
        fix, note = split_hint(error.hint)
        return HostCheck(name="libvirt", state=Health.FAIL, found=error.message, why=_LIBVIRT_WHY, fix=fix, note=note)
    where = _whose(hypervisor.uri)
    return HostCheck(
        name="libvirt",
        state=Health.OK,
        found=f"libvirt {libvirt}, QEMU {qemu}, {hypervisor.uri} ({where})",
        why=_LIBVIRT_WHY,
    )


def find_obstacle() -> str:
    """Why no machine can boot on this host, in a few words; "" when libvirt answers."""
    found = check_libvirt()
    return "" if found.state is Health.OK else found.found


def _whose(uri: str) -> str:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return "the system's daemon, since you are root"
    return "the system's daemon" if uri.endswith("/system") else "a daemon of your own, no group is needed"


def check_rights(uri: str, *, run: Path = Path("/run"), groups: frozenset[str] | None = None) -> HostCheck:
    """Check that the socket of the system's libvirt is open to you. `run` and `groups` are for tests."""
    from flatkit.machines.libvirt_errors import explain_socket

    why = "libvirt's socket and /dev/kvm are opened by group"
    groups = my_groups() if groups is None else groups
    if "root" in groups:
        return HostCheck(name="rights", state=Health.OK, found="you are root", why=why)
    found = f"groups of {my_name()}: {', '.join(sorted(groups & {'libvirt', 'kvm'})) or 'neither libvirt nor kvm'}"
    if not uri.endswith("/system"):
        return HostCheck(name="rights", state=Health.OK, found=f"{found}; {uri} needs none", why=why)
    there = [path for name in ("libvirt-sock", "virtqemud-sock") if (path := run / "libvirt" / name).exists()]
    if not there:
        return HostCheck(
            name="rights", state=Health.OK, found=f"{found}; the daemon has no socket that asks for one", why=why
        )
    if any(os.access(path, os.R_OK | os.W_OK) for path in there):
        return HostCheck(name="rights", state=Health.OK, found=found, why=why)
    words, hint = explain_socket(uri, there[0])
    fix, note = split_hint(hint)
    return HostCheck(name="rights", state=Health.FAIL, found=f"{found}: {words}", why=why, fix=fix, note=note)


def my_groups() -> frozenset[str]:
    """The names of the groups that this process is in, "root" for root itself."""
    import grp

    names = set()
    for number in {*os.getgroups(), os.getegid()}:
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return frozenset(names | {"root"} if os.geteuid() == 0 else names - {"root"})


def check_accelerator(system: System, *, kernel: Path | None) -> HostCheck:
    """KVM or emulation, proved by a kernel's first line where a kernel is at hand."""
    from flatkit.machines import Accelerator, Arch, choose

    chosen = choose(Arch.of_host(), kernel=kernel)
    found = f"{chosen.accelerator.words}: {chosen.why}"
    if chosen.accelerator is Accelerator.KVM:
        state = Health.OK if chosen.proved else Health.WARN
        return HostCheck(
            name="accelerator", state=state, found=found if chosen.proved else f"{found}; not proved: no kernel was tried",
            why="with KVM a machine boots in seconds", fix="flatkit images build-lab",
            note="The lab image's kernel is then started once under KVM." if not chosen.proved else "",
        )  # fmt: skip
    fix, note = _cure(chosen.why, system)
    return HostCheck(
        name="accelerator", state=Health.WARN, found=found,
        why="emulated, a boot takes 15 to 30 s instead of about 5; everything works", fix=fix, note=note,
    )  # fmt: skip


# A container has the device's group by its number alone, and its users cannot be changed from inside.
_GROUP = (
    "The container needs the group that /dev/kvm has on its host: docker run --group-add NUMBER, or supplemental_gids in "
    "the values of the cluster."
)


def _cure(why: str, system: System) -> tuple[str, str]:
    """The command that gives KVM, and what else to know; by the reason that it is not used."""
    if "may not be opened" in why and system is System.CONTAINER:
        return "", _GROUP
    if "may not be opened" in why:
        from flatkit.machines.accelerator import find_device_cure

        return find_device_cure()
    if "cannot be opened" in why:
        note = "The container must be given the device, and the host's driver must be loaded."
        return (
            "docker run --device /dev/kvm ..." if system is System.CONTAINER else "sudo modprobe -a kvm_intel kvm_amd"
        ), note
    if "no kernel starts" in why:
        return "", "Nothing to do here: this host is a virtual machine, and the KVM that it is offered does not work."
    if system is System.WSL2:
        return "wsl --update", "In PowerShell. KVM in WSL 2 needs Windows 11; on Windows 10 there is none."
    if system is System.CONTAINER:
        return "docker run --device /dev/kvm ...", "The container's host must have it."
    if "the guest is" in why:
        return "", "An image for this host's own processor boots quicker."
    return "sudo modprobe -a kvm_intel kvm_amd", "Virtualisation may have to be switched on in the firmware first."


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
