"""Boot times as a picture and as a table, from the figures of the bench."""

from __future__ import annotations

from xml.etree import ElementTree as ET

COLD = {"config": 1.0, "create": 2.0, "kernel": 3.0, "ignition-files": 4.0, "units": 5.0, "login": 6.0}
FIGURES = {
    "accelerator": "tcg",
    "processors": 2,
    "image": "lab <image>",
    "runs": 3,
    "boots": {"warm": {**COLD, "kernel": 0.0}, "cold": COLD},
    "bare": 9.0,
    "processor": {"cold": 20.0, "warm": 15.0, "bare": 20.0},
}


def test_every_phase_has_a_stage_and_nothing_is_lost(load_tool) -> None:
    tool = load_tool("draw_boots")
    cold, warm, bare = tool.bars_of(FIGURES)
    assert cold.seconds == (3.0, 3.0, 4.0, 5.0, 6.0, 0.0)
    assert (cold.total, warm.total, bare.total) == (21.0, 18.0, 9.0)
    table = tool.table(FIGURES)
    assert "| Ignition | 4.0 s | 4.0 s |" in table
    assert "| beside a bare boot | 2.33 | 2.00 |" in table
    assert "| beside a bare boot's | 1.00 | 0.75 |" in table


def test_the_picture_has_a_bar_for_each_boot_as_long_as_it_took(load_tool) -> None:
    picture = ET.fromstring(load_tool("draw_boots").draw(FIGURES))
    words = [element.text or "" for element in picture.iter() if element.tag.endswith("text")]
    assert {"21.0 s", "18.0 s", "9.0 s", "lab <image>, tcg, 2 processors; medians of 3 runs in turn"} <= set(words)
    widths = [float(element.get("width", 0)) for element in picture.iter() if element.get("height") == "30"]
    assert abs(sum(widths[:6]) / widths[-1] - 21 / 9) < 0.01
