"""A word that beginners do not know is explained where the course uses it first, in the order in which it is read."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
# The core path comes first; who takes the others has read it.
CORE = ("00-start", "01-provision", "03-immutable", "04-updates", "06-sysext")
# Word -> the notebook and the cell that explain it.
EXPLAINED = {
    "Butane": ("00-start", "first"),
    "YAML": ("00-start", "first"),
    "lab image": ("00-start", "badge"),
    "Ignition": ("01-provision", "config-notice"),
    "systemd": ("01-provision", "service"),
    "unit": ("01-provision", "service"),
    "immutable": ("01-provision", "readonly-notice"),
    "hash": ("03-immutable", "hash-word"),
    "root hash": ("03-immutable", "picture"),
    "digest": ("03-immutable", "digest"),
    "dm-verity": ("03-immutable", "digest"),
    "slot": ("04-updates", "slots-intro"),
    "rollback": ("04-updates", "back"),
    "locksmithd": ("04-updates", "window"),
    "system extension": ("06-sysext", "what"),
    "extension-release": ("06-sysext", "inside"),
    "canary": ("05-channels", "canary"),
    "registry": ("07-containers", "registry"),
    "kubelet": ("11-kubernetes", "node"),
    "transfer file": ("11-kubernetes", "config"),
}


@cache
def cells(name: str) -> list[tuple[str, str]]:
    """The id and the text of each text cell, without code and addresses; of the title, what is below it."""
    found = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = [(cell["id"], "".join(cell["source"])) for cell in found if cell["cell_type"] == "markdown"]
    clean = [
        (at, re.sub(r"```.*?```|`[^`]*`|^# [^\n]*$", " ", text, flags=re.DOTALL | re.MULTILINE)) for at, text in texts
    ]
    return [(at, re.sub(r"\]\([^)]*\)|<summary>.*?</summary>", "]", text)) for at, text in clean]


def order() -> list[str]:
    names = [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    return [*CORE, *(name for name in names if name not in CORE)]


@pytest.mark.parametrize("word", EXPLAINED)
def test_its_first_use_explains_it(word: str) -> None:
    uses = [
        (name, at)
        for name in order()
        for at, text in cells(name)
        if re.search(rf"(?<![\w./-]){re.escape(word)}s?(?![\w/-])", text)
    ]
    assert uses[0] == EXPLAINED[word]


def test_the_cells_are_there() -> None:
    for name, at in EXPLAINED.values():
        assert at in [found for found, _ in cells(name)]
