"""The lists of packages (pyproject.toml, environment.yml, .binder/) say the same thing, each in its own way."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
MISSION = {"jupyterlab", "ipywidgets", "pyyaml", "paramiko", "libvirt-python"}


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def bounds(lines: list[str]) -> dict[str, str]:
    """Package -> its version bounds, both as written but for spaces: conda and pip differ in those only."""
    pairs = (re.fullmatch(r"([A-Za-z0-9_-]+)\s*(.*)", line) for line in lines)
    return {pair[1].lower(): pair[2].replace(" ", "") for pair in pairs if pair}


def conda(path: str) -> tuple[dict[str, str], dict[str, str]]:
    """What conda and what pip install for an environment file."""
    listed = yaml.safe_load((ROOT / path).read_text())["dependencies"]
    by_pip = [line for entry in listed if isinstance(entry, dict) for line in entry["pip"]]
    return bounds([entry for entry in listed if isinstance(entry, str)]), bounds(by_pip)


def test_the_environment_has_the_packages_of_the_mission() -> None:
    by_conda, by_pip = conda("environment.yml")
    assert set(by_conda) | set(by_pip) >= MISSION
    assert set(by_pip) == {"libvirt-python", "pysequoia"}  # conda-forge has none


def test_the_environment_agrees_with_pyproject() -> None:
    by_conda, by_pip = conda("environment.yml")
    python, kernel = by_conda.pop("python"), by_conda.pop("ipykernel")
    del by_conda["pip"]
    wanted = bounds(project()["dependencies"])
    assert python == project()["requires-python"]
    assert (wanted.pop("ipykernel"), kernel) == (">=6.29", ">=7")  # subshells are promised here, and only used there
    sequoia = {"pysequoia": wanted.pop("pysequoia")}
    assert by_conda == wanted
    assert by_pip == bounds(project()["optional-dependencies"]["libvirt"]) | sequoia


def test_the_environment_can_be_recognized_by_setup() -> None:
    written = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert (written["name"], list(written["variables"])) == ("flatkit", ["FLATKIT_ENVIRONMENT"])


def test_binder_has_the_same_list_without_libvirt() -> None:
    by_conda, by_pip = conda(".binder/environment.yml")
    everywhere = conda("environment.yml")
    assert by_pip == {name: bound for name, bound in everywhere[1].items() if name != "libvirt-python"}
    assert by_conda == everywhere[0]


def test_libvirt_is_never_forced_on_anyone() -> None:
    assert "libvirt-python" not in bounds(project()["dependencies"])


def test_no_list_names_a_registry() -> None:
    for path in ("pyproject.toml", "environment.yml", ".binder/environment.yml", ".binder/postBuild"):
        assert not re.search(r"https?://|index-url|find-links", (ROOT / path).read_text()), path
