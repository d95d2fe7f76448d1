"""What the panel of a machine says of a boot that is under way."""

from __future__ import annotations

import pytest

from flatkit.events import Waiting
from flatkit.widgets.panel import Panel


@pytest.mark.parametrize(("elapsed", "typical", "remaining", "words"), [
    (2.0, 5.0, 12.4, "starting: 20 s, usually about 12 s more"),
    (5.5, 5.0, 9.0, "starting: 20 s, usually about 9 s more"),
    (9.0, 5.0, 9.0, "starting: 20 s, longer than usual"),
    (2.0, 5.0, 0.4, "starting: 20 s"),
    (9.0, 0.0, 0.0, "starting: 20 s"),
])  # fmt: skip
def test_an_estimate_is_given_only_while_it_holds(elapsed: float, typical: float, remaining: float, words: str) -> None:
    waiting = Waiting(
        machine="web", phase="units", title="Units", elapsed=elapsed, typical=typical, remaining=remaining, quiet=0.0,
        line="", at=7.0,
    )  # fmt: skip
    panel = Panel(name="web", state="running", job="starting", seconds=20.0, waiting=waiting, now=7.0)
    assert panel.headline == words
