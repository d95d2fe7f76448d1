"""A host of the test's own on this one: namespaces with a libvirt, a network, /run and temporary folders of their own.

Its libvirt can be restarted, its disks filled and its processes counted without disturbing anybody; with a cable to it and an
sshd inside, it is another host for a flatkit outside. It needs root, as in CI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.people import copy_etc

# A shell reaps what libvirt's children leave behind, as a host's first process does.
_INIT = """
set -e
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/libvirt /run/sshd
mount --bind "$1/etc" /etc
for folder in /var/lib/libvirt /var/cache/libvirt /etc/libvirt/qemu; do
  mkdir -p $folder && mount -t tmpfs -o mode=755 tmpfs $folder
done
mkdir -p /var/lib/libvirt/qemu
for folder in $2; do mount -t tmpfs -o mode=755 tmpfs $folder; done
touch "$1/up"
while :; do sleep 1000 & wait -n; done
"""


@dataclass(frozen=True)
class OwnHost:
    """`work` holds what is needed outside of it; `init` is its first process, as it is numbered outside."""

    work: Path
    init: int

    def argv(self, *words: str, **environment: str) -> list[str]:
        """The call that runs a program inside."""
        inside = ["nsenter", "-t", str(self.init), "-m", "-n", "-p", "-u", "-i"]
        return [*inside, "env", *(f"{key}={value}" for key, value in environment.items()), *words]

    def run(self, *words: str, check: bool = True, timeout: float = 300, **environment: str) -> str:
        """Run a program inside; what it said."""
        done = subprocess.run(
            self.argv(*words, **environment), capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0 or not check, done.stderr + done.stdout
        return done.stdout

    def start_libvirt(self) -> None:
        """Start libvirt's daemons, and wait until they answer."""
        for daemon in ("virtlogd", "libvirtd"):
            if not self._pid(daemon):
                self.run(daemon, "-d", "-p", f"/run/{daemon}.pid")
        deadline = time.monotonic() + 120
        while not self.run("sh", "-c", "virsh -q -c qemu:///system list >/dev/null 2>&1 && echo yes", check=False):
            assert time.monotonic() < deadline, "libvirt does not answer"

    def stop_libvirt(self) -> None:
        """End libvirt's main daemon, and wait until it is gone; machines run on."""
        self.run("sh", "-c", "kill $(cat /run/libvirtd.pid); while pgrep -x libvirtd >/dev/null; do sleep 0.1; done")

    def _pid(self, name: str) -> str:
        return self.run("pgrep", "-x", name, check=False).strip()

    def domains(self) -> list[str]:
        """The names of all domains there."""
        return self.run("virsh", "-q", "-c", "qemu:///system", "list", "--all", "--name").split()

    def processes(self) -> list[str]:
        """What runs inside beside its first process and libvirt's daemons."""
        said = self.run("ps", "-eo", "pid=,stat=,comm=").splitlines()
        usual = {"bash", "sleep", "virtlogd", "libvirtd", "ps", "nsenter", "env", "dnsmasq"}
        rows = [line.split(None, 2) for line in said]
        return [comm for _pid, stat, comm in rows if comm not in usual and not stat.startswith("Z")]

    def ports(self) -> set[str]:
        """Where anything listens."""
        return {line.split()[3] for line in self.run("ss", "-Hltn").splitlines()}

    def uri(self) -> str:
        """How libvirt there is reached from outside, by SSH."""
        return f"qemu+ssh://root@other.test/system?command={self.work}/ssh"


@contextmanager
def own_host(work: Path, *, hide: tuple[Path, ...] = ()) -> Iterator[OwnHost]:
    """Start one; folders in `hide` are empty there, as on another computer. Skips where namespaces may not be made."""
    if os.geteuid() != 0:
        pytest.skip("a host of the test's own is made of namespaces, which needs root")
    passwd = Path("/etc/passwd").read_text()
    missing = "" if "\nsshd:" in passwd else "sshd:x:999:65534::/run/sshd:/usr/sbin/nologin\n"
    # A home of its own: what a person's shell does at a login is not this test's.
    (work / "home").mkdir()
    others = [line for line in (passwd + missing).splitlines() if not line.startswith("root:")]
    copy_etc(work, [f"root:x:0:0:root:{work}/home:/bin/sh", *others])
    words = [
        "--fork",
        "--kill-child",
        "--pid",
        "--mount-proc",
        "--net",
        "--mount",
        "--uts",
        "--ipc",
        "bash",
        "-c",
        _INIT,
        "init",
    ]
    outside = subprocess.Popen(["unshare", *words, str(work), " ".join(map(str, hide))])
    try:
        deadline = time.monotonic() + 120
        while not (work / "up").exists():
            if outside.poll() is not None or time.monotonic() > deadline:
                pytest.skip("namespaces cannot be made here")
            time.sleep(0.05)
        children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text().split()
        host = OwnHost(work=work, init=int(children[0]))
        host.start_libvirt()
        yield host
    finally:
        outside.kill()  # its first process, and so everything inside, goes with it (--kill-child)
        outside.wait()


def find_sshd(work: Path) -> list[str]:
    """The call of an sshd: this host's, or that of Debian's package, which is not installed and starts nothing."""
    if found := shutil.which("sshd", path="/usr/sbin:/usr/local/sbin"):
        return [found]
    fetch = "cd $0 && apt-get download openssh-server libwrap0 && for p in *.deb; do dpkg -x $p sshd; done"
    done = subprocess.run(["sh", "-c", fetch, str(work)], capture_output=True, text=True, check=False)
    sshd = work / "sshd/usr/sbin/sshd"
    if done.returncode or not sshd.exists():
        pytest.skip(f"there is no sshd, and Debian's cannot be fetched: {done.stderr[-200:]}")
    libraries = ":".join(str(path) for path in (work / "sshd/usr/lib").glob("*-linux-gnu*"))
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(sshd)]


def let_in(host: OwnHost) -> None:
    """Let `ssh root@other.test` lead there, for whoever uses `work/ssh` in its place."""
    work = host.work
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(work / name)], check=True)
    shutil.copy(work / "user.pub", work / "authorized_keys")
    (work / "sshd_config").write_text(
        f"HostKey {work}/host\nAuthorizedKeysFile {work}/authorized_keys\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
    )
    (work / "known_hosts").write_text(f"other.test {(work / 'host.pub').read_text()}")
    # A network for tests (RFC 2544); its part, four addresses, is of this host's process alone.
    cable, first = f"flatkit{host.init}"[:15], ip_address("198.18.0.0") + 4 * (host.init % 2**15)
    near, far = first + 1, first + 2
    for words in (
        ["link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(host.init)],
        ["address", "add", f"{near}/30", "dev", cable],
        ["link", "set", cable, "up"],
    ):
        subprocess.run(["ip", *words], check=True)
    host.run("ip", "address", "add", f"{far}/30", "dev", "eth0")
    host.run("ip", "link", "set", "eth0", "up")
    host.run(*find_sshd(work), "-f", f"{work}/sshd_config")
    settings: Mapping[str, str] = {
        "HostName": str(far),
        "HostKeyAlias": "other.test",
        "IdentityFile": f"{work}/user",
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f"{work}/known_hosts",
    }
    (work / "ssh_config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    (work / "ssh").write_text(f'#!/bin/sh\nexec ssh -F {work}/ssh_config "$@"\n')
    (work / "ssh").chmod(0o755)
