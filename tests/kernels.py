"""Kernels of this very Python for tests, whatever kernels a person has installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest


def make_kernel(folder: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "flatkit test",
        "language": "python",
        "env": environment,
    }
    place = folder / "jupyter" / "kernels" / "flatkit-test"
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    return "flatkit-test"
