"""SECURITY.md: each promise names tests, and the tests that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISES = re.findall(r"^(\d+)\. \*\*(.*?)(?=^\d+\. \*\*|\Z)", TEXT, flags=re.MULTILINE | re.DOTALL)
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT)))


def test_each_promise_names_a_test() -> None:
    assert [number for number, _ in PROMISES] == [str(number) for number in range(1, len(PROMISES) + 1)]
    assert len(PROMISES) >= 10
    assert [number for number, text in PROMISES if not re.search(r"`tests/[\w/]+\.py", text)] == []


@pytest.mark.parametrize("name", NAMED)
def test_a_named_test_exists(name: str) -> None:
    file, _, function = name.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {function or 'test_'}", text, flags=re.MULTILINE), name


def test_who_may_be_hostile_leads_to_promises() -> None:
    rows = re.findall(r"^\| (?!who|---)[^|]+\|[^|]+\| ([\d, ]+) \|$", TEXT, flags=re.MULTILINE)
    named = {number.strip() for row in rows for number in row.split(",")}
    assert len(rows) >= 8
    assert named <= {number for number, _ in PROMISES}
