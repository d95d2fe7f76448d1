"""JupyterLab opens calm with the course's settings, runs cells, and asks nobody but this host."""

from __future__ import annotations

import json
from urllib.parse import quote

from browser import ROOT
from lab import Lab
from playwright.sync_api import BrowserContext, expect

OVERRIDES = json.loads((ROOT / "flatkit" / "jupyterlab-overrides.json").read_text())
CELL = "import ipywidgets\nipywidgets.Button(description='press me')"


def test_each_setting_is_one_that_jupyterlab_has(lab: Lab) -> None:
    for plugin, settings in OVERRIDES.items():
        known = lab.ask("GET", f"lab/api/settings/{quote(plugin, safe='')}")["schema"]["properties"]
        for name, value in settings.items():
            assert known[name]["default"] == value, f"{plugin} {name}"


def test_a_notebook_opens_calm_and_runs(lab: Lab, context: BrowserContext) -> None:
    with lab.open(context, ["6 * 7", CELL]) as notebook:
        page = notebook.page
        expect(notebook.run(0)).to_contain_text("42")
        notebook.wait_until_run(0)
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator(".Toastify__toast")).to_have_count(0)
        notebook.run(1)
        expect(page.get_by_role("button", name="press me")).to_be_visible()
        notebook.save()
        stored = json.loads((lab.root / "test.ipynb").read_text())
        assert stored["cells"][0]["outputs"]
        assert "widgets" not in stored["metadata"]  # a bundle for each widget would be stored with it
