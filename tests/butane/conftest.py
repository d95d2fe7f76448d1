"""Fixtures of the Butane tests: a folder to run in, and the module that runs recorded cases."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_tool(name: str) -> ModuleType:
    """A script of tools/ as a module."""
    known = sys.modules.get(f"tools_{name}")
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def vectors() -> ModuleType:
    """tools/vectors.py."""
    return load_tool("vectors")


@pytest.fixture(scope="session")
def good_texts(vectors: ModuleType) -> list[str]:
    """The texts of the recorded cases that translate."""
    files = sorted((ROOT / "tests" / "golden" / "butane").glob("*.jsonl.gz"))
    cases = [case for path in files for case in vectors.load(path)]
    good = [vectors.input_of(case) for case in cases if case["exit"] == 0 and "-d" not in case["args"]]
    return [text.decode() for text in good if not text.startswith((b"\xff\xfe", b"\xfe\xff"))]
