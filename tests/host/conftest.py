"""A user of this host, and a folder that is for root alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import people
import pytest


@pytest.fixture(scope="session")
def ada() -> Iterator[people.Person]:
    with people.person(2) as found:
        yield found


@pytest.fixture(scope="session")
def of_root() -> Iterator[Path]:
    folder = Path(f"/var/tmp/flatkit-{os.getpid()}-closed")
    folder.mkdir(mode=0o700)
    yield folder
    folder.rmdir()
