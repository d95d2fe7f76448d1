"""Mistakes that people make: what they read, and what the suggested edits write. The configs are in field/.

Each row is one of a kind; the second table has more of the same kinds, written out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from flatkit.butane import translate
from flatkit.butane.lint import lint
from flatkit.butane.quickfix import apply_edit
from flatkit.butane.render import render_taught
from flatkit.report import Kind

FIELD = Path(__file__).with_name("field")
HEAD = "variant: flatcar\nversion: 1.1.0\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0k3yqzYc0u1mJ7m8dY2o6yq0q0m7a8i0Yx9b3fQ1aB me@desk"
USER = f"{HEAD}passwd:\n  users:\n    - name: core\n      ssh_authorized_keys:\n        - {KEY}\n"
SUM = "function: sha256, sum: 3b1fbb7f0a8e1b6ac2b4ef2c0d7a6ba0d0bba80b5a0e9bb2ab64ab8f5f2fd6d7"
SHA = "3b1fbb7f0a8e1b6ac2b4ef2c0d7a6ba0d0bba80b5a0e9bb2ab64ab8f5f2fd6d7"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A case; the words that must and must not be read; what the text contains once all first edits are applied."""

    case: str
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    has_fix: bool = True


ROWS = (
    Row(case="01-enable-true.bu", says=("Did you mean enabled?",), gives=("      enabled: true\n",)),
    Row(case="04-networkd-section.bu", says=("/etc/systemd/network/10-lan.network", "storage:"), has_fix=False),
    Row(case="05-clc-no-variant.bu", says=("Container Linux Config",), has_fix=False),
    Row(
        case="06-clc-with-variant.bu",
        says=("/etc/flatcar/update.conf", "REBOOT_STRATEGY", "verification:", "hash: sha512-"),
        never=("Did you mean source",),
        gives=("mode: 0755",),
    ),
    Row(
        case="14-keys-as-scalar.bu",
        says=('A list is wanted here, and this is a single value: begin each entry with "- ".',),
        gives=(f'ssh_authorized_keys: ["{KEY}"]',),
    ),
    Row(case="18-unit-no-suffix.bu", says=(".service",), gives=("- name: web.service",)),
    Row(
        case="20-mode-decimal.bu",
        says=("leading zero",),
        gives=("mode: 0644\n      contents: {inline: a}\n    - path",),
    ),
    Row(case="22b-hostname-section.bu", says=("/etc/hostname",), has_fix=False),
    Row(case="29b-user-unit-scope.bu", says=("/etc/systemd/user",), has_fix=False),
    Row(case="30-owner-string.bu", gives=("user: {name: core}", "group: {name: core}", "contents: {inline: hello}")),
    Row(case="31-go-template.bu", says=("template that was not filled in", "Go's templates"), has_fix=False),
    Row(case="31c-jinja-hostname.bu", says=('"{{ hostname }}" is a template', "Jinja"), has_fix=False),
    Row(case="31d-terraform-hostname.bu", says=('"${ssh_key}"', '"${hostname}"', "Terraform"), has_fix=False),
    Row(case="32-percent-at-start.bu", says=("needs quotes",), gives=("inline: '%wheel ALL=(ALL) NOPASSWD: ALL'",)),
    Row(
        case="33-inline-not-indented.bu",
        says=("The text below inline: (line 13) has to be indented deeper", "lines 15 to 16 are not"),
        never=("A key needs a colon",),
        gives=("          #!/bin/bash\n          echo start\n          set -e\n",),
    ),
    Row(case="34-hash-forms.bu", says=("sha512- or sha256-",), gives=(f"hash: sha256-{SHA}",)),
    Row(case="36-cloud-config.bu", says=("write_files are storage.files", "oneshot unit"), has_fix=False),
    Row(
        case="37-replace-as-string.bu",
        says=("source: (a URL)", "take this line out"),
        gives=('replace: {source: "https://bucket.example.org/big.json?Signature=abc"}',),
    ),
    Row(case="37b-contents-url.bu", never=("inline text",), gives=("contents: {source: https://example.org/compose}",)),
    Row(case="42-version-140.bu", gives=("version: 1.1.0",)),
    Row(case="42b-variant-fcos.bu", gives=("variant: flatcar\nversion: 1.1.0\n",)),
    Row(case="42c-version-float.bu", gives=("version: 1.1.0",)),
    Row(case="42d-version-ign.bu", gives=("version: 1.1.0",)),
    Row(case="42e-variant-case.bu", gives=("variant: flatcar",)),
    Row(case="42f-no-variant.bu", gives=("variant: flatcar\nversion: 1.1.0",)),
    Row(case="44-tab-indent.bu", says=("spaces, never with tabs",), gives=("  - name: core",)),
    Row(case="44b-crlf.bu", never=("error", "warning"), has_fix=False),
    Row(case="44c-bom.bu", says=("UTF-8 with a byte order mark",)),
    Row(case="44d-utf16.bu", says=("UTF-16 (little-endian)",), has_fix=False),
    Row(case="44f-utf16.ign", says=("UTF-16 (little-endian)", "-o FILE"), never=("as it is",), has_fix=False),
    Row(case="45b-ignition2.ign", says=("version 2", "ct", "Butane"), never=("as it is",), has_fix=False),
    Row(
        case="50-headers.bu",
        says=("A list is wanted here", "- name: Authorization"),
        gives=("        http_headers:\n          - name: Authorization\n            value: Bearer abc\n",),
    ),
    Row(
        case="51-users-toplevel.bu",
        says=("It is in the wrong place: put it below passwd",),
        never=("Did you mean passwd",),
        gives=(f"passwd:\n  users:\n    - name: core\n      ssh_authorized_keys:\n        - {KEY}\n",),
    ),
    Row(
        case="54-files-as-map.bu",
        says=('begin each entry with "- "',),
        gives=("    - path: /etc/a\n      contents:\n        inline: a\n", "    - name: a.service\n"),
    ),
    Row(
        case="63-contents-scalar.bu",
        says=("inline: (the text itself)",),
        gives=("      contents:\n        inline: |\n          net.ipv4.ip_forward=1\n",),
    ),
    Row(
        case="64-unit-contents-inline.bu",
        says=("The text itself is wanted here", "without inline:"),
        gives=("      contents: |\n        [Service]\n        ExecStart=/usr/bin/sleep 9\n",),
    ),
    Row(
        case="65b-ansible-keys.bu",
        gives=("user: {name: core}\n      group: {name: core}\n      mode: 0644\n      contents: {inline: hi}\n",),
    ),
    Row(case="73-quadlets-110.bu", says=("/etc/containers/systemd/web.container",), has_fix=False),
    Row(
        case="82-format-9p-nfs.bu",
        says=(
            "A network filesystem is not made by Ignition",
            "name: mnt-nfs.mount",
            "What=10.1.2.3:/export",
            "Type=9p",
        ),
        never=("Fix: write /10.1.2.3:/export", "Fix: write /hostshare"),
        has_fix=False,
    ),
    Row(case="93-compose-pasted.bu", says=("Docker Compose",), never=("Fix: add variant",), has_fix=False),
)


@pytest.fixture(autouse=True)
def no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learner of these cases has no SSH key."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def all_fixed(text: str) -> str:
    """The text once the first edit of the first entry that has one is applied, again and again."""
    for _ in range(40):
        done = translate(text)
        edits = [edit for entry in lint(done) for edit in entry.edits]
        if not edits:
            return text
        text = apply_edit(done.text, edits[0])
    raise AssertionError(f"there is always one more fix: {text}")


def test_every_config_has_a_row() -> None:
    assert sorted(row.case for row in ROWS) == sorted(file.name for file in FIELD.iterdir())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.case)
def test_a_mistake_that_people_make(row: Row) -> None:
    data = (FIELD / row.case).read_bytes()
    done = translate(data, name=row.case)
    report = lint(done)
    read = render_taught(done, report)
    for words in row.says:
        assert words in read
    for words in row.never:
        assert words not in read
    assert any(entry.edits for entry in report) == bool(row.gives), read
    if row.gives:
        fixed = all_fixed(done.text)
        for piece in row.gives:
            assert piece in fixed
        after = translate(fixed)
        assert after.ok, after.failure
        assert not [entry for entry in after.report if entry.kind is Kind.ERROR]


FILE = f"{USER}storage:\n  files:\n    - path: /opt/a\n"
DISK = f"{USER}storage:\n  disks:\n    - device: /dev/sdb\n      partitions:\n        - label: a\n"
FILESYSTEM = f"{USER}storage:\n  filesystems:\n"
UNIT = f"{USER}systemd:\n  units:\n"


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        # A URL, a local file or a text where contents want a resource.
        (f"{HEAD}ignition:\n  config:\n    merge:\n      - https://a.example/b.ign\n", "- {source: https://a.example/b.ign}"),
        (f"{HEAD}ignition:\n  config:\n    merge: s3://bucket/b.ign\n", "merge: [{source: s3://bucket/b.ign}]"),
        (f"{HEAD}ignition:\n  config:\n    merge:\n      - base.ign\n", "- {local: base.ign}"),
        (f"{FILE}      contents: 'data:,hi'\n", "contents: {source: 'data:,hi'}"),
        (f"{FILE}      contents: ./run.sh\n", "contents: {local: ./run.sh}"),
        (f"{FILE}      contents: files/run.sh\n", "contents: {local: files/run.sh}"),
        (f"{FILE}      contents: node1.example.org\n", "contents: {inline: node1.example.org}"),
        (f"{FILE}      append: hello\n", "append: [{inline: hello}]"),
        (f"{FILE}      append: |\n        a\n        b\n", "append:\n        - inline: |\n            a\n            b\n"),
        (f"{FILE}      inline: hello\n", "contents: {inline: hello}"),
        (f"{FILE}      contents:\n        - inline: hello\n", "      contents:\n        inline: hello"),
        (
            f"{FILE}      contents:\n        inline: |\n          x\n        mode: 0644\n",
            "      contents:\n        inline: |\n          x\n      mode: 0644",
        ),
        # Container Linux Config's remote.
        (f"{FILE}      contents:\n        remote: {{url: 'https://a/b'}}\n", "        source: 'https://a/b'\n"),
        (
            f"{FILE}      contents:\n        remote:\n          url: https://a/b\n          verification: {{hash: {{{SUM}}}}}\n",
            f"        source: https://a/b\n        verification: {{hash: sha256-{SHA}}}\n",
        ),
        (f"{FILE}      contents:\n        source:\n          url: https://a/b\n", "        source: https://a/b\n"),
        # Owners and modes.
        (f"{FILE}      owner: core:core\n", "user: {name: core}\n      group: {name: core}"),
        (f"{FILE}      owner: 500:501\n", "user: {id: 500}\n      group: {id: 501}"),
        (f"{FILE}      owner: core\n", "user: {name: core}"),
        (f"{FILE}      user: core:docker\n", "user: {name: core}\n      group: {name: docker}"),
        (f"{FILE}      group: '500'\n", "group: {id: 500}"),
        (f"{FILE}      permissions: u=rwx,g=rx,o=rx\n", "mode: 0755"),
        (f"{FILE}      mode: -rw-r-----\n", "mode: 0640"),
        # Sizes, with units and without.
        (f"{DISK}          size: 1GiB\n", "size_mib: 1024"),
        (f"{DISK}          size: 512M\n", "size_mib: 512"),
        (f"{DISK}          size: 10GB\n", "size_mib: 9536"),
        (f"{DISK}          size_mib: 2 TiB\n", "size_mib: 2097152"),
        (f"{DISK}          size: 0\n", "size_mib: 0"),
        (f"{DISK}          start: 1MiB\n", "start_mib: 1"),
        (f"{USER}storage:\n  disks:\n    - device: sdb\n      wipeTable: true\n", "/dev/sdb\n      wipe_table: true"),
        (
            f"{USER}storage:\n  disks:\n    - device: /dev/sdb\n      partitions:\n        - name: data\n",
            "        - label: data",
        ),
        # Filesystems: mount is lifted, devices are below /dev.
        (
            f"{FILESYSTEM}    - mount:\n        device: /dev/sdb1\n        format: ext4\n        create: {{force: true}}\n",
            "    - device: /dev/sdb1\n      format: ext4\n      wipe_filesystem: true\n",
        ),
        (f"{FILESYSTEM}    - device: sdb1\n      format: xfs\n", "device: /dev/sdb1"),
        (f"{FILESYSTEM}    - device: LABEL=data\n      format: xfs\n", "device: /dev/disk/by-label/data"),
        # Sections at the wrong level.
        (f"{USER}files:\n  - path: /a\n", "storage:\n  files:\n    - path: /a\n"),
        (f"{USER}units:\n  - name: a.service\n", "systemd:\n  units:\n    - name: a.service\n"),
        (f"{USER}users:\n  - name: ops\n", f"        - {KEY}\n    - name: ops"),
        (f"{FILE}filesystems:\n  - device: /dev/sdb\n", "    - path: /opt/a\n  filesystems:\n    - device: /dev/sdb\n"),
        (f"{FILE}  units:\n    - name: a.service\n", "\nsystemd:\n  units:\n    - name: a.service"),
        (
            f"{FILE}  systemd:\n    units:\n      - name: a.service\n",
            "    - path: /opt/a\nsystemd:\n  units:\n    - name: a.service",
        ),
        (f"{USER}kernelArguments:\n  shouldExist: [quiet]\n", "kernel_arguments:\n  should_exist: [quiet]"),
        (f"{USER}kargs: [quiet]\n", "kernel_arguments: {should_exist: [quiet]}"),
        (f"{HEAD}passwd:\n  - name: core\n    ssh_authorized_keys: [{KEY}]\n", "passwd:\n  users:\n    - name: core\n"),
        # Lists and mappings.
        (f"{UNIT}    web.service:\n      enabled: false\n", "    - name: web.service\n      enabled: false"),
        (f"{UNIT}    - name: a.service\n      enabled: started\n", "enabled: true"),
        (
            f"{UNIT}    - name: a.service\n      dropins:\n        10-a.conf: |\n          [Unit]\n          After=b.service\n",
            "        - name: 10-a.conf\n          contents: |\n            [Unit]\n            After=b.service\n",
        ),
        (f"{FILESYSTEM}    - device: /dev/sdb\n      format: xfs\n      mount: /srv\n", "path: /srv\n      with_mount_unit"),
        # Comments stay.
        (f"{USER}# ops\nusers:\n  - name: ops\n# disks\nstorage: {{}}\n", "    - name: ops\n# ops\n# disks\nstorage: {}\n"),
        (f"{UNIT}    - name: a.service\n      contents: {{inline: '[Unit]'}}\n", "contents: '[Unit]'"),
        (f"{USER}      groups: docker, sudo\n", "groups: [docker, sudo]"),
        (f"{USER}      passwd: $6$salt$hash\n", "password_hash: $6$salt$hash"),
        (f"{USER}storage:\n  directories: [/opt/a]\n", "directories: [{path: /opt/a}]"),
        (f"{HEAD}ignition:\n  timeouts:\n    http_total: 2m\n", "http_total: 120"),
        # A text that fell out of its block.
        (
            f"{UNIT}    - name: a.service\n      contents: |\n      [Service]\n      ExecStart=/bin/true\n      mask: true\n",
            "      contents: |\n        [Service]\n        ExecStart=/bin/true\n      mask: true\n",
        ),
        (
            f"{FILE}      contents:\n        inline: |\n#!/bin/bash\nif x; then\n  echo a\nfi\n",
            "        inline: |\n          #!/bin/bash\n          if x; then\n            echo a\n          fi\n",
        ),
    ],
)  # fmt: skip
def test_more_of_the_same_kinds(text: str, gives: str) -> None:
    fixed = all_fixed(text)
    assert gives in fixed
    failure = translate(fixed).failure
    assert not failure or "local" in fixed


@pytest.mark.parametrize(
    "text",
    [
        f"{FILE}      contents: file:///srv/a\n",
        f"{FILE}      path: web/index.html\n",
        f"{FILE}      owner: a:b:c\n",
        f"{USER}      password: hunter2\n",
        f"{FILE}      mode: u+x\n",
        f"{FILE}      filesystem: data\n",
        f"{DISK}          size: 1024\n",
        f"{DISK}          size: 1KiB\n",
        f"{FILESYSTEM}    - device: 192.0.2.1:/export\n      format: ext4\n",
        f"{FILESYSTEM}    - device: //server/share\n      format: cifs\n",
        f"{USER}kernel_arguments:\n  should_exist: quiet splash\n",
    ],
)
def test_no_fix_where_the_meaning_is_not_certain(text: str) -> None:
    report = lint(translate(text))
    assert [entry for entry in report if entry.kind is not Kind.INFO]
    assert [edit.label for entry in report for edit in entry.edits] == []
