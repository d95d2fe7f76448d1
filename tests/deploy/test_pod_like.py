"""flatkit where rights are those of a pod: namespaces of its own, uid 1000, no capabilities, a root that cannot be written.

No machine is booted here, and no image of deploy/image is used: what is shown is that the folders of a pod are accepted, that
libvirt answers, and that nothing asks for more rights. A trial booted a machine in such a place; no test does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SHUT = ("unshare", "--mount", "--pid", "--fork", "--ipc", "--uts", "--net", "--mount-proc", "--propagation", "private")
# $1: the folder of the two volumes. The rest is the command.
INSIDE = """
set -e
mount -t tmpfs -o uid=1000,gid=100,mode=0700 home "$1/home"
mount -t tmpfs -o uid=1000,gid=100,mode=0700 machines "$1/machines"
mount -o remount,bind,ro /
shift
exec setpriv --reuid 1000 --regid 100 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""
RIGHTS = """
import json, os, pathlib, sys
from flatkit import paths
from flatkit.cli import main
from flatkit.seats.seat import runtime_folder
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().split("\\n") if ":" in line)
try:
    pathlib.Path("/written").touch()
    writable = True
except OSError:
    writable = False
seat = main(["seat"])
json.dump({
    "uid": os.getuid(), "capabilities": status["CapEff"].strip(), "no-new-privileges": status["NoNewPrivs"].strip(),
    "root is writable": writable, "runtime": str(runtime_folder()), "machines": str(paths.machines_dir()), "seat": seat,
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def pod() -> Iterator[Any]:
    """Runs a command in such a place; skips where none can be made."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv"))):
        pytest.skip("only root can shut a part of this host off, with unshare and setpriv")
    top = Path(tempfile.mkdtemp(prefix="flatkit-pod-", dir="/var/tmp"))
    top.chmod(0o755)
    for name in ("home", "machines"):
        (top / name).mkdir()
    variables = {
        "PATH": os.environ["PATH"], "HOME": f"{top}/home", "TMPDIR": f"{top}/machines", "LANG": "C.UTF-8",
        "FLATKIT_MACHINES": f"{top}/machines/machines", "FLATKIT_CACHE": f"{top}/machines/cache",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        clean = ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]
        return subprocess.run(
            [*SHUT, "sh", "-c", INSIDE, "sh", str(top), *clean, sys.executable, *words],
            capture_output=True, text=True, check=False, cwd="/", timeout=600, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    looked = run("-c", "import flatkit.cli")
    if looked.returncode:
        shutil.rmtree(top)
        pytest.skip(f"no such place can be made here, or uid 1000 cannot read this checkout: {looked.stderr[-200:]}")
    yield run
    shutil.rmtree(top)


def test_flatkit_has_a_pods_rights_and_its_folders(pod: Any) -> None:
    done = pod("-c", RIGHTS)
    found = json.loads(done.stdout)
    assert (found["uid"], found["root is writable"], found["seat"]) == (1000, False, 2)
    assert (int(found["capabilities"], 16), found["no-new-privileges"]) == (0, "1")
    assert found["runtime"].endswith("/machines/flatkit-run-1000")
    assert found["machines"].endswith("/machines/machines")
    assert "this is not a seat of a JupyterHub" in done.stderr


@pytest.mark.install  # a new libvirt asks each QEMU for its abilities
@pytest.mark.skipif(
    not all(map(shutil.which, ("libvirtd", "qemu-system-x86_64"))), reason="libvirt and QEMU are not installed"
)
def test_the_doctor_finds_libvirt_and_usable_folders(pod: Any) -> None:
    done = pod("-m", "flatkit", "doctor", "--json")
    found = {one["name"]: one for one in map(json.loads, done.stdout.strip().split("\n")) if "name" in one}
    assert {name: found[name]["state"] for name in ("folders", "libvirt")} == {"folders": "ok", "libvirt": "ok"}, found
    assert "Traceback" not in done.stderr
