"""Every point of the faults: the program killed at eleven, the domain removed at five."""

from __future__ import annotations

import faults
import pytest

pytestmark = [pytest.mark.vm, pytest.mark.long]


@pytest.mark.parametrize(("verb", "phase"), faults.KILLS)
def test_the_program_is_killed(verb: str, phase: str, lab_image, no_machines_left) -> None:
    before = faults.count()
    print(f"killed in {verb} at {phase}: {faults.kill(verb, phase) or 'nothing there'}")
    faults.clear(before)


@pytest.mark.parametrize(("verb", "phase"), faults.REMOVALS)
def test_the_domain_is_removed_from_outside(verb: str, phase: str, lab_image, no_machines_left) -> None:
    before = faults.count()
    print(f"removed in {verb} at {phase}: {faults.remove_domain(verb, phase) or 'nothing there'}")
    faults.clear(before)
