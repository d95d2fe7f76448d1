"""Configs with the mistakes that people make: what is said about each, and what is never said.

The configs were written after public reports on Flatcar, Container Linux, Butane and Ignition. Codes are those of the
whole report; sentences are those of `flatkit explain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from flatkit.butane import translate
from flatkit.butane.explain import explain_text
from flatkit.butane.lint import lint

FIELD = Path(__file__).parent / "explained"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A config, the codes of its report, and sentences that are in its explanation or must not be in it."""

    name: str
    codes: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


BOOT = "at every boot"
FAILS = "The boot fails there"
CASES = (
    Case(
        name="01-enable-true", codes=("unused-key", "unit-not-enabled"), says=("nothing here starts it",), never=(BOOT,)
    ),
    Case(name="02-mount-name-mismatch", codes=("unit-refused",), says=("systemd refuses it",), never=(BOOT,)),
    Case(name="07-update-conf-no-overwrite", codes=("overwrite-needed",), says=("cannot be written", FAILS)),
    Case(name="08-append-existing", says=("added at its end",), never=(FAILS,)),
    Case(
        name="09-file-in-usr",
        codes=("path-read-only", "path-read-only"),
        says=("/usr/local/bin/tool.sh cannot be written", "read-only image", FAILS),
        never=("is written",),
    ),
    Case(name="10b-user-and-group-same-name", codes=("user-group-exists",), says=("splunk cannot be created", FAILS)),
    Case(
        name="11-group-users-kvm",
        codes=("groups-replaced", "group-hidden"),
        says=('the group "kvm" below /usr', FAILS),
        never=("joins docker, kvm",),
    ),
    Case(name="12-sysext-raw-name", codes=("sysext-name",)),
    Case(name="15-enable-nonexistent", codes=("unit-unknown",), says=("starts at every boot if the image has it",)),
    Case(name="16-no-install", codes=("unit-no-install",), says=("enabling does nothing",), never=(BOOT,)),
    Case(name="17-unit-as-file", codes=("unit-as-file",), says=("nothing enables it",)),
    Case(name="19-template-instance", says=("wg-quick@wg0.service is enabled: it starts at every boot.",)),
    Case(name="20b-mode-420", says=("/foo/bar is written (1 byte from the config itself), with mode 0644.",)),
    Case(name="22-hostname", says=("/etc/hostname is written",)),
    Case(
        name="23-network-file", codes=("network-suffix", "network-section"), says=("does not read", "ignores this one")
    ),
    Case(name="24-swap-file", codes=("unit-refused", "unit-unused"), says=("systemd refuses it",), never=(BOOT,)),
    Case(name="26-nested-mounts-opt", says=("opt-vault-data.mount is written by Butane and enabled: it is mounted",)),
    Case(name="28-kargs-linux-append", codes=("kernel-grub", "kernel-words"), says=("not a kernel argument",)),
    Case(
        name="29-user-unit-home",
        codes=("home-parents", "home-parents", "home-parents", "home-owner", "keys-unreadable"),
        says=("who may not: it belongs to root",),
    ),
    Case(
        name="35-docker-start",
        codes=("unit-not-disabled", "unit-in-extension"),
        says=("if its extension is there in time",),
    ),
    Case(name="38-ssh-port", codes=("ssh-port-both",), says=("SSH listens on 22 and 2222",)),
    Case(name="39-sshd-config", codes=("overwrite-needed",), says=(FAILS,)),
    Case(name="40-enabled-sysext", codes=("sysext-unknown", "sysext-unknown"), says=("no extension",)),
    Case(name="41-timezone", codes=("file-unread", "zone-unknown"), says=("The link /etc/localtime to",)),
    Case(name="43b-dropin-execstart-only", codes=("unit-second-start",), says=("systemd refuses it",), never=(BOOT,)),
    Case(name="43c-drop-in-in-unit-contents", codes=("unit-replaced",), says=("in place of the image's own",)),
    Case(name="44b-crlf", says=("/opt/bin/run.sh is written",), never=("Windows",)),
    Case(
        name="44e-local-crlf",
        codes=("script-crlf",),
        says=('end as on Windows (CR LF), so its first line asks for "/bin/bash\\r"',),
    ),
    Case(name="47-fs-no-mount-unit", codes=("not-mounted",), says=("nothing mounts it there after this boot",)),
    Case(name="49b-gzip-plain", codes=("not-gzip",), says=("cannot be written", FAILS), never=("unpacked",)),
    Case(
        name="56c-password-cleartext",
        codes=("unused-key", "unused-key", "plain-password", "no-way-in"),
        says=("cannot log in: the password given here is not valid",),
        never=("may log in",),
    ),
    Case(name="58b-placeholder-key", codes=("key-invalid", "no-way-in"), says=("is not valid",), never=("may log in",)),
    Case(name="58c-fix-placeholder", codes=("key-invalid", "no-way-in"), never=("may log in",)),
    Case(name="66-setuid", codes=("mode-special",), says=("with mode 0755 (the special bits of 4755 are dropped)",)),
    Case(name="67-merge-butane", codes=("merge-not-ignition",), says=(FAILS,)),
    Case(name="68-path-via-var-run", codes=("path-volatile", "path-volatile"), says=("/tmp/flag will not be there",)),
    Case(name="69b-mode-0420", codes=("mode-odd",)),
    Case(name="77-duplicate-user-key-null", codes=("user-nameless",), says=("has no name", FAILS)),
    Case(
        name="96-nologin-with-key",
        codes=("no-way-in", "no-login-shell"),
        says=("agent is created and cannot log in",),
        never=("may log in",),
    ),
    Case(name="98-core-groups", codes=("groups-replaced",), says=("docker as the only group",), never=("joins",)),
)


def test_each_config_has_a_case() -> None:
    assert {case.name for case in CASES} == {path.stem for path in FIELD.glob("*.bu")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_says_what_will_happen(case: Case) -> None:
    done = translate((FIELD / f"{case.name}.bu").read_bytes(), files_dir=FIELD / "files")
    assert done.ok, done.report
    found = lint(done)
    assert sorted(entry.code for entry in found) == sorted(case.codes), str(found)
    assert all(entry.teach and entry.span for entry in found)
    text = explain_text(done)
    for words in case.says:
        assert words in text
    for words in case.never:
        assert words not in text
