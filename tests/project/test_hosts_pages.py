"""The VM for a Mac (docs/lima.yaml) has fields that Lima's template documents, and the pages say what was not tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

DOCS = Path(__file__).resolve().parents[2] / "docs"
# Fields of templates/default.yaml in lima-vm/lima (2026), and nestedVirtualization (pull request 2530).
FIELDS = {
    "minimumLimaVersion", "vmType", "arch", "images", "cpus", "memory", "disk", "mounts", "mountType", "ssh", "containerd",
    "provision", "probes", "portForwards", "nestedVirtualization", "message", "env", "networks", "firmware", "video",
}  # fmt: skip


def lima() -> dict[str, Any]:
    return dict(yaml.safe_load((DOCS / "lima.yaml").read_text()))


def test_it_has_fields_that_lima_knows() -> None:
    assert set(lima()) <= FIELDS
    assert {image["arch"] for image in lima()["images"]} == {"x86_64", "aarch64"}
    assert all("debian-12" in image["location"] for image in lima()["images"])
    assert all(str(lima()[name]).endswith("GiB") for name in ("memory", "disk"))


def test_its_script_is_a_program_and_its_port_is_jupyters() -> None:
    (step,) = lima()["provision"]
    assert step["mode"] == "system"
    assert step["script"].startswith("#!/bin/bash\n")
    assert lima()["portForwards"] == [{"guestPort": 8888, "hostPort": 8888}]


@pytest.mark.parametrize("page", ["mac.md", "windows.md"])
def test_the_page_says_what_was_not_tried(page: str) -> None:
    text = (DOCS / page).read_text()
    assert "**None of this was tried**" in text
    assert "make workshop" in text
    assert f"docs/{page}" in (DOCS.parent / "README.md").read_text()
