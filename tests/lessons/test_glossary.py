"""The glossary, the plan and the pictures: each is whole, and what is written agrees with it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from flatkit.cli import main
from flatkit.errors import UsageError
from flatkit.lessons import LESSONS
from flatkit.lessons.glossary import get_term, glossary, plan
from flatkit.lessons.pictures import PICTURES

ROOT = Path(__file__).resolve().parents[2]


def test_each_term_is_one_plain_sentence() -> None:
    terms = [term.term for term in glossary()]
    assert terms == sorted(terms, key=str.lower)
    assert len({term.lower() for term in terms}) == len(terms)
    for term in glossary():
        assert term.text.endswith(".")
        assert len(term.text.split()) <= 30
        assert term.text.count(". ") == 0
        assert not term.link or term.link.startswith("https://")


def test_a_term_is_found_or_the_nearest_named(capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("SLOT", "slots", " slot "):
        assert get_term(word).term == "slot"
    assert get_term("verity").term == "dm-verity"
    assert get_term("dm verity").term == "dm-verity"
    assert get_term("registries").term == "registry"
    assert get_term("extension release").term == "extension-release"
    with pytest.raises(UsageError, match="not in the glossary; the nearest: Ignition"):
        get_term("ignitoin")
    for word in ("", "s", "zzzzzz"):
        with pytest.raises(UsageError, match="is not in the glossary"):
            get_term(word)
    assert main(["glossary", "root", "hash"]) == 0
    assert "root hash: A hash" in capsys.readouterr().out
    assert main(["glossary"]) == 0
    assert capsys.readouterr().out.count("\n") >= len(glossary())


def test_the_core_path_fits_into_ninety_minutes() -> None:
    core = [one for one in plan() if one.core]
    assert [one.name[:2] for one in core] == ["00", "01", "03", "04", "06"]
    assert sum(one.minutes for one in core) <= 90
    assert [one.name for one in plan()] == sorted(one.name for one in plan())


def test_every_lesson_belongs_to_a_planned_notebook() -> None:
    assert set(LESSONS) <= {one.name for one in plan()}
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = "".join("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])
        for task in LESSONS[path.stem].tasks:
            assert f'fk.check("{task.name}"' in text


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_up_to_date_and_says_itself(picture: object) -> None:
    drawn = picture.svg()  # type: ignore[attr-defined]
    name, words = picture.name, picture.text  # type: ignore[attr-defined]
    file = ROOT / "notebooks" / "pictures" / f"{name}.svg"
    assert file.read_text(encoding="utf-8") == drawn, "python tools/draw_pictures.py"
    root = ET.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}desc") == words
    shown = "".join(
        "".join(cell["source"])
        for path in (ROOT / "notebooks").glob("*.ipynb")
        for cell in json.loads(path.read_text())["cells"]
        if cell["cell_type"] == "markdown"
    )
    assert f"pictures/{name}.svg" in shown
    assert words in shown, "the text twin stands beside the picture"
    width = float(root.attrib["width"])
    for box in root.iter(f"{space}rect"):
        assert float(box.get("x", 0)) + float(box.attrib["width"]) <= width
