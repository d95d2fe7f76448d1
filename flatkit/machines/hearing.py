"""Signs in a console's lines: text that a program only quotes is not a sign.

Firmware, kernel, the initrd's scripts, systemd and Ignition write to the console, and so can any program of the
machine. Ignition quotes the config and servers; systemd quotes the descriptions of units. None of these texts may look
like a failure, the next phase of the boot, or a host key.

The root user of the machine can still write any line. Signs describe a machine to its own user. They prove nothing
about a machine that another user controls.
"""

from __future__ import annotations

import re

# A sign is near the beginning of a line. This limit also bounds the cost of the patterns, which is quadratic in the
# worst case.
JUDGED = 1024
# The kernel's time stamp, if there is one.
STAMP = r"^(?:\[ *[0-9]+\.[0-9]+\] )?"

_PROGRAM = re.compile(STAMP + r"([A-Za-z0-9@._-]+)\[[0-9]+\]: ")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*("|$)')
_HEARD = ("ignition", "systemd")


def heard(text: str) -> str:
    """Return the part of a line that can be a sign; "" for the text of another program."""
    text = text[:JUDGED]
    program = _PROGRAM.match(text)
    if program is None:
        return text
    if not program[1].startswith(_HEARD):
        return ""
    # "Started x.service - The description of x."
    return _QUOTED.sub('""', text.partition(" - ")[0] if program[1].startswith("systemd") else text)
