"""A blank page with a real widget on it: its Python side here, its page side there, and no Jupyter between them."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from browser import theme
from playwright.sync_api import BrowserContext, Locator, Page

from flatkit.testing.front import FakeFront, Sent

_URL = "http://127.0.0.1/blank"
_MODEL = (Path(__file__).parent / "fake_model.js").read_text(encoding="utf-8")


class Stage:
    """One page in JupyterLab's colours; `mount` puts a widget on it."""

    def __init__(self, context: BrowserContext, colours: str = "light") -> None:
        self._fronts: dict[str, FakeFront] = {}
        self.page: Page = context.new_page()
        self.page.expose_function("flatkitSend", self._send)
        self.page.expose_function("flatkitDrain", self._drain)
        light = str(colours == "light").lower()
        head = f"<style>{theme(colours)} body {{background: var(--jp-layout-color0); margin: 16px}}</style>"
        html = (
            f'<!doctype html><html lang="en"><head><title>stage</title>{head}</head>'
            f'<body data-jp-theme-light="{light}"><main></main></body></html>'
        )
        self.page.route(_URL, lambda route: route.fulfill(body=html, content_type="text/html"))
        self.page.goto(_URL)
        self.page.add_script_tag(content=_MODEL)

    def mount(self, widget: Any) -> Mounted:
        """Show a widget (an anywidget with its bundle)."""
        return self._show(FakeFront(widget))

    def _show(self, front: FakeFront) -> Mounted:
        name = str(len(self._fronts))
        self._fronts[name] = front
        state = dict(front.widget.get_state())
        code, css = state.pop("_esm"), state.pop("_css", "")
        if css:
            self.page.add_style_tag(content=css)
        self.page.evaluate("([id, code, state]) => flatkitMount(id, code, state)", [name, code, state])
        return Mounted(self.page, front, name)

    def mirror(self, mounted: Mounted) -> Mounted:
        """The same widget on this page too, as in a second tab on one notebook: both hear what it says."""
        heard: dict[str, list[Sent]] = {}
        take = mounted.front.take

        def share(name: str) -> list[Sent]:
            for sent in take():
                for queue in heard.values():
                    queue.append(sent)
            queue, heard[name] = heard.setdefault(name, []), []
            return queue

        mounted.front.take = partial(share, "first")  # type: ignore[method-assign]
        other = FakeFront.__new__(FakeFront)
        other.__dict__ = dict(mounted.front.__dict__)
        other.take = partial(share, "second")  # type: ignore[method-assign]
        heard.update(first=[], second=[])
        return self._show(other)

    def _send(self, name: str, message: dict[str, Any]) -> None:
        front = self._fronts[name]
        if "state" in message:
            front.set(**message["state"])
        else:
            front.send(message["content"], [base64.b64decode(text) for text in message["buffers"]])

    def _drain(self, names: list[str]) -> list[list[dict[str, Any]]]:
        return [[_as_json(sent) for sent in self._fronts[name].take()] for name in names]


def _as_json(sent: Sent) -> dict[str, Any]:
    buffers = [base64.b64encode(raw).decode() for raw in sent.buffers]
    return {"state": sent.state, "content": sent.content, "buffers": buffers}


class Mounted:
    """A widget on a stage."""

    def __init__(self, page: Page, front: FakeFront, name: str) -> None:
        self.page = page
        self.front = front
        self._name = name

    @property
    def root(self) -> Locator:
        """The element that the widget was given."""
        return self.page.locator("main > div").nth(int(self._name))

    def model(self, script: str, argument: Any = None) -> Any:
        """Evaluate `(model, argument) => ...` on the page."""
        return self.page.evaluate(
            f"([id, argument]) => ({script})(flatkitMounted[id].model, argument)", [self._name, argument]
        )

    def wait_until_heard(self) -> None:
        """Until Python has heard what the page has said so far."""
        self.model("model => model.wire")

    def kill_kernel(self) -> None:
        """The kernel behind the widget is gone."""
        self.model("model => model.kernelDied()")

    def show_again(self) -> None:
        """A second view of the same model."""
        self.page.evaluate("id => flatkitMounted[id].show()", self._name)

    def unmount(self) -> None:
        """Take it off the page, as when an output is cleared."""
        self.page.evaluate("id => flatkitMounted[id].unmount()", self._name)


def wait_until(stage: Stage, is_true: Callable[[], bool]) -> None:
    """While the page goes on: its messages arrive when Playwright is asked for something."""
    until = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < until
        stage.page.evaluate("() => new Promise(requestAnimationFrame)")
