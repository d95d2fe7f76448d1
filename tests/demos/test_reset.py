"""The demo's parser and check, on what a lab machine really said."""

from __future__ import annotations

import pytest

from flatkit.demos.reset import _are_one, parse_pair

BOOT = "db3a4a53-d1f0-42c4-9f69-14796a7ea950"
OTHER = "5ec8f2c6-4e5b-4a19-bdeb-b8c7fc2a8ed8"


@pytest.mark.parametrize(
    ("raw", "value", "ok"),
    [
        (f"{BOOT}\n{BOOT}\n", (BOOT, BOOT), True),
        (f"{OTHER}\n{BOOT}\n", (OTHER, BOOT), False),
        (f"{BOOT}\n", (BOOT, ""), False),
        ("", ("", ""), False),
    ],
)
def test_two_answers_that_must_be_one(raw: str, value: tuple[str, str], ok: bool) -> None:
    assert parse_pair(raw) == value
    assert _are_one("boot")(value).ok is ok
