"""Where the page side of a widget is: static/ holds one file each of JavaScript and CSS, built from js/ by `make bundles`."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).resolve().parent / "static"


def script(name: str) -> Path:
    """The JavaScript of a widget, for anywidget's `_esm`."""
    return STATIC / f"{name}.js"


def style(name: str) -> Path:
    """The CSS of a widget, for anywidget's `_css`."""
    return STATIC / f"{name}.css"
