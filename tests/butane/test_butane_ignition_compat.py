"""Handing configs to machines: older spec, keys, kinds of text, .ign files."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import quote

import pytest

from flatkit.butane import translate
from flatkit.butane.dataurl import decode_data_url
from flatkit.butane.detect import Format, detect_format
from flatkit.butane.ignition.config import check_ignition
from flatkit.butane.ignition_compat import add_ssh_keys, downgrade
from flatkit.errors import InputError

KEY = "ssh-ed25519 AAAAC3Nza flatkit"


def config(**more: Any) -> dict[str, Any]:
    return {"ignition": {"version": "3.4.0"}, **more}


def test_lower_says_so_and_changes_nothing_else() -> None:
    given = config(storage={"files": [{"path": "/a", "mode": 0o755}]})
    before = copy.deepcopy(given)
    lowered, note = downgrade(given)
    assert lowered == {**given, "ignition": {"version": "3.3.0"}}
    assert "3.3.0" in note
    assert given == before


@pytest.mark.parametrize("limit", [(3, 4, 0), (3, 5, 0)])
def test_lower_leaves_what_fits(limit: tuple[int, int, int]) -> None:
    given = config()
    assert downgrade(given, limit) == (given, "")


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"storage": {"luks": [{"name": "a", "discard": False}]}}, "$.storage.luks.0.discard"),
        ({"storage": {"luks": [{"name": "a", "openOptions": ["x"]}]}}, "$.storage.luks.0.openOptions"),
        (
            {"storage": {"luks": [{"name": "a", "clevis": {"tang": [{"url": "u", "advertisement": "{}"}]}}]}},
            "$.storage.luks.0.clevis.tang.0.advertisement",
        ),
        (
            {"storage": {"files": [{"path": "/a", "append": [{"source": "arn:aws:s3:::b/k"}]}]}},
            "$.storage.files.0.append.0.source",
        ),
    ],
)
def test_lower_names_the_field_that_is_too_new(more: dict[str, Any], path: str) -> None:
    with pytest.raises(InputError) as caught:
        downgrade(config(**more))
    assert f'"{path}"' in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("version", ["3.4.0", "3.5.0"])
def test_special_bits_are_masked_for_old_specs_everywhere_so_lowering_loses_nothing(version: str) -> None:
    given = {"ignition": {"version": version}, "storage": {"files": [{"path": "/a", "mode": 0o4755}]}}
    lowered, note = downgrade(given)
    assert lowered == {**given, "ignition": {"version": "3.3.0"}}
    assert note


@pytest.mark.parametrize("version", ["3.6.0", "3.7.0-experimental"])
@pytest.mark.parametrize("kind", ["files", "directories"])
def test_special_bits_need_an_image_that_knows_3_6_0(version: str, kind: str) -> None:
    given = {"ignition": {"version": version}, "storage": {kind: [{"path": "/a", "mode": 0o2775}]}}
    with pytest.raises(InputError) as caught:
        downgrade(given, (3, 5, 0))
    assert f'"$.storage.{kind}.0.mode"' in caught.value.message
    assert "needs Ignition spec 3.6.0" in caught.value.message
    assert "boot Flatcar 4820 or newer" in caught.value.hint
    assert downgrade(given, (3, 6, 0))[0]["ignition"]["version"] == "3.6.0"


EXPERIMENTAL = """\
variant: flatcar
version: 1.2.0-experimental
storage: {files: [{path: /a, mode: 0644, contents: {inline: x}}]}
systemd: {quadlets: [{name: web.container, contents: "[Container]"}]}
"""


@pytest.mark.parametrize("limit", [(3, 3, 0), (3, 4, 0), (3, 5, 0), (3, 6, 0)])
def test_the_experimental_version_is_lowered_for_every_image(limit: tuple[int, int, int]) -> None:
    done = translate(EXPERIMENTAL)
    assert done.ignition is not None
    lowered, note = downgrade(done.ignition, limit)
    number = ".".join(map(str, limit))
    assert lowered == {**done.ignition, "ignition": {"version": number}}
    assert f"handed over as Ignition {number} (the config says 3.7.0-experimental" in note
    older, _ = downgrade({**done.ignition, "ignition": {"version": "3.4.0"}}, (3, 3, 0))
    assert older["storage"] == lowered["storage"]


@pytest.mark.parametrize("version", ["2.3.0", "3.7.0", "3.9.0", "3.5.0-experimental", "3.7.0-other", "", "x", 3])
def test_lower_refuses_unknown_versions(version: Any) -> None:
    with pytest.raises(InputError):
        downgrade({"ignition": {"version": version}})


def test_lower_reaches_configs_inside_the_config() -> None:
    inner = json.dumps({"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/x"}]}})
    text = f"variant: flatcar\nversion: 1.1.0\nignition: {{config: {{merge: [{{inline: '{inner}'}}]}}}}\n"
    done = translate(text)
    assert done.ignition is not None
    lowered, _ = downgrade(done.ignition)
    resource = lowered["ignition"]["config"]["merge"][0]
    data = decode_data_url(resource["source"], packed=resource["compression"] == "gzip")
    assert json.loads(data or b"")["ignition"] == {"version": "3.3.0"}


def test_a_checksum_forbids_rewriting() -> None:
    resource = {"source": 'data:,{"ignition":{"version":"3.4.0"}}', "verification": {"hash": "sha256-x"}}
    resource["source"] = "data:;base64,eyJpZ25pdGlvbiI6eyJ2ZXJzaW9uIjoiMy40LjAifX0="
    with pytest.raises(InputError):
        downgrade({"ignition": {"version": "3.4.0", "config": {"replace": resource}}})


def test_add_keys_creates_the_user() -> None:
    given = config(storage={})
    added = add_ssh_keys(given, [KEY + "\n"])
    assert added["passwd"] == {"users": [{"name": "core", "sshAuthorizedKeys": [KEY]}]}
    assert list(added) == ["ignition", "passwd", "storage"]
    assert "passwd" not in given


def test_add_keys_extends_the_user_once() -> None:
    given = config(
        passwd={"users": [{"name": "ada"}, {"name": "core", "uid": 500, "sshAuthorizedKeys": ["ssh-rsa B"]}]}
    )
    once = add_ssh_keys(given, [KEY])
    assert once["passwd"]["users"][1] == {"name": "core", "sshAuthorizedKeys": ["ssh-rsa B", KEY], "uid": 500}
    assert list(once["passwd"]["users"][1]) == ["name", "sshAuthorizedKeys", "uid"]
    assert add_ssh_keys(once, ["ssh-ed25519 AAAAC3Nza other comment"]) is once


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("variant: flatcar\nversion: 1.1.0\n", Format.BUTANE),
        ("variant: fcos\nversion: 1.5.0\n", Format.BUTANE),
        ("storage:\n  files: []\n", Format.BUTANE),
        ("variant: flatcar\n\tx: [\n", Format.BUTANE),
        ('{"ignition": {"version": "3.3.0"}}', Format.IGNITION),
        ('{"ignition": {"version"', Format.IGNITION),
        ("#cloud-config\nusers: []\n", Format.CLOUD_CONFIG),
        ("write_files:\n  - path: /a\n", Format.CLOUD_CONFIG),
        ("storage:\n  files:\n    - filesystem: root\n      path: /a\n", Format.CONTAINER_LINUX_CONFIG),
        ("locksmith:\n  reboot_strategy: off\n", Format.CONTAINER_LINUX_CONFIG),
        ("hello", Format.UNKNOWN),
        ("", Format.UNKNOWN),
        ("\x00", Format.UNKNOWN),
    ],
)
def test_looks_like(text: str, looks: Format) -> None:
    assert detect_format(text) is looks


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("variant: flatcar\n", "this is Butane"),
        ("#cloud-config\n", "this is cloud-config"),
        ("not json", "invalid character 'o' in literal null"),
        ("", "unexpected end of JSON input"),
        ('{"ignition": {"version": "2.3.0"}}', '"2.3.0"'),
        ('{"ignition": {}}', 'version is ""'),
        ('{"ignition": 5}', "cannot unmarshal number"),
        (
            '{"ignition": {"version": "3.3.0"}, "storage": 5}',
            "cannot unmarshal number into Go struct field Config.storage",
        ),
        ('{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "rel"}]}}', "path not absolute"),
        ("[]", "cannot unmarshal array"),
    ],
)
def test_ign_files_that_are_refused(text: str, said: str) -> None:
    value, report = check_ignition(text)
    assert value is None
    assert report.is_fatal
    assert said in str(report)


def test_ign_files_that_are_taken() -> None:
    text = '{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "/a", "x": 1}]}}'
    value, report = check_ignition(text)
    assert value is not None
    assert value["storage"]["files"][0]["x"] == 1
    assert [entry.message for entry in report] == ["unused key x"]
    assert report.entries[0].span is not None


def merging(inner: dict[str, Any], outer: str) -> dict[str, Any]:
    """A config of version `outer` with a config inside."""
    source = f"data:,{quote(json.dumps(inner))}"
    return {"ignition": {"version": outer, "config": {"merge": [{"source": source}]}}}


@pytest.mark.parametrize("outer", ["3.3.0", "3.4.0"])
def test_a_merged_config_is_lowered_whatever_the_outer_one_is(outer: str) -> None:
    lowered, note = downgrade(merging(config(), outer))
    found = decode_data_url(lowered["ignition"]["config"]["merge"][0]["source"])
    assert found is not None
    assert json.loads(found) == {"ignition": {"version": "3.3.0"}}
    assert "3.3.0" in note
    for version in ("3.2.0", "2.3.0"):
        given = merging({"ignition": {"version": version}}, "3.3.0")
        assert downgrade(given) == (given, "")


@pytest.mark.parametrize("outer", ["3.3.0", "3.4.0"])
def test_what_a_merged_config_cannot_have_is_named_as_its_own(outer: str) -> None:
    inner = {"ignition": {"version": "3.6.0"}, "storage": {"files": [{"path": "/a", "mode": 0o4755}]}}
    with pytest.raises(InputError, match=r'^in a merged config, "\$\.storage\.files\.0\.mode" uses setuid'):
        downgrade(merging(inner, outer))
