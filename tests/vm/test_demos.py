"""Every demo, played for real through the command line."""

from __future__ import annotations

import json

import pytest

from flatkit.cli import main
from flatkit.demos import DEMOS
from flatkit.machines import get_machine, list_machines

pytestmark = pytest.mark.vm


def play(name, capsys):
    """What a demo, played on the lab image, said; a run that failed is told by the steps that failed and what led there."""
    status = main(["demo", "run", name, "--image", "lab", "--json"])
    said = capsys.readouterr().out
    lines = said.splitlines()
    failed = [at for at, line in enumerate(lines) if '"step_ended"' in line and '"ok": false' in line]
    assert status == 0, "\n".join(line for at in failed for line in lines[max(0, at - 12) : at + 1]) or said[-2000:]
    return said


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
    holds([name], play(name, capsys))


@pytest.mark.timeout(3600)
def test_all_demos_one_after_the_other_on_one_stage(lab_image, no_machines_left, capsys):
    """Machines of an equal config are rewound instead of booted anew."""
    holds(DEMOS, play("all", capsys))


def test_kept_machines_are_named(lab_image, no_machines_left, capsys):
    assert main(["demo", "run", "provision", "--keep", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["machines"] == ["demo-provision"]
    assert get_machine("demo-provision").run("hostname").stdout == "web\n"
