"""The linters as tests, so that CI holds them through `make test` alone; `make check` runs the same ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def complaints(*words: str) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [("check", "."), ("format", "--check", ".")], ids=["check", "format"])
def test_ruff_is_content(arguments: tuple[str, ...]) -> None:
    assert complaints(sys.executable, "-m", "ruff", *arguments) == ""


def test_mypy_is_content() -> None:
    assert complaints(sys.executable, "-m", "mypy") == ""


@pytest.mark.skipif(
    shutil.which("shellcheck") is None and not os.environ.get("CI"), reason="shellcheck is not installed"
)
@pytest.mark.parametrize("script", ["tools/setup.sh", ".ci/run", ".binder/postBuild"])
def test_shellcheck_is_content(script: str) -> None:
    assert complaints("shellcheck", "--external-sources", "--check-sourced", script) == ""


WORKFLOWS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / ".github/workflows").glob("*.yml"))


def test_the_workflows_have_the_form_that_github_reads() -> None:
    assert (
        complaints(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
        == ""
    )


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_actionlint_is_content() -> None:
    assert complaints("actionlint", *WORKFLOWS) == ""


def test_no_two_test_modules_have_one_name() -> None:
    """Each folder is on the path, so pytest would refuse the second one, and only when all are run together."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name not in {"conftest.py", "__init__.py"}]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_prose_has_no_blocked_words() -> None:
    assert complaints(sys.executable, "tools/check_prose.py") == ""
