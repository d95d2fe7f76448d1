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
  security: {tls: {certificate_authorities: [{source: "https://example.com/ca"}]}}
  proxy: {http_proxy: "http://proxy:3128"}
kernel_arguments: {should_exist: [quiet], should_not_exist: [splash]}
passwd:
  groups: [{name: staff}, {name: old, should_exist: false}]
  users:
    - name: core
      ssh_authorized_keys:
        - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZha2UgZmFrZSBmYWtlIGZha2UgZmFrZSBmYWtlIGZh ada
        - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZha2UgZmFrZSBmYWtlIGZha2UgZmFrZSBmYWtlIGZh bob
      password_hash: $6$x
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
    - {name: a.service, enabled: true, contents: "[Service]\\nExecStart=/bin/a\\n[Install]\\nWantedBy=multi-user.target\\n"}
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
        "Another config is merged into this one: fetched from https://example.com/base.ign.",
        'The kernel argument "quiet" is added to /oem/grub.cfg unless it is there.',
        "If that changes anything, the machine reboots once",
        "The disk /dev/vdb gets 1 partition, after its partition table is erased.",
        "2 devices become the array /dev/md/md (raid1).",
        "encrypted as /dev/mapper/secret",
        "gets an xfs filesystem unless a fitting one is there; files below /data are written onto it",
        "gets a new ext4 filesystem; what was on it is lost",
        "/dev/e is left as it is; if a filesystem is on it, the boot fails.",
        "The group old is deleted.",
        "The user core, which Flatcar has already, may log in with 2 SSH keys or a password.",
        "The user ada is created, joins docker, and cannot log in by this config alone.",
        "The directory /d is made, with mode 0700 and owner core.",
        "The file /f is replaced (3 bytes from the config itself), with mode 0644 and owner 7.",
        "with odd characters as %XX",
        "The file /g gets 1 piece of text added at its end.",
        "fetched from https://example.com/h, unpacked",
        "packed with gzip, since that is shorter",
        "The hard link /m to /f is made.",
        "The unit data.mount is written by Butane and enabled: it is mounted at every boot.",
        "Ignition writes a preset (enable)",
        "The unit b.service is masked, so that nothing can start it.",
        "The unit c.service is changed by 1 drop-in: that has an effect if the image has it.",
        "The unit d.service is left as it is.",
        "Ignition does not run again on this machine, unless flatcar-reset asks for it",
    ],
)
def test_says(words: str) -> None:
    assert words in explain_text(translate(ALL))


CONFIGS = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.bu"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_an_example_reads_well_aloud(path: Path) -> None:
    """Whole sentences, one line for each thing, in the order in which things happen, nothing said twice."""
    done = translate(path.read_bytes(), files_dir=path.parent / "files")
    sentences = explain(done)
    assert [PHASES.index(s.phase) for s in sentences] == sorted(PHASES.index(s.phase) for s in sentences)
    for words in (s.text for s in sentences):
        assert words[0].isupper()
        assert words.endswith(".")
        assert "\n" not in words
        assert "  " not in words
        # Addresses and paths may be long; the words around them are not.
        assert len([word for word in words.split() if "/" not in word]) <= 24, words
    reasons = [s.reason for s in sentences if s.reason]
    assert len(reasons) == len(set(reasons))
    assert all(reason[0].isupper() or reason.startswith("replace") for reason in reasons)
    assert all(reason.endswith(".") for reason in reasons)
    items = [s.json_path for s in sentences]
    assert len(items) == len(set(items))
    text = explain_text(done)
    assert text.startswith("On the first boot")
    assert text.endswith("unless flatcar-reset asks for it: to change the config, make a new machine.\n")


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (
            "{name: a.service, enabled: true, contents: 'X[Install]\n\n  WantedBy=graphical.target'}",
            "it starts whenever graphical.target does",
        ),
        (
            "{name: a.service, enabled: true, contents: 'X[Install]\n\n  WantedBy=multi-user.target'}",
            "it starts at every boot.",
        ),
        (
            "{name: a.service, enabled: true, contents: '[Unit]\n\n  ConditionFirstBoot=yes\n\n  XYZ'}",
            "it starts at the first boot only.",
        ),
        (
            "{name: a.service, enabled: true, contents: '[Unit]\n\n  ConditionHost=a\n\n  XYZ'}",
            "it starts at every boot at which its conditions hold.",
        ),
        (
            "{name: a@.service, enabled: true, contents: 'X[Install]\n\n  WantedBy=multi-user.target'}",
            "nothing starts without an instance",
        ),
        (
            "{name: a.service, enabled: false, contents: 'X[Install]\n\n  WantedBy=multi-user.target'}",
            "it does not start by itself",
        ),
        ("{name: docker.service, enabled: true}", "it starts at every boot if its extension is there in time"),
        ("{name: containerd.service, enabled: true}", "is enabled: it starts at every boot."),
        ("{name: update-engine.service, enabled: false}", "that changes nothing, since the image starts it"),
        (
            "{name: a.timer, enabled: true, contents: '[Timer]\n\n  OnUnitActiveSec=1\n\n  YZ'}, {name: a.service, contents: 'X'}",  # noqa: E501
            "it never starts a.service",
        ),
        (
            "{name: a.timer, enabled: true, contents: '[Timer]\n\n  OnUnitActiveSec=1h\n\n  OnBootSec=1\n\n  YZ'}",
            "from every boot on it starts a.service",
        ),
        (
            "{name: a b.service, enabled: true, contents: 'X[Install]\n\n  WantedBy=multi-user.target'}",
            "systemd refuses it",
        ),
        (
            "{name: a.timer, enabled: false, contents: '[Timer]\n\n  OnBootSec=1\n\n  YZ'}, {name: a.service, contents: 'X'}",
            "The unit a.service is written: nothing here starts it.",
        ),
        (
            "{name: a.timer, enabled: true, contents: '[Timer]\n\n  OnCalendar=daily\n\n  YZ'}, {name: a.service, mask: true}",
            "it starts a.service (OnCalendar=daily), which is masked.",
        ),
        (
            "{name: a.service, enabled: true, contents: 'X[Install]\n\n  Alias=b.service'}",
            "when something asks for b.service.",
        ),
        ("{name: sshd@.service, enabled: true}", "so nothing starts without an instance"),
        ("{name: boot.mount, enabled: true}", "enabling does nothing, since the image's unit has no [Install] section"),
        ("{name: mine.timer, enabled: true}", "if the image has it"),
        ("{name: reboot.target, enabled: true}", "it starts when what wants it is started."),
        (
            "{name: a.timer, enabled: true, contents: '[Timer]\n\n  OnCalendar=daily\n\n  YZ'}",
            "it starts a.service (OnCalendar=daily)",
        ),
        (
            "{name: a.socket, enabled: true, contents: '[Socket]\n\n  ListenStream=80\n\n  YZ'}, {name: a.service, contents: a}",
            "starts a.service when somebody connects, which systemd refuses",
        ),
    ],
)
def test_when_a_unit_starts(unit: str, words: str) -> None:
    text = unit.replace("X[", "X\n\n  [").replace("YZ", "\n\n  [Install]\n\n  WantedBy=multi-user.target")
    text = text.replace("X", "[Service]\n\n  ExecStart=/bin/true")
    done = translate(f"{HEAD}systemd:\n  units: [{text}]\n")
    assert done.ok, done.report
    assert words in explain_text(done)


def test_an_empty_config_and_a_broken_one() -> None:
    assert "nobody can log in over SSH" in explain_text(translate(HEAD))
    assert explain(translate("nonsense")) == ()


def test_the_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.bu").write_text(HEAD + "storage: {files: [{path: /a, mode: 644, contents: {local: x}}]}\n")
    (here / "x").write_text("hello")
    assert main(["explain", "a.bu", "-d", "."]) == 0
    out, err = capsys.readouterr()
    assert (
        "The file /a is written (5 bytes from the config itself), with mode 0204 (the special bits of 1204 are dropped)."
        in out
    )
    assert "[mode-not-octal]" in err
    assert "Fix: write 0644" in err
    assert main(["explain", "a.bu"]) == 1
    assert "[no-files-dir]" in capsys.readouterr().err
    assert main(["explain", "missing.bu"]) == 1
    assert '"missing.bu"' in capsys.readouterr().err
    (here / "c.bu").write_text(HEAD + "storage: {files: [{path: /tmp/a, contents: {inline: a}}]}\n")
    assert main(["explain", "c.bu"]) == 0
    assert "[path-volatile]" in capsys.readouterr().err
    assert main(["explain", "c.bu", "--ignore", "path-volatile,no-way-in"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["explain", "a.bu", "b.bu"]) == 2
    assert main(["explain", "--bogus"]) == 2
    assert main(["explain", "--help"]) == 0
    assert "Usage: flatkit explain" in capsys.readouterr().out


def test_of_a_replaced_config_nothing_else_is_promised() -> None:
    text = f"{HEAD}ignition: {{config: {{replace: {{source: 'https://example.com/a'}}}}}}\n"
    text += "kernel_arguments: {should_exist: [a]}\n"
    said = explain_text(translate(f"{text}storage: {{files: [{{path: /a, contents: {{inline: a}}}}]}}\n"))
    assert "replace throws everything else in this config away" in said
    assert "/a is written" not in said
    assert "kernel" not in said


def test_two_services_of_one_bus_name_are_not_both_promised() -> None:
    lines = ("[Service]", "ExecStart=/bin/a", "BusName=a.b", "[Install]", "WantedBy=multi-user.target")
    units = [f"{{name: {name}, enabled: true, contents: '{'LF'.join(lines)}'}}" for name in ("x.service", "y.service")]
    said = explain_text(translate(f"{HEAD}systemd: {{units: [{', '.join(units)}]}}\n".replace("LF", "\n\n  ")))
    assert "systemd refuses either it or y.service, since both have BusName=a.b" in said
    assert "at every boot" not in said


def test_a_program_that_cannot_run_ends_the_promise() -> None:
    file = "storage: {files: [{path: /opt/a, contents: {inline: a}}]}"
    unit = "contents: '[Service]\n\n  ExecStart=/opt/a\n\n  [Install]\n\n  WantedBy=multi-user.target'"
    said = explain_text(translate(f"{HEAD}{file}\nsystemd: {{units: [{{name: a.service, enabled: true, {unit}}}]}}\n"))
    assert "it is to start at every boot" in said
    assert said.count("its mode 0644 lets nobody run it") == 2
