"""The schema as data: complete, documented, and as a JSON Schema."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from flatkit.butane import translate
from flatkit.butane.jsonschema import json_schema
from flatkit.butane.schema import VERSIONS, camel, get_schema, snake
from flatkit.cli import main


@pytest.mark.parametrize("version", VERSIONS)
def test_every_field_is_documented(version: str) -> None:
    schema = get_schema(version)
    fields = [(struct.name, field) for struct in schema.structs.values() for field in struct.fields.values()]
    assert len(fields) > 130
    for struct, field in fields:
        assert field.doc.endswith("."), (struct, field.name)
        assert len(field.doc.split()) >= 2, (struct, field.name)
    page = {"1.2.0-experimental": "1_2-exp"}.get(version, version.replace(".", "_"))
    assert schema.reference.endswith(f"config-flatcar-v{page}/")


def test_names_map_both_ways() -> None:
    names = {name for struct in get_schema().structs.values() for name in struct.fields}
    assert [name for name in names if snake(camel(name)) != name] == []
    assert camel("size_mib") == "sizeMiB"


def test_what_version_1_1_0_added() -> None:
    old, new = get_schema("1.0.0"), get_schema("1.1.0")
    added = {
        f"{name}.{key}"
        for name, struct in new.structs.items()
        for key in struct.fields
        if key not in old.structs[name].fields
    }
    assert added == {
        "PasswdUser.ssh_authorized_keys_local",
        "Unit.contents_local",
        "Dropin.contents_local",
        "Luks.discard",
        "Luks.open_options",
        "Tang.advertisement",
    }


def test_what_version_1_2_0_adds() -> None:
    old, new = get_schema("1.1.0"), get_schema("1.2.0-experimental")
    added = {
        f"{name}.{key}"
        for name, struct in new.structs.items()
        for key in struct.fields
        if key not in old.structs[name].fields
    }
    assert added == {
        "Cex.enabled", "Luks.cex", "Tree.user", "Tree.group", "Tree.file_mode", "Tree.dir_mode", "Systemd.quadlets",
    }  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_the_json_schema_is_valid(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["butane", "--schema", version]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json_schema(version)
    jsonschema.Draft7Validator.check_schema(printed)


def test_an_unknown_version_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["butane", "--schema", "9.9.9"]) == 2
    assert '"9.9.9"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("variant: flatcar\nversion: 1.1.0\nstorage: {files: [{path: /a, mode: 420, contents: {inline: x}}]}", True),
        ("variant: flatcar\nversion: 1.1.0\nsystemd: {units: [{name: a.service, contents_local: x}]}", True),
        ("variant: flatcar\nversion: 1.1.0\nstorage: {files: [{mode: 420}]}", False),
        ("variant: flatcar\nversion: 1.1.0\nstorage: {files: [{path: a}]}", False),
        ("variant: flatcar\nversion: 1.1.0\nstorage: {files: [{path: /a, contents: {inline: x, local: y}}]}", False),
        ("variant: flatcar\nversion: 1.1.0\nstorage: {filesystems: [{device: /a, format: zfs}]}", False),
        ("variant: flatcar\nversion: 1.1.0\nbogus: 1", False),
        ("variant: fcos\nversion: 1.1.0", False),
        ("version: 1.1.0", False),
    ],
)
def test_the_json_schema_judges(text: str, fine: bool) -> None:
    validator = jsonschema.Draft7Validator(json_schema())
    assert validator.is_valid(yaml.safe_load(text)) is fine


def test_the_json_schema_takes_what_butane_takes_without_a_word(good_texts: list[str]) -> None:
    validators = {version: jsonschema.Draft7Validator(json_schema(version)) for version in VERSIONS}
    judged = 0
    for text in good_texts:
        done = translate(text, strict=True)
        if done.schema is None or not done.ok or done.values["version"] != done.schema.version:
            continue
        found = validators[done.schema.version].iter_errors(done.values)
        faults = [f"{error.json_path}: {error.message}" for error in found]
        # Butane lets a group without a name pass; an editor should not.
        odd = [fault for fault in faults if "required property" not in fault]
        assert odd == [], text
        judged += 1
    assert judged > 80
