"""Who will be able to log in, told from the config alone."""

from __future__ import annotations

from typing import Any

import pytest

from flatkit.butane import translate
from flatkit.butane.access import allows_login, find_lockouts
from flatkit.butane.lint import lint

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZha2UgZmFrZSBmYWtlIGZha2UgZmFrZSBmYWtlIGZh ada"


def ignition_of(text: str) -> dict[str, Any]:
    result = translate(f"variant: flatcar\nversion: 1.0.0\n{text}")
    assert result.ignition is not None, result.report
    return result.ignition


def file(path: str, text: str = KEY) -> str:
    return f"{{path: {path}, contents: {{inline: '{text}'}}}}"


def files(*items: str) -> str:
    return f"storage: {{files: [{', '.join(items)}]}}"


@pytest.mark.parametrize(
    ("text", "way_in"),
    [
        ("", False),
        ("passwd: {users: [{name: core}]}", False),
        (f"passwd: {{users: [{{name: core, ssh_authorized_keys: ['{KEY}']}}]}}", True),
        (f"passwd: {{users: [{{name: ada, shell: /sbin/nologin, ssh_authorized_keys: ['{KEY}']}}]}}", False),
        (f"passwd: {{users: [{{name: ada, should_exist: false, ssh_authorized_keys: ['{KEY}']}}]}}", False),
        ("passwd: {users: [{name: core, ssh_authorized_keys: ['']}]}", False),
        ("passwd: {users: [{name: ada, password_hash: $6$x$y}]}", True),
        ("passwd: {users: [{name: ada, password_hash: '*'}]}", False),
        ("passwd: {users: [{name: ada, password_hash: '!$6$x$y'}]}", False),
        (files(file("/home/core/.ssh/authorized_keys.d/mine")), True),
        # What is no whole key, and what sshd, which reads as the user, may not read.
        (files(file("/home/core/.ssh/authorized_keys", "ssh-ed25519 AAAA... you@laptop")), False),
        (files(file("/home/core/.ssh/authorized_keys", "hello")), False),
        (files(f"{{path: /home/core/.ssh/authorized_keys, mode: 0600, contents: {{inline: '{KEY}'}}}}"), False),
        (
            files(
                f"{{path: /home/core/.ssh/authorized_keys, mode: 0600, user: {{name: core}}, contents: {{inline: '{KEY}'}}}}"
            ),
            True,
        ),
        ("passwd: {users: [{name: core, ssh_authorized_keys: ['ssh-rsa AAAAB3NzaC1yc...']}]}", False),
        ("passwd: {users: [{name: core, password_hash: hunter2}]}", False),
        (f"passwd: {{users: [{{name: ada, shell: /usr/bin/zsh, ssh_authorized_keys: ['{KEY}']}}]}}", False),
        (files(file("/home/core/.ssh/authorized_keys")), True),
        (files(file("/home/core/.ssh/authorized_keys", " ")), False),
        (files("{path: /home/core/.ssh/authorized_keys}"), False),
        (files("{path: /home/core/.ssh/authorized_keys, append: [{inline: '" + KEY + "'}]}"), True),
        (files("{path: /home/core/.ssh/authorized_keys, contents: {source: 'https://example.com/k'}}"), True),
        ("storage: {links: [{path: /home/core/.ssh/authorized_keys, target: /etc/keys}]}", True),
        # sshd does not read these.
        (files(file("/opt/docs/authorized_keys.txt")), False),
        (files(file("/etc/authorized_keys")), False),
        (files(file("/home/core/.ssh/authorized_keys.bak")), False),
        (files(file("/home/ada/.ssh/authorized_keys")), False),
        (files(file("/srv/home/core/.ssh/authorized_keys")), False),
        (files(file("/home/core/.ssh/authorized_keys.d/old/mine")), False),
        ("passwd: {users: [{name: ada, home_dir: '/srv/[a]'}]}\n" + files(file("/srv/a/.ssh/authorized_keys")), False),
        (
            "passwd: {users: [{name: core, should_exist: false}]}\n" + files(file("/home/core/.ssh/authorized_keys")),
            False,
        ),
        (
            "passwd: {users: [{name: core, shell: /bin/false}]}\n" + files(file("/home/core/.ssh/authorized_keys")),
            False,
        ),
        # They are read where the user or the server's configuration says so.
        ("passwd: {users: [{name: ada}]}\n" + files(file("/home/ada/.ssh/authorized_keys")), True),
        ("passwd: {users: [{name: ada, home_dir: /srv/a}]}\n" + files(file("/srv/a/.ssh/authorized_keys")), True),
        ("passwd: {users: [{name: ada, home_dir: /srv/a}]}\n" + files(file("/home/ada/.ssh/authorized_keys")), False),
        ("passwd: {users: [{name: root}]}\n" + files(file("/root/.ssh/authorized_keys")), True),
        (files(file("/etc/keys/core"), file("/etc/ssh/sshd_config.d/k.conf", "AuthorizedKeysFile /etc/keys/%u")), True),
        (
            files(file("/etc/keys/core"), file("/etc/ssh/sshd_config.d/k.conf", "#AuthorizedKeysFile /etc/keys/%u")),
            False,
        ),
        (files(file("/etc/keys/core"), file("/etc/ssh/sshd_config.d/k.txt", "AuthorizedKeysFile /etc/keys/%u")), False),
        (files(file("/home/core/.keys"), file("/etc/ssh/sshd_config", 'authorizedkeysfile = "%h/.keys"')), True),
        (files(file("/home/core/.keys"), file("/etc/ssh/sshd_config", "AuthorizedKeysFile none")), False),
        (files(file("/etc/ssh/sshd_config.d/ca.conf", "TrustedUserCAKeys /etc/ssh/ca.pub")), True),
        (files(file("/etc/ssh/sshd_config.d/ca.conf", "AuthorizedKeysCommand /opt/keys")), True),
        (files("{path: /etc/ssh/sshd_config, contents: {source: 'https://example.com/c'}}"), True),
        ("ignition: {config: {merge: [{source: 'https://example.com/base.ign'}]}}", True),
        ("ignition: {config: {replace: {source: 'https://example.com/base.ign'}}}", True),
    ],
)
def test_whether_the_config_lets_somebody_in(text: str, way_in: bool) -> None:
    """One rule: what `flatkit up` says before it boots, and what the editor notes."""
    assert allows_login(ignition_of(text)) == way_in
    notes = {entry.code for entry in lint(translate(f"variant: flatcar\nversion: 1.0.0\n{text}"))}
    assert ("no-way-in" in notes) == (not way_in)


@pytest.mark.parametrize(
    ("text", "words", "path"),
    [
        ("passwd: {users: [{name: core, should_exist: false}]}", "is removed", ("passwd", "users", 0, "shouldExist")),
        ("passwd: {users: [{name: core, shell: /usr/sbin/nologin}]}", "has no shell", ("passwd", "users", 0, "shell")),
        ("systemd: {units: [{name: sshd.socket, mask: true}]}", "is masked", ("systemd", "units", 0, "mask")),
        ("systemd: {units: [{name: sshd.socket, enabled: false}]}", "is disabled", ("systemd", "units", 0, "enabled")),
        (
            "storage: {files: [{path: /etc/ssh/sshd_config.d/x.conf, contents: {inline: PubkeyAuthentication no}}]}",
            "accept no keys",
            ("storage", "files", 0, "contents"),
        ),
        (
            'storage: {files: [{path: /etc/ssh/sshd_config, contents: {inline: "pubkeyauthentication=No"}}]}',
            "accept no keys",
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
        "storage: {files: [{path: /etc/ssh/sshd_config.d/x.conf, contents: {inline: '#PubkeyAuthentication no'}}]}",
        "storage: {files: [{path: /etc/ssh/sshd_config.d/x.md, contents: {inline: 'PubkeyAuthentication no'}}]}",
        'storage: {files: [{path: /etc/ssh/sshd_config, contents: {inline: "Match User a\\nPubkeyAuthentication no"}}]}',
    ],
)
def test_what_locks_nobody_out(text: str) -> None:
    assert list(find_lockouts(ignition_of(text))) == []
