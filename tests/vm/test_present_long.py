"""A short demo presented on a real machine: a rewind takes disk and memory back to before a step, and the step runs again."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from flatkit.cli import main
from flatkit.machines import list_machines

pytestmark = [pytest.mark.vm, pytest.mark.long]

# A step counts on disk (as a file) and in memory (in /run): once more is a failed check.
LESSON = """\
from flatkit.steps import Boot, Demo, Step, Where, says

COUNT = "echo x >> count; echo x | sudo tee -a /run/count >/dev/null; echo disk $(wc -l <count) memory $(wc -l </run/count)"
DEMO = Demo(name="counting", title="Counting", steps=(
    Step(title="Boot", why="It has to run.", boot=Boot(config="plain.bu", machine="demo-counting"), where=Where.HOST,
         check=says("ready"), hint="h"),
    Step(title="Count", why="Once.", command=COUNT, check=says("disk 1 memory 1"), hint="h"),
    Step(title="Here", why="On this host.", command="echo here", where=Where.HOST, check=says("here"), hint="h"),
    Step(title="Off", why="Without warning.", command="flatkit unplug demo-counting", where=Where.HOST, check=says("pulled"),
         hint="h"),
    Step(title="Where it is", why="It is off.", command="flatkit list", where=Where.HOST, check=says("demo-counting"), hint="h"),
))
"""
# Key -> what it does; each line is one key.
LINES = """\
n  boot
n
n  count
n
n  here
b  look at the count
w  rewind to before it
n  count: once again, not twice
g  count again: a failed check
w  rewind to before it
n  count
n
n  here
n
n  off
n
n  where it is, which has no checkpoint
w  offers the nearest
w  takes it: the machine is running again
j 1
w  rewind to before the boot
n  boot: back at the first boot
n
n  count
q
"""


@pytest.mark.timeout(600)
def test_a_demo_is_rewound_to_before_a_step_and_goes_on(
    lab_image: Any, no_machines_left: Any, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "lesson.py").write_text(LESSON)
    (tmp_path / "plain.bu").write_text("variant: flatcar\nversion: 1.0.0\n")
    keys = [line.partition("  ")[0] for line in LINES.splitlines()]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(keys) + "\n"))
    status = main(["present", str(tmp_path), "--image", "lab", "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row in rows:
        print(
            row.get("at", ""),
            row["event"],
            row.get("text") or row.get("found") or row.get("said") or row,
        )
    done = [
        ("ran", row["number"], row["ok"]) if row["event"] == "step_ended" else (row["event"], row.get("step"))
        for row in rows
        if row["event"] in {"step_ended", "rewound", "refused"}
    ]
    ran = [("ran", number, True) for number in range(6)]
    assert done == [
        *ran[1:4], ("rewound", 2), ran[2], ("ran", 2, False), ("rewound", 2), ran[2], *ran[3:5], ran[5], ("refused", None),
        ("rewound", 4), ("rewound", 1), ran[1], ran[2],
    ]  # fmt: skip
    (why,) = [row["said"] for row in rows if row["event"] == "refused"]
    assert "step 5 has no checkpoint" in why
    assert "the nearest is before step 4" in why
    assert any("not on a machine, stays as it is" in row.get("text", "") for row in rows)
    assert rows[-1]["marks"] == ["ok", "ok", "waiting", "waiting", "waiting"]
    assert status == 0
    assert list_machines() == []
