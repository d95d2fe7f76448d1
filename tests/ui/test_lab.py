"""JupyterLab opens calm, runs cells, and asks nobody but this host."""

from __future__ import annotations

from lab import Lab
from playwright.sync_api import BrowserContext, expect


def test_a_notebook_opens_and_runs(lab: Lab, context: BrowserContext) -> None:
    with lab.open(context, ["6 * 7"]) as notebook:
        expect(notebook.run(0)).to_contain_text("42")
        notebook.wait_until_run(0)
        assert notebook.page.get_by_text("Would you like to get notified about official Jupyter news?").count() == 0
