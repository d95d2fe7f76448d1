"""The command's odd corners: flags as pflag reads them, streams, what butane does not have."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from flatkit.cli import main

GOOD = "variant: flatcar\nversion: 1.1.0\n"
WARNS = GOOD + "bogus: 1\n"


@pytest.fixture
def folder(here: Path) -> Path:
    (here / "good.bu").write_text(GOOD)
    (here / "warns.bu").write_text(WARNS)
    return here


def run(*args: str) -> int:
    return main(["butane", *args])


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["--pretty=maybe", "good.bu"], 2, 'invalid argument "maybe" for "-p, --pretty" flag: strconv.ParseBool'),
        (["--raw-errors=maybe"], 2, 'for "--raw-errors" flag'),
        (["-do"], 1, ""),
        (["-d"], 2, "flag needs an argument: 'd' in -d"),
        (["-px"], 2, "unknown shorthand flag: 'x' in -px"),
        (["--=x"], 2, "bad flag syntax: --=x"),
        (["---x"], 2, "bad flag syntax: ---x"),
        (["--output"], 2, "flag needs an argument: --output"),
        (["--strict", "warns.bu"], 1, "--strict was specified"),
        (["--strict=false", "warns.bu"], 0, "unused key bogus"),
        (["-s=0", "warns.bu"], 0, "unused key bogus"),
        (["\0"], 1, "invalid argument"),
    ],
)
def test_flags(
    folder: Path, args: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert run(*args) == status
    assert said in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("Butane v0.29.0 (flatkit ")


def test_a_text_stream_without_bytes_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(GOOD))
    assert run() == 0
    assert capsys.readouterr().out == '{"ignition":{"version":"3.4.0"}}\n'


def test_output_is_written_only_on_success(folder: Path) -> None:
    assert run("-oout.ign", "good.bu") == 0
    assert (folder / "out.ign").read_text() == '{"ignition":{"version":"3.4.0"}}\n'
    assert run("--strict", "--output=never.ign", "warns.bu") == 1
    assert not (folder / "never.ign").exists()


@pytest.mark.parametrize(
    ("choice", "painted"), [("--color=always", True), ("--color=auto", False), ("--colour=no", False)]
)
def test_colours(folder: Path, choice: str, painted: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(choice, "warns.bu") == 0
    assert ("\x1b[" in capsys.readouterr().err) is painted


@pytest.mark.parametrize(
    ("variant", "version"),
    [
        ("fcos", "1.5.0"),
        ("openshift", "4.14.0"),
        ("r4e", "1.1.0"),
        ("fiot", "1.0.0"),
    ],
)
def test_what_only_butane_knows_is_refused_with_what_to_write(
    folder: Path, variant: str, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "other.bu").write_text(f"variant: {variant}\nversion: {version}\n")
    assert run("other.bu") == 1
    assert "write variant: flatcar and version: 1.1.0" in capsys.readouterr().err


def test_what_butane_does_not_know_either_has_its_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.bu").write_text("variant: flatcar\nversion: 9.0.0\n")
    assert run("other.bu") == 1
    expected = "Error translating config: No translator exists for variant flatcar with version 9.0.0\n"
    assert capsys.readouterr().err == expected


def test_teaching_is_off(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mode.bu").write_text(GOOD + "storage: {files: [{path: /a, mode: 644}]}\n")
    assert run("--raw-errors", "mode.bu") == 0
    assert "0644" not in capsys.readouterr().err
