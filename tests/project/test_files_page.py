"""docs/files.md names the files that flatkit writes: each name is in the module that the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"^\| (`.*?) \| .* \| `(\S+\.py)` \|$", (ROOT / "docs/files.md").read_text(), re.MULTILINE)


def test_the_page_has_rows() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize(("names", "module"), ROWS, ids=[names for names, _ in ROWS])
def test_a_name_is_in_the_room_of_its_module(names: str, module: str) -> None:
    assert (ROOT / "flatkit" / module).is_file()
    room = "".join(path.read_text() for path in (ROOT / "flatkit" / module).parent.glob("*.py"))
    for name in re.findall(r"`([^`]+)`", names):
        # Upper-case parts and `*` stand for something; the last fixed part is what the code spells.
        fixed = [part for part in re.split(r"[A-Z]{2,}(?:-[A-Z]+)?|[/*]", name) if part.strip("-")]
        if fixed:
            assert fixed[-1] in room, name
