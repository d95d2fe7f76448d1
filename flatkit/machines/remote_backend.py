"""Backend for machines on another host: images are copied there once, and disks are created there.

Ports and console are forwarded to this host. On the other host, flatkit has its own folder. `images/` is a cache, as on
this host; `machines/` is removed together with the machines.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from flatkit.errors import HostError, ImageError
from flatkit.events import Observer, Said, phase
from flatkit.files import read_regular, save
from flatkit.machines.accelerator import TRIAL_LINE, Acceleration, trial_argv
from flatkit.machines.access import Owner
from flatkit.machines.backend import Backend
from flatkit.machines.disks import Room, check_images, disk_commands, parse_saved_memory
from flatkit.machines.domain import DomainFiles
from flatkit.machines.remote import RemoteHost
from flatkit.machines.spec import Accelerator, Forward, MachineSpec
from flatkit.machines.ssh_tunnel import THERE, SshTunnel
from flatkit.machines.store import Folder, make_folder, owner_id
from flatkit.plain_names import forget, is_plain
from flatkit.untrusted import is_number, lines_of, parse_json, printable, shell_word
from flatkit.waiting import check_cancel

# For root, QEMU runs as libvirt's own user on that host too. Its files must be in a folder that this user can enter.
_SURVEY = """
base=${XDG_STATE_HOME:-$HOME/.local/state}; [ "$(id -u)" = 0 ] && base=/var/lib
base=$base/flatkit/remote; umask 022; mkdir -p "$base/machines" "$base/images" || exit 1
chmod 711 "$base/machines"
echo base=$base
for program in qemu-img tar tail pgrep; do command -v $program >/dev/null || echo missing=$program; done
echo memory=$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
echo disk=$(df -Pk "$base" | awk 'NR == 2 {print int($4 / 1024)}')
echo arch=$(uname -m)
[ -r /dev/kvm ] && [ -w /dev/kvm ] && echo kvm=yes
true"""
# A config's content is for its user, and for the user that QEMU runs as. If libvirt runs as another user, the folder
# can only be entered: libvirt gives that user the files in it.
_MAKE = """
umask 077; mkdir -p "$1"; cd "$1" && : >console.log && if [ -n "$2" ]; then cat >config.ign; fi && eval "$3\""""
_CLOSE = """
cd "$1" && chmod 700 . && find . -type f -exec chmod 600 {} + || exit
[ -n "$2" ] && [ "$2" != "$(id -u)" ] || exit 0
if [ "$(id -u)" = 0 ]; then
  for file in config.ign console.log *.qcow2; do [ ! -f "$file" ] || chown "$2:$3" "$file" || exit; done
  chgrp "$3" . && chmod 710 .
else
  chmod 711 .
fi"""
_TRIAL = 'timeout -s KILL 5 "$@" 2>/dev/null </dev/null | grep -m 1 -c "$FIRST" || true'
_CONSOLE = 'umask 077; [ -e "$1" ] || : >"$1"'


_PLACED_MAX = 1024 * 1024


def survey(host: RemoteHost) -> dict[str, str]:
    """Return what that host reports: base, memory, disk (MiB), arch, kvm, missing. Raises HostError."""
    done = host.run(_SURVEY, check=False)
    if done.status:
        raise HostError(
            f'nothing can be kept on "{host.target}": {printable(done.stderr.strip())}',
            hint=f"{host.way()} df",
        )
    found = dict(line.split("=", 1) for line in lines_of(done.stdout) if "=" in line)
    if not is_plain(found.get("base", "")):
        raise HostError(
            f'machines cannot be kept below "{printable(found["base"])}" on "{host.target}": libvirt takes no such path for a '
            "config; expected one of letters, digits and / . _ + @ = : -",
            hint=f"another account on that host: export LIBVIRT_DEFAULT_URI=qemu+ssh://USER@{shell_word(host.target)}/session",
        )
    is_whole = all(is_number(found.get(key, "")) for key in ("memory", "disk"))
    if not is_whole or not found.get("base", "").startswith("/"):
        raise HostError(
            f'"{host.target}" did not say what it has: "{printable(done.stdout)}"; expected base=, memory= and disk=',
            hint=f"{host.way()} true   (its login shell must print nothing of its own)",
        )
    return found


class RemoteBackend(Backend):
    """Files, console and ports of one machine on another host."""

    address = THERE
    has_templates = False

    def __init__(self, folder: Folder, host: RemoteHost) -> None:
        super().__init__(folder)
        self.host = host
        self._survey: dict[str, str] = {}

    def check_names(self) -> None:
        """Do nothing: `survey` looks at the folder on that host."""

    # Images

    def prepare(self, spec: MachineSpec, observer: Observer, cancel: threading.Event | None) -> None:
        """Copy the images that the host does not have yet. Raises ImageError, HostError, Cancelled."""
        known = self._placed()
        if all(str(path) in known for path in _images(spec)):
            return  # the machine was created with them
        check_images(spec)
        self._survey = survey(self.host)
        if missing := self._survey.get("missing"):
            raise HostError(
                f'the host "{self.host.target}" has no program "{missing}"',
                hint=f"ssh {shell_word(self.host.target)}   (and install qemu-utils, tar, coreutils and procps there)",
            )
        for path in _images(spec):
            self._place(path, observer, cancel)

    def _place(self, path: Path, observer: Observer, cancel: threading.Event | None) -> None:
        there = self._target(path)
        if self.host.run('test -e "$1"', str(there), check=False).status == 0:
            return
        size = path.stat().st_blocks * 512 / 1e6
        free = int(self._survey["disk"])
        if free < size + 512:
            raise HostError(
                f'the image "{path.name}" takes {size:.0f} MB, and {free} MiB are free on "{self.host.target}"',
                hint=f"ssh {shell_word(self.host.target)} du -sh {shell_word(shell_word(self._base))}",
            )
        with phase(observer, "place", f"Copying {path.name} ({size:.0f} MB) to {self.host.target}"):
            self.host.send(path, str(there.parent), on_piece=lambda _line: check_cancel(cancel))

    def _target(self, path: Path) -> PurePosixPath:
        """Return the path of an image on the host, in a folder that identifies the file's current version."""
        try:
            about = path.stat()
        except OSError:
            raise ImageError(f'the image file "{path}" is not there', hint="flatkit images list") from None
        mark = f"{path.absolute()} {about.st_size} {about.st_mtime_ns} {owner_id()}"
        return PurePosixPath(self._base, "images", hashlib.sha256(mark.encode()).hexdigest()[:16], path.name)

    @property
    def _base(self) -> str:
        if not self._survey:
            self._survey = survey(self.host)
        return self._survey["base"]

    def _placed(self) -> dict[str, str]:
        """Return the images that the machine was created with: path on this host -> path on the other host."""
        try:
            found = parse_json(read_regular(self.folder.path / "placed.json", limit=_PLACED_MAX))
        except (OSError, ValueError):
            return {}
        is_whole = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
        return found if is_whole else {}

    def seen(self, spec: MachineSpec) -> MachineSpec:
        """Return the spec with the paths that its images have on that host."""
        known = self._placed()
        at = {path: Path(known.get(str(path)) or self._target(path)) for path in _images(spec)}
        boot = spec.boot and replace(spec.boot, kernel=at[spec.boot.kernel], initrd=at[spec.boot.initrd])
        images = tuple(at[path] for path in spec.extra_images)
        return replace(spec, disk=at[spec.disk], boot=boot, extra_images=images)

    def choose(self, spec: MachineSpec) -> Acceleration:
        """Choose the accelerator of that host: a kernel is tried under KVM if one is available."""
        where = self.host.target
        self._survey = self._survey or survey(self.host)
        if self._survey.get("arch") != spec.arch.value:
            why = f"the guest is {spec.arch}, {where} is {self._survey.get('arch')}"
            return Acceleration(accelerator=Accelerator.TCG, why=why, proved=True)
        if "kvm" not in self._survey:
            return Acceleration(accelerator=Accelerator.TCG, why=f"{where} has no /dev/kvm for you", proved=True)
        boot = self.seen(spec).boot
        if boot is None:
            return Acceleration(accelerator=Accelerator.KVM, why=f"/dev/kvm of {where} can be opened", proved=False)
        words = trial_argv(spec.arch, boot.kernel, "stdio")
        said = self.host.run(_TRIAL.replace("$FIRST", TRIAL_LINE), *words).stdout.strip()
        if said == "1":
            return Acceleration(accelerator=Accelerator.KVM, why=f"a kernel starts under KVM on {where}", proved=True)
        return Acceleration(accelerator=Accelerator.TCG, why=f"no kernel starts under KVM on {where}", proved=True)

    def room(self) -> Room:
        """Return the free memory and disk space of that host."""
        self._survey = survey(self.host)
        return Room(memory_mib=int(self._survey["memory"]), disk_mib=int(self._survey["disk"]))

    # The machine's own files

    @property
    def _there(self) -> str:
        return f"{self._base}/machines/{owner_id()}-{self.folder.name}"

    def files(self, spec: MachineSpec) -> DomainFiles:
        """Return the paths of the domain's files on that host."""
        return Folder(path=Path(self._there)).files(spec)

    def make(self, spec: MachineSpec) -> None:
        """Create the machine's folder on both hosts, its config and its disks."""
        make_folder(self.folder.path, private=True)
        if spec.ignition:
            save(self.folder.path / "config.ign", spec.ignition, mode=0o600)
        placed = {str(path): str(self._target(path)) for path in _images(spec)}
        save(self.folder.path / "placed.json", json.dumps(placed, indent=2) + "\n", mode=0o600)
        with_config = "yes" if spec.ignition else ""
        self.host.run(_MAKE, self._there, with_config, self._disks(spec), text=spec.ignition)

    def close_files(self, spec: MachineSpec, owner: Owner | None) -> None:
        """Keep other users of both hosts out of the machine's files. Raises HostError.

        `owner` is the user that QEMU runs as on the other host.
        """
        super().close_files(spec, None)
        self.host.run(_CLOSE, self._there, *((str(owner.uid), str(owner.gid)) if owner else ("", "")))

    def _disks(self, spec: MachineSpec) -> str:
        at = {path: Path(there) for path, there in self._placed().items()}
        commands = disk_commands(spec, self.files(spec), at=lambda path: at[str(path)])
        return " && ".join(shlex.join(words) for words in commands)

    def has_disk(self, spec: MachineSpec) -> bool:
        """Return True if the machine's disk exists."""
        return self.host.run('test -e "$1"', str(self.files(spec).overlay), check=False).status == 0

    def make_disks_anew(self, spec: MachineSpec) -> None:
        """Delete the machine's disks, and re-create them as for a first boot."""
        self.host.run(f'umask 077; cd "$1" && rm -f *.qcow2 && {self._disks(spec)}', self._there)

    def saved_memory_bytes(self, spec: MachineSpec, snapshot: str) -> int:
        """Return the size of a snapshot's memory inside the disk, in bytes."""
        said = self.host.run('qemu-img info -U -f qcow2 --output=json "$1"', str(self.files(spec).overlay)).stdout
        return parse_saved_memory(said, snapshot)

    def remove(self) -> None:
        """Remove all files of the machine on both hosts. Raises OSError, HostError."""
        self.close_line()
        self.host.run('rm -rf "$1"', self._there)
        self.folder.remove()
        forget(self.folder.path)

    # Console and ports

    def prepare_console(self) -> int:
        """Create the console file on the host, and return the offset where new output begins in its copy here."""
        self.host.run(_CONSOLE, self._console)
        return super().prepare_console()

    @property
    def _console(self) -> str:
        return f"{self._there}/console.log"

    @property
    def _line(self) -> SshTunnel:
        return SshTunnel(host=self.host, folder=self.folder, console=self._console)

    def open_line(self, forwards: Sequence[Forward]) -> None:
        """Make sure that the ports lead to the machine and its console arrives here. Raises HostError."""
        self._line.open(forwards)

    def close_line(self) -> None:
        """Close the tunnel, if there is one."""
        SshTunnel(host=self.host, folder=self.folder, console="").close()

    def lend(self, port: int) -> None:
        """Let the machine reach a server on this host's port at 10.0.2.2. Raises HostError."""
        self._line.lend(port)


def _images(spec: MachineSpec) -> tuple[Path, ...]:
    boot = (spec.boot.kernel, spec.boot.initrd) if spec.boot else ()
    return (spec.disk, *boot, *spec.extra_images)


def place_of(folder: Folder, host: RemoteHost | None) -> Backend:
    """Return the backend of a folder's machine: this host, or the other host."""
    return RemoteBackend(folder, host) if host else Backend(folder)


def say_where(host: RemoteHost, observer: Observer) -> None:
    """Tell the user which host's memory and disk are used."""
    observer.notify(Said(text=f'the machine is made on "{host.target}"; its ports lead there from here'))
