"""Every example goes through, and what comes out is what Ignition itself accepts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from flatkit.butane import translate
from flatkit.butane.explain import explain
from flatkit.butane.ignition.go_json import dump
from flatkit.butane.ignition_compat import downgrade
from flatkit.butane.lint import lint
from flatkit.run import run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CONFIGS = sorted(EXAMPLES.glob("*.bu"))
VALIDATE = shutil.which("ignition-validate") or "/usr/bin/ignition-validate"


def test_there_are_examples() -> None:
    names = {path.name for path in CONFIGS}
    assert names >= {"web.bu", "user.bu", "storage.bu", "units.bu", "files.bu", "merge.bu"}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_example_is_strictly_fine(path: Path) -> None:
    done = translate(path.read_bytes(), files_dir=EXAMPLES / "files", strict=True, name=path.name)
    assert done.ok, f"{done.failure}\n{done.report}"
    assert json.loads(done.json) == done.ignition
    assert {entry.code for entry in lint(done)} <= {"no-way-in"}
    assert explain(done)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_ignition_accepts_the_example(path: Path, tmp_path: Path) -> None:
    done = translate(path.read_bytes(), files_dir=EXAMPLES / "files")
    assert done.ignition is not None
    lowered, _ = downgrade(done.ignition)
    config = tmp_path / "config.ign"
    config.write_text(dump(lowered))
    result = run([VALIDATE, config])
    assert (result.status, result.stdout + result.stderr) == (0, "")


def test_ignition_accepts_the_recorded_results(good_texts: list[str], tmp_path: Path) -> None:
    """All at once: one process for many configs."""
    written = []
    for number, text in enumerate(good_texts):
        done = translate(text)
        if done.ignition is None or done.ignition["ignition"]["version"] != "3.3.0" or "clevis" in text:
            continue
        written.append(tmp_path / f"{number}.ign")
        written[-1].write_text(done.json)
    assert len(written) > 20
    refused = [path.read_text() for path in written if run([VALIDATE, path], check=False).status != 0]
    assert refused == []
