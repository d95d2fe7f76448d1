"""Places of the course: a cell of a notebook by its id, with its address, its title and the number of its step.

An address is relative: it is opened from another notebook of the same folder. JupyterLab opens it as a tab, at that cell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from flatkit import paths
from flatkit.files import read_data
from flatkit.untrusted import lines_of

# A notebook's name without .ipynb, and a cell's id as nbformat defines it: both may come from another computer.
_NOTEBOOK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_CELL = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class PlacedCell:
    """A cell of a notebook. `title` is the heading above it; `step` counts code cells from 1, and is 0 for a text cell."""

    cell: str
    title: str
    step: int
    source: str


def is_notebook(name: str) -> bool:
    """Return True for a name that a link may have: a plain file's name, without .ipynb."""
    return _NOTEBOOK.fullmatch(name) is not None


def is_cell(name: str) -> bool:
    """Return True for a cell's id."""
    return _CELL.fullmatch(name) is not None


def address_of(notebook: str, cell: str = "") -> str:
    """Return the address of a notebook, or of its cell, from another notebook in the same folder."""
    return f"{notebook}.ipynb#cell-id={cell}" if cell else f"{notebook}.ipynb"


def place_of(notebook: str, cell: str = "") -> str:
    """Return a place in words: the notebook and the title above the cell."""
    title = next((one.title for one in cells_of(notebook) if one.cell == cell), "")
    return f'{notebook}, under "{title}"' if title else notebook


@cache
def cells_of(notebook: str) -> tuple[PlacedCell, ...]:
    """Return the cells of one of flatkit's notebooks, in order; nothing where the package has none of that name."""
    file = (paths.source_notebooks() or paths.packaged_notebooks()) / f"{notebook}.ipynb"
    if not is_notebook(notebook) or not file.is_file():
        return ()
    title, step, found = "", 0, []
    for cell in read_data(file, dict)["cells"]:
        source = "".join(cell["source"])
        lines = lines_of(source) if cell["cell_type"] == "markdown" else []
        title = next((line.lstrip("#").strip() for line in lines if line.startswith("#")), title)
        is_code = cell["cell_type"] == "code"
        step += is_code
        found.append(PlacedCell(cell=cell["id"], title=title, step=step if is_code else 0, source=source))
    return tuple(found)


def steps_of(notebook: str) -> tuple[PlacedCell, ...]:
    """Return the code cells of one of flatkit's notebooks: the steps that a board counts."""
    return tuple(one for one in cells_of(notebook) if one.step)
