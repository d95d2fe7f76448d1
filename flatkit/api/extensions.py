"""Extensions for a machine: built for its system, copied over SSH, or offered to its systemd-sysupdate.

The lab image and Flatcar need different names in an extension's metadata. The machine itself is asked for the name, so
the same lines build for both. Flatcar's programs are not Debian's: an extension built from packages fits the lab image
best. On Flatcar use those of the sysext-bakery.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

from flatkit.errors import InputError, MachineError
from flatkit.files import open_regular
from flatkit.images.sysext_tree import Recipe
from flatkit.machines import Machine
from flatkit.run import run
from flatkit.updates.server import UpdateServer

_ASK = '. /etc/os-release; echo "$ID $SYSEXT_LEVEL"'
_TIMEOUT = 300.0
# The file names of an extension with several versions, as in the sysext-bakery.
_VERSIONED = re.compile(r"([a-z0-9][a-z0-9._+-]*?)-(v?[0-9][a-zA-Z0-9._+-]*)\.raw")


def fitted(recipe: Recipe, machine: Machine) -> Recipe:
    """Return the recipe, for the system that this machine runs. Raises MachineError."""
    answer = machine.run(_ASK, timeout=_TIMEOUT).check().stdout
    os_id, _, level = answer.strip().partition(" ")
    if not os_id:
        raise MachineError(
            f'the machine "{machine.name}" does not say which system it is: "{answer.strip()}"',
            hint="cat /etc/os-release   (on the machine)",
        )
    return replace(recipe, os_id=os_id, sysext_level=level or recipe.sysext_level)


def put(machine: Machine, file: Path, target: str) -> str:
    """Copy a file of this host to a path on the machine, as root there; return the command line that does the same.

    Raises InputError for a file that cannot be read, MachineError, CommandFailed.
    """
    try:
        with open_regular(file) as opened:
            data = opened.read()
    except OSError as error:
        raise InputError(
            f'"{file}" cannot be read: {error.strerror}; expected a file of this host',
            hint='m.build_extension("tree")   makes tree.raw, m.build_container("web.tar") a container image',
        ) from None
    place = shlex.quote(target)
    part = shlex.quote(f"{target}.part")
    # A program that waits for the file must never see a partial one.
    run(machine.ssh_argv([f"sudo tee {part} > /dev/null && sudo mv {part} {place}"]), input=data, timeout=_TIMEOUT)
    return f"flatkit ssh {machine.name} -- sudo tee {place} < {shlex.quote(str(file))} > /dev/null"


def offer_extensions(server: UpdateServer, folder: Path) -> tuple[str, ...]:
    """Offer each NAME-VERSION.raw of a folder, and each NAME's NAME.transfer for systemd-sysupdate; return the names.

    The addresses are those of the sysext-bakery; NAME.conf, the name from before systemd 257, is there too. Files that
    are offered already stay unchanged. Raises InputError, UsageError.
    """
    names = set()
    for path in sorted(folder.glob("*.raw")):
        if found := _VERSIONED.fullmatch(path.name):
            names.add(found[1])
            server.publish_extension(path, name=found[1])
    for name in names:
        for ending in ("transfer", "conf"):
            server.publish_text(
                f"/extensions/{name}.{ending}", transfer(name, f"{server.guest_url}/extensions/{name}/")
            )
    return tuple(sorted(names))


def transfer(name: str, url: str) -> str:
    """Return an extension's transfer file for systemd-sysupdate: the source of its versions, and their target.

    As the sysext-bakery writes it (lib/sysupdate.conf.tmpl), but for the architecture, which the course's names leave
    out.
    """
    return (
        f"[Transfer]\nVerify=false\n\n[Source]\nType=url-file\nPath={url}\nMatchPattern={name}-@v.raw\n\n"
        f"[Target]\nInstancesMax=3\nType=regular-file\nPath=/opt/extensions/{name}\nMatchPattern={name}-@v.raw\n"
        f"CurrentSymlink=/etc/extensions/{name}.raw\n"
    )
