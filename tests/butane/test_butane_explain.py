"""The plain words: in order, with reasons, for everything that happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.butane import translate
from flatkit.butane.explain import PHASES, explain, explain_text
from flatkit.cli import main

HEAD = "variant: flatcar\nversion: 1.1.0\n"
ALL = (
    HEAD
    + """\
ignition:
  config:
    merge: [{source: "https://example.com/base.ign"}]
    replace: {inline: '{"ignition":{"version":"3.4.0"}}'}
  security: {tls: {certificate_authorities: [{source: "https://example.com/ca"}]}}
  proxy: {http_proxy: "http://proxy:3128"}
kernel_arguments: {should_exist: [quiet], should_not_exist: [splash]}
passwd:
  groups: [{name: staff}, {name: old, should_exist: false}]
  users:
    - {name: core, ssh_authorized_keys: [ssh-ed25519 A, ssh-ed25519 B], password_hash: $6$x}
    - {name: ada, groups: [docker]}
    - {name: gone, should_exist: false}
storage:
  disks: [{device: /dev/vdb, wipe_table: true, partitions: [{number: 1}]}]
  raid: [{name: md, level: raid1, devices: [/dev/a, /dev/b]}]
  luks: [{name: secret, device: /dev/c}]
  filesystems:
    - {device: /dev/vdb1, format: xfs, path: /data, with_mount_unit: true}
    - {device: /dev/d, format: ext4, wipe_filesystem: true}
    - {device: /dev/e, format: none}
  directories: [{path: /d, mode: 0700, user: {name: core}}]
  files:
    - {path: /f, contents: {inline: a b}, overwrite: true, user: {id: 7}}
    - {path: /g, append: [{inline: x}]}
    - {path: /h, contents: {source: "https://example.com/h", compression: gzip}}
    - {path: /i, contents: {inline: "%s"}}
  links: [{path: /l, target: /f}, {path: /m, target: /f, hard: true}]
systemd:
  units:
    - {name: a.service, enabled: true, contents: "[Install]\\nWantedBy=multi-user.target\\n"}
    - {name: b.service, mask: true, enabled: false}
    - {name: c.service, dropins: [{name: x.conf, contents: "[Unit]\\n"}]}
    - {name: d.service}
"""
    % ("text " * 100)
)


def test_says_everything_in_order() -> None:
    done = translate(ALL)
    assert done.ok, done.report
    sentences = explain(done)
    assert [PHASES.index(s.phase) for s in sentences] == sorted(PHASES.index(s.phase) for s in sentences)
    assert {s.phase for s in sentences} == set(PHASES)
    assert all(s.span is not None for s in sentences)
    assert sentences[0].json_path == ("ignition", "config", "merge", 0)


@pytest.mark.parametrize(
    "words",
    [
        "another config is merged into this one: fetched from https://example.com/base.ign",
        "replace throws everything else",
        'the kernel argument "quiet" is added',
        "the machine reboots once",
        "the disk /dev/vdb gets 1 partition, after its partition table is erased",
        "become the array md (raid1)",
        "encrypted as /dev/mapper/secret",
        "gets an xfs filesystem unless a fitting one is there; files below /data are written onto it",
        "gets a new ext4 filesystem; what was on it is lost",
        "/dev/e is left as it is",
        "the group old is deleted",
        "the user core is set up (Flatcar has it already), and may log in with 2 SSH keys or a password",
        "the user ada is created, joins docker, and cannot log in",
        "the directory /d is made, mode 0700, owned by core",
        "/f is replaced (3 bytes from the config itself), mode 0644, owned by 7",
        "with odd characters as %XX",
        "/g is added to, in 1 piece",
        "fetched from https://example.com/h, unpacked",
        "packed with gzip, since that is shorter",
        "/m becomes a hard link to /f",
        "data.mount is written by Butane, enabled",
        "Ignition writes a preset (enable)",
        "b.service is masked, so that nothing can start it, disabled",
        "c.service is changed by 1 drop-in",
        "d.service is left as it is",
        "Ignition never runs again",
    ],
)
def test_says(words: str) -> None:
    assert words in explain_text(translate(ALL))


def test_an_empty_config_and_a_broken_one() -> None:
    assert "nobody can log in" in explain_text(translate(HEAD))
    assert explain(translate("nonsense")) == ()


def test_the_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.bu").write_text(HEAD + "storage: {files: [{path: /a, mode: 644, contents: {local: x}}]}\n")
    (here / "x").write_text("hello")
    assert main(["explain", "a.bu", "-d", "."]) == 0
    out, err = capsys.readouterr()
    assert "/a is written (5 bytes from the config itself)" in out
    assert "[mode-not-octal]" in err
    assert "Fix: write 0644" in err
    assert main(["explain", "a.bu"]) == 1
    assert "[no-files-dir]" in capsys.readouterr().err
    assert main(["explain", "missing.bu"]) == 1
    assert '"missing.bu"' in capsys.readouterr().err
    assert main(["explain", "a.bu", "b.bu"]) == 2
    assert main(["explain", "--bogus"]) == 2
    assert main(["explain", "--help"]) == 0
    assert "Usage: flatkit explain" in capsys.readouterr().out
