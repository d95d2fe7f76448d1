"""More mistakes that people make: what they read, and what the first edits write."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.butane import translate
from flatkit.butane.explain import explain_text
from flatkit.butane.lint import lint
from flatkit.butane.quickfix import apply_edit
from flatkit.butane.render import render_taught
from flatkit.report import Edit

HEAD = "variant: flatcar\nversion: 1.1.0\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0k3yqzYc0u1mJ7m8dY2o6yq0q0m7a8i0Yx9b3fQ1aB me@desk"
USER = f"{HEAD}passwd:\n  users:\n    - name: core\n      ssh_authorized_keys: [{KEY}]\n"
FILE = f"{USER}storage:\n  files:\n    - path: /opt/a\n"
UNIT = f"{USER}systemd:\n  units:\n    - name: a.service\n"
SUM = "3b1fbb7f0a8e1b6ac2b4ef2c0d7a6ba0d0bba80b5a0e9bb2ab64ab8f5f2fd6d7"
SERVICE = "        [Unit]\n        Description=a\n        [Service]\n        ExecStart=/bin/true\n"

TEXT = f"{FILE}      contents:\n        inline:\n          #!/bin/sh\n          a: b\n          c\n"
SPACE = f"{UNIT}      contents: |\n        [Service]\n        ExecStart=/bin/a \\ \n        b\n"
HASH = f"{FILE}      contents: {{source: 'https://x.org/a', verification: {{hash: '{SUM}  a'}}}}\n"
REMOTE = (
    f"{FILE}      contents:\n        remote:\n          url: https://x.org/a\n          verification:\n"
    "            hash: {function: sha512, sum: 3b1fbb}\n"
)
ROWS = (
    # A text without |, with > in its place, or with \\n in quotes that keep it.
    (f"{UNIT}      contents:\n{SERVICE}", "are a text: write contents: |", "contents: |\n        [Unit]"),
    (TEXT, "write inline: |", "inline: |\n"),
    (f"{UNIT}      contents: >\n{SERVICE}", "The sign > joins the lines", "contents: |\n"),
    (f"{UNIT}      contents: '[Service]\\nExecStart=/bin/true'\n", "stays two characters", ""),
    # The line of a unit that is broken.
    (f"{UNIT}      contents: |\n        [Service]\n        ExecStart\n", 'Line 2 of the text, "ExecStart", has no =', ""),
    (SPACE, "ends with a backslash and a space", ""),
    (f"{UNIT}      contents: |\n        [Service] # main\n        ExecStart=/bin/a\n", "a section is [Name], alone", ""),
    # What a merge key and an anchor of one's own do.
    (f"{HEAD}x-a: &a\n  mode: 0755\nstorage:\n  files:\n    - path: /opt/a\n      <<: *a\n", "The merge works all the same", ""),
    (f"{HEAD}x-a: &a\n  mode: 0755\nstorage:\n  files:\n    - path: /opt/a\n      <<: *a\n", "its anchor &a works", ""),
    # Numbers and lists.
    (f"{FILE}      mode: 0888\n", "the digits 0 to 7 only", ""),
    (f"{USER}      groups: docker, sudo\n", "groups:\n      - docker\n      - sudo", "groups: [docker, sudo]"),
    (
        f"{USER}storage:\n  filesystems:\n    - device: /dev/vdb\n      format: ext4\n      options: -E nodiscard\n",
        "- -E\n      - nodiscard",
        "options: ['-E', nodiscard]",
    ),
    (f"{USER}storage:\n  filesystems:\n    - {{device: /dev/vdb, format: FAT32}}\n", "Ignition makes", "format: vfat"),
    (HASH, "A hash is", f"hash: sha256-{SUM}"),
    (REMOTE, "has 6 digits, and a sha512 has 128", ""),
    (f"{USER}ignition: {{proxy: {{http_proxy: 'proxy:3128'}}}}\n", "the whole URL of the proxy", "http_proxy: http://proxy:3128"),
    (f"{USER}ignition: {{proxy: {{http: 'http://proxy:3128'}}}}\n", "Did you mean http_proxy", "http_proxy: 'http://proxy"),
    (f"{FILE}      contents: {{inline: *.example.org}}\n", "needs quotes", ""),
    (f"{FILE}      contents:\n        inline: *.example.org\n", "needs quotes", "inline: '*.example.org'"),
    # Ansible's link: src is the target, dest the link. A key that is meant is named though there is no edit.
    (f"{USER}storage:\n  links:\n    - {{src: /srv/a, dest: /opt/b}}\n", "Did you mean path", "{target: /srv/a, path: /opt/b}"),
    (f"{UNIT}      drop-ins:\n        - {{name: a, contents: '[Unit]'}}\n", "Did you mean dropins", ""),
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def fix_all(text: str) -> str:
    for _ in range(9):
        edits: list[Edit] = [entry.edits[0] for entry in lint(translate(text)) if entry.edits]
        if not edits:
            return text
        text = apply_edit(text, edits[0])
    raise AssertionError("the fixes do not end")


@pytest.mark.parametrize(("text", "says", "gives"), ROWS, ids=[f"{at}-{row[1][:30]}" for at, row in enumerate(ROWS)])
def test_what_is_read_and_written(text: str, says: str, gives: str) -> None:
    done = translate(text)
    assert says in render_taught(done, lint(done))
    fixed = fix_all(text)
    assert (fixed != text) == bool(gives)
    assert gives in fixed


@pytest.mark.parametrize(
    "key", ["ssh-rsa AAAAB3NzaC1yc2E... me@example.com", "ssh-ed25519 AAAB", "YOUR_KEY", "'---- BEGIN SSH2'"]
)
def test_a_placeholder_gives_way_to_the_learners_own_key(key: str, tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519.pub").write_text(f"{KEY}\n")
    text = f"{HEAD}passwd:\n  users:\n    - name: core\n      ssh_authorized_keys:\n        - {key}\n"
    fixed = fix_all(text)
    assert f"ssh_authorized_keys: [{KEY}]" in fixed
    assert key not in fixed
    assert lint(translate(fixed)).entries == ()


def test_two_keys_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519.pub").write_text(f"{KEY}\n")
    text = f"{HEAD}passwd: {{users: [{{name: core, ssh_authorized_keys: [bad, {KEY}]}}]}}\n"
    assert fix_all(text) == text


@pytest.mark.parametrize(
    ("section", "begins"),
    [
        ("systemd: {units: [{name: docker.service, enabled: true}]}", "Ignition hands units to systemd:\n  - The unit"),
        ("kernel_arguments: {should_exist: [quiet]}", "Ignition looks at the kernel command line:\n  - The kernel"),
        (
            "storage: {directories: [{path: /opt/a}]}",
            "Ignition writes directories, files and links:\n  - The directory",
        ),
        ("ignition: {config: {merge: [{source: 'https://x.org/a'}]}}", "Ignition fetches:\n  - Another config"),
    ],
)
def test_the_first_thing_begins_the_explanation(section: str, begins: str) -> None:
    read = explain_text(translate(f"{HEAD}{section}\n"))
    assert read.startswith(f"On the first boot, before anything else starts, {begins}")
