"""Signs in a console's lines: a text that a program merely quotes is none.

Firmware, kernel, the initrd's scripts, systemd and Ignition speak on the console, and so may any program of the machine. Ignition
quotes the config and servers, systemd the descriptions of units. None of these texts may look like a failure, the next phase
of the boot, or a host key. Who is root in the machine can still write any line: signs describe a machine to its own user, and
prove nothing about one that another user controls.
"""

from __future__ import annotations

import re

# A sign stands near the beginning of a line. It also bounds what the patterns cost, which is quadratic in the worst case.
JUDGED = 1024
# The kernel's time stamp, where there is one.
STAMP = r"^(?:\[ *[0-9]+\.[0-9]+\] )?"

_PROGRAM = re.compile(STAMP + r"([A-Za-z0-9@._-]+)\[[0-9]+\]: ")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*("|$)')
_HEARD = ("ignition", "systemd")


def heard(text: str) -> str:
    """The part of a line that can be a sign; "" for the words of another program."""
    text = text[:JUDGED]
    program = _PROGRAM.match(text)
    if program is None:
        return text
    if not program[1].startswith(_HEARD):
        return ""
    # "Started x.service - The description of x."
    return _QUOTED.sub('""', text.partition(" - ")[0] if program[1].startswith("systemd") else text)
