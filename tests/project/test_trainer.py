"""The trainer's plans: every minute is planned, and what they name exists."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from flatkit.cli import _COMMANDS
from flatkit.demos import DEMOS
from flatkit.lessons.glossary import plan

TRAINER = Path(__file__).resolve().parents[2] / "docs/trainer"


@pytest.mark.parametrize("minutes", [90, 45])
def test_every_minute_is_planned(minutes: int) -> None:
    text = (TRAINER / f"{minutes}-minutes.md").read_text()
    rows = [(int(begin), int(end)) for begin, end in re.findall(r"^\| (\d+)-(\d+) \|", text, flags=re.MULTILINE)]
    assert rows[0][0] == 0
    assert rows[-1][1] == minutes
    assert all(before[1] == after[0] for before, after in itertools.pairwise(rows))


def test_what_they_name_exists() -> None:
    text = "".join(path.read_text() for path in TRAINER.glob("*.md"))
    assert {*re.findall(r"`(\d\d-[a-z-]+)`", text)} <= {one.name for one in plan()}
    assert {*re.findall(r"`flatkit ([a-z]+)", text)} <= {*_COMMANDS}
    assert {*re.findall(r"flatkit demo run ([a-z]+)", text)} <= {*DEMOS}
    for path in re.findall(r"\]\(([a-z0-9-]+\.md)\)", text):
        assert (TRAINER / path).is_file()


def test_the_core_path_is_in_the_long_plan() -> None:
    text = (TRAINER / "90-minutes.md").read_text()
    assert all(f"`{one.name}`" in text for one in plan() if one.core)
