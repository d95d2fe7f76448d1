"""The checker of the notebooks finds each fault that it promises to find, and passes a good lesson."""

from __future__ import annotations

import copy
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("check_notebooks", ROOT / "tools" / "check_notebooks.py")
assert _spec
assert _spec.loader
checker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(checker)


def text(source: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def code(source: str, *tags: str, **more: Any) -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None, **more,
    }  # fmt: skip


def lesson(*cells: dict[str, Any]) -> dict[str, Any]:
    whole = [
        text("# A first machine\n\n**Goal**: boot one. **Minutes**: 10. **Needs**: libvirt."),
        code("import flatkit as fk\nfk.doctor()"),
        text("Each line is one thing that the course needs; Flatcar and the lab image are alike."),
        text("**Predict**: what happens?", metadata={"tags": ["predict"]}),
        code("m.run('x')", "taught-failure", "raises-exception"),
        *cells,
        text("## Your turn"),
        code("", "exercise"),
        code('fk.check("01-one")', "check"),
        text("Another."),
        code("", "exercise"),
        code('fk.check("01-two", m)', "check"),
        text("## Recap\n\n1. What runs first?\n2. When?\n3. How often?"),
        code("fk.clean()"),
    ]
    for number, cell in enumerate(whole):
        cell.setdefault("id", f"cell-{number}")
    return {
        "nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3"}}, "cells": whole,
    }  # fmt: skip


def faults(notebook: dict[str, Any]) -> list[str]:
    return list(checker.notebook_faults(notebook))


def test_the_course_has_no_faults() -> None:
    folder = ROOT / "notebooks"
    assert checker.check(folder, checker.read_plan(folder)) == []


def test_a_good_lesson_passes() -> None:
    config = "%%butane web.bu\n" + "\n".join(f"line: {n}" for n in range(30))
    good = lesson(
        code(config),
        text("## See it\n\nNotice `/etc/hostname`, and [the manual](https://example.org/a/b/c)."),
        code("%%on m\ncat /home/core/greeting"),
        text("### Your turn\n\nLook into /home/core."),
        code("", "exercise"),
        code("!ls\nm = fk.up('web.bu')\nm", "raises-exception", "taught-failure"),
    )
    assert faults(good) == []


PLANTED = [
    (text("word " * 61), "61 words"),
    (text("# Another title"), "more than one title"),
    (text("#### Deep"), "skips a level"),
    (text("Look: ![a](https://example.org/a.png)"), "is fetched when shown"),
    (text('A <abbr title="x">slot</abbr>'), "marks a term by hand"),
    (text("<script src='https://example.org/x.js'></script>"), "is fetched when shown"),
    (text("Open /home/ann/web.bu"), "exists on one host only"),
    (text("  "), "empty"),
    (text("x", id="cell-0"), "this id was used before"),
    (text("x", id="a b"), "expected 1 to 64 letters"),
    (code("\n".join("a = 1" for _ in range(6))), "6 lines"),
    (code('fk.check("01-three")'), '"01-three" has no cell to work in'),
    (code("%%butane a.bu\n" + "x: 1\n" * 41), "42 lines"),
    (code("import os"), 'imports "os"'),
    (code("from yaml import load"), 'imports "yaml"'),
    (code("def f():\n    pass"), 'defines "f"'),
    (code("a b"), "is not Python"),
    (code("1", outputs=[{"output_type": "stream"}]), "holds outputs"),
    (code("1", execution_count=3), "holds an execution count"),
    (code("1", "hidden"), 'unknown tag "hidden"'),
    ({"cell_type": "raw", "metadata": {}, "source": "x"}, "a raw cell"),
]


@pytest.mark.parametrize(("cell", "expected"), PLANTED, ids=[expected for _, expected in PLANTED])
def test_a_planted_fault_is_found(cell: dict[str, Any], expected: str) -> None:
    (fault,) = faults(lesson(copy.deepcopy(cell)))
    assert expected in fault


def without_opening(notebook: dict[str, Any]) -> None:
    notebook["cells"][0]["source"] = "# A title"


def without_recap(notebook: dict[str, Any]) -> None:
    notebook["cells"][-2]["source"] = "## Recap\n\nWhat?"


def without_clean_up(notebook: dict[str, Any]) -> None:
    notebook["cells"][-1]["source"] = "1"


def without_title(notebook: dict[str, Any]) -> None:
    notebook["cells"][0]["source"] = "Goal, minutes, needs"


def of_old_format(notebook: dict[str, Any]) -> None:
    notebook["nbformat_minor"] = 4


def of_another_kernel(notebook: dict[str, Any]) -> None:
    notebook["metadata"] = {}


def without(*words: str) -> Callable[[dict[str, Any]], None]:
    """Without the cells that hold one of these words, in text or tags."""

    def change(notebook: dict[str, Any]) -> None:
        notebook["cells"] = [
            cell
            for cell in notebook["cells"]
            if not any(word in json.dumps(cell, ensure_ascii=False) for word in words)
        ]

    return change


def with_idle_talk(notebook: dict[str, Any]) -> None:
    notebook["cells"][4:4] = [text("Well.", id="talk-1"), text("Well, well.", id="talk-2")]


def with_a_quiz(notebook: dict[str, Any]) -> None:
    notebook["cells"][-2]["source"] = "## Recap"
    notebook["cells"][-1:-1] = [code('fk.check("01-recap")', id="quiz")]


def with_three_in_a_row(notebook: dict[str, Any]) -> None:
    notebook["cells"][2:2] = [code("1", id="x"), code("2", id="y")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (without_opening, "does not say its goal"),
        (without_recap, "1 recap questions"),
        (without_clean_up, "no clean-up"),
        (without_title, "starts with the title"),
        (of_old_format, "format 4.4"),
        (of_another_kernel, 'kernel "None"'),
        (with_three_in_a_row, "code cells in a row"),
        (without("Predict"), "nothing to predict"),
        (with_idle_talk, 'a "predict" cell is not followed'),
        (without("taught-failure"), "nothing fails on purpose"),
        (without("01-two"), "1 exercises with a check"),
        (without("lab image"), "what is lab image and what is Flatcar"),
    ],
)
def test_a_fault_of_the_whole_is_found(change: Callable[[dict[str, Any]], None], expected: str) -> None:
    notebook = lesson()
    change(notebook)
    assert expected in "\n".join(faults(notebook))


def test_a_quiz_may_ask_the_recap() -> None:
    notebook = lesson()
    with_a_quiz(notebook)
    assert faults(notebook) == []


KNOWN = {"image", "config", "unit", "slot", "channel", "payload"}
TERMS = [
    ("an **image**, a **Config**, and the **image** again", set(), ""),
    ("**Goal**: one. **1. Why?** **2.** **Predict**: x. **Step 1**: y. **Needs:** z", set(), ""),
    ("```\n**no term**\n```", set(), ""),
    ("a **widget**", set(), '"widget" is in bold'),
    ("**image** **config** **unit** **slot** **channel** **payload**", set(), "6 new terms (image, config"),
    ("**image** **config** **unit** **slot** **channel** **payload**", {"image"}, ""),
]


@pytest.mark.parametrize(("words", "before", "expected"), TERMS, ids=range(len(TERMS)))
def test_new_terms(words: str, before: set[str], expected: str) -> None:
    found = "\n".join(checker.term_faults([text(words)], KNOWN, before))
    assert expected in found
    assert bool(found) == bool(expected)


PLAN = {"01-a": {"title": "1. A", "minutes": 10, "core": True}, "02-b": {"title": "2. B", "minutes": 5, "core": False}}


@pytest.mark.parametrize(
    ("name", "opening", "expected"),
    [
        ("01-a", "# 1. A\n\n**Minutes**: 10. **Path**: core.", ""),
        ("02-b", "# 2. B\n\n**Minutes**: 5. **Path**: to take home.", ""),
        ("01-a", "# 1. B\n\n**Minutes**: 10. **Path**: core.", 'expected "# 1. A"'),
        ("01-a", "# 1. A\n\n**Minutes**: 100. **Path**: core.", '"**Minutes**: 10"'),
        ("02-b", "# 2. B\n\n**Minutes**: 5. **Path**: core.", '"**Path**: to take home"'),
        ("03-c", "# 3. C", "is not in the plan"),
    ],
)
def test_the_plan_is_held(name: str, opening: str, expected: str) -> None:
    found = "\n".join(checker.plan_faults(name, [text(opening)], PLAN))
    assert expected in found
    assert bool(found) == bool(expected)


def test_the_course_has_a_plan_and_other_folders_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "00-start" in checker.read_plan(ROOT / "notebooks")
    assert checker.read_plan(tmp_path) is None
    assert checker.main([str(ROOT / "notebooks")]) == 0


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["00-start.ipynb", "01-provision.ipynb"], ""),
        (["01-provision.ipynb"], ""),
        (["Start.ipynb"], "expected a name such as"),
        (["00-start.ipynb", "02-butane.ipynb"], "without a gap"),
        (["01-a.ipynb", "01-b.ipynb"], "without a gap"),
        (["04-a.ipynb"], "expected 00 or 01"),
    ],
)
def test_the_order_is_held(names: list[str], expected: str) -> None:
    found = "\n".join(checker.order_faults(names))
    assert expected in found
    assert bool(found) == bool(expected)


def test_words_are_what_a_learner_reads() -> None:
    assert checker.count_words("One *two* [three](https://a/b c) <!-- not this --> - four\n```\nnot this\n```") == 4


def test_the_command_says_where_and_ends_with_a_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "01-good.ipynb").write_text(json.dumps(lesson()))
    assert checker.main([str(tmp_path)]) == 0
    (tmp_path / "02-bad.ipynb").write_text("{")
    assert checker.main([str(tmp_path)]) == 1
    assert "02-bad.ipynb: is not JSON" in capsys.readouterr().out
    assert checker.main([str(tmp_path / "none")]) == 2
