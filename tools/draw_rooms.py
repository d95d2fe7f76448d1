"""Write docs/rooms.svg: the rooms of flatkit by level. The levels are those that tests/test_layers.py enforces.

python tools/draw_rooms.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from test_layers import GROUPS  # noqa: E402

from flatkit.lessons.pictures import Box, Picture  # noqa: E402

FILE = ROOT / "docs" / "rooms.svg"
# Of each level, from the top.
TITLES = (
    "what users see",
    "knows all rooms below",
    "the course",
    "one subject each",
    "leaves: shared vocabulary and wrappers",
)
WIDTH = 700


def draw() -> str:
    """Return the picture as SVG."""
    boxes, y = [], 16
    for title, rooms in zip(TITLES, reversed(GROUPS), strict=True):
        box = Box(x=16, y=y, width=WIDTH, title=" · ".join(sorted(rooms)), lines=(title,), strong="api" in rooms)
        boxes.append(box)
        y += box.height + 16
    words = "; ".join(
        f"{title}: {', '.join(sorted(rooms))}" for title, rooms in zip(TITLES, reversed(GROUPS), strict=True)
    )
    text = f"Five levels, from top to bottom. A room imports rooms of lower levels only. {words}."
    return Picture(name="rooms", title="The rooms of flatkit", text=text, boxes=tuple(boxes)).svg()


if __name__ == "__main__":
    FILE.write_text(draw(), encoding="utf-8")
    print(FILE)
