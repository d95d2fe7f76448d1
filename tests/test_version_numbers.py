"""The one order of version numbers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.butane.schema import VERSIONS
from flatkit.ignition_specs import READERS
from flatkit.images.releases import Version
from flatkit.version_numbers import VersionNumber, dotted, precedence, split_version, version_key

NUMBERS = st.tuples(*[st.integers(min_value=0, max_value=10**9 - 1)] * 3)
SORTED = (
    "", "0.0.0", "0.0.1", "0.1.0", "1.0.0", "1.1.0", "1.2.0-experimental", "1.10.0", "3.3.0", "3.4.0", "3.5.0-experimental",
    "3.6.0", "3510.3.8", "4081.3.9", "4081.3.10+nightly-20261130", "4593.2.5", "4757.0.0", "4820.0.0", "999999999.0.0",
)  # fmt: skip


@pytest.mark.parametrize(("lower", "higher"), list(itertools.pairwise(SORTED)))
def test_each_version_sorts_below_the_next(lower: str, higher: str) -> None:
    assert version_key(lower) < version_key(higher)


# The example of semver 2.0.0, section 11, and numbers beyond nine digits.
BY_PRECEDENCE = (
    "", "0.0.0-0", "0.0.0", "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0--", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
    "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1-rc1", "12345678901.0.0",
)  # fmt: skip


@pytest.mark.parametrize(("lower", "higher"), list(itertools.pairwise(BY_PRECEDENCE)))
def test_semantic_versions_have_their_precedence(lower: str, higher: str) -> None:
    assert precedence(lower) < precedence(higher)
    assert precedence(f"{lower}+z") < precedence(f"{higher}+a")
    assert precedence(f"{higher}+z") == precedence(f"{higher}+a") == precedence(higher)


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "a.b.c", " 1.2.3", "v1.2.3", "-1.2.3", "1..3", "1234567890.0.0", "1.2.1234567890", "١.٢.٣"]
)
def test_other_text_is_no_version_and_sorts_below_all(text: str) -> None:
    assert split_version(text) is None
    assert version_key(text) < version_key("0.0.0")


@pytest.mark.parametrize(
    ("text", "digits", "found"),
    [
        ("4593.2.5", 6, ((4593, 2, 5), "")),
        ("4593.2.5\n", 6, ((4593, 2, 5), "\n")),
        ("4593.2.5.6", 6, ((4593, 2, 5), ".6")),
        ("1.2.0-experimental", 9, ((1, 2, 0), "-experimental")),
        ("01.002.0", 9, ((1, 2, 0), "")),
        ("1234567.0.0", 6, None),
        ("1234567.0.0", 9, ((1234567, 0, 0), "")),
        ("0.0.1234567", 6, None),
    ],
)
def test_a_version_and_what_follows_it(text: str, digits: int, found: tuple[VersionNumber, str] | None) -> None:
    assert split_version(text, digits=digits) == found


@given(NUMBERS, NUMBERS)
def test_versions_sort_by_their_numbers(one: VersionNumber, other: VersionNumber) -> None:
    assert (version_key(dotted(one)) < version_key(dotted(other))) == (one < other)
    assert (Version(*one) < Version(*other)) == (one < other)


def test_the_tables_of_versions_are_in_order() -> None:
    assert sorted(VERSIONS, key=version_key) == list(VERSIONS)
    assert sorted(READERS, key=lambda reader: version_key(reader.ignition), reverse=True) == list(READERS)
    assert sorted(READERS, key=lambda reader: reader.spec, reverse=True) == list(READERS)
