"""Who will be able to log in, told from the config alone."""

from __future__ import annotations

from typing import Any

import pytest

from flatkit.butane import translate
from flatkit.butane.foresight import find_lockouts, has_way_in

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZha2UgZmFrZSBmYWtlIGZha2UgZmFrZSBmYWtlIGZh ada"


def ignition_of(text: str) -> dict[str, Any]:
    result = translate(f"variant: flatcar\nversion: 1.0.0\n{text}")
    assert result.ignition is not None, result.report
    return result.ignition


@pytest.mark.parametrize(
    ("text", "way_in"),
    [
        ("", False),
        ("passwd: {users: [{name: core}]}", False),
        (f"passwd: {{users: [{{name: core, ssh_authorized_keys: ['{KEY}']}}]}}", True),
        ("passwd: {users: [{name: ada, password_hash: $6$x$y}]}", True),
        ("storage: {files: [{path: /home/core/.ssh/authorized_keys.d/mine, contents: {inline: x}}]}", True),
        ("ignition: {config: {merge: [{source: 'https://example.com/base.ign'}]}}", True),
    ],
)
def test_whether_the_config_lets_somebody_in(text: str, way_in: bool) -> None:
    assert has_way_in(ignition_of(text)) == way_in


@pytest.mark.parametrize(
    ("text", "words", "path"),
    [
        ("passwd: {users: [{name: core, should_exist: false}]}", "is removed", ("passwd", "users", 0, "shouldExist")),
        ("passwd: {users: [{name: core, shell: /usr/sbin/nologin}]}", "has no shell", ("passwd", "users", 0, "shell")),
        ("systemd: {units: [{name: sshd.socket, mask: true}]}", "is masked", ("systemd", "units", 0, "mask")),
        ("systemd: {units: [{name: sshd.socket, enabled: false}]}", "is disabled", ("systemd", "units", 0, "enabled")),
        (
            "storage: {files: [{path: /etc/ssh/sshd_config.d/x.conf, contents: {inline: PubkeyAuthentication no}}]}",
            "take no keys",
            ("storage", "files", 0, "contents"),
        ),
    ],
)
def test_what_locks_everyone_out(text: str, words: str, path: tuple[str | int, ...]) -> None:
    (lockout,) = find_lockouts(ignition_of(text))
    assert words in lockout.words
    assert lockout.path == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "passwd: {users: [{name: ada, should_exist: false}]}",
        "passwd: {users: [{name: core, shell: /bin/bash}]}",
        "systemd: {units: [{name: sshd.service, enabled: true}, {name: docker.service, mask: true}]}",
        "storage: {files: [{path: /etc/ssh/sshd_config, contents: {source: 'https://example.com/x'}}]}",
    ],
)
def test_what_locks_nobody_out(text: str) -> None:
    assert list(find_lockouts(ignition_of(text))) == []
