"""A seat in a room without the Internet: from a pack alone, in a host with no network but itself, to a machine that answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from project_parts import CUT_OFF, may_cut_off

from flatkit import paths

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


pytestmark = [
    pytest.mark.install,
    pytest.mark.vm,
    pytest.mark.skipif(not may_cut_off(), reason="only root can cut the network off for a part of this host"),
]

# Its libvirt, its sockets and its network are its own; of the real host it sees programs and files. The pack is served, the seat
# is set up by the line that the server tells, and the machine boots from what comes of it.
SEAT = """
set -e
for folder in /run /etc/libvirt/qemu /var/lib/libvirt; do mount -t tmpfs tmpfs "$folder"; done
ip link set lo up
ip -o route get 192.0.2.1 >&2 && exit 90
mkdir -p /run/libvirt /var/log/libvirt
virtlogd -d && libvirtd -d
"$PYTHON" -m flatkit room serve "$PACK" --listen 127.0.0.1:8000 --json >"$PLACE/served" &
until grep -q '"url"' "$PLACE/served"; do kill -0 $!; sleep 0.1; done
cd "$PLACE"
unset PYTHONPATH FLATKIT_CACHE
"$PYTHON" -m venv --system-site-packages seat
pip="seat/bin/pip --disable-pip-version-check install -q --no-cache-dir --no-index --find-links http://127.0.0.1:8000/wheels/"
$pip flatkit >&2
seat/bin/python -c 'import libvirt' || $pip libvirt-python >&2
export FLATKIT_CACHE="$PLACE/cache" FLATKIT_STATE="$PLACE/state" FLATKIT_MIRROR=http://127.0.0.1:8000
seat/bin/flatkit up --image lab --name seat --json
seat/bin/flatkit ssh seat -- '. /etc/os-release; echo "it is $ID"'
seat/bin/flatkit down seat >&2
seat/bin/python -c 'import flatkit; print("from", flatkit.__file__)'
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that libvirt's own user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="flatkit-room-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_pack_is_all_that_a_seat_needs(place: Path, lab_image) -> None:
    pack = place / "pack"
    words = ("--lab", "lab", "--extensions", "none", "--containers", "none", "--python", PYTHON)
    for action in (("pack", str(pack), *words), ("check", str(pack))):
        done = subprocess.run(
            [sys.executable, "-m", "flatkit", "room", *action], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    env = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(place), "PLACE": str(place),
        "PACK": str(pack), "PYTHON": sys.executable, "PYTHONPATH": str(paths.examples_dir().parent),
        "FLATKIT_STATE": str(place / "served-state"), "PIP_CONFIG_FILE": "/dev/null",
    }  # fmt: skip
    done = subprocess.run([*CUT_OFF, "sh", "-c", SEAT], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    *events, system, origin = done.stdout.splitlines()
    assert system == "it is flatcar-lab"
    assert origin.startswith(f"from {place}/seat/lib/")
    result = json.loads(events[-1])
    assert (result["event"], result["ok"]) == ("result", True)
    begun = [event["title"] for event in map(json.loads, events) if event["event"] == "phase_started"]
    assert [title for title in begun if title.endswith('from the mirror "http://127.0.0.1:8000"')]
