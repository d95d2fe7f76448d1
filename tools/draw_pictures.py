"""Write the course's pictures (flatkit/lessons/pictures.py) to notebooks/pictures/.

python tools/draw_pictures.py
"""

from __future__ import annotations

from pathlib import Path

from flatkit.lessons.pictures import PICTURES

FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "pictures"

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for picture in PICTURES:
        (FOLDER / f"{picture.name}.svg").write_text(picture.svg(), encoding="utf-8")
        print(FOLDER / f"{picture.name}.svg")
