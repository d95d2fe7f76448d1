"""The picture of boot times in docs/performance.md is drawn from the figures beside it."""

from __future__ import annotations

import json


def test_the_picture_is_drawn_from_its_figures(load_tool) -> None:
    tool = load_tool("draw_boots")
    figures = json.loads(tool.FIGURES.read_text())
    assert tool.PICTURE.read_text() == tool.draw(figures), "python tools/draw_boots.py"


def test_every_phase_has_a_stage_and_nothing_is_lost(load_tool) -> None:
    tool = load_tool("draw_boots")
    phases = {"config": 1.0, "create": 2.0, "kernel": 3.0, "ignition-files": 4.0, "units": 5.0, "login": 6.0}
    figures = {"boots": {"cold": phases}, "bare": 9.0}
    cold, bare = tool.bars_of(figures)
    assert cold.seconds == (3.0, 3.0, 4.0, 5.0, 6.0, 0.0)
    assert (cold.total, bare.total) == (21.0, 9.0)
    assert "| Ignition | 4.0 s |" in tool.table(figures)
    assert "| beside a bare boot | 2.33 |" in tool.table(figures)
