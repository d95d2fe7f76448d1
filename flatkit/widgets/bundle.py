"""Widgets with a page side of their own: static/ holds one file each of JavaScript and CSS, built from js/ by `make bundles`."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import anywidget
import traitlets

STATIC = Path(__file__).resolve().parent / "static"


def script(name: str) -> Path:
    """The JavaScript of a widget, for anywidget's `_esm`."""
    return STATIC / f"{name}.js"


def style(name: str) -> Path:
    """The CSS of a widget, for anywidget's `_css`."""
    return STATIC / f"{name}.css"


class BundledWidget(anywidget.AnyWidget):
    """A widget of ours. By `ident` its page side asks the page's widget manager whether its kernel is still there."""

    ident = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        ident = uuid.uuid4().hex
        super().__init__(model_id=ident, ident=ident, **traits)
