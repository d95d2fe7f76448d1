"""Every Butane config that a notebook shows is one of the examples, or a change of one; butane takes it without a warning."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flatkit.butane import translate

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
EXAMPLES = {path.read_text().rstrip("\n") for path in (ROOT / "examples").glob("*.bu")}
# Cells that change an example on purpose, by so many lines.
CHANGED = {"01-provision-butane-changed": 1}


def configs(*, faulty: bool = False) -> list[tuple[str, str]]:
    found = []
    for path in sorted(NOTEBOOKS.glob("**/*.ipynb")):
        for cell in json.loads(path.read_text())["cells"]:
            first, _, rest = "".join(cell["source"]).partition("\n")
            is_faulty = "taught-failure" in cell["metadata"].get("tags", ())
            if cell["cell_type"] == "code" and first.startswith("%%butane") and is_faulty == faulty:
                found.append((f"{path.stem}-{cell['id']}", rest))
    return found


@pytest.mark.parametrize(("name", "text"), configs(), ids=[name for name, _ in configs()])
def test_it_goes_through(name, text):
    done = translate(text, strict=True, files_dir=ROOT / "examples" / "files")
    assert done.ok, f"{name}: {done.failure}\n{done.report}"
    assert len(done.report) == 0


@pytest.mark.parametrize(("name", "text"), configs(), ids=[name for name, _ in configs()])
def test_it_lives_in_the_examples(name, text):
    lines = text.rstrip("\n").splitlines()
    differences = [
        sum(one != other for one, other in zip(lines, example.splitlines(), strict=True))
        for example in EXAMPLES
        if len(example.splitlines()) == len(lines)
    ]
    assert differences, f"{name}: no example of that length"
    assert min(differences) == CHANGED.get(name, 0)


@pytest.mark.parametrize(("name", "text"), configs(faulty=True), ids=[name for name, _ in configs(faulty=True)])
def test_a_taught_mistake_is_one(name, text):
    done = translate(text, strict=True)
    assert not done.ok or len(done.report)


def test_there_are_some():
    assert len(configs()) >= 8
    assert len(configs(faulty=True)) >= 4
