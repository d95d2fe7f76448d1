"""What the tests of Flatcar images share besides fixtures."""

from __future__ import annotations

import random

from flatkit.events import Said, Tape
from flatkit.images.mirrors import Timeouts
from flatkit.images.releases import find_wanted

# Large enough for several pieces and parts, small enough for a test: the bytes are the same in each run.
DATA = random.Random(1).randbytes(3_000_000)
SOFTWARE = {"kernel": "6.12.102", "systemd": "257", "docker": "28.0.4", "ignition": "2.24.0"}
# No pause between two tries; on a busy host the server below may stand still for seconds.
QUICK = Timeouts(timeout=60, small=120, stall=20, slowest=4096, tries=3, backoff=0)

STABLE = find_wanted("stable")


def said(tape: Tape) -> str:
    """Every line that was said."""
    return "\n".join(event.text for event in tape.events if isinstance(event, Said))
