from __future__ import annotations

import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from room_parts import MakeWheel

from flatkit.errors import CommandFailed, FetchError
from flatkit.events import Observer
from flatkit.packs import wheels
from flatkit.packs.wheelfile import read_wheel, rebuild_wheel
from flatkit.packs.wheels import as_index, close_over, read_wheels

HERE = ".".join(platform.python_version_tuple()[:2])


def missing(root: Path, python: str = "3.12") -> list[str]:
    return list(close_over(read_wheels(root.parent), root=read_wheel(root), python=python).missing)


def test_a_closure_follows_requirements_and_their_conditions(make_wheel: MakeWheel, tmp_path: Path) -> None:
    root = make_wheel(
        tmp_path, "flatkit", "0.1.0", "one>=2", 'new; python_version >= "3.13"', 'win; sys_platform == "win32"',
        'dev; extra == "test"', "two[fast]",
    )  # fmt: skip
    assert missing(root) == ["one>=2", "two[fast]"]
    make_wheel(tmp_path, "one", "1.9")
    assert missing(root) == ["one>=2", "two[fast]"]
    make_wheel(tmp_path, "one", "2.1", "deep")
    make_wheel(tmp_path, "two", "1.0", 'rocket; extra == "fast"', 'slow; extra == "slow"')
    assert missing(root) == ["deep", "rocket"]
    make_wheel(tmp_path, "deep", "1.0", "one")  # a circle
    make_wheel(tmp_path, "rocket")
    assert missing(root) == []
    assert missing(root, "3.13") == ["new"]


def test_the_newest_fitting_wheel_is_taken(make_wheel: MakeWheel, tmp_path: Path) -> None:
    root = make_wheel(tmp_path, "flatkit", "0.1.0", "Some_Thing<3")
    for version in ("1.9", "1.10", "3.0"):
        make_wheel(tmp_path, "some_thing", version)
    found = close_over(read_wheels(tmp_path), root=read_wheel(root), python="3.12")
    assert [wheel.file_name for wheel in found.wheels] == ["some_thing-1.10-py3-none-any.whl"]


@pytest.mark.parametrize(
    ("tag", "pythons"),
    [
        ("py3-none-any", {"3.11", "3.12", "3.13"}),
        ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", {"3.12"}),
        ("cp312-abi3-manylinux_2_28_x86_64", {"3.12", "3.13"}),
        ("cp311-cp311-linux_x86_64", {"3.11"}),
        ("cp312-cp312-manylinux_2_39_x86_64", set()),
        ("cp312-cp312-manylinux_2_17_aarch64", set()),
        ("cp312-cp312-win_amd64", set()),
        ("py2-none-any", set()),
    ],
)
def test_a_wheel_fits_some_pythons(make_wheel: MakeWheel, tmp_path: Path, tag: str, pythons: set[str]) -> None:
    root = make_wheel(tmp_path, "flatkit", "0.1.0", "native")
    make_wheel(tmp_path, "native", tag=tag)
    assert {python for python in wheels.PYTHONS if not missing(root, python)} == pythons


def test_what_is_no_wheel_is_named(make_wheel: MakeWheel, tmp_path: Path) -> None:
    root = make_wheel(tmp_path, "flatkit", "0.1.0", "one")
    (tmp_path / "one-1.0-py3-none-any.whl").write_text("not a zip")
    with pytest.raises(FetchError, match="is not a readable wheel"):
        missing(root)
    (tmp_path / "nonsense.whl").write_text("")
    with pytest.raises(FetchError, match=r"nonsense.whl\" has no name of a wheel"):
        missing(root)


def test_fetching_asks_pip_for_what_is_missing_until_nothing_is(
    make_wheel: MakeWheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop is a folder that pip is told to look at; no index is asked."""
    shop, folder = tmp_path / "shop", tmp_path / "pack"
    root = make_wheel(folder, "flatkit", "0.1.0", 'one; python_version < "3.13"', 'new; python_version >= "3.13"')
    make_wheel(shop, "one", "1.0", 'two; python_version >= "3.12"')
    make_wheel(shop, "two")
    make_wheel(shop, "new", tag="cp313-cp313-manylinux_2_17_x86_64")
    make_wheel(folder, "unwanted")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shop))
    needed = wheels.download(folder, root=root, pythons=wheels.PYTHONS, observer=Observer())
    assert {path.name.partition("-")[0] for path in needed} == {"flatkit", "one", "two", "new"}
    gone = make_wheel(tmp_path / "other", "flatkit", "0.1.0", "nowhere")
    with pytest.raises(FetchError, match=r"pip could not fetch the wheels for CPython 3\.11") as caught:
        wheels.download(gone.parent, root=gone, pythons=["3.11"], observer=Observer())
    assert "nowhere" in caught.value.details


def test_the_page_of_wheels_carries_their_digests(make_wheel: MakeWheel, tmp_path: Path) -> None:
    page = as_index({"b-1.whl": "bb", "a-1.whl": "aa"})
    assert '<a href="a-1.whl#sha256=aa">a-1.whl</a><br>\n<a href="b-1.whl#sha256=bb">' in page


def test_pip_that_fails_is_quoted() -> None:
    with pytest.raises(CommandFailed):
        wheels.pip("no-such-command")


def test_a_wheel_is_made_again_of_what_is_installed(make_wheel: MakeWheel, tmp_path: Path) -> None:
    """Installed from it, the package is the same, programs and data included."""
    source = tmp_path / "source"
    (source / "little").mkdir(parents=True)
    (source / "little/__init__.py").write_text("def main(): print('hello from little')\n")
    (source / "little/run.sh").write_text("#!/bin/sh\n")
    (source / "little/run.sh").chmod(0o755)
    (source / "settings.json").write_text("{}")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
        '[project]\nname = "little"\nversion = "1.0"\n'
    )
    first = make_wheel(tmp_path, "little", "1.0")
    with zipfile.ZipFile(first, "a") as archive:
        for name in ("little/__init__.py", "little/run.sh"):
            archive.write(source / name, name)
        archive.write(source / "settings.json", "little-1.0.data/data/share/little/settings.json")
        archive.writestr("little-1.0.dist-info/entry_points.txt", "[console_scripts]\nlittle = little:main\n")
    places = [tmp_path / "one", tmp_path / "two"]
    code = (
        "import sys, pathlib; from flatkit.packs.wheelfile import rebuild_wheel; "
        "print(rebuild_wheel('little', pathlib.Path(sys.argv[1])))"
    )
    package = Path(wheels.__file__).resolve().parents[2]
    for number, place in enumerate(places):
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [place / "bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, "--disable-pip-version-check", first], check=True)
        said = subprocess.run([place / "bin/little"], capture_output=True, text=True, check=True).stdout
        assert said == "hello from little\n", number
        assert (place / "share/little/settings.json").read_text() == "{}"
        (tmp_path / "again").mkdir(exist_ok=True)
        done = subprocess.run(
            [place / "bin/python", "-c", code, tmp_path / "again"],
            capture_output=True, text=True, check=True, env={"PYTHONPATH": str(package)},
        )  # fmt: skip
        first = Path(done.stdout.strip())
    with zipfile.ZipFile(first) as archive:
        assert not [name for name in archive.namelist() if "__pycache__" in name or "/bin/" in name]
        assert archive.getinfo("little/run.sh").external_attr >> 16 & 0o111


def test_what_is_not_installed_cannot_be_made_again(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match='"no-such-package" is not installed'):
        rebuild_wheel("no-such-package", tmp_path)
