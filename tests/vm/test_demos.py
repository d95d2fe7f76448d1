"""Every demo, played for real through the command line."""

from __future__ import annotations

import json

import pytest

from flatkit.cli import main
from flatkit.demos import DEMOS
from flatkit.machines import get_machine, list_machines

pytestmark = pytest.mark.vm


@pytest.mark.timeout(1800)  # for hosts that do other things meanwhile
def test_all_demos_pass_every_check_and_leave_nothing(lab_image, no_machines_left, capsys):
    """As a person plays all of them: one after the other, on one stage. `flatkit demo run NAME` plays one alone."""
    assert main(["demo", "run", "all", "--image", "lab", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ended = [line for line in lines if line["event"] == "step_ended"]
    for name, demo in DEMOS.items():
        played = [line for line in ended if line["demo"] == name]
        assert [line["number"] for line in played] == list(range(1, len(demo.steps) + 1)), name
    assert all(line["ok"] for line in ended)
    assert lines[-1]["ok"] is True
    assert list_machines() == []


def test_kept_machines_are_named(lab_image, no_machines_left, capsys):
    assert main(["demo", "run", "provision", "--keep", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["machines"] == ["demo-provision"]
    assert get_machine("demo-provision").run("hostname").stdout == "web\n"
