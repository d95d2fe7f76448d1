"""The laid out course in JupyterLab: trusted, its terms told on hover and by keys, its links open notebooks and cells."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from browser import ROOT, keep_screenshot
from lab import IS_IN_SIGHT, Lab
from playwright.sync_api import BrowserContext, expect

from flatkit.lessons.glossary import get_term
from flatkit.lessons.layout import lay_out
from flatkit.lessons.progress import Progress
from flatkit.lessons.quiz import QuizAttempt, quizzes_of

TRUSTED = """() => [...jupyterapp.shell.currentWidget.content.model.cells]
  .filter(cell => cell.type === "code").map(cell => cell.trusted)"""
RUN = """id => {
  const { content } = jupyterapp.shell.currentWidget;
  content.activeCellIndex = content.widgets.findIndex(cell => cell.model.id === id);
  content.deselectAll();
  void jupyterapp.commands.execute("notebook:run-cell");
}"""


@pytest.fixture
def yesterday() -> Iterator[None]:
    """Three questions of 03-immutable were answered the day before."""
    progress = Progress(now=lambda: datetime.now(UTC) - timedelta(days=1))
    progress.file.unlink(missing_ok=True)
    for number in (1, 2, 3):
        QuizAttempt(quizzes_of("03-immutable")[0], progress).answer(number, 0)
    yield
    progress.file.unlink()


@pytest.mark.usefixtures("yesterday")
def test_a_learner_comes_back(lab: Lab, context: BrowserContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(lab.data))
    lay_out(ROOT / "notebooks", lab.root)
    with lab.show(context, "00-start.ipynb") as notebook:
        page = notebook.page
        assert set(page.evaluate(TRUSTED)) == {True}
        term = page.locator("abbr", has_text="Flatcar").first
        expect(term).to_have_attribute("title", get_term("Flatcar").text)
        fold = page.locator("summary", has_text="Words: Flatcar")
        fold.focus()
        page.keyboard.press("Enter")
        expect(page.locator("dd", has_text=get_term("Flatcar").text)).to_be_visible()

        page.evaluate(RUN, "map")
        path = page.locator(".fk", has_text="Core path: 0 of 5 notebooks done")
        expect(path).to_contain_text("You were in 03-immutable yesterday")
        expect(path.get_by_role("img")).to_be_visible()
        page.evaluate(RUN, "review")
        expect(page.locator("legend", has_text=quizzes_of("03-immutable")[0].questions[2].ask)).to_be_visible()
        keep_screenshot(page, "course-coming-back")
        page.locator("summary", has_text="Where each is explained").click()
        page.get_by_role("link", name='03-immutable, under "One number for all of it"').click()
        expect(page.get_by_role("tab", name="03-immutable.ipynb")).to_be_visible()
        page.wait_for_function(IS_IN_SIGHT, arg="digest")

        page.get_by_role("tab", name="00-start.ipynb").click()
        path.get_by_role("link", name="1. Provisioned, not installed").first.click()
        expect(page.get_by_role("tab", name="01-provision.ipynb")).to_be_visible()
