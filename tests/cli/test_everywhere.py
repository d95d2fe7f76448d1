"""`flatkit everywhere` and its demo and chooser: the same hand-over in each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import flatkit as fk
from flatkit import paths
from flatkit.cli import main
from flatkit.demos import get_demo
from flatkit.demos.runner import play
from flatkit.errors import UsageError
from flatkit.events import Observer
from flatkit.platforms import PLATFORMS
from flatkit.steps import Step
from flatkit.testing.front import FakeFront
from flatkit.widgets.info_cards import Chooser

WEB = paths.examples_dir() / "web.bu"


def test_without_a_config_the_platforms_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["everywhere"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(PLATFORMS)


def test_the_table_and_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["everywhere", str(WEB)]) == 0
    out = capsys.readouterr().out
    assert "✗ virtualbox" in out
    assert "flatkit everywhere web.bu aws" in out
    assert main(["everywhere", str(WEB), "ec2"]) == 0
    assert "file://web.ign" in capsys.readouterr().out
    assert main(["everywhere", str(WEB), "ec3"]) == 2
    assert 'did you mean "ec2"' in capsys.readouterr().err


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["everywhere"], ["everywhere", str(WEB)], ["everywhere", str(WEB), "virtualbox"]):
        assert main([*words, "--json"]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert lines[-1]["ok"] is True
    assert lines[-1]["fit"] == "too big"


def test_a_config_with_faults_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.bu").write_text("variant: flatcar\n")
    assert main(["everywhere", str(tmp_path / "bad.bu")]) == 1
    assert "has faults" in capsys.readouterr().err


class Typist:
    """A stage that types host commands into this very process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def boot(self, boot: Any, observer: Observer) -> str:
        raise AssertionError("this demo boots nothing")

    def host(self, command: str) -> str:
        words = command.split()
        assert words[0] == "flatkit"
        main(words[1:])
        return self._capsys.readouterr().out

    guest = host

    def line(self, step: Step) -> str:
        return self.fill(step.line)

    def fill(self, command: str) -> str:
        return command


def test_the_demo_passes_without_any_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(paths.examples_dir())
    result = play(get_demo("everywhere"), Typist(capsys), Observer())
    assert [step.found for step in result.steps if not step.ok] == []
    assert result.ok


def test_the_chooser_shows_the_chosen_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(paths.examples_dir())
    chooser = fk.play("everywhere", "web.bu")
    assert isinstance(chooser, Chooser)
    assert "AWS EC2" in repr(chooser)
    assert "virtualbox (too big)" in repr(chooser)
    FakeFront(chooser.page).send({"verb": "choose", "platform": "virtualbox"})
    assert "is too big for 1024 bytes" in chooser.page.state["verdict"]
    chooser.choose("vsphere")
    shown = chooser.page.state
    assert shown["chosen"] == "vmware"
    assert any("guestinfo" in piece["text"] for piece in shown["pieces"])
    assert all(piece["verified"] for piece in shown["pieces"])


def test_other_demos_take_no_config() -> None:
    with pytest.raises(UsageError, match="takes no config"):
        fk.play("provision", "web.bu")
