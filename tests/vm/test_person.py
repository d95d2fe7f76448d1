"""An ordinary user boots a machine in a session of their own; the image in the cache is only read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.people import remove_user

pytestmark = [pytest.mark.vm, pytest.mark.skipif(os.geteuid() != 0, reason="the other tests boot as an ordinary user")]

PACKAGE = Path(__file__).resolve().parents[2]
# Most of what is installed: no command of this test imports it, and copying it takes longer than a boot.
NOT_NEEDED = (
    "__pycache__", "jupyter*", "notebook*", "debugpy*", "playwright*", "kubernetes*", "*mypy*", "babel*", "jedi*",
    "sqlalchemy*", "hypothesis*", "pip", "setuptools", "check_jsonschema*",
)  # fmt: skip


@pytest.fixture
def person():
    """A user with a home of their own, gone afterwards with all that runs as them."""
    name = f"flatkit-{uuid.uuid4().hex[:8]}"
    home = Path("/var/tmp") / name
    subprocess.run(["useradd", "--create-home", "--home-dir", str(home), name], check=True)
    yield name, home
    remove_user(name)
    shutil.rmtree(home, ignore_errors=True)


def can_run(python: Path, name: str) -> bool:
    try:
        return subprocess.run([python, "-c", "1"], user=name, cwd="/", capture_output=True).returncode == 0
    except PermissionError:
        return False


def test_a_person_boots_types_and_cleans(lab_image, person, tmp_path):
    name, home = person
    # The package and its interpreter may lie where this user cannot go: a copy of both ways in is put in the home.
    shutil.copytree(PACKAGE / "flatkit", home / "src" / "flatkit", ignore=shutil.ignore_patterns("__pycache__"))
    site = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    shutil.copytree(site, home / "site", symlinks=False, ignore=shutil.ignore_patterns(*NOT_NEEDED))
    subprocess.run(["chown", "-R", f"{name}:", str(home)], check=True)
    python = Path(os.path.realpath(sys.executable))
    if not can_run(python, name):
        python = Path("/usr/bin/python3")

    def flatkit(*words: str) -> subprocess.CompletedProcess[str]:
        env = {
            "HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "FLATKIT_CACHE": os.environ["FLATKIT_CACHE"],
            "PYTHONPATH": f"{home / 'src'}:{home / 'site'}",
        }  # fmt: skip
        command = [python, "-m", "flatkit", *words]
        return subprocess.run(command, env=env, cwd=home, user=name, capture_output=True, text=True, timeout=300)

    done = flatkit("up", "--name", "mine")
    assert done.returncode == 0, done.stderr
    said = flatkit("ssh", "mine", "--", "id -un")
    assert (said.returncode, said.stdout) == (0, "core\n"), said.stderr
    assert (home / ".local/state/flatkit/machines/mine").is_dir()
    assert flatkit("clean", "--yes").returncode == 0
    assert not (home / ".local/state/flatkit/machines/mine").exists()
    assert lab_image.disk.stat().st_mode & 0o222 == 0
