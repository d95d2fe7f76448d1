"""The bench of the board, with few seats and for a short time: its faults cost no event, and its figures are printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "bench_board.py"


@pytest.mark.long
def test_a_killed_board_and_a_cut_network_cost_no_event() -> None:
    options = ["--seats", "12", "--seconds", "15", "--faults", "1", "--check"]
    done = subprocess.run(
        [sys.executable, str(TOOL), *options], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost 0, stored twice 0, seats out of order 0" in done.stdout
    assert "killed 1 times, the network cut 1 times" in done.stdout
