"""A signing key and a pretended release server for the tests of Flatcar images, each with a cache of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flatcar_parts import DATA, QUICK, SOFTWARE

from flatkit.events import Tape
from flatkit.images.fetch import Fetcher
from flatkit.images.releases import Board
from flatkit.testing.flatcar_site import FlatcarSite
from flatkit.testing.signing import SigningKey


@pytest.fixture(scope="session")
def signing_key() -> Iterator[SigningKey]:
    if not shutil.which("gpg"):
        pytest.skip("no gpg here")
    with SigningKey() as key:
        yield key


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for this test alone, and no setting of the person's."""
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    for name in ("FLATKIT_MIRROR", "FLATKIT_RELEASE_SERVER", "FLATKIT_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def site(
    tmp_path: Path, cache: Path, signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlatcarSite]:
    """A release server with stable 4593.2.5 and the one before, which flatkit uses and trusts."""
    with FlatcarSite(tmp_path / "site", key=signing_key) as made:
        made.add("4593.2.4", DATA[:1000], pointers=(), date="2026-07-13", software=SOFTWARE)
        made.add("4593.2.5", DATA, software=SOFTWARE)
        for name, value in made.environment(tmp_path / "key.asc").items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture
def fetcher(site: FlatcarSite, tape: Tape) -> Fetcher:
    return Fetcher(board=Board.AMD64, observer=tape, patience=QUICK)
