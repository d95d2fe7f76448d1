"""The Unix accounts of seats: made at the first login, with a closed home and a folder below /run/user; removed at the end.

An account that flatkit did not make is never used: its comment field must have flatkit's mark.
"""

from __future__ import annotations

import os
import pwd
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from flatkit.errors import CommandFailed, HostError
from flatkit.run import run
from flatkit.seats.names import is_name

MARK = "flatkit seat"
_GROUPS = ("kvm",)
# Longest time that a seat's processes may take to end by themselves, in seconds.
_END_SECONDS = 5.0
# Longest time until they are gone after SIGKILL, on a host that has much else to do.
KILL_SECONDS = 60.0
_ACCOUNT = re.compile(r"[a-z][a-z0-9-]{2,31}")


def find_account(account: str) -> pwd.struct_passwd | None:
    """Return a seat's account; None if there is none. Raises HostError for an account that flatkit did not make."""
    try:
        found = pwd.getpwnam(account)
    except KeyError:
        return None
    if found.pw_gecos.split(",")[0] != MARK or found.pw_uid == 0:
        raise HostError(
            f'the account "{account}" of this host was not made by flatkit, and is not used as a seat',
            hint=f"userdel {account}   (as root, if nobody needs it), or another name for the seat",
        )
    return found


def ensure_account(account: str) -> pwd.struct_passwd:
    """Return a seat's account, made if necessary, with its folders. Raises HostError, CommandFailed, MissingDependency."""
    if not _ACCOUNT.fullmatch(account):
        raise HostError(f'"{account}" cannot be the account of a seat')
    found = find_account(account)
    if found is None:
        groups = [name for name in _GROUPS if _is_group(name)]
        words = ["useradd", "--create-home", "--key", "HOME_MODE=0700", "--shell", "/bin/bash", "--comment", MARK]
        run([*words, *(["--groups", ",".join(groups)] if groups else []), "--", account])
        found = find_account(account)
    if found is None:
        raise HostError(f'the account "{account}" was made and is gone again', hint="journalctl -t useradd")
    Path(found.pw_dir).chmod(0o700)  # whatever the defaults of this host are
    make_runtime_folder(found)
    return found


def make_runtime_folder(user: pwd.struct_passwd) -> Path:
    """Return /run/user/UID, made if necessary: libvirt's sockets are there, for the server, hooks and logins alike."""
    folder = runtime_folder(user)
    folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    about = folder.lstat()
    if folder.is_symlink() or about.st_uid not in {0, user.pw_uid}:
        raise HostError(f'"{folder}" is not the folder of "{user.pw_name}"', hint=f"rm -r {folder}   (as root)")
    os.chown(folder, user.pw_uid, user.pw_gid)
    folder.chmod(0o700)
    return folder


def runtime_folder(user: pwd.struct_passwd) -> Path:
    """Return the path of /run/user/UID."""
    return Path(f"/run/user/{user.pw_uid}")


def list_accounts(prefix: str) -> list[pwd.struct_passwd]:
    """Return the accounts of all seats with this prefix by name. Another room's longer prefix is not this room's."""
    found = [one for one in pwd.getpwall() if one.pw_gecos.split(",")[0] == MARK and one.pw_uid != 0]
    ours = [one for one in found if one.pw_name.startswith(prefix) and is_name(one.pw_name.removeprefix(prefix))]
    return sorted(ours, key=lambda one: one.pw_name)


def as_user(user: pwd.struct_passwd, words: Sequence[str], **environment: str) -> list[str]:
    """Return the command that runs a program as a seat's user, with nothing of root's environment."""
    home = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name, "LANG": "C.UTF-8"}
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "XDG_RUNTIME_DIR": str(runtime_folder(user))}
    values = [f"{name}={value}" for name, value in {**home, **path, **environment}.items()]
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
    return ["setpriv", *ids, "--", "env", "-i", *values, *words]


def processes_of(uid: int) -> Iterator[int]:
    """Yield the process IDs of a user, without those that have ended and wait to be reaped."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid == uid and "\nState:\tZ" not in (path / "status").read_text():
                yield int(path.name)
        except OSError:
            continue


def end_processes(uid: int) -> None:
    """End all processes of a seat's user: first with SIGTERM, then with SIGKILL, also those that are made meanwhile."""
    if uid == 0:
        raise ValueError("root is not a seat")
    for which, seconds in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        deadline = time.monotonic() + seconds
        while (left := list(processes_of(uid))) and time.monotonic() < deadline:
            for process in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(process, which)
            time.sleep(0.05)


def remove_account(user: pwd.struct_passwd) -> None:
    """Remove a seat's processes, home and account. Raises HostError, CommandFailed."""
    if find_account(user.pw_name) is None:
        return
    end_processes(user.pw_uid)
    # While the number is this seat's: the next account that is made gets the same one.
    run(["rm", "-rf", "--one-file-system", "--", str(runtime_folder(user))], check=False)
    try:
        run(["userdel", "--remove", "--", user.pw_name])
    except CommandFailed as error:
        # 12: the mail spool or home could not be removed, as there was none.
        if find_account(user.pw_name) is not None:
            raise HostError(
                f'the account "{user.pw_name}" cannot be removed: {error.message}', hint=f"ps -u {user.pw_name}"
            ) from None


def _is_group(name: str) -> bool:
    import grp

    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True
