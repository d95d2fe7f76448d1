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
        text("Each line is one thing that the course needs."),
        *cells,
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
    assert checker.check(ROOT / "notebooks") == []


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
    (text("<script src='https://example.org/x.js'></script>"), "is fetched when shown"),
    (text("Open /home/ann/web.bu"), "exists on one host only"),
    (text("  "), "empty"),
    (text("x", id="cell-0"), "this id was used before"),
    (text("x", id="a b"), "expected 1 to 64 letters"),
    (code("\n".join("a = 1" for _ in range(13))), "13 lines"),
    (code("%%butane a.bu\n" + "x: 1\n" * 41), "42 lines"),
    (code("import os"), 'imports "os"'),
    (code("from yaml import load"), 'imports "yaml"'),
    (code("def f():\n    pass"), 'defines "f"'),
    (code("a b"), "is no Python"),
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
    ],
)
def test_a_fault_of_the_whole_is_found(change: Callable[[dict[str, Any]], None], expected: str) -> None:
    notebook = lesson()
    change(notebook)
    assert expected in "\n".join(faults(notebook))


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
    assert "02-bad.ipynb: is no JSON" in capsys.readouterr().out
    assert checker.main([str(tmp_path / "none")]) == 2
