"""flatkit: write Butane, boot real machines, watch Flatcar's ideas happen.

    import flatkit as fk

This gives the few names that a notebook needs. Each is imported on first use, so the import itself is instant.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # type checkers take this for True; importing `typing` itself takes time
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.2.0"

# name -> the module that defines it
_NAMES: dict[str, str] = {
    "channels": "flatkit.widgets.api",
    "check": "flatkit.widgets.api",
    "clean": "flatkit.widgets.api",
    "course": "flatkit.widgets.api",
    "doctor": "flatkit.widgets.api",
    "editor": "flatkit.widgets.api",
    "glossary": "flatkit.widgets.api",
    "play": "flatkit.widgets.api",
    "up": "flatkit.widgets.api",
}

__all__ = sorted(_NAMES)  # noqa: PLE0605


def _butane(line: str, cell: str) -> Any:
    """Save the cell as a Butane config (`%%butane FILE`), validate it, and show the Ignition that it becomes."""
    from flatkit.widgets import magics

    return magics.butane(line, cell)


def _on(line: str, cell: str) -> Any:
    """Type the cell on a machine: `%%on MACHINE`."""
    from flatkit.widgets import magics

    return magics.on(line, cell, sys.modules["IPython"].get_ipython().user_ns)


def _register_magics() -> None:
    """Register the magics in a notebook. Elsewhere IPython is not even imported."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    if shell is not None:
        shell.register_magic_function(_butane, magic_kind="cell", magic_name="butane")
        shell.register_magic_function(_on, magic_kind="cell", magic_name="on")
        from flatkit.widgets import missing

        missing.register()


def _show_board(address: str, password: str) -> Any:
    """Show the trainer's board. `fk.board()` calls it; it is for trainers, and so not among the names for learners."""
    from flatkit.widgets import board_view

    return board_view.show_board(address, password)


def __getattr__(name: str) -> Any:
    import importlib

    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name == "board":
        return importlib.import_module("flatkit.board")
    raise AttributeError(f"module 'flatkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NAMES])


_register_magics()
