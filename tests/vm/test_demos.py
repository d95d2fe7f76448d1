"""Every demo, played for real through the command line."""

from __future__ import annotations

import json

import pytest

from flatkit.cli import main
from flatkit.demos import DEMOS
from flatkit.machines import get_machine, list_machines

pytestmark = pytest.mark.vm


def holds(names, said):
    """Every step of these demos was played and passed, and no machine is left."""
    lines = [json.loads(line) for line in said.splitlines()]
    ended = [line for line in lines if line["event"] == "step_ended"]
    for name in names:
        played = [line for line in ended if line["demo"] == name]
        assert [line["number"] for line in played] == list(range(1, len(DEMOS[name].steps) + 1)), name
    assert all(line["ok"] for line in ended)
    assert lines[-1]["ok"] is True
    assert list_machines() == []


@pytest.mark.long  # one after the other they are played below
@pytest.mark.timeout(900)  # for hosts that do other things meanwhile
@pytest.mark.parametrize("name", DEMOS)
def test_demo_passes_every_check_and_leaves_nothing(name, lab_image, no_machines_left, capsys):
    status = main(["demo", "run", name, "--image", "lab", "--json"])
    said = capsys.readouterr().out
    assert status == 0, said[-2000:]
    holds([name], said)


@pytest.mark.timeout(3600)
def test_all_demos_one_after_the_other_on_one_stage(lab_image, no_machines_left, capsys):
    """Machines of an equal config are rewound instead of booted anew."""
    status = main(["demo", "run", "all", "--image", "lab", "--json"])
    said = capsys.readouterr().out
    assert status == 0, said[-2000:]
    holds(DEMOS, said)


def test_kept_machines_are_named(lab_image, no_machines_left, capsys):
    assert main(["demo", "run", "provision", "--keep", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["machines"] == ["demo-provision"]
    assert get_machine("demo-provision").run("hostname").stdout == "web\n"
