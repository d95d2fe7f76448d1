"""From a config and a user's options to a machine's spec: flatkit's key, the image's Ignition version, impossible requests."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.api.config import NO_CONFIG, Config
from flatkit.api.limits import refuse_limits
from flatkit.errors import InputError
from flatkit.events import Observer, Said
from flatkit.files import read_named
from flatkit.images import Image, ImageKind
from flatkit.images.releases import find_version
from flatkit.machines.creator import UNKNOWN_CREATOR, Creator

if TYPE_CHECKING:
    from flatkit.machines import Firmware, Forward, Machine, MachineSpec

_KEY_MAX = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A user's options for a machine beside its config; memory in MiB, disks in GiB. `image` is a name or an Image.

    `key_file` is a private key to log in with instead of flatkit's; `public_keys` are further lines of authorized_keys
    for core. `keep_fresh` saves the checkpoint `fresh` after the first boot, if the disk has room for it. A
    `cold` machine boots from its firmware on, though a template would fit.
    `made_by` is stored with the machine, and makes no difference between two wishes.
    """

    name: str
    image: str | Image = "auto"
    forwards: tuple[Forward, ...] = ()
    memory_mib: int | None = None
    disks_gib: tuple[int, ...] = ()
    key_file: Path | None = None
    public_keys: tuple[str, ...] = ()
    disk_images: tuple[Path, ...] = ()
    firmware: Firmware | None = None
    keep_fresh: bool = True
    made_by: Creator = field(default=UNKNOWN_CREATOR, compare=False)
    cold: bool = False


def make_spec(config: Config, image: Image, wish: Wish, observer: Observer) -> MachineSpec:
    """Return the machine's spec, and report each change. Raises InputError for a config that the image cannot read."""
    from flatkit.butane.ignition_compat import add_ssh_keys, downgrade
    from flatkit.machines import Arch, DirectBoot

    for warning in (*config.warnings, *_foresee(config)):
        observer.notify(Said(text=f"config: {warning}"))
    extra = len(wish.disks_gib) + len(wish.disk_images)
    release = find_version(image.version)
    refuse_limits(
        config,
        on_lab=image.kind is ImageKind.LAB,
        extra_disks=extra,
        major=release.major if release and image.kind is ImageKind.FLATCAR else None,
    )
    own = add_ssh_keys(config.ignition, wish.public_keys)
    ignition = add_ssh_keys(own, [_public_key(wish)])
    if ignition != own:
        observer.notify(Said(text=_key_added(config, wish)))
    ignition, note = downgrade(ignition, image.ignition_spec)
    if note:
        observer.notify(Said(text=note))
    boot = None
    if image.kernel and image.initrd:
        boot = DirectBoot(kernel=image.kernel, initrd=image.initrd, cmdline=image.cmdline)
    return replace(
        check_wish(wish),
        disk=image.disk,
        disk_format=image.disk_format,
        arch=Arch.find_named(image.arch) or Arch.of_host(),
        boot=boot,
        memory_mib=wish.memory_mib or image.memory_mib,
        ignition=json.dumps(ignition, separators=(",", ":")),
        label=image.badge,
        disk_gib=image.disk_gib,
        firmware=wish.firmware,
    )


def _key_added(config: Config, wish: Wish) -> str:
    from flatkit.butane.access import allows_login

    said = f"flatkit adds {'your key' if wish.key_file else 'a login key of its own'} for the user core"
    if not config.name or wish.public_keys or allows_login(config.ignition):
        return said
    return f"{said}. The config lets nobody log in: before you use it elsewhere, put a key of yours in"


def check_wish(wish: Wish) -> MachineSpec:
    """Return a spec without an image. Raises UsageError for options that no machine can have, whatever its image."""
    from flatkit.machines import MachineSpec

    spec = MachineSpec(
        name=wish.name, disk=Path("/"), forwards=wish.forwards, extra_disks_gib=wish.disks_gib,
        key_file=wish.key_file, extra_images=wish.disk_images,
    )  # fmt: skip
    return spec if wish.memory_mib is None else replace(spec, memory_mib=wish.memory_mib)


def _foresee(config: Config) -> Iterator[str]:
    """Yield warnings, before the boot, about settings that will lock users, or flatkit, out of the machine."""
    from flatkit.butane.access import find_lockouts, port_of, ssh_ports
    from flatkit.butane.advice import FATAL, find_hints
    from flatkit.butane.machine.plan import Plan
    from flatkit.butane.provenance import location_of

    ignition = config.ignition
    for lockout in find_lockouts(ignition):
        place = location_of(lockout.path, provenance=config.provenance, text=config.text)
        where = f"line {place.line}" if place.line else place.json_path
        yield f"nobody will be able to log in: {lockout.words} ({where})"
    for one in find_hints(Plan(ignition)):
        if one.message.code in FATAL:
            place = location_of(one.path, provenance=config.provenance, text=config.text)
            where = f"line {place.line}" if place.line else place.json_path
            yield f"Flatcar: {one.message(**one.values)} ({where})"
    ports = ssh_ports(ignition)
    if "22" not in {port_of(port) for port in ports}:
        listens = f"listens on {' and '.join(ports)}" if ports else "listens on no port"
        yield f"SSH {listens}, not on port 22: flatkit connects to port 22 alone, so it cannot log in to this machine"
    if "quiet" in ignition.get("kernelArguments", {}).get("shouldExist", ()):
        yield 'the kernel argument "quiet" silences the console, where flatkit sees how far a boot is, and the host key of SSH'
    if quadlet := _find_quadlet(config):
        yield f'"{quadlet}" is a quadlet, which podman turns into a unit; the image has no podman until an extension brings it'


def _find_quadlet(config: Config) -> str:
    """Return the first quadlet's path, "" when there is none, or when the config adds podman itself."""
    storage = config.ignition.get("storage", {})
    paths = [str(node.get("path", "")) for kind in ("files", "links") for node in storage.get(kind, ())]
    if any("podman" in path or path.endswith("/enabled-sysext.conf") for path in paths):
        return ""
    return next((path for path in paths if path.startswith("/etc/containers/systemd/")), "")


def _public_key(wish: Wish) -> str:
    from flatkit.machines import workshop_key

    if wish.key_file is None:
        return workshop_key().public
    public = Path(f"{wish.key_file}.pub")
    try:
        return read_named(public, limit=_KEY_MAX).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(
            f'the public key "{public}" cannot be read: {why}; expected it beside the private one',
            hint=f"ssh-keygen -y -f {shlex.quote(str(wish.key_file))} > {shlex.quote(str(public))}",
        ) from None


def default_name(config: str | Path | None) -> str:
    """Return the machine name that a config's file name suggests."""
    stem = Path(config).stem.lower() if config else ""
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:32].strip("-") or "machine"


def find_differences(machine: Machine, config: Config, wish: Wish) -> tuple[str, ...]:
    """Return which options differ from the existing machine: config, ports, memory, disks. The image is not compared.

    Raises MachineNotFound when there is no such machine.
    """
    from flatkit.butane.ignition_compat import add_ssh_keys, downgrade, version_of

    spec = machine.spec
    differences = []
    made = json.loads(spec.ignition) if spec.ignition else NO_CONFIG.ignition
    try:
        wanted, _ = downgrade(add_ssh_keys(config.ignition, (*wish.public_keys, _public_key(wish))), version_of(made))
    except InputError:
        wanted = {}
    if wanted != made:
        differences.append("config")
    if not {forward.guest for forward in wish.forwards} <= {forward.guest for forward in spec.forwards}:
        differences.append("ports")
    if wish.memory_mib not in {None, spec.memory_mib}:
        differences.append("memory")
    if wish.disks_gib and wish.disks_gib != spec.extra_disks_gib:
        differences.append("disks")
    return tuple(differences)
