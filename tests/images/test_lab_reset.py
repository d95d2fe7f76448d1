"""The lab image's flatcar-reset refuses what Flatcar's refuses, before anything is touched; the demo plays the rest."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from flatkit.images.lab import recipe

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("bash", "getopt")) and not os.environ.get("CI"),
    reason="the script needs bash and getopt",
)
SCRIPT = recipe.files() / "usr/bin/flatcar-reset"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("/var/log",), "Error: Found unused arguments: /var/log"),
        (("--keep-paths",), "Error: No paths to keep specified for --keep-paths argument"),
        (("--keep-paths", "var/log"), "Invalid path to keep, must be an absolute path or a regex for an absolute path: var/log"),
        (("-K", "./x"), "Invalid path to keep"),
        (("-F", "a.ign", "-U", "http://10.0.2.2/a.ign"), "Can't specify both Ignition URL and Ignition file at the same time"),
        (("-S", "-P"), "Only one exclusive action allowed"),
        (("-K", ""), "Error: No paths to keep specified for --keep-paths argument"),
        (("-P", "-D"), "Only one exclusive action allowed"),
        (("--keep",), "ambiguous"),
        (("--help",), "Usage: flatcar-reset [--ignition-file FILE]"),
    ],
)  # fmt: skip
def test_it_refuses_before_it_does_anything(words: tuple[str, ...], said: str) -> None:
    done = subprocess.run(["bash", str(SCRIPT), *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert said in done.stdout + done.stderr
    assert "Staged" not in done.stdout
