"""Everything that flatkit shows, on one page of JupyterLab: readable in light and dark, narrow, enlarged, and without motion."""

from __future__ import annotations

from typing import Literal

import every_widget
import pytest
from browser import keep_screenshot, serious_faults
from lab import Lab
from playwright.sync_api import BrowserContext, Page

NARROW = {"width": 900, "height": 1000}
# What sticks out of its output area to the right, and is not inside something that scrolls by itself.
_STICKS_OUT = """() => [...document.querySelectorAll(".jp-OutputArea-output *")].filter((el) => {
  const area = el.closest(".jp-OutputArea-output");
  if (!el.getClientRects().length || area.scrollWidth <= area.clientWidth + 1) return false;
  for (let up = el; up !== area; up = up.parentElement) if (getComputedStyle(up).overflowX !== "visible") return false;
  return el.getBoundingClientRect().right > area.getBoundingClientRect().right + 1;
}).map((el) => el.outerHTML.slice(0, 120))"""
_MOVING = """() => document.getAnimations().filter(
  (one) => one.playState === "running" && one.effect.target?.closest(".fk-widget, .fk")).length"""


def faults(page: Page, axe: str) -> list[str]:
    return serious_faults(page, axe, ".jp-OutputArea-output")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_with_all_of_it(lab: Lab, context: BrowserContext, axe: str, theme: Literal["light", "dark"]) -> None:
    context.on("page", lambda page: page.emulate_media(reduced_motion="reduce"))
    with lab.open(context, every_widget.prepare(lab), name="every.ipynb", theme=theme) as notebook:
        page = notebook.page
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        every_widget.run_all(notebook)
        notebook.wait_until_idle()
        assert page.evaluate(_MOVING) == 0
        page.set_viewport_size({"width": 1280, "height": 4200})
        keep_screenshot(page, f"every-{theme}")
        assert faults(page, axe) == []

        page.set_viewport_size({**NARROW, "height": 5200})
        keep_screenshot(page, f"every-{theme}-narrow")
        assert page.evaluate(_STICKS_OUT) == []
        if theme == "light":
            # What 150 % is to a person with 1350 points: as many points as on the narrow page, and less.
            page.evaluate("() => { document.body.style.zoom = 1.5; }")
            page.set_viewport_size({"width": 1350, "height": 5200})
            keep_screenshot(page, "every-large-type")
            assert page.evaluate(_STICKS_OUT) == []
            assert faults(page, axe) == []
