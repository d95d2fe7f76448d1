"""A place with a pod's rights: namespaces of its own, uid 1000, no capabilities, a root that cannot be written, two volumes.

The root is that of this host, or that of an image. Beside the pod's own process runs a hub that knows the seat: tests have one
network in there.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flatkit.waiting import wait_until
from tests.deploy.seat_client import VARIABLES as SEAT
from tests.people import copy_etc

CLIENT = Path(__file__).with_name("seat_client.py")
SHUT = (
    "unshare", "--mount", "--pid", "--fork", "--ipc", "--uts", "--net", "--mount-proc", "--propagation", "private",
    "--kill-child",
)  # fmt: skip
# SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP (netdevice(7)): not every host has iproute2.
LOOPBACK_UP = """
import fcntl, socket, struct
with socket.socket() as one:
    name, flags = struct.unpack("16sh", fcntl.ioctl(one, 0x8913, struct.pack("16sh", b"lo", 0)))
    fcntl.ioctl(one, 0x8914, struct.pack("16sh", name, flags | 1))
"""
USER = (
    "setpriv",
    "--reuid",
    "1000",
    "--regid",
    "100",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
    "--inh-caps=-all",
)
# $1: the folder of the volumes; $2: Python of the host; $3: brings the network up. The rest becomes process 1.
INSIDE = f"""
set -e
mount -t tmpfs -o uid=1000,gid=100,mode=0700,size=1g home "$1/home"
mount --bind "$1/machines" "$1/machines"
mount --bind "$1/etc" /etc
mount -t tmpfs -o mode=0755 run /run
mount -o remount,bind,ro /
mount -o remount,bind,ro /etc
"$2" -c "$3"
shift 3
exec {" ".join(USER)} "$@"
"""
# The same with the root of an image ($4), and the mounts that a pod of it has (deploy/kubernetes/values.yaml).
IN_IMAGE = f"""
set -e
mount --bind "$4" "$4"
mount -t tmpfs -o uid=1000,gid=100,mode=0700,size=1g home "$4/home/jovyan"
mount --bind "$1/machines" "$4/var/lib/flatkit-seat"
mount -t tmpfs -o mode=1777,size=512m tmp "$4/tmp"
mount -t proc proc "$4/proc"
mount --rbind /dev "$4/dev"
mount -t sysfs -o ro sysfs "$4/sys"
cp {CLIENT} "$4/tmp/"
mount -o remount,bind,ro "$4"
"$2" -c "$3"
root=$4
shift 4
exec chroot "$root" {" ".join(USER)} "$@"
"""
_HAS_UID = re.compile(r"[^:]*:[^:]*:1000:")
# What tini does: pass the signal on, collect what has ended, end with the child's status.
INIT = """
import os, signal, sys
child = os.fork()
if not child:
    os.execvp(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
while True:
    process, status = os.wait()
    if process == child:
        sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(kw_only=True)
class Sandbox:
    """The place. `variables` are the image's, and `python` is the one that has flatkit there."""

    top: Path
    variables: Mapping[str, str]
    python: str = sys.executable
    image: Path | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.top / "log"

    @property
    def client(self) -> str:
        """The path of the client's program there."""
        return f"/tmp/{CLIENT.name}" if self.image else str(CLIENT)

    @property
    def machines(self) -> Path:
        """The volume of the machines, which outlives the pod: it is on the host's disk, as an emptyDir is on the node's."""
        return self.top / "machines"

    def __call__(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run Python there to its end."""
        return subprocess.run(
            self._argv([*self._first(), self.python, *words], more), capture_output=True, text=True, check=False, cwd="/",
            timeout=600, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    @contextmanager
    def seat(self, **more: str) -> Iterator[RunningSeat]:
        """Start the seat's server as in a pod, below a process 1 that does what tini does; end it in any case."""
        words = [*self._first(), "flatkit", "seat"]
        path = {"PATH": f"{Path(self.python).parent}:{self.variables['PATH']}"}
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                self._argv(words, {**SEAT, **path, **more}), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/"
            )
        try:
            yield RunningSeat(sandbox=self, process=process)
        finally:
            # Process 1, and all others with it; its change of user has undone `unshare --kill-child`.
            for one in children_of(process.pid):
                os.kill(one, signal.SIGKILL)
            process.kill()
            process.wait()

    def environment(self, more: Mapping[str, str]) -> list[str]:
        """`env` with nothing of the environment of the tests."""
        return ["env", "-i", *(f"{name}={value}" for name, value in {**self.variables, **more}.items())]

    def _first(self) -> list[str]:
        """Process 1. Without one that collects what has ended, libvirt waits 40 s for each QEMU that it tries."""
        return ["/usr/bin/tini", "--"] if self.image else [self.python, "-c", INIT]

    def _argv(self, words: list[str], more: Mapping[str, str]) -> list[str]:
        script, root = (IN_IMAGE, [str(self.image)]) if self.image else (INSIDE, [])
        shell = ["sh", "-c", script, "sh", str(self.top), sys.executable, LOOPBACK_UP, *root]
        return [*SHUT, *shell, *self.environment(more), *words]


@dataclass(kw_only=True)
class RunningSeat:
    """A seat's server in the place. Programs can join it there."""

    sandbox: Sandbox
    process: subprocess.Popen[bytes]

    def first(self) -> int:
        """The number that process 1 has on this host."""
        found = next(children_of(self.process.pid), 0)
        program = Path(Path(f"/proc/{found}/cmdline").read_text().split("\0")[0]).name if found else ""
        return found if program.startswith(("python", "tini")) else 0

    def join(self, *words: str, **more: str) -> list[str]:
        """The command that runs Python in the place, with the rights of the seat's user."""
        names = [
            "nsenter",
            "--target",
            str(self.first()),
            "--mount",
            "--pid",
            "--net",
            "--ipc",
            "--uts",
            "--root",
            "--wd",
        ]
        return [*names, *USER, *self.sandbox.environment(more), self.sandbox.python, *words]

    @contextmanager
    def hub(self) -> Iterator[None]:
        """Let a hub run in there."""
        assert wait_until(self.first, seconds=120), self.sandbox.log.read_text()
        process = subprocess.Popen(self.join(self.sandbox.client, "hub"), stdin=subprocess.DEVNULL, cwd="/")
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def cell(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run a cell in a new kernel of the seat."""
        return subprocess.run(
            self.join(self.sandbox.client, "cell", code), capture_output=True, text=True, check=False, cwd="/", timeout=600,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def terminate(self) -> int:
        """Send process 1 what a node sends it, and return its status."""
        os.kill(self.first(), signal.SIGTERM)
        return self.process.wait(90)


def children_of(process: int) -> Iterator[int]:
    for words in Path(f"/proc/{process}/task").glob("*/children"):
        yield from map(int, words.read_text().split())


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Make such a place with this host's root; skips where none can be made."""
    with _volumes() as top:
        others = [line for line in Path("/etc/passwd").read_text().split("\n") if not _HAS_UID.match(line)]
        copy_etc(top, [f"jovyan:x:1000:100::{top}/home:/bin/bash", *others])
        variables = {
            "PATH": os.environ["PATH"], "HOME": f"{top}/home", "TMPDIR": f"{top}/machines", "LANG": "C.UTF-8",
            "FLATKIT_MACHINES": f"{top}/machines/machines", "FLATKIT_CACHE": f"{top}/machines/cache",
            "PYTHONDONTWRITEBYTECODE": "1", "container": "oci",
        }  # fmt: skip
        made = Sandbox(top=top, variables=variables)
        looked = made("-c", "import flatkit.cli")
        if looked.returncode:
            pytest.skip(
                f"no such place can be made here, or uid 1000 cannot read this checkout: {looked.stderr[-200:]}"
            )
        yield made


@contextmanager
def image_sandbox(root: Path, variables: Mapping[str, str]) -> Iterator[Sandbox]:
    """Make such a place with the root of an image, and the image's variables."""
    with _volumes() as top:
        yield Sandbox(top=top, variables=variables, python="/opt/flatkit/bin/python", image=root)


@contextmanager
def _volumes() -> Iterator[Path]:
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "nsenter"))):
        pytest.skip("only root can shut a part of this host off, with unshare and setpriv")
    # A short name: libvirt's sockets are below it, and a socket's path has at most 107 bytes.
    top = Path(tempfile.mkdtemp(prefix="pod-", dir="/var/tmp"))
    top.chmod(0o755)
    for name in ("home", "machines"):
        (top / name).mkdir(mode=0o700)
    os.chown(top / "machines", 1000, 100)
    try:
        yield top
    finally:
        shutil.rmtree(top)
