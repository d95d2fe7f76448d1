"""`flatkit clean`: list everything that flatkit made, and remove exactly that, or what one session or demo made."""

from __future__ import annotations

import argparse
import sys

from flatkit.cli.machines import table
from flatkit.untrusted import printable, shell_word


def run(argv: list[str]) -> int:
    """List, ask, remove."""
    parser = argparse.ArgumentParser(
        prog="flatkit clean",
        description="List and remove everything that flatkit made: machines, with disks and consoles.",
        epilog="WHO is terminal, notebook, demo, exercise, or a name of one, such as 04-updates.ipynb. The list shows them.",
    )
    parser.add_argument("--made-by", metavar="WHO", help="only what this notebook, demo or terminal made")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(argv[1:])
    from flatkit.machines import find_machines, remove_machines

    there = find_machines()
    machines = [info for info in there if options.made_by is None or info.made_by.matches(options.made_by)]
    if not machines:
        print(_nothing(options.made_by, [str(info.made_by) for info in there]))
        return 0
    for line in table(machines):
        print(line)
    if not options.yes:
        if not sys.stdin.isatty():
            only = f" --made-by {shell_word(options.made_by)}" if options.made_by else ""
            print(f"these would be removed; flatkit clean{only} --yes removes them")
            return 0
        if input("Remove all of these? [y/N] ").strip().lower() not in {"y", "yes"}:
            print("nothing was removed; flatkit clean --made-by WHO takes some of them, flatkit down NAME takes one")
            return 0
    troubles = remove_machines(machines)
    for trouble in troubles:
        print(f"flatkit: {printable(trouble)}", file=sys.stderr)
    print(f"{len(machines)} removed" if not troubles else "not everything could be removed")
    return 1 if troubles else 0


def _nothing(made_by: str | None, others: list[str]) -> str:
    if not others or made_by is None:
        return "nothing to clean: flatkit has no machines here"
    known = ", ".join(printable(other) for other in dict.fromkeys(others))
    return f'nothing to clean: "{printable(made_by)}" made no machine that is here; machines are here by: {known}'
