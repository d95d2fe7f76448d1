"""Where values come from: every value of the JSON has a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.butane import Translation, translate
from flatkit.butane.source.node import Path as NodePath
from flatkit.butane.source.node import find_node

CONFIG = """\
variant: flatcar
version: 1.1.0
passwd:
  users:
    - name: core
      ssh_authorized_keys: [one]
      ssh_authorized_keys_local: [keys]
storage:
  filesystems:
    - device: /dev/vdb
      format: ext4
      path: /data
      with_mount_unit: true
  files:
    - path: /a
      contents:
        inline: hello
  trees:
    - local: tree
systemd:
  units:
    - name: own.service
      contents_local: unit
    - name: data.mount
      enabled: false
"""


@pytest.fixture
def done(tmp_path: Path) -> Translation:
    (tmp_path / "keys").write_text("two\nthree\n")
    (tmp_path / "unit").write_text("[Service]\nExecStart=/bin/true\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "t").write_text("t")
    result = translate(CONFIG, files_dir=tmp_path)
    assert result.ok, result.failure
    return result


@pytest.mark.parametrize(
    ("json_path", "yaml_path"),
    [
        (("ignition", "version"), ("version",)),
        (("storage", "files", 0, "contents", "source"), ("storage", "files", 0, "contents", "inline")),
        (("storage", "files", 0, "contents", "compression"), ("storage", "files", 0, "contents", "inline")),
        (("storage", "files", 1, "path"), ("storage", "trees", 0)),
        (("storage", "files", 1, "contents", "source"), ("storage", "trees", 0)),
        (("storage", "filesystems", 0, "device"), ("storage", "filesystems", 0, "device")),
        (("passwd", "users", 0, "sshAuthorizedKeys", 0), ("passwd", "users", 0, "ssh_authorized_keys", 0)),
        (("passwd", "users", 0, "sshAuthorizedKeys", 2), ("passwd", "users", 0, "ssh_authorized_keys_local", 0)),
        (("systemd", "units", 0, "contents"), ("storage", "filesystems", 0, "with_mount_unit")),
        (("systemd", "units", 0, "enabled"), ("systemd", "units", 1, "enabled")),
        (("systemd", "units", 1, "contents"), ("systemd", "units", 0, "contents_local")),
        (("systemd", "units", 1, "name"), ("systemd", "units", 0, "name")),
    ],
)
def test_json_to_yaml(done: Translation, json_path: NodePath, yaml_path: NodePath) -> None:
    assert done.provenance.to_yaml(json_path) == yaml_path


def test_spans_light_up_the_source(done: Translation) -> None:
    span = done.provenance.span(("storage", "files", 0, "contents", "source"))
    assert span is not None
    assert CONFIG.splitlines()[span.line - 1][span.column - 1 : span.end_column - 1] == "hello"


def test_no_output_is_without_a_source(done: Translation, good_texts: list[str]) -> None:
    results = [done, *(translate(text) for text in good_texts)]
    checked = 0
    for result in results:
        if not result.ok or "<<" in result.text or "*" in result.text or ": !" in result.text:
            continue  # what comes through an alias is opaque in Butane's positions
        for leaf in result.provenance.leaves():
            source = result.provenance.to_yaml(leaf)
            if not result.provenance.is_populated(leaf):
                source = source[:-1]  # an empty name that Ignition always writes comes from its mapping
            assert find_node(result.root, source) is not None, (leaf, source, result.text)
            checked += 1
    assert checked > 1500


def test_every_entry_has_a_span(good_texts: list[str]) -> None:
    for text in good_texts:
        for entry in translate(text).report:
            assert entry.span is not None


def test_spans_through_null_items_aliases_and_merges() -> None:
    text = """\
variant: flatcar
version: 1.1.0
x: &x {mode: 0600}
storage:
  files:
    -
    - <<: *x
      path: /a
"""
    done = translate(text)
    assert done.provenance.to_yaml(("storage", "files", 0, "path")) == ("storage", "files", 1, "path")
    path, mode = (done.provenance.span(("storage", "files", 0, name)) for name in ("path", "mode"))
    assert path is not None
    assert mode is not None
    assert (path.line, mode.line) == (8, 3)
