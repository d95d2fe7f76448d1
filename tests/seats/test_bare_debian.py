"""A room on a bare Debian 12 with systemd: a minimal root booted by systemd-nspawn, `make setup`, `flatkit seats up`, the unit.

The images of the course are not built (8 minutes more), so no machine boots here. The root gets packages as this host does:
its sources, certificates and name servers are copied. The last commit is tested, as a user clones it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from flatkit.machines.ports import find_free_port
from tests.seats.learner import Learner, wait_for

pytestmark = [pytest.mark.long, pytest.mark.install, pytest.mark.timeout(1500)]
CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
PACKAGES = "ca-certificates,dbus,git,iproute2,libpam-systemd,make,sudo,systemd,systemd-sysv"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class Bare:
    """The root, and the system that runs in it."""

    def __init__(self, top: Path) -> None:
        self.root = top
        self._container: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        words = [
            "unshare",
            "--mount",
            "mmdebstrap",
            "--variant=minbase",
            f"--include={PACKAGES}",
            "bookworm",
            str(self.root),
        ]
        subprocess.run([*words, *([str(SOURCES)] if SOURCES.exists() else [])], check=True, capture_output=True)
        for name in ("resolv.conf", "hosts"):
            shutil.copy(f"/etc/{name}", self.root / "etc" / name)
        shutil.copy(CERTIFICATES, self.root / CERTIFICATES[1:])
        (self.root / "etc/pip.conf").write_text(f"[global]\ncert = {CERTIFICATES}\ndefault-timeout = 180\n")
        subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(self.root / "srv/flatkit")], check=True)

    def boot(self) -> None:
        words = [
            "systemd-nspawn",
            "--boot",
            f"--directory={self.root}",
            "--register=no",
            "--keep-unit",
            "--console=pipe",
        ]
        self._container = subprocess.Popen(
            [*words, "--capability=all", "--resolv-conf=off"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 60
        while self("systemctl is-system-running")[1].strip() not in {"running", "degraded"}:
            if time.monotonic() > until or self._container.poll() is not None:
                pytest.skip("systemd does not boot in a container here")
            time.sleep(0.2)

    def __call__(self, command: str) -> tuple[int, str]:
        """Run a command in it as root, in a session of its own."""
        assert self._container
        children = Path(f"/proc/{self._container.pid}/task/{self._container.pid}/children").read_text().split()
        if not children:
            return 1, ""
        variables = ["env", "-i", "HOME=/root", f"PATH={PATH}", "LANG=C.UTF-8"]
        enter = ["nsenter", "-t", children[0], "-m", "-u", "-i", "-p", "-C", "-r", "-w", *variables]
        inside = ["sh", "-c", command]
        if not command.startswith("systemctl"):  # with a cgroup and an environment of its own, as a login has
            run = ["systemd-run", "--quiet", "--wait", "--pipe", "--working-directory=/srv/flatkit"]
            inside = [*run, f"--setenv=PATH={PATH}", "--setenv=HOME=/root", *inside]
        done = subprocess.run([*enter, *inside], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def end(self) -> None:
        if self._container and self._container.poll() is None:
            self("systemctl poweroff")
            with suppress(subprocess.TimeoutExpired):
                self._container.wait(60)
            self._container.kill()
            self._container.wait()


@pytest.fixture
def bare() -> Iterator[Bare]:
    if os.geteuid() != 0 or not all(map(shutil.which, ("mmdebstrap", "systemd-nspawn", "nsenter", "unshare"))):
        pytest.skip("only root can boot a container, with mmdebstrap and systemd-nspawn")
    top = Path(tempfile.mkdtemp(prefix="flatkit-bare-", dir="/var/tmp"))
    made = Bare(top / "root")
    try:
        made.make()
        made.boot()
        yield made
    finally:
        made.end()
        subprocess.run(["rm", "-rf", "--one-file-system", str(top)], check=True)


def is_there(learner: Learner) -> bool:
    try:
        return learner.lab()[0] == 200
    except OSError:  # the proxy begins again
        return False


def seat_process(bare: Bare) -> str:
    return bare("grep -lzx jupyterhub[.]singleuser /proc/[0-9]*/cmdline 2>/dev/null")[1]


def test_a_room_on_a_bare_debian_survives_what_a_room_must(bare: Bare) -> None:
    status, said = bare("make setup")
    assert status == 0, said
    port = find_free_port()  # it has this host's network
    status, said = bare(f".venv/bin/flatkit seats up --seats 3 --no-images --listen 127.0.0.1:{port}")
    assert status == 0, said
    assert "Installing flatkit into /opt/flatkit" in said
    password = re.search(r"the room's password: +(\S+)", said)
    assert password, said
    assert bare("systemd-analyze verify /etc/systemd/system/flatkit-seats.service") == (0, "")

    ada = Learner(url=f"http://127.0.0.1:{port}")
    assert ada.log_in("ada", room=password[1])[0] == 200
    ada.sit_down()
    server = seat_process(bare)
    assert server.strip()
    for command in ("systemctl restart flatkit-seats", "systemctl kill --kill-whom=main -s KILL flatkit-seats"):
        assert bare(command)[0] == 0
        wait_for(lambda: is_there(ada))
        assert seat_process(bare) == server, command

    # The host restarts: the unit makes the room again, the learner's files are there.
    bare.end()
    bare.boot()
    wait_for(lambda: "hub answers" in bare(".venv/bin/flatkit seats status")[1])
    again = Learner(url=ada.url)  # another browser: the first one is still logged in
    assert again.log_in("ada", room=password[1])[0] == 200
    again.sit_down()
    assert (bare.root / "home/seat-ada/flatkit-course/00-start.ipynb").is_file()

    status, said = bare(".venv/bin/flatkit seats down --yes")
    assert status == 0, said
    assert "seat-ada" not in (bare.root / "etc/passwd").read_text()
    assert not (bare.root / "etc/systemd/system/flatkit-seats.service").exists()
    assert not list((bare.root / "home").iterdir())
    assert list((bare.root / "var/lib/flatkit/seats-archive").glob("*/ada.zip"))
