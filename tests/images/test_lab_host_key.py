"""The lab image's script that makes the host key, on this host: a key that a power cut has torn is made anew."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from flatkit.images.lab import recipe

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
SCRIPT = (recipe.files() / "usr/lib/flatcar/sshd-keygen").read_text()


def shown(folder: Path) -> str:
    """What the script says on the console when /etc/ssh, /dev/kmsg and /run/issue are in this folder."""
    text = SCRIPT
    for path in ("/etc/ssh", "/dev/kmsg", "/run/issue"):
        text = text.replace(path, str(folder / Path(path).name if path != "/etc/ssh" else folder))
    subprocess.run(["sh", "-c", text], check=True, timeout=120)
    said = (folder / "kmsg").read_text()
    assert said.startswith("<5>SSH host key: SHA256:")
    return said


@pytest.mark.parametrize("torn", [b"", b"\0" * 400])
def test_a_whole_key_stays_and_a_torn_one_is_made_anew(tmp_path: Path, torn: bytes) -> None:
    first = shown(tmp_path)
    assert shown(tmp_path) == first
    key = tmp_path / "ssh_host_ed25519_key"
    key.write_bytes(torn)
    second = shown(tmp_path)
    assert second != first
    assert shown(tmp_path) == second
    public = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, text=True, check=True).stdout
    assert (tmp_path / "ssh_host_ed25519_key.pub").read_text().split()[:2] == public.split()[:2]
