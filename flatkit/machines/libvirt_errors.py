"""libvirt's messages as errors that a user can act on. Pure: the binding is passed in."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from flatkit.errors import HostError, MachineError, MachineNotFound


def unreachable(uri: str, said: str) -> HostError:
    """Return the error for a libvirt that cannot be reached, based on its message."""
    low = said.lower()
    if "permission denied" in low or "authentication" in low or "polkit" in low:
        return HostError(
            f'libvirt at "{uri}" refuses you: {said}',
            hint='sudo usermod -aG libvirt "$USER" and log in again; or unset LIBVIRT_DEFAULT_URI: your own session',
            details=said,
        )
    if "no such file" in low or "connection refused" in low or "failed to connect" in low or "cannot find" in low:
        return HostError(f'libvirt\'s daemon for "{uri}" does not run: {said}', hint="make setup", details=said)
    return HostError(f'libvirt at "{uri}" cannot be reached: {said}', hint="flatkit doctor", details=said)


def explain(libvirt: ModuleType, error: Any, what: str) -> HostError | MachineError:
    """Return the error for libvirt's message about the failed action `what`."""
    said = str(error)
    if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
        return MachineNotFound(f"libvirt could not {what}: there is none", hint="flatkit list", details=said)
    if "satisfy 'efi'" in said or "'efi' firmware" in said:
        return HostError(
            "this host has no UEFI firmware that QEMU could start a machine with",
            hint="install OVMF (Debian: apt-get install ovmf; Fedora: dnf install edk2-ovmf), or --firmware bios",
            details=said,
        )
    if "virtlogd" in said:
        return HostError(f"libvirt's log daemon does not run: {said}", hint="make setup", details=said)
    if "Permission denied" in said:
        return HostError(
            f"libvirt could not {what}, a file is out of QEMU's reach: {said}",
            hint="set FLATKIT_STATE and FLATKIT_CACHE to folders that every user may enter",
            details=said,
        )
    if "Cannot allocate memory" in said or "cannot set up guest memory" in said:
        return HostError(f"libvirt could not {what}: {said}", hint="flatkit up --memory 1024", details=said)
    return MachineError(f"libvirt could not {what}: {said}", hint="flatkit doctor", details=said)
