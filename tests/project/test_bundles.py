"""What a page loads is what its sources make: built again with the pinned versions it is the same, byte for byte."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDGETS = ROOT / "flatkit" / "widgets"
JS, STATIC = WIDGETS / "js", WIDGETS / "static"
LIMIT = 900_000


@pytest.fixture(scope="session")
def rebuilt(node_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    subprocess.run(
        ["node", "build.mjs", str(folder / "static"), "--uses", str(folder / "uses.json")], cwd=JS, check=True
    )
    return folder


def test_what_is_committed_is_what_the_sources_make(rebuilt: Path) -> None:
    built = {file.name: file.read_bytes() for file in (rebuilt / "static").glob("*")}
    committed = {file.name: file.read_bytes() for file in STATIC.glob("*")}
    assert sorted(built) == sorted(committed)
    assert [name for name in built if built[name] != committed[name]] == [], "type: make bundles"


def test_every_package_inside_has_its_licence_in_the_notice(rebuilt: Path) -> None:
    notice = (ROOT / "docs/third-party.txt").read_text(encoding="utf-8")
    used = json.loads((rebuilt / "uses.json").read_text())
    for name in used:
        licence = json.loads((JS / "node_modules" / name / "package.json").read_text())["license"]
        assert re.search(rf"^ +{re.escape(name)} .*\b{re.escape(licence)}$", notice, re.MULTILINE), name


def test_bundles_are_small_and_whole() -> None:
    files = sorted(STATIC.glob("*"))
    assert sum(file.stat().st_size for file in files) <= LIMIT
    for file in files:
        text = file.read_text(encoding="utf-8")
        # One file each: nothing is fetched when it is shown.
        assert not re.search(r"""(\bfrom|\bimport\(?|@import)\s*(url\()?["'](https?:)?//""", text), file.name
        assert not re.search(r"""\bfrom\s*["'][^"']+["']""", text[:2000] + text[-2000:]), file.name


def test_versions_are_exact_and_no_registry_is_named() -> None:
    package = json.loads((JS / "package.json").read_text())
    for name, version in {**package["dependencies"], **package["devDependencies"]}.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
    lock = (JS / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert "://" not in lock
