"""A learner's two days in JupyterLab, in one notebook: predict, order lines by keys, come back, review."""

from __future__ import annotations

import pytest
from browser import ROOT
from lab import Lab
from learner_days import CELLS, come_back, learn
from playwright.sync_api import BrowserContext

from flatkit.lessons.layout import lay_out
from flatkit.lessons.progress import Progress


def test_two_days_in_one_notebook(lab: Lab, context: BrowserContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(lab.data))
    lay_out(ROOT / "notebooks", lab.root)  # the review leads back to a cell of the course
    Progress().file.unlink(missing_ok=True)
    with lab.open(context, ["import flatkit as fk", *CELLS], name="two-days.ipynb") as notebook:
        notebook.run(0)
        learn(notebook, 1)
        come_back(notebook, "two-days.ipynb", 1)
    Progress().file.unlink()
