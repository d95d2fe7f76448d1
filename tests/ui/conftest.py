"""What the tests in a browser share. Where there is no browser they are left out, in CI they fail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed (make test brings it)")

from browser import find_chromium, launch, open_context
from lab import Lab
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from stage import Stage

# A host that boots machines at the same time may take its time.
expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("ui")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium on this host (tools/setup.sh test brings it)")
    assert path is not None, "there is no Chromium on this host"
    with sync_playwright() as playwright:
        opened = launch(playwright, path)
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with open_context(browser) as opened:
        yield opened


@pytest.fixture
def stage(context: BrowserContext) -> Stage:
    """A blank page in the light theme."""
    return Stage(context)


@pytest.fixture
def staged(context: BrowserContext) -> Callable[[str], Stage]:
    """Makes blank pages, in the theme that is asked for."""
    return lambda colours: Stage(context, colours)


@pytest.fixture(scope="session")
def running_lab(own_folders: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    del own_folders  # its FLATKIT_STATE is what the kernels use
    made = Lab(tmp_path_factory.mktemp("lab"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def lab(running_lab: Lab) -> Iterator[Lab]:
    """The one server of this lane. No test finds the terminals of the one before."""
    yield running_lab
    running_lab.end_terminals()


@pytest.fixture(scope="session")
def axe(node_folder: Path) -> str:
    """axe-core, to be evaluated on a page."""
    return (node_folder / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
