"""A real machine's files under a real libvirt: QEMU reads them, other users of the host do not. It needs root, as in CI.

The state folder has every character that libvirt, QEMU or ssh treat specially.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit import api, plain_names
from flatkit.machines import Machine
from tests.other_users import NOBODY, open_parents, seen_by

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user"
    ),
]
ODD = "a b,c&d'e\"f<g>%h=i:j;k$l\\m`n#o*p?q|r[s]{t}(u)!~é日"
SECRET = "$y$j9T$a-hash-of-a-password"
CONFIG = f"""variant: flatcar
version: 1.0.0
passwd:
  users:
    - name: ada
      password_hash: "{SECRET}"
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    config = api.parse_config(CONFIG, name="private.bu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLATKIT_STATE", str(Path(os.environ["FLATKIT_STATE"]) / ODD))
        made = api.boot(config, api.Wish(name="private", image="lab")).machine
        assert f"/{ODD}/" in str(made.folder.path)
        link = plain_names.plain(made.folder.path)
        yield made
        assert made.down() == []
        assert not link.is_symlink()


def test_nobody_reads_anything_of_a_running_machine(machine: Machine) -> None:
    folder = machine.folder.path
    open_parents(folder)
    assert SECRET in (folder / "config.ign").read_text()
    assert seen_by(NOBODY, folder) == []
    assert machine.run("sudo getent shadow ada").check().stdout.startswith(f"ada:{SECRET}:")


def test_nor_after_a_checkpoint_a_rewind_and_a_stop(machine: Machine) -> None:
    folder = machine.folder.path
    machine.checkpoint("kept")
    machine.rewind(to="kept")
    assert seen_by(NOBODY, folder) == []
    machine.stop()
    assert seen_by(NOBODY, folder) == []
    for path in (folder, folder / "config.ign", folder / "overlay.qcow2"):
        path.chmod(0o755)  # as an earlier flatkit left them
    machine.up()
    assert seen_by(NOBODY, folder) == []
    assert machine.run("true").ok
