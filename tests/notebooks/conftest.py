"""Kernels for notebooks: of this very Python, whatever kernels a person has installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernels import make_kernel

# The oldest that pyproject.toml allows.
OLDEST = "6.29.5"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kernel of this environment."""
    return make_kernel(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the oldest ipykernel that is supported, and nothing else."""
    folder = tmp_path_factory.mktemp("oldest")
    words = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(folder),
        f"ipykernel=={OLDEST}",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"ipykernel {OLDEST} could not be fetched: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def old_kernel(oldest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same Python with that ipykernel."""
    path = os.pathsep.join([str(oldest), *filter(None, [os.environ.get("PYTHONPATH")])])
    ask = [sys.executable, "-c", "import ipykernel; print(ipykernel.__version__)"]
    found = subprocess.run(ask, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == OLDEST
    return make_kernel(tmp_path, monkeypatch, PYTHONPATH=path)
