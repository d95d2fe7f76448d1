"""The page side of the widgets: formatted, typed, and built again with the pinned versions it is the same, byte for byte."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDGETS = ROOT / "flatkit" / "widgets"
JS, STATIC = WIDGETS / "js", WIDGETS / "static"
SOURCES = sorted(JS.glob("src/**/*.*"))
LIMIT = 950_000
LINE = 120


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


@pytest.mark.parametrize(
    "words", [("biome", "ci", "--error-on-warnings"), ("tsc", "--project", ".")], ids=["biome", "tsc"]
)
def test_sources_are_formatted_and_typed(node_folder: Path, words: tuple[str, ...]) -> None:
    program = str(node_folder / ".bin" / words[0])
    done = subprocess.run([program, *words[1:]], cwd=JS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_sources_have_short_lines_and_make_no_markup_of_text(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert [line for line in text.split("\n") if len(line) > LINE] == []
    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment)\b", text)
    assert file.suffix != ".js" or text.startswith("// @ts-check\n")


def test_sources_know_the_states_that_python_sends(load_tool: Callable[[str], ModuleType]) -> None:
    tool = load_tool("widget_types")
    assert tool.TARGET.read_text(encoding="utf-8") == tool.source(), "type: python tools/widget_types.py"
