"""libvirt's messages as errors that a user can act on. The binding is passed in.

A message says what was refused, seldom why. So the socket, the folder or the file that it names is looked at first.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from pathlib import Path
from types import ModuleType
from typing import Any

from flatkit.accounts import (
    find_closed,
    find_obstacle,
    group_name,
    home_of,
    is_listed_member,
    my_name,
    my_uid,
    user_name,
)
from flatkit.errors import HostError, MachineError, MachineNotFound
from flatkit.machines.daemon import runtime_folder
from flatkit.untrusted import printable

# libvirt quotes paths: Failed to connect socket to '/run/libvirt/libvirt-sock': Permission denied
_PATH = re.compile(r"'(/[^']*)'|\"(/[^\"]*)\"|(?:file|path|open|directory):? (/[^\s:']+)")
_AS_USER = re.compile(r"\(as uid:(\d+), gid:(\d+)\)|as uid:(\d+)")
_OWN = "unset LIBVIRT_DEFAULT_URI   (your own session is used then, which needs no group)"
_PLAIN = ("qemu:///session", "qemu:///system")
# QEMU, its accelerator, and libvirt's capabilities say it in these words.
_NO_KVM = re.compile(
    r"KVM kernel module|initialize kvm|/dev/kvm|domaintype=kvm|accelerator kvm|accel(erator)? 'kvm'|"
    r"KVM is not (supported|available)|KVM not (supported|available)|requires KVM|support .*KVM",
    re.IGNORECASE,
)


def unreachable(uri: str, said: str) -> HostError:
    """Return the error for a libvirt that cannot be reached: its message, and what is found where it points."""
    path = find_path(said)
    low = said.lower()
    is_refusal = "permission denied" in low or "polkit" in low or "authentication" in low
    what = f'libvirt at "{uri}" {"refuses you" if is_refusal else "cannot be reached"}'
    if "user record" in low:
        words = f"the user ID {my_uid()} has no entry in this host's user database, and libvirt refuses such a user"
        hint = f"sudo useradd --uid {my_uid()} NAME   (or run flatkit as a user who has a name)"
    elif uri == _PLAIN[0] and my_uid() != 0 and (odd := _odd_variable()):
        words, hint = f'{odd} is "{printable(os.environ[odd])}", which is not an absolute path', f"unset {odd}"
        if odd == "HOME":
            hint = f"export HOME={shlex.quote(str(home_of(my_uid()) or '/some/folder'))}"
    elif "polkit" in low or "authentication" in low:
        words, hint = _of_polkit(uri)
    elif (path and "user runtime directory" in low) or (path and path.is_relative_to(runtime_folder())):
        words, hint = _of_runtime_folder(path, low)
    elif path and path.name.endswith("-sock"):
        words, hint = explain_socket(uri, path, low)
    elif uri not in _PLAIN:
        words = "nothing answers where LIBVIRT_DEFAULT_URI leads"
        hint = "unset LIBVIRT_DEFAULT_URI   (your own session is used then)"
    elif "cannot find" in low or (path is None and ("connection refused" in low or "failed to connect" in low)):
        words, hint = "libvirt's daemon does not run", "make setup"
    elif "system bus" in low:
        words = "libvirt's daemon asks D-Bus who you are, and no system bus runs on this host"
        hint = _OWN if uri.endswith("/system") and my_uid() != 0 else "sudo service dbus start"
    else:
        words, hint = "why is not known to flatkit", f"virsh -c {shlex.quote(uri)} uri   (asks libvirt the same)"
    return HostError(f"{what}: {words}. libvirt said: {said}", hint=hint, details=said)


def _odd_variable() -> str:
    """Return the variable by which libvirt looks for its daemon, if it is relative: that is below the current folder."""
    used = next((name for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME") if os.environ.get(name)), "HOME")
    return "" if os.environ.get(used, "/").startswith("/") else used


def find_path(said: str) -> Path | None:
    """Return the first path that a message names; None if there is none."""
    found = _PATH.search(said)
    return Path(found[1] or found[2] or found[3]) if found else None


def _of_polkit(uri: str) -> tuple[str, str]:
    """Explain a refusal by polkit: everybody may open the socket, and rules or a password decide."""
    words = f'polkit decides who may use it, and it did not let "{my_name()}" in without a password'
    if is_listed_member("libvirt"):
        return (
            f'{words}; you were added to the group "libvirt" after this login began',
            "newgrp libvirt   (or log in again)",
        )
    hint = f"sudo usermod -aG libvirt {shlex.quote(my_name())}   (then log in again), or: {_OWN}"
    return words, hint if uri.endswith("/system") else _OWN


def _of_runtime_folder(path: Path, low: str) -> tuple[str, str]:
    """Explain a session daemon's folder or socket that cannot be used: whose it is, and which variable led there."""
    runtime, variable = runtime_folder(), "XDG_RUNTIME_DIR"
    usual = Path(f"/run/user/{my_uid()}")
    has_usual = usual.is_dir() and find_obstacle(usual) is None
    if not os.environ.get(variable):
        return _of_home(runtime)
    hint = f"export XDG_RUNTIME_DIR={usual}" if has_usual and runtime != usual else f"unset {variable}"
    obstacle = find_obstacle(runtime)
    if not runtime.exists():
        return f'{variable} is "{runtime}", which does not exist, and it cannot be made by you', hint
    if obstacle:
        return f"{variable} leads to a folder that is not for you: {obstacle}", hint
    if "connection refused" in low:
        return (
            f'no daemon listens at "{path}" any more',
            f"rm {shlex.quote(str(path))}   (the next command starts a daemon)",
        )
    if "cannot find" in low or "no such file" in low:
        return "libvirt's daemon could not be started", "make setup"
    return f'"{path}" cannot be used', hint


def _of_home(runtime: Path) -> tuple[str, str]:
    """Explain a session daemon's folder below a home that is missing, or somebody else's."""
    home, own = os.environ.get("HOME", ""), home_of(my_uid())
    if own and home and Path(home) != own:
        return f'HOME is "{home}", and the home of "{my_name()}" is "{own}"', f"export HOME={shlex.quote(str(own))}"
    if not runtime.parent.is_dir():
        words = f'"{my_name()}" has no home: "{runtime.parent}" does not exist'
        return words, f"export HOME=/tmp/{my_name()}; mkdir -m 700 $HOME   (or another folder of yours)"
    obstacle = find_obstacle(runtime)
    if obstacle:
        can_have = obstacle.uid == my_uid() or obstacle.is_in_my_home
        return f"your home is not for you: {obstacle}", obstacle.cure if can_have else "export HOME=/some/folder"
    return f'the folder "{runtime}" could not be used', "export HOME=/some/folder   (one that you may write to)"


def explain_socket(uri: str, path: Path, low: str = "") -> tuple[str, str]:
    """Return words and a hint for a daemon's socket that refuses: it is missing, nobody listens, or it is for others.

    `low` is what libvirt said, in lower case.
    """
    own = f", or: {_OWN}" if uri.endswith("/system") and my_uid() != 0 else ""
    if uri not in _PLAIN and not path.exists():
        return f'LIBVIRT_DEFAULT_URI leads to "{path}", which does not exist', "unset LIBVIRT_DEFAULT_URI"
    try:
        about = path.stat()
    except FileNotFoundError:
        return f'its daemon does not run: there is no socket "{path}"', f"make setup{own}"
    except OSError:
        obstacle = find_obstacle(path)
        return f"its socket is out of your reach: {obstacle or path}", _OWN if own else "make setup"
    group, mode = group_name(about.st_gid), stat.S_IMODE(about.st_mode)
    if os.access(path, os.R_OK | os.W_OK):
        if "permission denied" in low:
            return f'its socket "{path}" is open to you by its mode, and something else refuses you', _OWN
        return f'its daemon does not run: nobody listens at "{path}"', f"make setup{own}"
    whose = f'"{user_name(about.st_uid)}" and the group "{group}" (mode {mode:04o})'
    words = f'its socket "{path}" is for {whose}, and you are "{my_name()}"'
    if not mode & 0o060 or about.st_gid == 0:
        return words, _OWN
    if is_listed_member(group):
        return f"{words}, who was added to that group after this login began", f"newgrp {group}   (or log in again)"
    return words, f"sudo usermod -aG {shlex.quote(group)} {shlex.quote(my_name())}   (then log in again){own}"


def is_kvm_refused(said: str) -> bool:
    """Return True if a message says that KVM cannot be used. A machine or a folder may be called "kvm" as well."""
    return bool(_NO_KVM.search(re.sub(r"'[^']*'|\"[^\"]*\"", _keep_device, said)))


def _keep_device(quoted: re.Match[str]) -> str:
    return quoted[0] if quoted[0][1:-1] in {"kvm", "/dev/kvm"} else "''"


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
    if "too long" in said and "socket" in said.lower():
        # flatkit gives a daemon short names when it starts one; this one was started by another program.
        return HostError(
            f"libvirt could not {what}: the names of its sockets are too long, below a long HOME: {said}",
            hint="stop what uses it (virsh, virt-manager) and wait two minutes: then it ends, and flatkit starts it with short "
            "names",
            details=said,
        )
    if "virtlogd" in said:
        path = find_path(said)
        words, hint = (
            explain_socket("qemu:///system", path, said.lower())
            if path
            else ("libvirt's log daemon does not answer", "make setup")
        )
        log = f"libvirt could not {what}: of its log daemon, virtlogd, {words}"
        return HostError(f"{log}. libvirt said: {said}", hint=hint.partition(", or: ")[0], details=said)
    if 'Failed to get "write" lock' in said or 'Failed to get shared "write" lock' in said:
        return MachineError(
            f"libvirt could not {what}: another QEMU has its disk open. libvirt said: {said}",
            hint="flatkit list   (says where a machine runs)", details=said,
        )  # fmt: skip
    if "Permission denied" in said:
        words, hint = _of_file(said)
        return HostError(f"libvirt could not {what}: {words}: {said}", hint=hint, details=said)
    if "Cannot allocate memory" in said or "cannot set up guest memory" in said:
        return HostError(
            f"libvirt could not {what}, since this host did not give QEMU the memory: {said}",
            hint="flatkit list   (stop a machine), or make it with less: flatkit up --memory 768",
            details=said,
        )
    hint = "flatkit list   (shows how the machine is)"
    return MachineError(f"libvirt could not {what}, and said: {said}", hint=hint, details=said)


def _of_file(said: str) -> tuple[str, str]:
    """Explain a file that QEMU or libvirt may not use: the folder on the way that is closed to that user."""
    path, user = find_path(said), _AS_USER.search(said)
    if path is None:
        return "a file was refused", "flatkit list   (shows how the machine is)"
    uid, gid = (int(user[1] or user[3]), int(user[2] or 0)) if user else (my_uid(), os.getegid())
    who = user_name(uid)
    if uid == my_uid() and (obstacle := find_obstacle(path, write=False)):
        return f"a file is out of reach, {obstacle}", obstacle.cure
    closed = find_closed(path, uid=uid, gids=(gid,))
    if closed and closed.exists():
        words = f'QEMU runs as "{who}", who may not enter "{closed}"'
        open_folders = "or set FLATKIT_STATE and FLATKIT_CACHE to folders that every user may enter"
        return words, f"chmod o+x {shlex.quote(str(closed))}   , {open_folders}"
    words = f'"{path}" was refused to "{who}", although the folders above it are open to everybody'
    return words, f"ls -lZ {shlex.quote(str(path))}   (its mode, or a rule of AppArmor or SELinux, refuses it)"
