"""The steps of the course's notebooks, for the page of the board: a trainer picks one, and all seats get a link to it."""

from __future__ import annotations

from typing import Any

from flatkit.lessons.glossary import plan
from flatkit.lessons.places import steps_of


def course_steps() -> list[dict[str, Any]]:
    """Return each notebook of the course with its code cells, as JSON-ready values. Raises MissingDependency."""
    return [
        {
            "notebook": one.name,
            "steps": [{"step": cell.step, "cell": cell.cell, "title": cell.title} for cell in steps_of(one.name)],
        }
        for one in plan()
    ]


def course_notebooks() -> set[str]:
    """Return the names of the course's notebooks."""
    return {one.name for one in plan()}
