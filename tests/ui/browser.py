"""A browser for tests, with no way out: any request that leaves this host is refused and remembered."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Route

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "test-artifacts"
HERE = "127.0.0.1"
FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--force-color-profile=srgb",
)  # fmt: skip


def find_chromium() -> str | None:
    """The browser that the distribution brings."""
    return next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)


def launch(playwright: Playwright, path: str) -> Browser:
    return playwright.chromium.launch(executable_path=path, args=list(FLAGS), chromium_sandbox=False)


class Trouble:
    """What must not happen on a page: requests to other hosts, and errors of scripts."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.errors: list[str] = []

    def guard(self, context: BrowserContext) -> None:
        context.route(lambda url: not _is_here(url), self._refuse)
        context.on("page", lambda page: page.on("pageerror", lambda error: self._note(error.stack or str(error))))

    def _note(self, stack: str) -> None:
        # Notebook 7 fails on a setting of its own while it opens; widgets are loaded from blob: addresses.
        if "blob:" in stack or "/static/notebook/" not in stack:
            self.errors.append(stack)

    def _refuse(self, route: Route) -> None:
        self.left.append(route.request.url)
        route.abort()


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.hostname == HERE or parts.scheme in ("data", "blob", "about")


@contextmanager
def open_context(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A fresh context. Leaving this host, or an error of a script, fails the test at its end."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", **options)
    context.set_default_timeout(60_000)
    trouble = Trouble()
    trouble.guard(context)
    try:
        yield context
    finally:
        context.close()
    assert trouble.left == [], f"the page asked other hosts than this one: {trouble.left}"
    assert trouble.errors == [], f"a script on the page failed: {trouble.errors}"


def theme(name: str) -> str:
    """The real colours of JupyterLab's theme `light` or `dark`, as CSS."""
    folder = Path(sys.prefix, "share/jupyter/lab/themes/@jupyterlab")
    return (folder / f"theme-{name}-extension" / "index.css").read_text(encoding="utf-8")


def keep_screenshot(target: Any, name: str) -> Path:
    """A picture of a page or an element in test-artifacts/, for a person to look at."""
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"{name}.png"
    target.screenshot(path=path, animations="disabled")
    return path


def serious_faults(page: Page, axe: str, selector: str) -> list[str]:
    """What axe finds below `selector` that is serious or worse, a line each."""
    if not page.evaluate("() => 'axe' in window"):
        page.add_script_tag(content=axe)
    found = page.evaluate("selector => axe.run(selector, {resultTypes: ['violations']})", selector)
    return [
        f"{fault['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
