"""`flatkit clean`: list everything that flatkit made, and remove exactly that."""

from __future__ import annotations

import argparse
import sys

from flatkit.cli.machines import table
from flatkit.untrusted import printable


def run(argv: list[str]) -> int:
    """List, ask, remove."""
    parser = argparse.ArgumentParser(
        prog="flatkit clean",
        description="List and remove everything that flatkit made: machines, with disks and consoles.",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(argv[1:])
    from flatkit.machines import find_machines, remove_machines

    machines = find_machines()
    if not machines:
        print("nothing to clean: flatkit has no machines here")
        return 0
    for line in table(machines):
        print(line)
    if not options.yes:
        if not sys.stdin.isatty():
            print("these would be removed; flatkit clean --yes removes them")
            return 0
        if input("Remove all of these? [y/N] ").strip().lower() not in {"y", "yes"}:
            print("nothing was removed")
            return 0
    troubles = remove_machines(machines)
    for trouble in troubles:
        print(f"flatkit: {printable(trouble)}", file=sys.stderr)
    print(f"{len(machines)} removed" if not troubles else "not everything could be removed")
    return 1 if troubles else 0
