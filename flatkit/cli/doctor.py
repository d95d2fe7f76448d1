"""`flatkit doctor`: report what this host can do."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from flatkit.cli.show import print_json


def run(argv: list[str]) -> int:
    """Check this host and print the result; status 3 when machines cannot boot here."""
    parser = argparse.ArgumentParser(
        prog="flatkit doctor", description="What this host can do, and what fixes what it cannot."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv[1:])
    from flatkit.host import examine

    found = examine()
    if options.json:
        for check in found.checks:
            print_json(event="check", **{**asdict(check), "state": str(check.state)})
        print_json(event="result", ok=found.ok)
    else:
        print(found)
    return 0 if found.ok else 3
