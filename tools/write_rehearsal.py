"""`tools/write_rehearsal.py`: write flatkit/board/rehearsal.json, the mistakes of the simulated beginners of a rehearsal.

They are those that tests/learners plays against the checks: each is a wrong try there. A test compares the file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "flatkit" / "board" / "rehearsal.json"
sys.path.insert(0, str(ROOT))


def text() -> str:
    """Return the file: for each exercise what beginners did wrong, in a few words."""
    from tests.learners.mistakes import MISTAKES

    found: dict[str, list[str]] = {}
    for mistake in MISTAKES:
        found.setdefault(mistake.exercise, []).append(mistake.what)
    rows = ",\n".join(f" {json.dumps(name)}: {json.dumps(whats)}" for name, whats in sorted(found.items()))
    return f"{{\n{rows}\n}}\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
