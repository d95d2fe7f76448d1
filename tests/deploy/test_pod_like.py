"""flatkit where rights are those of a pod: namespaces of its own, uid 1000, no capabilities, a root that cannot be written.

No image of deploy/image is used: what is shown is that the folders of a pod are accepted, that libvirt answers, and that
nothing asks for more rights. test_pod_machine.py boots a machine in such a place.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from flatkit.waiting import wait_until
from tests.deploy.sandbox import Sandbox, sandbox
from tests.people import person

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


WHO = """
import os, pathlib, pwd, time
folder = pathlib.Path(os.environ["TMPDIR"])
(folder / "began").touch()
while not (folder / "go").exists():
    time.sleep(0.02)
print(pwd.getpwuid(1000).pw_name)
"""


@pytest.fixture(scope="module")
def pod() -> Iterator[Sandbox]:
    with sandbox() as made:
        yield made


def test_flatkit_has_a_pods_rights_and_its_folders(pod: Sandbox) -> None:
    done = pod("-c", RIGHTS)
    found = json.loads(done.stdout)
    assert (found["uid"], found["root is writable"], found["seat"]) == (1000, False, 2)
    assert (int(found["capabilities"], 16), found["no-new-privileges"]) == (0, "1")
    assert found["runtime"].endswith("/machines/flatkit-run-1000")
    assert found["machines"].endswith("/machines/machines")
    assert "this is not a seat of a JupyterHub" in done.stderr


def test_a_user_who_is_added_outside_changes_nothing_in_it(pod: Sandbox) -> None:
    with ThreadPoolExecutor() as lane:
        done = lane.submit(pod, "-c", WHO)
        try:
            assert wait_until((pod.machines / "began").exists, seconds=120)
            with person(3):
                pass
        finally:
            (pod.machines / "go").touch()
        assert done.result().stdout == "jovyan\n", done.result().stderr


@pytest.mark.install  # a new libvirt asks each QEMU for its abilities
@pytest.mark.skipif(
    not all(map(shutil.which, ("libvirtd", "qemu-system-x86_64"))), reason="libvirt and QEMU are not installed"
)
def test_the_doctor_finds_libvirt_and_usable_folders(pod: Sandbox) -> None:
    done = pod("-m", "flatkit", "doctor", "--json")
    found = {one["name"]: one for one in map(json.loads, done.stdout.strip().split("\n")) if "name" in one}
    assert {name: found[name]["state"] for name in ("folders", "libvirt")} == {"folders": "ok", "libvirt": "ok"}, found
    assert "Traceback" not in done.stderr
