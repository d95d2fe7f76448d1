"""Run the style checks and the fast tests that the changes of this checkout touch: `make quick`, about 20 s for a small change.

A test file is run if it was changed, if it imports a changed module by name, or if it reads a changed notebook or page.
`make check` runs everything. Exit status: that of the first check that fails, else that of pytest.

python tools/quick.py [BASE]    BASE: compare with this commit (default: HEAD, so the changes that are not committed)
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARKS = "not build and not vm and not ui and not install and not long"
# What no import shows: the folder or file changed, and the tests that read it.
READERS = (
    ("notebooks/", ("tests/project/test_check_notebooks.py", "tests/lessons/test_glossary.py")),
    ("examples/", ("tests/butane", "tests/demos/test_shipped.py")),
    ("flatkit/lessons/", ("tests/lessons",)),
    ("flatkit/recordings/", ("tests/demos/test_shipped.py",)),
    ("flatkit/widgets/js/", ("tests/project/test_bundles.py",)),
    ("flatkit/images/lab/files/", ("tests/images/test_lab_recipe.py",)),
    ("SECURITY.md", ("tests/project/test_security_page.py",)),
    ("deploy/", ("tests/deploy",)),
    ("docs/scale.md", ("tests/deploy/test_scale.py",)),
    ("tools/simulate_seats.py", ("tests/deploy/test_scale.py",)),
    ("tools/setup", ("tests/project/test_setup.py",)),
)  # fmt: skip


def changed(base: str) -> list[str]:
    """Return the changed, added and untracked files, relative to the checkout."""
    words = (["diff", "--name-only", "--diff-filter=d", base], ["ls-files", "--others", "--exclude-standard"])
    outputs = [
        subprocess.run(["git", *each], cwd=ROOT, capture_output=True, text=True, check=True).stdout for each in words
    ]
    return sorted({line for output in outputs for line in output.split("\n") if line})


def tests_for(files: list[str]) -> list[str]:
    """Return the test files and folders that these changes touch; the import rules are always among them."""
    found = {"tests/test_layers.py"}
    modules = set()
    for name in files:
        path = Path(name)
        if path.suffix == ".py" and path.parts[0] == "tests":
            found |= {name} if path.name.startswith("test_") else {str(path.parent)}
        elif path.suffix == ".py" and path.parts[0] == "flatkit":
            modules.add(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
        found |= {test for start, tests in READERS if name.startswith(start) for test in tests}
    for test in (ROOT / "tests").rglob("test_*.py"):
        text = test.read_text(encoding="utf-8")
        if any(_imports(text, module) for module in modules):
            found.add(str(test.relative_to(ROOT)))
    return sorted(name for name in found if (ROOT / name).exists() and Path(name).parent != Path())


def _imports(text: str, module: str) -> bool:
    parent, _, last = module.rpartition(".")
    there = rf"^\s*(from {re.escape(module)} import|import {re.escape(module)}\b|from {re.escape(parent)} import .*\b{last}\b)"
    return re.search(there, text, re.MULTILINE) is not None


def main(argv: list[str]) -> int:
    """Run the checks in order of their speed."""
    files = changed(argv[0] if argv else "HEAD")
    python = [name for name in files if name.endswith(".py")]
    tests = tests_for(files)
    print(f"{len(files)} files changed; tests: {' '.join(tests)}", flush=True)
    for words in (
        ["ruff", "check", "--", *(python or ["tools/quick.py"])],
        ["ruff", "format", "--check", "--", *(python or ["tools/quick.py"])],
        ["mypy"],
        ["pytest", "-q", "-m", MARKS, *tests],
    ):
        status = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
