"""Every Butane config that a notebook shows is one that butane takes, without a warning."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flatkit.butane import translate

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def configs() -> list[tuple[str, str]]:
    found = []
    for path in sorted(NOTEBOOKS.glob("**/*.ipynb")):
        for cell in json.loads(path.read_text())["cells"]:
            first, _, rest = "".join(cell["source"]).partition("\n")
            if cell["cell_type"] == "code" and first.startswith("%%butane"):
                found.append((f"{path.stem}-{cell['id']}", rest))
    return found


@pytest.mark.parametrize(("name", "text"), configs(), ids=[name for name, _ in configs()])
def test_it_goes_through(name, text):
    done = translate(text, strict=True)
    assert done.ok, f"{name}: {done.failure}\n{done.report}"
    assert len(done.report) == 0


def test_there_are_some():
    assert len(configs()) >= 2
