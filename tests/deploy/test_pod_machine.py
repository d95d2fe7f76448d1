"""A seat as a pod has it: `flatkit seat` below process 1, asked by a hub, boots a machine in a kernel, and ends in order."""

from __future__ import annotations

import shutil
import time

import pytest

from flatkit.images import Image
from flatkit.paths import cache_dir
from tests.deploy.sandbox import sandbox

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(
        not all(map(shutil.which, ("libvirtd", "qemu-system-x86_64"))), reason="libvirt and QEMU are not installed"
    ),
]
CELL = """
import os, time
import flatkit as fk
began = time.monotonic()
m = fk.up(name="web")
await m
print("SECONDS", time.monotonic() - began)
print("ANSWER", m.run("id -un; uname -s").output.split())
print("STATE", sorted(os.environ[name] for name in ("FLATKIT_SEAT", "FLATKIT_PAGES")))
"""


def test_a_seat_of_a_pod_boots_a_machine_and_ends_in_order(lab_image: Image) -> None:
    pytest.importorskip("jupyterhub")
    if not lab_image.disk.stat().st_mode & 0o004 or cache_dir().stat().st_mode & 0o022:
        pytest.skip("other users cannot read the cache of these tests")
    began = time.monotonic()
    with sandbox() as place, place.seat(FLATKIT_SHARED_CACHE=str(cache_dir())) as seat, seat.hub():
        done = seat.cell(CELL)
        log = place.log.read_text
        assert done.returncode == 0, log()[-4000:] + done.stdout + done.stderr
        assert "ANSWER ['core', 'Linux']" in done.stdout
        assert "STATE ['/user/ada/flatkit/page/', 'ada']" in done.stdout
        answered = time.monotonic()
        assert seat.terminate() == 0, log()[-4000:]
        assert "the end of this seat's machines: they are off" in log()
        (console,) = place.machines.glob("machines/*/console.log")
        assert b"Power down" in console.read_bytes()[-2000:]
        print(f"\n{done.stdout}ready after {answered - began:.1f} s, ended in {time.monotonic() - answered:.1f} s")
