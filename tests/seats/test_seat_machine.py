"""A real machine in a seat: booted from a shared cache by the seat's account, switched off with the seat, and back again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flatkit.emulators import list_emulators
from flatkit.images.lab.build import build_lab_image
from flatkit.paths import cache_dir
from flatkit.seats.accounts import ensure_account, list_accounts, processes_of, remove_account
from flatkit.seats.ending import end_seat, flatkit_as
from flatkit.seats.settings import Settings
from tests.people import person

pytestmark = pytest.mark.vm
BIN = Path(__file__).resolve().parents[2] / ".venv" / "bin"


@pytest.fixture
def settings() -> Iterator[Settings]:
    with person(8):
        pass  # skips where accounts cannot be made, or could not read flatkit
    folder = Path(tempfile.mkdtemp(prefix="flatkit-seat-"))
    image = build_lab_image()
    if not image.disk.stat().st_mode & 0o004 or cache_dir().stat().st_mode & 0o022:
        pytest.skip("other users cannot read the cache of these tests")
    made = Settings(
        folder=folder, seats=1, host="127.0.0.1", port=8000, hub_port=1, api_port=2, room_hash="", trainer_hash="",
        proxy_password="", bin=BIN, cache=cache_dir(), prefix=f"seat-v{os.getpid() % 10000}-",
    )  # fmt: skip
    yield made
    for user in list_accounts(made.prefix):
        remove_account(user)
    shutil.rmtree(folder)


def test_a_machine_ends_with_its_seat_and_comes_back(settings: Settings) -> None:
    user = ensure_account(f"{settings.prefix}ada")

    def flatkit(*words: str) -> str:
        done = subprocess.run(
            flatkit_as(settings, user, *words), capture_output=True, text=True, check=False, cwd="/", timeout=400
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    flatkit("up", "--name", "web")
    flatkit("ssh", "web", "--", "sudo touch /var/kept")
    running = [one for one in list_emulators() if one.uid == user.pw_uid]
    assert [one.memory_mib for one in running] == [1024]
    assert str(settings.cache) in " ".join(running[0].words)
    assert not (Path(user.pw_dir) / ".cache/flatkit/lab").exists()
    assert end_seat(settings, user) == ""
    assert list(processes_of(user.pw_uid)) == []
    assert "stopped" in flatkit("list")
    flatkit("up", "--name", "web")
    assert "kept" in flatkit("ssh", "web", "--", "ls /var")
