"""Lesson 3's attack from below, its cells run by bash on a file in the place of a disk."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

_LESSON = Path(__file__).resolve().parents[2] / "notebooks" / "03-immutable.ipynb"
_BLOCK = 4096
# The machine's own commands; the size of a disk is counted in sectors of 512 bytes.
_STUBS = """\
sudo() { "$@"; }
blockdev() { echo $(($(wc -c < disk) / 512)); }
rootdev() { echo disk; }
sysctl() { :; }
dmsetup() { :; }
"""


@pytest.mark.parametrize("attacks", [1, 2, 3])
def test_the_byte_is_put_back_however_often_the_attack_was_run(tmp_path: Path, attacks: int) -> None:
    whole = bytes(range(256)) * (_BLOCK // 256) * 1026
    disk = tmp_path / "disk"
    disk.write_bytes(whole)
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(_LESSON.read_text())["cells"]}

    def run(name: str) -> None:
        lines = cells[name].removeprefix("%%on m\n").replace("/var/tmp/block", "block")
        lines = lines.replace("/dev/mapper/usr", "disk")
        subprocess.run(["bash", "-c", _STUBS + lines], cwd=tmp_path, check=True, capture_output=True)

    for _ in range(attacks):
        run("tamper")
    changed = [at for at, (before, now) in enumerate(zip(whole, disk.read_bytes(), strict=True)) if before != now]
    assert changed == [2 * _BLOCK]
    run("put-back")
    assert disk.read_bytes() == whole
