"""Every exercise that is about a machine is proved on a real one: fails after setup, passes after solve, leaves nothing."""

from __future__ import annotations

import pytest

from flatkit.cli import main
from flatkit.lessons import LESSONS

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("lab_image", "no_machines_left")]

NAMES = [exercise.name for lesson in LESSONS.values() for exercise in lesson.exercises if exercise.machine]


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_the_contract_on_a_real_machine(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["lesson", "prove", name, "--image", "lab"])
    said = capsys.readouterr().out
    assert status == 0, said
    assert f"✓ {name}" in said
    assert said.rstrip().endswith("1 of 1 exercises keep the contract")
