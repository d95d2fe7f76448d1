"""The next command that a config with faults leads to, and encodings of Ignition configs."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.api import parse_config, read_config
from flatkit.butane import advice_messages, translate
from flatkit.butane.detect import FOREIGN, Format, detect_format
from flatkit.butane.encodings import encoding_of
from flatkit.butane.foreign import PASTED, foreign_keys
from flatkit.butane.lint import lint
from flatkit.butane.messages import CATALOGUE
from flatkit.butane.reasons import reason_for
from flatkit.butane.schema import get_schema
from flatkit.errors import ConfigFaults, FlatkitError, InputError
from flatkit.paths import examples_dir

HEAD = "variant: flatcar\nversion: 1.1.0\n"


def test_faults_lead_to_explain() -> None:
    with pytest.raises(ConfigFaults) as caught:
        parse_config(HEAD + "storage: {files: {path: /a}}\n", name="my web.bu")
    assert caught.value.hint.startswith("flatkit explain 'my web.bu'")


def test_explain_is_led_to_the_local_files(tmp_path: Path) -> None:
    (tmp_path / "a.bu").write_text(HEAD + "storage: {files: [{path: a, contents: {local: x}}]}\n")
    with pytest.raises(ConfigFaults) as caught:
        read_config(tmp_path / "a.bu")
    assert f"--files-dir {tmp_path}" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("#cloud-config\nusers: []\n", Format.CLOUD_CONFIG),
        ("storage:\n  files:\n    - filesystem: root\n", Format.CONTAINER_LINUX_CONFIG),
        ("services:\n  web:\n    image: nginx\n", Format.COMPOSE),
        ("version: '3'\nservices:\n  web: {image: nginx}\nvolumes: {}\n", Format.COMPOSE),
        ("apiVersion: v1\nkind: Pod\n", Format.KUBERNETES),
        ("- hosts: all\n  tasks: []\n", Format.ANSIBLE),
        ("network:\n  version: 2\n", Format.NETPLAN),
        ("# mine\n[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n", Format.UNIT),
        ("[Container]\nImage=nginx\n", Format.UNIT),
        ("#!/bin/bash\necho hi\n", Format.SCRIPT),
    ],
)
def test_what_other_tools_read_is_named(text: str, kind: Format) -> None:
    assert detect_format(text) is kind
    assert kind in FOREIGN
    assert PASTED[kind]
    with pytest.raises(InputError) as caught:
        parse_config(text, name="web.bu")
    assert str(kind) in caught.value.message
    assert caught.value.hint == "flatkit explain web.bu"


@pytest.mark.parametrize("text", [HEAD, "systemd: {units: []}\n", "", "x: y\n", HEAD + "services: {web: {}}\n"])
def test_butane_is_not_taken_for_another_format(text: str) -> None:
    assert detect_format(text) not in FOREIGN


TEXT = '{"ignition": {"version": "3.3.0"}}\n'


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "UTF-16 (little-endian)"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16 (big-endian)"),
        (TEXT.encode("utf-16-le"), "UTF-16 (little-endian, without a byte order mark)"),
        (TEXT.encode("utf-16-be"), "UTF-16 (big-endian, without a byte order mark)"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "UTF-8 with a byte order mark"),
    ],
)
def test_an_encoding_is_named(data: bytes, name: str) -> None:
    assert encoding_of(data) == name
    with pytest.raises(FlatkitError) as caught:
        parse_config(data, name="web.ign")
    assert name in str(caught.value) + caught.value.details


@pytest.mark.parametrize("data", [b"", b"a", TEXT.encode(), "é✓".encode(), b"a\0b", b"\x80\x81\x82"])
def test_no_encoding_is_named_without_a_sign_of_it(data: bytes) -> None:
    assert encoding_of(data) == ""


def test_latin_1_is_named() -> None:
    assert encoding_of("# Grüße\n".encode("latin-1")) == "Latin-1 or Windows-1252"


@pytest.mark.parametrize(
    ("text", "says", "never"),
    [
        ("hostname: box7\n", "inline: box7", "node1"),
        ("hostname: '{{ x }}'\n", "inline: node1", "{{ x }}\n  "),
        ("timezone: America/New_York\n", "zoneinfo/America/New_York", "Berlin"),
        ("write_files: [{path: /etc/a, permissions: '0600', content: a b}]\n", "path: /etc/a", "/etc/app.conf"),
        ("write_files: [{path: /etc/a, permissions: '0600', content: a b}]\n", "mode: 0600", "0644"),
        ("write_files: /etc/a\n", "path: /etc/app.conf", "path: /etc/a\n"),
        ("runcmd: [/opt/bin/up]\n", "ExecStart=/opt/bin/up\n", "setup.sh"),
        ("runcmd: ['a > b']\n", "ExecStart=/opt/bin/setup.sh", "ExecStart=a"),
        ("locksmith: {reboot_strategy: etcd-lock}\n", "REBOOT_STRATEGY=etcd-lock", "=off"),
        (
            "systemd: {units: [{name: b.service, scope: user, contents: '[Service]'}]}\n",
            "/etc/systemd/user/b.service",
            "agent",
        ),
        (
            "systemd: {units: [{name: b.service, scope: user, contents: '[Service]'}]}\n",
            "inline: |\n          [Service]\n",
            "sleep",
        ),
    ],
)
def test_the_example_has_the_learners_own_values(text: str, says: str, never: str) -> None:
    taught = next(
        entry.teach
        for entry in lint(translate(f"variant: flatcar\nversion: 1.1.0\n{text}"))
        if entry.code == "unused-key"
    )
    assert says in taught
    assert never not in taught


def test_foreign_keys_are_no_keys_of_butane() -> None:
    structs = get_schema().structs
    for struct, key in foreign_keys():
        assert struct in structs
        # Each mapping has keys of its own; the version of Ignition is Butane's to write.
        assert key not in structs[struct].fields, (struct, key)


def test_each_reason_is_of_a_message() -> None:
    codes = {message.code for message in CATALOGUE}
    for code in codes:
        assert reason_for(code).link.startswith("https://")
    assert reason_for("none at all").why == ""
    # Advice says in its message why it is given.
    of_butane = codes - {message.code for message in advice_messages.CATALOGUE}
    assert sum(bool(reason_for(code).why) for code in of_butane) > 0.7 * len(of_butane)


def test_a_config_that_is_not_there_is_answered_with_one_that_is(tmp_path: Path) -> None:
    (tmp_path / "webserver.bu").write_text("")
    (tmp_path / "notes.txt").write_text("")
    for asked, meant in (("websever.bu", tmp_path / "webserver.bu"), ("book.bu", examples_dir() / "book.bu")):
        with pytest.raises(InputError) as caught:
            read_config(tmp_path / asked)
        assert caught.value.hint.startswith(f"flatkit up {meant} ")
    with pytest.raises(InputError) as caught:
        read_config(tmp_path / "no-such-folder" / "x")
    assert f"flatkit up {examples_dir() / 'web.bu'} " in caught.value.hint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + "storage: {files: [{path: “/a”}]}\n", 'are curly, and YAML takes them for a part of it: write "/a"'),
        (HEAD + "storage:\n\u00a0\u00a0files:\n    - path: /a\n", "This line begins with no-break spaces"),
        ("```yaml\n" + HEAD + "```\n", '"```yaml" is not a part of the config'),
        ("%%butane web.bu\n" + HEAD, '"%%butane web.bu" is not a part of the config'),
    ],
)
def test_what_a_paste_brings_along_is_named(text: str, says: str) -> None:
    """Quotes and spaces that only look right, and lines around a config: no edit puts quotes around them."""
    entries = tuple(lint(translate(text)))
    assert any(says in entry.teach for entry in entries)
    assert [edit.label for entry in entries for edit in entry.edits if "quotes" in edit.label] == []
