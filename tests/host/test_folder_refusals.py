"""Folders that a user may not write: what they are told to take is theirs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import people
import pytest

from flatkit import accounts


@pytest.mark.parametrize("environment", [{"HOME": "/"}, {"HOME": ""}, {"HOME": "~"}], ids=str)
def test_a_user_without_an_entry_is_told_to_take_nothing(
    ada: people.Person, tmp_path: Path, environment: dict[str, str]
) -> None:
    """`sudo chown -R 4242: /` would give this user the host. And no folder "~" or ".config" appears where they are."""
    stranger = people.Person(name="user 4242", uid=4242, gid=4242, home=Path("/"))
    said = stranger.each("up", "list", "doctor", "course --copy-only", **environment)
    assert len(said) == 4
    for command, words in said.items():
        for word in ("chown", "chmod", "Traceback", "fault in flatkit"):
            assert word not in words, (command, words)
    assert "Next: export " in said["up"]


@pytest.mark.parametrize(
    ("home", "path", "owner", "cure"),
    [
        ("mine", "mine/.local", 0, "sudo chown -R "),
        ("mine", "mine/.local", 4242, "chmod -R u+rwX "),
        ("mine", "mine", 0, "ls -ld "),
        ("mine", "other/x", 0, "ls -ld "),
        ("of-root", "of-root/x", 0, "ls -ld "),  # such as /usr/sbin, the home of "daemon"
        (None, "mine/x", 0, "ls -ld "),
    ],
)
def test_what_a_user_is_told_to_take(
    home: str | None, path: str, owner: int, cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"mine": 4242, "of-root": 0}
    monkeypatch.setattr(accounts, "my_uid", lambda: 4242)
    monkeypatch.setattr(accounts, "home_of", lambda _: home and tmp_path / home)
    monkeypatch.setattr(Path, "stat", lambda self, **_: SimpleNamespace(st_uid=about[self.name]))
    obstacle = accounts.Obstacle(path=tmp_path / path, uid=owner, gid=owner, mode=0o700)
    assert obstacle.cure.startswith(cure)
