"""Teaching: identifiers, sentences, and edits that really mend what they are for."""

from __future__ import annotations

import pytest

from flatkit.butane import translate
from flatkit.butane.render import render
from flatkit.butane.suggest import ALIASES, apply, better_key
from flatkit.butane.tables import get_schema
from flatkit.butane.teach import teach
from flatkit.report import Entry, Kind

HEAD = "variant: flatcar\nversion: 1.1.0\n"
KEY = "passwd: {users: [{name: core, ssh_authorized_keys: [ssh-ed25519 AAAA]}]}\n"


def find(text: str, code: str) -> Entry:
    found = [entry for entry in teach(translate(text)) if entry.code == code]
    assert found, f"no {code} in {[(e.code, e.message) for e in teach(translate(text))]}"
    return found[0]


@pytest.mark.parametrize(
    ("code", "text", "mended"),
    [
        ("mode-not-octal", "storage: {files: [{path: /a, mode: 644}]}", "mode: 0644"),
        ("mode-not-octal", "storage: {directories: [{path: /a, mode: 755}]}", "mode: 0755"),
        ("wrong-type", 'storage: {files: [{path: /a, mode: "0644"}]}', "mode: 0644"),
        ("wrong-type", "systemd: {units: [{name: a.service, enabled: 'true'}]}", "enabled: true"),
        ("wrong-type", "systemd: {units: [{name: a.service, enabled: 1}]}", "enabled: true"),
        ("wrong-type", "storage: {files: [{path: /a, contents: hello}]}", "contents: {inline: hello}"),
        ("wrong-type", "storage: {files: [{path: /a, user: core}]}", "user: {name: core}"),
        ("wrong-type", "storage: {files: [{path: /a, user: 500}]}", "user: {id: 500}"),
        ("unused-key", "storage: {files: [{path: /a, permissions: 0644}]}", "mode: 0644"),
        ("unused-key", "storage: {files: [{path: /a, content: {inline: x}}]}", "contents: {inline"),
        ("unused-key", "storage: {files: [{path: /a, contents: {text: x}}]}", "{inline: x}"),
        ("unused-key", "systemd: {units: [{name: a.service, command: start}]}", "enabled: true"),
        ("unused-key", "systemd: {units: [{name: a.service, enable: true}]}", "enabled: true"),
        ("unused-key", "passwd: {users: [{name: core, sshAuthorizedKeys: [ssh-rsa A]}]}", "ssh_authorized_keys:"),
        ("unused-key", "passwd: {users: [{name: core, ssh-authorized-keys: [ssh-rsa A]}]}", "ssh_authorized_keys:"),
        ("unused-key", "Storage: {}", "storage: {}"),
        ("unused-key", "storage: {filesystem: []}", "filesystems: []"),
        ("path-relative", "storage: {files: [{path: etc/a}]}", "path: /etc/a"),
        ("path-not-simple", "storage: {files: [{path: /etc//a/}]}", "path: /etc/a}"),
        (
            "overwrite-no-source",
            "storage:\n  files:\n    - path: /a\n      overwrite: true\n",
            'contents: {inline: ""}',
        ),
        ("yaml-tab", "storage:\n\tfiles: []\n", "\n  files:"),
        ("no-way-in", "storage: {}\n", "- name: core"),
    ],
)
def test_an_edit_mends(code: str, text: str, mended: str) -> None:
    config = HEAD + text
    entry = find(config, code)
    assert entry.edits, entry
    after = apply(config, entry.edits[0])
    assert mended in after
    remaining = [(e.code, e.path) for e in teach(translate(after))]
    assert (code, entry.path) not in remaining
    assert translate(after).ok, translate(after).failure


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("storage: {}\n", "variant: flatcar\nversion: 1.1.0\nstorage: {}\n"),
        ("# mine\nversion: 1.1.0\n", "# mine\nvariant: flatcar\nversion: 1.1.0\n"),
        ("variant: flatcar\nstorage: {}\n", "variant: flatcar\nversion: 1.1.0\nstorage: {}\n"),
        ("variant: flatcar\nversion: 1.1\n", "variant: flatcar\nversion: 1.1.0\n"),
        ("variant: flatcar\nversion:\n", "variant: flatcar\nversion: 1.1.0\n"),
        ("variant: flatcar\nversion: 1.2.0-experimental\n", "variant: flatcar\nversion: 1.1.0\n"),
        ("variant: fcos\nversion: 1.1.0\n", "variant: flatcar\nversion: 1.1.0\n"),
    ],
)
def test_the_header_is_mended(text: str, after: str) -> None:
    entry = teach(translate(text)).entries[0]
    assert apply(text, entry.edits[0]) == after
    assert translate(after).ok


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#cloud-config\nusers: []\n", "This is a cloud-config"),
        ("storage:\n  files:\n    - filesystem: root\n", "Container Linux Config"),
        ('{"ignition": {"version": "3.3.0"}}', "Ignition JSON"),
        (HEAD + "boot_device: {}\n", "Fedora CoreOS"),
        (HEAD + "grub: {}\n", "Fedora CoreOS"),
        (HEAD + "systemd: {units: [{name: a.service, enabled: true, contents: '[Unit]'}]}\n", "[Install] section"),
        ("variant: openshift\nversion: 4.14.0\n", "variant: flatcar"),
    ],
)
def test_what_was_pasted_is_named(text: str, words: str) -> None:
    assert words in " ".join(entry.teach for entry in teach(translate(text)))


def test_keys_and_passwords() -> None:
    text = HEAD + "passwd: {users: [{name: core, password_hash: secret, ssh_authorized_keys: [K, hello]}]}\n"
    text = text.replace("K,", '"-----BEGIN OPENSSH PRIVATE KEY-----",')
    codes = {entry.code: entry for entry in teach(translate(text))}
    assert set(codes) >= {"private-key", "not-a-key", "plain-password"}
    assert codes["private-key"].path == "$.passwd.users.0.ssh_authorized_keys.0"
    assert codes["private-key"].span is not None


def test_no_note_where_somebody_can_log_in() -> None:
    assert len(teach(translate(HEAD + KEY))) == 0
    merged = HEAD + 'ignition: {config: {merge: [{source: "https://example.com/a.ign"}]}}\n'
    assert len(teach(translate(merged))) == 0


def test_teaching_never_changes_what_butane_says() -> None:
    text = HEAD + "storage: {files: [{path: a, mode: 644, permissions: 1}]}\n"
    done = translate(text)
    taught = teach(done)
    assert [(e.kind, e.path, e.message, e.span) for e in done.report] == [
        (e.kind, e.path, e.message, e.span) for e in taught if e.kind is not Kind.INFO
    ][: len(done.report)]
    assert "leading zero: 0644" not in render(done)


def test_aliases_lead_to_known_keys() -> None:
    structs = get_schema().structs
    for name, aliases in ALIASES.items():
        assert set(aliases.values()) <= set(structs[name].fields), name
        assert not set(aliases) & set(structs[name].fields), name


def test_no_guess_for_what_is_far_off() -> None:
    assert better_key("banana", get_schema().structs["File"]) == ""
    assert better_key("contnets", get_schema().structs["File"]) == "contents"
