"""Rewrite tests/golden/commands: boot a lab machine, type each command, store its output and what flatkit parses from it.

Look at the difference in git before committing it: these files are compared with Flatcar's own formats. On Flatcar: make accept.
"""

import sys

from flatkit.cli.show import Terminal
from flatkit.images import find_image
from flatkit.images.lab import recipe
from flatkit.images.lab.build import build_payload
from flatkit.updates.server import UpdateServer
from tools.accept.golden import CAPTURES
from tools.accept.run import GOLDEN, Run, capture_all


def main() -> int:
    """Capture all of them."""
    observer, run = Terminal(sys.stdout), Run(name="lab")
    with UpdateServer() as server:
        beta = recipe.RELEASES["lab-beta"]
        server.publish("beta", version=beta.version, payload=build_payload(release=beta))
        capture_all(run, find_image("lab"), CAPTURES, server=server, folder=GOLDEN, observer=observer)
    for each in run.captured:
        print(f"{each.capture.name}: {'; '.join(each.faults) or 'as expected'}")
    return 0 if run.ok else 1


if __name__ == "__main__":
    sys.exit(main())
