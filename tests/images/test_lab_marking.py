"""The lab's update daemon writes the table only if there is something to mark: its own function, on the image of a disk."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flatkit.images.lab import recipe

FOLDER = recipe.files() / "usr/lib/flatcar"
LAYOUT = f"""label: gpt
start=2048, size=2048, type=21686148-6449-6e6f-744e-656564454649
start=4096, size=8192, type={recipe.USR_TYPE}
start=16384, size=8192, type={recipe.USR_TYPE}
"""
SECTORS = 65536
# The running slot is partition 2. Priority, tries, successful of it and of the other one; a sector that is torn.
CASES = {
    "as built": ("1 0 1", "0 0 0", None, True),
    "after an update": ("2 0 1", "1 0 1", None, True),
    "not marked yet": ("2 1 0", "1 0 1", None, False),
    "its last try": ("2 0 0", "1 0 1", None, False),
    "marked, with tries": ("2 1 1", "1 0 1", None, False),
    "the other one is next": ("1 0 1", "2 1 0", None, False),
    "none comes first": ("2 0 1", "2 0 1", None, False),
    "torn header": ("1 0 1", "0 0 0", 1, False),
    "torn backup": ("1 0 1", "0 0 0", SECTORS - 1, False),
    "both torn": ("1 0 1", "0 0 0", -1, False),
}


@pytest.mark.parametrize(("own", "other", "torn", "good"), CASES.values(), ids=CASES)
def test_a_slot_that_is_good_is_left_alone(tmp_path: Path, own: str, other: str, torn: int | None, good: bool) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(SECTORS * 512)
    subprocess.run(["sfdisk", "--quiet", disk], input=LAYOUT, text=True, check=True)
    daemon = (FOLDER / "update-engine").read_text()
    function = daemon[daemon.index("is_good() {") :].split("\n}\n", 1)[0]
    script = f"""PATH=/usr/sbin:/usr/bin:/sbin:/bin
. {FOLDER}/gpt.sh
rootdev() {{ case $2 in -d) echo {disk} ;; *) echo /dev/vda2 ;; esac; }}
{function}
}}
"""
    bash = ["bash", "-c"]
    subprocess.run([*bash, f"{script}gpt_write {disk} 2 {own}; gpt_write {disk} 3 {other}"], check=True)
    if torn is not None:
        with disk.open("r+b") as file:
            for sector in (1, SECTORS - 1) if torn < 0 else (torn,):
                file.seek(sector * 512)
                file.write(bytes(512))
    assert (subprocess.run([*bash, f"{script}is_good"], check=False).returncode == 0) is good
