"""What the lab machine's commands said, beside what Flatcar's say: one parser reads both (tools/capture_commands.py)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tools.accept.golden import CAPTURES, read_value

FOLDER = Path(__file__).resolve().parents[1] / "golden/commands"
FILES = sorted(FOLDER.glob("*.json"))


def read(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_parsers_read_what_was_said(path: Path) -> None:
    kept = json.loads(path.read_text())
    assert kept["raw"] or not must_say(path.stem)
    assert read_value(kept["command"], kept["raw"]) == kept["value"]


def must_say(stem: str) -> bool:
    """Whether a golden command must say something; the lab image has nothing to say to some."""
    return stem.partition("-")[2] not in {each.name for each in CAPTURES if not each.shows}


def shape(raw: str) -> str:
    """The text with its numbers and versions left out: what of a format must be the same on both."""
    return re.sub(r"[0-9.]+", "N", re.sub(r"UPDATE_STATUS_\w+", "STATUS", raw))


def test_a_status_has_flatcars_form() -> None:
    flatcar = shape(read("flatcar-status")["raw"])
    assert shape(read("lab-fresh-status")["raw"]) == flatcar
    assert set(re.findall(r"(?s)LAST_CHECKED_TIME.*?NEW_SIZE=N\n", shape(read("lab-staged-update")["raw"]))) == {
        flatcar
    }


def test_a_partition_has_flatcars_form() -> None:
    def columns(raw: str) -> list[str]:
        return [
            re.sub(r"[0-9]", " ", line) if "Label" in line else re.sub(r"[0-9]", "N", line) for line in raw.splitlines()
        ]

    assert columns(read("lab-fresh-cgpt-show-partition")["raw"]) == columns(read("flatcar-cgpt-show-partition")["raw"])


def test_the_states_of_an_update_are_the_ones_of_the_facts() -> None:
    fresh = [(slot["priority"], slot["tries"], slot["successful"]) for slot in read("lab-fresh-cgpt-show")["value"]]
    staged = [(slot["priority"], slot["tries"], slot["successful"]) for slot in read("lab-staged-cgpt-show")["value"]]
    assert fresh == [(1, 0, True), (0, 0, False)]
    assert staged == [(1, 0, True), (2, 1, False)]
    assert re.fullmatch(r"0 \d+ verity V\n", read("lab-fresh-verity-status")["raw"])
