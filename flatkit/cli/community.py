"""`flatkit community`: links to the Flatcar community, and its next meetings."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime


def run(argv: list[str]) -> int:
    """Print links and dates."""
    from flatkit.lessons.community import as_text

    argparse.ArgumentParser(
        prog="flatkit community", description="Where Flatcar's people are, and when they meet."
    ).parse_args(argv[1:])
    print(as_text(datetime.now(UTC)))
    return 0
