"""Checks of what is installed beside Python: images, the key that verifies them, and programs."""

from __future__ import annotations

import shutil

from flatkit.errors import MissingDependency
from flatkit.host.check import Health, HostCheck

_BUILD_TOOLS = ("mmdebstrap", "mkfs.erofs", "veritysetup", "mke2fs", "sfdisk", "mkfs.vfat", "mcopy", "cpio", "qemu-img")


def check_image() -> HostCheck:
    """Check that there is an image to boot, or the tools to build one."""
    from flatkit.images.lab.build import find_lab_image
    from flatkit.images.signing import find_trust
    from flatkit.images.store import list_cached

    lab, trust, why = find_lab_image(), find_trust(), "machines boot from it"
    flatcar = [f"Flatcar {image.channel} {image.version}" for image in list_cached() if image.is_ready(trust)]
    if lab or flatcar:
        found = ", ".join([*flatcar, *([f"lab image {lab.version}"] if lab else [])])
        return HostCheck(name="image", state=Health.OK, found=found, why=why)
    missing = [tool for tool in _BUILD_TOOLS if not _which(tool)]
    if missing:
        return HostCheck(
            name="image", state=Health.FAIL, found=f"none, and no {', '.join(missing)} to build the lab image with",
            why=why, fix="make setup",
        )  # fmt: skip
    return HostCheck(
        name="image", state=Health.WARN, found="none yet", why="the first boot builds the lab image, in about a minute",
        fix="flatkit images build-lab",
    )  # fmt: skip


def check_trust() -> HostCheck:
    """Check which key verifies images, and that Sequoia, which verifies with it, is installed."""
    from flatkit.images.openpgp import load_library
    from flatkit.images.signing import FLATCAR_PRIMARY, find_trust

    trust = find_trust()
    try:
        load_library()
    except MissingDependency as error:
        return HostCheck(
            name="trust", state=Health.WARN, found="no pysequoia", fix="python -m pip install pysequoia",
            why="without it no Flatcar image can be trusted; the lab image needs none", note=error.message,
        )  # fmt: skip
    why = "a Flatcar image boots only when this key has signed it"
    if trust.is_replaced:
        trust.read_key()
        return HostCheck(
            name="trust", state=Health.WARN, found=f"images {trust.words}", why="the owner of that key decides what boots here",
            fix="unset FLATKIT_SIGNING_KEY", note="Unless you set it on purpose: a test, or a mirror that signs images itself.",
        )  # fmt: skip
    return HostCheck(name="trust", state=Health.OK, found=f"Flatcar's key, {FLATCAR_PRIMARY[-16:]}, pinned", why=why)


def check_programs() -> HostCheck:
    """Check that the programs that flatkit and the demos call are installed."""
    missing = [tool for tool in ("ssh", "qemu-img", "curl") if not _which(tool)]
    return HostCheck(
        name="programs", state=Health.FAIL if missing else Health.OK,
        found=f"missing: {', '.join(missing)}" if missing else "ssh, qemu-img, curl",
        why="flatkit ssh, the machines' disks and the demos use them", fix="make setup",
    )  # fmt: skip


def _which(program: str) -> str | None:
    # sbin: where some of the tools live, and a user's PATH often lacks it
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
