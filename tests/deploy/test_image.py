"""The images' files, read as a container builder reads them: no builder is at hand, so nothing here shows that they build."""

from __future__ import annotations

import fnmatch
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from flatkit import __version__
from flatkit.cli import _COMMANDS as COMMANDS
from flatkit.cli import main
from tests.deploy.chart import FOLDER, values

ROOT = FOLDER.parent
SEAT, HUB = FOLDER / "image/Dockerfile", FOLDER / "image/hub.Dockerfile"
BOTH = pytest.mark.parametrize("file", [SEAT, HUB], ids=lambda file: file.name)


class Line(NamedTuple):
    word: str
    rest: str


def lines(file: Path) -> list[Line]:
    """The instructions, with continued lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", file.read_text(), flags=re.MULTILINE)
    return [Line(*line.split(maxsplit=1)) for line in re.sub(r"\\\n", " ", text).split("\n") if line.strip()]


def all_of(file: Path, word: str) -> list[str]:
    return [line.rest for line in lines(file) if line.word == word]


def words_run(file: Path) -> Iterator[list[str]]:
    for text in all_of(file, "RUN"):
        yield from (shlex.split(part) for part in text.split("&&"))


@BOTH
def test_the_base_is_pinned(file: Path) -> None:
    (base,) = all_of(file, "FROM")
    for name, value in (one.split("=", 1) for one in all_of(file, "ARG")):
        base = base.replace(f"${{{name}}}", value)
    assert re.fullmatch(r"[a-z0-9./-]+:\d+\.\d+[\w.-]*", base)


@BOTH
def test_it_does_not_run_as_root(file: Path) -> None:
    last = all_of(file, "USER")[-1]
    assert last in {"${NB_UID}", "1000"}
    assert values()["singleuser"]["uid"] == 1000


@BOTH
def test_what_is_copied_is_there_and_nothing_private_is(file: Path) -> None:
    assert all(rest.startswith(". ") for rest in all_of(file, "COPY"))
    rules = [line for line in (ROOT / ".dockerignore").read_text().split("\n") if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    assert all((ROOT / path).exists() for path in let_in)
    assert {"flatkit", "pyproject.toml"} <= set(let_in)
    # What the package's build reads.
    project = (ROOT / "pyproject.toml").read_text()
    for name in ("README.md", "LICENSE", "NOTICE", "docs/third-party.txt", "notebooks", "examples"):
        assert name in project
        assert any(fnmatch.fnmatch(name, rule) for rule in let_in), name
    assert not any(fnmatch.fnmatch(".git", rule) for rule in let_in)


@BOTH
def test_no_secret_and_no_download_by_hand(file: Path) -> None:
    text = file.read_text()
    assert not re.search(
        r"password|token|secret=|curl -|wget -|https?://|:latest|--privileged|chmod 777", text, re.IGNORECASE
    )


def test_packages_are_those_that_setup_knows() -> None:
    known = (ROOT / "tools/setup/packages.sh").read_text()
    (install,) = (words for words in words_run(SEAT) if "install" in words and "apt-get" in words)
    packages = {word for word in install[install.index("install") + 1 :] if not word.startswith("-")}
    # The session libvirt without libvirt's system services, and process 1.
    other = {"libvirt-daemon", "libvirt-daemon-driver-qemu", "tini"}
    assert other < packages
    assert {name for name in packages - other if not re.search(rf"\s{re.escape(name)}(\s|$)", known)} == set()
    assert "--no-install-recommends" in install


def test_its_commands_exist() -> None:
    assert all_of(SEAT, "ENTRYPOINT") == ['["/usr/bin/tini", "--"]']
    assert all_of(SEAT, "CMD") == ['["flatkit", "seat"]']
    assert values()["singleuser"]["cmd"] == ["flatkit", "seat"]
    called = {words[words.index("flatkit") + 1] for words in words_run(SEAT) if "flatkit" in words}
    assert called == {"seats"}
    assert {"seat", "seats", "course"} <= set(COMMANDS)


def test_the_course_alone_is_reached_from_outside_of_its_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command of the image's page, as Docker gives it to the image."""
    page = (FOLDER / "image/README.md").read_text()
    command = re.search(r"docker run .*flatkit-seat:\S+ flatkit (course .*)$", page, re.MULTILINE)[1].split()
    called: list[list[str]] = []
    monkeypatch.setattr("flatkit.cli.course.become", lambda words: called.append(words) or 0)
    assert main([*command, "--folder", str(tmp_path / "course")]) == 0
    assert {"--ip=0.0.0.0", "--no-browser"} <= set(called[0])
    assert main(["course", "--folder", str(tmp_path / "course")]) == 0
    assert "--ip=127.0.0.1" in called[1]


def test_its_folders_are_those_of_the_pod() -> None:
    found = dict(one.split("=", 1) for text in all_of(SEAT, "ENV") for one in text.split())
    mounts = {one["mountPath"] for one in values()["singleuser"]["storage"]["extraVolumeMounts"]}
    for name in ("FLATKIT_MACHINES", "FLATKIT_CACHE"):
        assert str(Path(found[name]).parent) in mounts
    # Read-only, in the image; where it was built it is used.
    assert f"FLATKIT_CACHE={found['FLATKIT_SHARED_CACHE']}" in " ".join(all_of(SEAT, "RUN"))
    assert found["HOME"] == values()["singleuser"]["storage"]["homeMountPath"]


def test_server_and_hub_are_of_one_version() -> None:
    """The chart's version is in three files, and its JupyterHub's in two."""
    chart = re.search(r"k8s-hub:([\d.]+)", HUB.read_text())[1]
    (hub,) = (one.split("=")[1] for one in all_of(SEAT, "ARG") if one.startswith("JUPYTERHUB="))
    head = (FOLDER / "kubernetes/values.yaml").read_text().partition("\n")[0]
    assert f"chart {chart} (JupyterHub {hub}," in head
    page = (FOLDER / "kubernetes/README.md").read_text()
    assert f"--version {chart}" in page
    assert f"flatkit-seat:{__version__}" in (FOLDER / "image/README.md").read_text()


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
@BOTH
def test_hadolint_is_content(file: Path) -> None:
    done = subprocess.run(
        ["hadolint", "--failure-threshold", "warning", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
