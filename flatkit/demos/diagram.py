"""The picture of a demo: the slots, the layers of `/usr`, the channels, or the disk and its config, drawn from facts.

A demo names its facts in `draws`. The runner asks for them after each step, a recording keeps the answers, and so a
replay draws the same picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flatkit.demos.facts import LAYERS, SLOTS, UPDATE, VERSION
from flatkit.errors import MachineError
from flatkit.steps import Fact
from flatkit.untrusted import lines_of

_CUT = "--flatkit-cut--"
# The partitions that a learner has heard of, with what each is for.
_ROLES = {
    "USR-A": "one of the two systems, read-only",
    "USR-B": "the other one, read-only",
    "OEM": "what belongs to the platform",
    "ROOT": "everything else: /etc, /var, /home",
}


@dataclass(frozen=True, kw_only=True)
class DiskPart:
    """A partition of the machine's disk: `size` as lsblk writes it, `role` in words."""

    label: str
    size: str
    role: str


@dataclass(frozen=True, kw_only=True)
class Disk:
    """The disk, and when its config was applied: `provisioned` is Ignition's own date, `this_boot` whether it was now."""

    parts: tuple[DiskPart, ...]
    provisioned: str = ""
    this_boot: bool = False

    @property
    def story(self) -> str:
        """The sentence about when the config was applied."""
        if not self.provisioned:
            return "No config was applied to this disk."
        when = (
            f"on {self.provisioned[:10]} at {self.provisioned[11:19]}" if "T" in self.provisioned else self.provisioned
        )
        if self.this_boot:
            return f"Ignition applied the config in this boot ({when}), before any service started."
        return f"Ignition applied the config in an earlier boot ({when}). It is not applied again."


def parse_disk(text: str) -> Disk:
    """From the answer to DISK. Raises MachineError when it lists no partition."""
    table, _, result = text.partition(_CUT)
    rows = (re.fullmatch(r"([A-Z-]+) (\S+)", line.strip()) for line in lines_of(table))
    partitions = tuple(
        DiskPart(label=row[1], size=row[2], role=_ROLES[row[1]]) for row in rows if row and row[1] in _ROLES
    )
    if not partitions:
        raise MachineError(
            "the machine listed no partition that is known", hint="lsblk -o PARTLABEL,SIZE", details=text
        )
    date, applied, now = [*(line.strip() for line in lines_of(result.strip())), "", "", ""][:3]
    if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", date):
        return Disk(parts=partitions)
    return Disk(parts=partitions, provisioned=date, this_boot=bool(applied) and applied == now)


DISK = Fact(
    name="disk",
    ask='lsblk -rno PARTLABEL,SIZE "$(rootdev -s -d /usr)"; '
    f"echo {_CUT}; sudo jq -r '.provisioningDate, .provisioningBootID' /etc/.ignition-result.json; "
    "cat /proc/sys/kernel/random/boot_id",
    parse=parse_disk,
)

# What a demo's `draws` may be.
DRAWS_SLOTS = (SLOTS, VERSION, UPDATE)
DRAWS_LAYERS = (LAYERS, VERSION)
DRAWS_DISK = (DISK,)
