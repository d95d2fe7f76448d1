"""What must hold for any input: no exception, an answer in time, the same answer twice."""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flatkit.api import parse_config
from flatkit.butane import translate
from flatkit.butane.detect import detect_format
from flatkit.butane.ignition.config import check_ignition
from flatkit.butane.lint import lint
from flatkit.butane.quickfix import apply_edit
from flatkit.butane.source import document

TOOLS = Path(__file__).resolve().parents[2] / "tools"
HEAD = "variant: flatcar\nversion: 1.1.0\n"
RELAXED = settings(
    deadline=None, max_examples=150, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
KEYS = (
    "storage", "files", "path", "contents", "inline", "mode", "systemd", "units", "name", "enabled", "passwd", "users",
    "disks", "partitions", "ignition", "config", "merge", "replace", "filesystems", "with_mount_unit", "trees", "local",
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=25,
)


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    sys.path.insert(0, str(TOOLS))
    try:
        import fuzz_butane
    finally:
        sys.path.remove(str(TOOLS))
    return fuzz_butane


@RELAXED
@given(st.binary(max_size=600))
def test_any_bytes(fuzz: ModuleType, data: bytes) -> None:
    assert fuzz.fault(data) == ""
    check_ignition(data)
    assert detect_format(data) is detect_format(data)


@RELAXED
@given(st.text(alphabet="ab:-?!&*|>'\"%@`#,[]{}<~0123456789 \n\t\\.", max_size=80))
def test_any_yaml(fuzz: ModuleType, text: str) -> None:
    assert fuzz.fault((HEAD + "x: " + text).encode()) == ""
    assert fuzz.fault((HEAD + text).encode()) == ""


@RELAXED
@given(st.integers(min_value=0, max_value=2**32))
def test_changed_configs(fuzz: ModuleType, good_texts: list[str], seed: int) -> None:
    rng = random.Random(seed)
    data = fuzz.mutate(rng.choice(good_texts).encode(), rng)
    assert fuzz.fault(data) == ""
    done = translate(data)
    for entry in lint(done):
        for edit in entry.edits:
            assert apply_edit(done.text, edit) != done.text


@RELAXED
@given(VALUES)
def test_any_values_in_known_places(fuzz: ModuleType, value: object) -> None:
    text = json.dumps({"variant": "flatcar", "version": "1.1.0", "storage": value, "systemd": value, "passwd": value})
    assert fuzz.fault(text.encode()) == ""


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "storage: {files: [" + ", ".join(f"{{path: /f{n}}}" for n in range(4000)) + "]}\n",
        HEAD + "storage: {links: [" + ", ".join(f"{{path: /l{n}, target: /x}}" for n in range(2000)) + "]}\n",
        HEAD + "storage: {disks: [{device: /dev/a, partitions: ["
        + ", ".join(f"{{number: {n}, start_mib: {n * 9}, size_mib: 9}}" for n in range(1, 1200)) + "]}]}\n",
        HEAD + "systemd: {units: [{name: a.service, contents: \"" + "[A]\\nb=c\\n" * 6000 + "\"}]}\n",
        HEAD + "storage: {files: [{path: /a, contents: {inline: \"" + "ab cd ef " * 7000 + "\"}}]}\n",
        HEAD + "x: " + "a " * 32000 + "\n",
        HEAD + "x:\t" + "- " * 15000 + "\n",
        HEAD + "'" * 60000,
        HEAD + "? " * 30000,
        HEAD + "".join(f"k{n}: &a{n} v\n" for n in range(4000)),
        HEAD + "x: " + "[" * 60000,
        HEAD + "x: " + '{"a":' * 12000,
        "#" * 65536,
        "\t" * 65536,
    ],
    ids=range(14),
)  # fmt: skip
def test_64_kib_cost_no_more_than_their_length(text: str) -> None:
    data = text.encode()[: 64 * 1024 + 1000]
    began = time.process_time()
    done = translate(data)
    # A tenth of a second on most hosts; work that grows with the square would take minutes.
    assert time.process_time() - began < 20
    assert done.ok == (not done.failure)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("web.bu", HEAD + "storage: {files: [{path: /a, mode: 644}]}\n"),
        ("web.ign", '{"ignition": {"version": "3.3.0"}, "bogus": 1}'),
    ],
)
def test_a_config_is_composed_once(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    composed = []
    real = document.compose
    monkeypatch.setattr(document, "compose", lambda given: composed.append(given) or real(given))
    assert parse_config(text, name=name).warnings
    assert composed == [text]


def test_an_explained_text_is_composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    composed = []
    real = document.compose
    monkeypatch.setattr(document, "compose", lambda given: composed.append(given) or real(given))
    text = "storage: {files: [{filesystem: root, path: /a}]}\n"
    assert any("Container Linux Config" in entry.teach for entry in lint(translate(text)))
    assert composed == [text]


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "storage: " + "{<<: " * 900 + "{}" + "}" * 900 + "\n",
        HEAD + "a0: &a0 {}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 900)) + "storage: *a899\n",
        HEAD + "ignition: {config: {merge: [{inline: '" + "[" * 5000 + "'}]}}\n",
        HEAD + 'ignition: {config: {merge: [{inline: \'{"x":' + "[" * 5000 + "]" * 5000 + "}'}]}}\n",
    ],
    ids=["merges", "merge-chain", "open-json", "deep-json"],
)
def test_deep_nesting_does_not_exhaust_the_stack(fuzz: ModuleType, text: str) -> None:
    assert fuzz.fault(text.encode()) == ""
    assert not translate(text).ok


@pytest.mark.parametrize(
    "text", ["[" * 5000, '{"ignition": {"version": "3.3.0"}, "x": ' + "[" * 5000 + "]" * 5000 + "}"]
)
def test_deep_ignition_is_refused(text: str) -> None:
    value, report = check_ignition(text)
    assert value is None
    assert "exceeded max depth" in report.entries[0].message
