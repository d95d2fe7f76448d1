"""make test runs in lanes, each of which collects the tests: a test whose name differs between them ends the run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long  # the lanes of make test compare their names too, and end the run
def test_every_process_collects_the_same_tests(request: pytest.FixtureRequest) -> None:
    # Another process, later, with another seed for the order of sets: whatever of a test's name hangs on these shows.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    there = set(done.stdout.split("\n"))
    here = {item.nodeid for item in request.session.items}
    assert sorted(here - there) == []
