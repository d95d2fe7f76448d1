"""`flatkit channels`: the releases that the update server of a room or demo offers, and each machine's version."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from flatkit.cli.show import print_json
from flatkit.untrusted import printable


def run(argv: list[str]) -> int:
    """Show the table, or run `promote`."""
    parser = argparse.ArgumentParser(
        prog="flatkit channels", description="Who runs which version of which channel, as the update server saw it."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    commands = parser.add_subparsers(dest="command")
    about = "let a channel offer what another one offers"
    promote = commands.add_parser("promote", help=about, description=f"{about[0].upper()}{about[1:]}.")
    promote.add_argument("channel", metavar="FROM")
    promote.add_argument("--to", required=True, metavar="CHANNEL")
    options = parser.parse_args(argv[1:])
    from flatkit.packs.serve import open_channels

    channels = open_channels()
    if options.command == "promote":
        release = channels.promote(options.channel, to=options.to)
        print(f"{printable(options.to)} offers {printable(release.version)} from now on")
    elif options.json:
        for seen in channels.machines:
            print_json(event="machine", **{**asdict(seen), "state": str(seen.state)})
        offers = {name: release.version for name, release in channels.releases.items()}
        print_json(event="result", ok=True, channels=offers)
    else:
        print(channels)
    return 0
