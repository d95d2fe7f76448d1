"""What the editor's page is told: places of every line, what was added, differences, the schema."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from flatkit import paths
from flatkit.butane import translate
from flatkit.butane.lint import lint
from flatkit.widgets import editor_state

EXAMPLES = sorted(paths.examples_dir().glob("*.bu"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_value_of_every_example_has_its_source(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    done = translate(text, files_dir=file.parent / "files", pretty=True)
    assert done.ok
    origins = editor_state.origins(done)
    lines, count = done.json.split("\n"), text.count("\n") + 1
    assert len(origins) == len(list(done.provenance.leaves()))
    for number, span, _, _ in origins:
        assert span is not None
        shown = lines[number - 1].strip(" ,")
        assert json.loads(shown.partition(": ")[2] or shown) is not None
        line, column, end_line, _ = span
        assert 1 <= line <= end_line <= count
        assert column >= 1


def recorded_configs() -> list[str]:
    folder = Path(__file__).resolve().parents[1] / "golden" / "butane"
    found: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, str):
            found.extend([value] if "variant" in value else [])
        else:
            for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
                collect(item)

    for file in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                collect(json.loads(line))
    return found


def test_every_recorded_config_can_be_told() -> None:
    good = 0
    for text in recorded_configs():
        done = translate(text, pretty=True)
        assert bool(editor_state.entry_states(lint(done), done.failure)) >= (not done.ok), text
        if done.ok:
            good += 1
            assert len(editor_state.origins(done)) == len(list(done.provenance.leaves())), text
            editor_state.explanation(done)
    assert good > 200


ADDED = [
    (("ignition", "version"), ("version",), True),
    (("storage", "files", 0, "path"), ("storage", "files", 0, "path"), False),
    (("storage", "files", 0, "contents", "source"), ("storage", "files", 0, "contents", "inline"), False),
    (("storage", "files", 0, "contents", "source"), ("storage", "files", 0, "contents", "local"), False),
    (("storage", "files", 0, "contents", "compression"), ("storage", "files", 0, "contents", "inline"), True),
    (("storage", "files", 3, "mode"), ("storage", "trees", 0), True),
    (("systemd", "units", 0, "contents"), ("systemd", "units", 0, "contents_local"), False),
    (("systemd", "units", 1, "enabled"), ("storage", "filesystems", 0, "with_mount_unit"), True),
    (("passwd", "users", 0, "sshAuthorizedKeys", 1), ("passwd", "users", 0, "ssh_authorized_keys", 1), False),
    (("passwd", "users", 0, "sshAuthorizedKeys", 1), ("passwd", "users", 0, "ssh_authorized_keys_local", 0), False),
]  # fmt: skip


@pytest.mark.parametrize(("made", "written", "added"), ADDED)
def test_what_nobody_wrote_is_known(made: tuple[str | int, ...], written: tuple[str | int, ...], added: bool) -> None:
    assert editor_state.is_added(made, written) is added


def test_lines_of_odd_texts_keep_their_places() -> None:
    text = 'variant: flatcar\nversion: 1.1.0\nstorage:\n  files:\n    - path: "/x{"\n      append: []\n    - path: "/\\u0085y["\n'
    done = translate(text, pretty=True)
    lines = done.json.split("\n")
    shown = {lines[number - 1].strip(" ,"): span[0] for number, span, _, _ in editor_state.origins(done) if span}
    assert shown['"path": "/x{"'] == 5
    assert shown['"path": "/\u0085y["'] == 7


def test_a_difference_leaves_out_what_is_far_from_it() -> None:
    text = "\n".join(f"line {number}" for number in range(20))
    rows = editor_state.difference(text, text.replace("line 10", "line ten"))
    assert rows[0] == {"mark": "…", "text": ""}
    assert [(row["mark"], row["text"]) for row in rows if row["mark"] in "+-"] == [("-", "line 10"), ("+", "line ten")]
    assert len(rows) == 7
    assert editor_state.difference(text, text) == []


def test_the_schema_can_be_walked_from_its_root() -> None:
    for schema in editor_state.schema_state().values():
        structs = schema["structs"]
        assert {field["struct"] for struct in structs.values() for field in struct.values()} - {""} <= structs.keys()
        assert structs["Config"]["storage"]["struct"] == "Storage"
        assert structs["Storage"]["files"]["list"]
        assert structs["Filesystem"]["format"]["choices"]
    assert json.dumps(editor_state.schema_state())


def test_a_failure_without_an_entry_is_still_told() -> None:
    done = translate("variant: fcos\nversion: 1.5.0\n")
    assert editor_state.entry_states(done.report, done.failure)[0]["kind"] == "error"
    empty = translate("")
    assert editor_state.entry_states(empty.report, empty.failure)
