"""Users of this host for tests of root: made with useradd, removed afterwards; and a process that looks like a QEMU.

For a place with mounts of its own: a copy of /etc that other tests' users do not change.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from flatkit.waiting import wait_until

_EACH = """
import contextlib, io, json, sys
from flatkit.cli import main
said = {}
for command in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.redirect_stderr(text):
        main(command.split())
    said[command] = text.getvalue()
print(json.dumps(said))
"""


@dataclass(frozen=True)
class Person:
    """A user with a home of their own."""

    name: str
    uid: int
    gid: int
    home: Path

    def argv(self, *words: str, **environment: str) -> list[str]:
        """The call that runs a program as this user, with nothing of the environment of the tests."""
        user = ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        clean = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", **environment}
        return [*user, "env", "-i", *(f"{key}={value}" for key, value in clean.items()), *words]

    def flatkit(self, *words: str, **environment: str) -> str:
        """Run a command of flatkit as this user; everything that it said."""
        done = subprocess.run(
            self.argv(sys.executable, "-m", "flatkit", *words, **environment),
            capture_output=True, text=True, timeout=120, check=False, cwd="/", stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout + done.stderr

    def each(self, *commands: str, **environment: str) -> dict[str, str]:
        """Run commands of flatkit as this user, in one process; what each of them said."""
        done = subprocess.run(
            self.argv(sys.executable, "-c", _EACH, *commands, **environment),
            capture_output=True, text=True, timeout=300, check=False, cwd="/", stdin=subprocess.DEVNULL,
        )  # fmt: skip
        found: dict[str, str] = json.loads(done.stdout) if done.returncode == 0 else {"": done.stderr}
        return found

    def owns(self, *paths: Path) -> None:
        """Give files and folders with all that is in them to this user."""
        for top in paths:
            for path in (top, *top.rglob("*")):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)


@contextmanager
def person(number: int = 1) -> Iterator[Person]:
    """Make a user. Skips where that is not possible, or where that user could not read flatkit."""
    if os.geteuid() != 0:
        pytest.skip("only root can make users and become one")
    if not all(map(shutil.which, ("useradd", "userdel", "setpriv"))):
        pytest.skip("useradd, userdel and setpriv are needed")
    name = f"fk{os.getpid() % 1000000}x{number}"
    subprocess.run(["useradd", "--create-home", "--key", "HOME_MODE=0700", name], check=True)
    uid = pwd.getpwnam(name).pw_uid
    try:
        gid = pwd.getpwnam(name).pw_gid
        home = Path(pwd.getpwnam(name).pw_dir)
        found = Person(name=name, uid=uid, gid=gid, home=home)
        looked = subprocess.run(
            found.argv(sys.executable, "-c", "import flatkit.cli"), capture_output=True, check=False, cwd="/"
        )
        if looked.returncode:
            pytest.skip("other users cannot read this checkout, or its Python")
        yield found
    finally:
        remove_user(name)


def remove_user(name: str) -> None:
    """Remove a user of the tests, with the daemons that libvirt started for them: userdel refuses who has processes."""
    assert wait_until(lambda: _is_removed(name), seconds=120), f'the user "{name}" of this test is still there'


def _is_removed(name: str) -> bool:
    """Try to remove a user. It does not work while a process ends, or while another test makes a user."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        return True
    for path in Path("/proc").glob("[0-9]*"):
        if _is_of(path, uid):
            with suppress(ProcessLookupError):
                os.kill(int(path.name), signal.SIGKILL)
    subprocess.run(["userdel", "--remove", name], capture_output=True, check=False)
    return False


def _is_of(process: Path, uid: int) -> bool:
    try:
        return process.stat().st_uid == uid and "State:\tZ" not in (process / "status").read_text()
    except OSError:
        return False


def copy_etc(place: Path, passwd: Iterable[str]) -> Path:
    """Copy /etc into a folder, with these lines as its `passwd`; return the copy, to be mounted over /etc.

    A mount over the file `passwd` alone is lost as soon as another test adds a user outside: that replaces the file.
    """
    etc = place / "etc"
    # Without a check: useradd removes its temporary files while this copies.
    subprocess.run(["cp", "-a", "/etc", str(etc)], capture_output=True, check=False)
    (etc / "passwd").write_text("".join(f"{line}\n" for line in passwd if line))
    (etc / "passwd").chmod(0o644)
    return etc


@contextmanager
def pretended_qemu(*words: str, user: Person | None = None) -> Iterator[int]:
    """A process whose command line is QEMU's with these words, as this user; its process ID."""
    looks = ["/usr/bin/qemu-system-x86_64", "-c", "echo begun; read _", *words]
    ids = {"user": user.uid, "group": user.gid, "extra_groups": []} if user else {}
    process = subprocess.Popen(
        looks,
        executable="/bin/sh",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        **ids,  # type: ignore[call-overload]
    )
    try:
        assert process.stdout.readline() == b"begun\n"
        yield process.pid
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
