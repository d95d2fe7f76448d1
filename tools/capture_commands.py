"""Write tests/golden/commands anew: boots a lab machine, types each command, keeps what it said and what flatkit reads in it.

Look at the difference in git before committing it: these files stand beside Flatcar's own formats.
"""

import dataclasses
import json
import sys
from pathlib import Path

from flatkit import workshop
from flatkit.images.lab import recipe
from flatkit.images.lab.build import build_payload
from flatkit.updates import slots, status
from flatkit.updates.server import UpdateServer

FOLDER = Path(__file__).resolve().parents[1] / "tests/golden/commands"
CONFIG = """\
variant: flatcar
version: 1.1.0
storage:
  files:
    - path: /etc/flatcar/update.conf
      overwrite: true
      contents:
        inline: |
          GROUP=beta
          SERVER={url}/v1/update/
          REBOOT_STRATEGY=off
"""
# In this order, on one machine: fresh, updated, not yet rebooted.
COMMANDS = {
    "fresh-cgpt-show": "sudo cgpt show /dev/vda",
    "fresh-cgpt-show-partition": "sudo cgpt show /dev/vda3",
    "fresh-cgpt-find": "sudo cgpt find -t flatcar-usr",
    "fresh-cgpt-next": "sudo cgpt next",
    "fresh-rootdev": "rootdev -s /usr",
    "fresh-rootdev-disk": "rootdev -s -d /usr",
    "fresh-verity-status": "sudo dmsetup --target verity status usr",
    "fresh-status": "update_engine_client -status",
    "fresh-update-conf": "cat /usr/share/flatcar/update.conf",
    "fresh-locksmithctl": "locksmithctl status",
    "staged-update": "update_engine_client -update",
    "staged-status": "update_engine_client -status",
    "staged-cgpt-show": "sudo cgpt show /dev/vda",
    "staged-flatcar-update": "sudo flatcar-update --to-version 120.1.0 2>&1",
}


def value(name: str, raw: str) -> object:
    """What flatkit's parsers make of it; the words where no parser is needed."""
    found: object
    if "cgpt-show" in name:
        found = [dataclasses.asdict(slot) for slot in slots.parse_cgpt_show(raw)]
    elif name.endswith(("-status", "-update")) and "CURRENT_OP" in raw:
        found = [dataclasses.asdict(each) for each in status.parse_statuses(raw)]
    elif name.endswith("update-conf"):
        found = status.parse_update_conf(raw).values
    else:
        found = raw.split()
    return found


def main() -> int:
    """Capture all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with UpdateServer() as server:
        beta = recipe.RELEASES["lab-beta"]
        server.publish("beta", version=beta.version, payload=build_payload(release=beta))
        config = workshop.parse_config(CONFIG.format(url=server.guest_url), name="capture.bu")
        machine = workshop.boot(config, workshop.Wish(name="capture", image="lab")).machine
        try:
            for name, command in COMMANDS.items():
                raw = machine.run(command, timeout=300).stdout
                kept = {"command": command, "raw": raw, "value": value(name, raw)}
                (FOLDER / f"lab-{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
                print(f"{name}: {len(raw)} bytes")
        finally:
            machine.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
