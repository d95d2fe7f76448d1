"""The few parts of ipywidgets that the views are made of. They have no types, so each view holds them and is none itself."""

from __future__ import annotations

import importlib
from typing import Any

# Named by text, so that no type checker looks into a package that is not made for it.
_ipywidgets: Any = importlib.import_module("ipywidgets")

HTML = _ipywidgets.HTML
Button = _ipywidgets.Button
Dropdown = _ipywidgets.Dropdown
VBox = _ipywidgets.VBox
