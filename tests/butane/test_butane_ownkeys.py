"""The fix for a config that lets nobody in: the learner's own key, or none."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from flatkit.butane import translate
from flatkit.butane.lint import lint
from flatkit.butane.ownkeys import find_public_key, is_public_key
from flatkit.butane.quickfix import apply_edit
from flatkit.report import Entry

HEAD = "variant: flatcar\nversion: 1.1.0\n"


def make_key(kind: str, comment: str = "ada@desk") -> str:
    blob = len(kind).to_bytes(4, "big") + kind.encode() + (32).to_bytes(4, "big") + bytes(range(32))
    return f"{kind} {base64.b64encode(blob).decode()} {comment}"


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The learner's ~/.ssh, empty, without an agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    folder = tmp_path / ".ssh"
    folder.mkdir()
    return folder


def no_way_in(text: str) -> Entry:
    return next(entry for entry in lint(translate(HEAD + text)) if entry.code == "no-way-in")


def test_a_key_must_have_its_type_inside() -> None:
    assert is_public_key(make_key("ssh-ed25519"))
    assert is_public_key(make_key("sk-ssh-ed25519@openssh.com", ""))
    for text in (
        "ssh-ed25519 AAAA... you@laptop",
        "ssh-rsa AAAAB3NzaC1yc...",
        "ssh-rsa " + make_key("ssh-ed25519").split()[1],
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        make_key("ssh-ed25519", "a\x1b[31m"),
        "ssh-ed25519",
        "",
    ):
        assert not is_public_key(text)


def test_without_a_key_nothing_is_offered_and_the_learner_is_asked(ssh: Path) -> None:
    (ssh / "id_rsa.pub").write_text("ssh-rsa AAAA... you@laptop\n")
    entry = no_way_in("storage: {}\n")
    assert entry.edits == ()
    assert "ssh-keygen -t ed25519" in entry.teach


def test_the_best_of_several_keys_is_found(ssh: Path) -> None:
    for name, kind in (("a", "ssh-rsa"), ("id_rsa", "ssh-rsa"), ("id_ed25519", "ssh-ed25519")):
        (ssh / f"{name}.pub").write_text(make_key(kind, name) + "\n")
    (ssh / "id_ed25519-cert.pub").write_text(make_key("ssh-ed25519-cert-v01@openssh.com"))
    assert find_public_key() == make_key("ssh-ed25519", "id_ed25519")
    (ssh / "id_ed25519.pub").unlink()
    assert find_public_key() == make_key("ssh-rsa", "id_rsa")


def test_a_key_of_the_agent_is_found(ssh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "ssh-add"
    fake.write_text(f"#!/bin/sh\necho '{make_key('ssh-ed25519', 'agent')}'\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    assert find_public_key().endswith(" agent")


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        ("storage: {}\n", "passwd:\n  users:\n    - name: core\n      ssh_authorized_keys:\n        - KEY\n"),
        ("passwd:\n  users:\n    - name: core\n", "    - name: core\n      ssh_authorized_keys:\n        - KEY"),
        (
            "passwd:\n  users:\n    - name: core\n      ssh_authorized_keys:\n",
            "      ssh_authorized_keys:\n        - KEY",
        ),
        (
            "passwd:\n  users:\n    - name: ops\n      shell: /bin/false\n",
            "      shell: /bin/false\n    - name: core\n      ssh_authorized_keys:\n        - KEY",
        ),
        ("passwd:\n  groups:\n    - name: ops\n", "  users:\n    - name: core\n"),
        ("passwd: {users: [{name: core}]}\n", "{name: core, ssh_authorized_keys: [KEY]}"),
    ],
)
def test_the_own_key_is_written_where_it_belongs(ssh: Path, text: str, gives: str) -> None:
    key = make_key("ssh-ed25519", "ada: desk #1")
    (ssh / "id_ed25519.pub").write_text(key + "\n")
    [edit] = no_way_in(text).edits
    fixed = apply_edit(HEAD + text, edit)
    assert gives.replace("KEY", f"'{key}'") in fixed
    done = translate(fixed)
    assert key in [one for user in done.values["passwd"]["users"] for one in user.get("ssh_authorized_keys", ())]
    assert not [left for left in lint(done) if left.code == "no-way-in"]


def test_nobody_with_a_shell_is_not_solved_by_a_key(ssh: Path) -> None:
    (ssh / "id_ed25519.pub").write_text(make_key("ssh-ed25519"))
    assert no_way_in("passwd:\n  users:\n    - name: core\n      shell: /sbin/nologin\n").edits == ()
