"""Teaching: identifiers, sentences, and edits that really mend what they are for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatkit.butane import Translation, translate
from flatkit.butane.lint import lint
from flatkit.butane.quickfix import ALIASES, apply_edit, suggest_key
from flatkit.butane.render import render
from flatkit.butane.schema import get_schema
from flatkit.report import Entry, Kind

HEAD = "variant: flatcar\nversion: 1.1.0\n"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIwq2Be0bPqb9Ko6nLZ6k4bOWl9TCJkfrDXNZ7JXbq0X"
KEY = f"passwd: {{users: [{{name: core, ssh_authorized_keys: [{PUBLIC}]}}]}}\n"


def find(text: str, code: str) -> Entry:
    found = [entry for entry in lint(translate(text)) if entry.code == code]
    assert found, f"no {code} in {[(e.code, e.message) for e in lint(translate(text))]}"
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
        ("path-not-simple", "storage: {files: [{path: /etc//a}]}", "path: /etc/a}"),
        (
            "overwrite-no-source",
            "storage:\n  files:\n    - path: /a\n      overwrite: true\n",
            'contents: {inline: ""}',
        ),
        ("yaml-tab", "storage:\n\tfiles: []\n", "\n  files:"),
    ],
)
def test_an_edit_mends(code: str, text: str, mended: str) -> None:
    config = HEAD + text
    entry = find(config, code)
    assert entry.edits, entry
    after = apply_edit(config, entry.edits[0])
    assert mended in after
    remaining = [(e.code, e.path) for e in lint(translate(after))]
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
        ("variant: flatcar\nversion: 1.3.0-experimental\n", "variant: flatcar\nversion: 1.1.0\n"),
        ("variant: fcos\nversion: 1.1.0\n", "variant: flatcar\nversion: 1.1.0\n"),
    ],
)
def test_the_header_is_mended(text: str, after: str) -> None:
    entry = lint(translate(text)).entries[0]
    assert apply_edit(text, entry.edits[0]) == after
    assert translate(after).ok


def test_the_experimental_version_is_named_and_butane_itself_is_silent() -> None:
    text = "variant: flatcar\nversion: 1.2.0-experimental\n"
    done = translate(text)
    assert (done.ok, len(done.report)) == (True, 0)
    entry = next(entry for entry in lint(done) if entry.code == "experimental")
    assert "1.2.0-experimental is experimental" in entry.message
    assert (entry.path, entry.span.line) == ("$.version", 2)
    assert "experimental" not in {entry.code for entry in lint(translate(HEAD))}


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
    assert words in " ".join(entry.teach for entry in lint(translate(text)))


def test_keys_and_passwords() -> None:
    text = HEAD + "passwd: {users: [{name: core, password_hash: secret, ssh_authorized_keys: [K, hello]}]}\n"
    text = text.replace("K,", '"-----BEGIN OPENSSH PRIVATE KEY-----",')
    codes = {entry.code: entry for entry in lint(translate(text))}
    assert set(codes) >= {"private-key", "not-a-key", "plain-password"}
    assert codes["private-key"].path == "$.passwd.users.0.ssh_authorized_keys.0"
    assert codes["private-key"].span is not None


def test_no_note_where_somebody_can_log_in() -> None:
    assert len(lint(translate(HEAD + KEY))) == 0
    merged = HEAD + 'ignition: {config: {merge: [{source: "https://example.com/a.ign"}]}}\n'
    assert len(lint(translate(merged))) == 0


FILES = "storage: {files: ["
DIRS = "], directories: ["


@pytest.mark.parametrize(
    ("text", "written"),
    [
        # The anchor stays, the tag goes.
        (FILES + "{path: /a, mode: &m 644}]}", "mode: &m 0644}"),
        (FILES + "{path: /a, mode: !!int 644}]}", "mode: 0644}"),
        (FILES + "{path: /a, mode: &m !!int 644}]}", "mode: &m 0644}"),
        (FILES + '{path: /a, mode: !!str &m "0644"}]}', "mode: &m 0644}"),
        (FILES + "{path: &p etc/a}]}", "path: &p /etc/a}"),
        (FILES + "{path: &p /etc//a}]}", "path: &p /etc/a}"),
        (FILES + "{path: /a, &k permissions: 0644}]}", "&k mode: 0644}"),
        (FILES + "{path: /a, contents: &c hello}]}", "contents: &c {inline: hello}}"),
        (FILES + "{path: /a, contents: !!str &c hello}]}", "contents: &c {inline: !!str hello}}"),
        ("systemd: {units: [{name: a.service, enabled: &e !!str true}]}", "enabled: &e true}"),
        (
            "storage:\n  files:\n    - &f\n      path: /a\n      overwrite: true\n",
            '- &f\n      contents: {inline: ""}\n      path',
        ),
        # What an alias stands for is used alike everywhere: one edit is right for all.
        (FILES + "{path: /a, mode: &m 644}, {path: /b, mode: *m}]}", "mode: &m 0644}"),
        ("x: &m hello\n" + FILES + "{path: /a, contents: *m}]}", "x: &m {inline: hello}"),
        ("x: &f {path: /a, contents: hello}\n" + FILES + "*f]}", "contents: {inline: hello}}"),
        (FILES + "&f {path: /a, mode: 644}, {<<: *f, path: /b}]}", "mode: 0644}"),
        # An alias is replaced itself; its anchor and its other uses stay as they are.
        ("x: &m 644\n" + FILES + "{path: /a, mode: *m}]}", "mode: 0644}"),
        (FILES + "{path: /m, user: {id: &m 644}}, {path: /a, mode: *m}]}", "mode: 0644}"),
        (FILES + "{path: &p etc/a}" + DIRS + "{path: *p}]}", "path: /etc/a}]}"),
        # Commas and braces of a plain text need quotes inside braces.
        ("storage:\n  files:\n    - path: /a\n      contents: hello, {you}\n", "contents: {inline: 'hello, {you}'}"),
    ],
)
def test_edits_know_anchors_tags_and_aliases(text: str, written: str) -> None:
    config = HEAD + KEY + text + "\n"
    entry = next(entry for entry in lint(translate(config)) if entry.edits)
    after = apply_edit(config, entry.edits[0])
    assert written in after
    assert after.count("&") == config.count("&")
    assert (entry.code, entry.path) not in [(left.code, left.path) for left in lint(translate(after))]


@pytest.mark.parametrize(
    "text",
    [
        FILES + "{path: /a, mode: &m 644}, {path: /b, user: {id: *m}}]}",
        FILES + "{path: /a, contents: &c hello}]}\nsystemd: {units: [{name: a.service, contents: *c}]}",
        FILES + "&n {path: /a, contents: hello}" + DIRS + "*n]}",
        "x: &x {mode: 644}\n" + FILES + "{<<: *x, path: /a}" + DIRS + "{<<: *x, path: /b}]}",
        "systemd: {units: [{name: a.service, command: &c start, contents: *c}]}",
        "x: &start go\nsystemd: {units: [{name: a.service, command: *start}]}",
    ],
)
def test_no_edit_where_it_would_change_another_use(text: str) -> None:
    assert [edit for entry in lint(translate(HEAD + KEY + text + "\n")) for edit in entry.edits] == []


@settings(deadline=None, max_examples=400, derandomize=True, database=None)
@given(
    st.sampled_from(["&a ", "&a !!int ", "!!str &a "]),
    st.sampled_from(["644", '"0644"', "0644", "hello", "etc/a", "/etc//a", "true", "1"]),
    st.sampled_from(["mode: {}", "path: {}", "contents: {}", "user: {}", "overwrite: {}"]),
    st.sampled_from(["mode: *a", "path: *a", "contents: {inline: *a}", "contents: *a", "user: *a", "user: {name: *a}"]),
    st.sampled_from(["files", "directories"]),
)
def test_an_edit_never_spoils_another_use(properties: str, value: str, first: str, second: str, group: str) -> None:
    config = f"{HEAD}storage:\n  files:\n    - {first.format(properties + value)}\n"
    config += f"    - {second}\n" if group == "files" else f"  directories:\n    - {second}\n"
    other = "$.storage.files.1." if group == "files" else "$.storage.directories.0."

    def faults(done: Translation) -> list[str]:
        found = [entry for entry in done.report if entry.path.startswith(other) or not done.is_printed]
        return sorted(entry.message for entry in found)

    before = translate(config)
    for entry in lint(before):
        for edit in entry.edits:
            after = translate(apply_edit(config, edit))
            assert "anchor" not in after.failure, edit
            if before.is_printed:
                assert set(faults(after)) <= set(faults(before)), (config, edit)
            elif not after.is_printed:
                assert len(faults(after)) <= len(faults(before)), (config, edit)


def test_teaching_never_changes_what_butane_says() -> None:
    text = HEAD + "storage: {files: [{path: a, mode: 644, permissions: 1}]}\n"
    done = translate(text)
    taught = lint(done)
    assert [(e.kind, e.path, e.message, e.span) for e in done.report] == [
        (e.kind, e.path, e.message, e.span) for e in taught if e.kind is not Kind.INFO
    ][: len(done.report)]
    assert "leading zero: 0644" not in render(done)


def test_aliases_lead_to_known_keys() -> None:
    structs = get_schema().structs
    for name, aliases in ALIASES.items():
        assert set(aliases.values()) <= set(structs[name].fields), name
        assert not set(aliases) & set(structs[name].fields), name


def test_a_suggested_key_is_named_without_its_anchor() -> None:
    entry = find(HEAD + KEY + "storage: {files: [{path: /a, &k permissions: 0644}]}\n", "unused-key")
    assert entry.teach.startswith("Did you mean mode? ")


def test_no_guess_for_what_is_far_off() -> None:
    assert suggest_key("banana", get_schema().structs["File"]) == ""
    assert suggest_key("contnets", get_schema().structs["File"]) == "contents"


def test_a_text_that_is_no_mapping_is_said_to_be_no_config() -> None:
    (entry,) = lint(translate("REBOOT_STRATEGY=reboot\nGROUP=beta\n"))
    assert "This is not a config" in entry.teach
    assert "inline: |" in entry.teach
