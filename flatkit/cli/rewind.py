"""`flatkit checkpoint` and `flatkit rewind`: save a running machine, and restore that state."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from flatkit.cli.show import Json, fail_json, observer_for
from flatkit.errors import FlatkitError
from flatkit.untrusted import printable


def run(argv: list[str]) -> int:
    """Run the command that the first word names."""
    return {"checkpoint": _checkpoint, "rewind": _rewind}[argv[0]](argv[1:])


def _checkpoint(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatkit checkpoint",
        description="Save a running machine, memory and disk, under a name; it stands still for a second or two.",
        epilog='The first boot saves one by itself: "fresh". flatkit list shows them; flatkit down removes them.',
    )
    parser.add_argument("name", help="the machine")
    parser.add_argument("checkpoint", help="the checkpoint's name, for example before-update")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    from flatkit.machines import get_machine

    observer = observer_for(as_json=options.json)
    try:
        saved = get_machine(options.name).checkpoint(options.checkpoint, observer=observer)
    except FlatkitError as error:
        if isinstance(observer, Json):
            return fail_json(observer, error)
        raise
    if isinstance(observer, Json):
        observer.result(ok=True, name=options.name, checkpoint=saved.name, bytes=saved.bytes, created=saved.created)
    else:
        print(f"flatkit rewind {options.name} --to {printable(saved.name)}   brings the machine back to here")
    return 0


def _rewind(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatkit rewind",
        description="Bring a machine back to a checkpoint, memory and disk, whether it runs or not.",
        epilog="A machine that has no checkpoint boots again from its image.",
    )
    parser.add_argument("name", help="the machine")
    parser.add_argument("--to", metavar="CHECKPOINT", help='which one (default: "fresh", which the first boot saves)')
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    from flatkit.machines import get_machine

    observer = observer_for(as_json=options.json)
    try:
        rewound = get_machine(options.name).rewind(to=options.to, observer=observer)
    except FlatkitError as error:
        if isinstance(observer, Json):
            return fail_json(observer, error)
        raise
    if isinstance(observer, Json):
        observer.result(ok=True, name=options.name, **asdict(rewound))
    else:
        print(f'The machine "{options.name}" is {printable(rewound)}.')
    return 0
