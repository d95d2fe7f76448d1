"""Reset: a config is applied on the first boot only, and flatcar-reset makes the next boot a first one, with the same image.

Every step is the same on the lab image and on Flatcar. Only the place of what flatcar-reset was given differs
(docs/fidelity.md).
"""

from __future__ import annotations

from typing import Any

from flatkit.demos.diagram import DRAWS_DISK
from flatkit.steps import Boot, Demo, Fact, Step, Verdict, Where, is_equal, says

_MACHINE = "demo-reset"
COLOUR = Fact(name="colour", ask="cat /etc/colour")


def parse_pair(text: str) -> tuple[str, str]:
    """Two answers, a line each; what is missing is empty."""
    first, _, second = text.strip().partition("\n")
    return first.strip(), second.strip()


def _are_one(what: str) -> Any:
    """A check that both answers are there, and the same."""

    def check(pair: Any) -> Verdict:
        first, second = pair
        ok = bool(first) and first == second
        found = f'found {what} "{first}" and "{second}"'
        return Verdict(ok=ok, found=f"found {what} {first}, twice" if ok else f"{found}, expected one and the same")

    return check


RESET = Demo(
    name="reset",
    title="Reset: provision again",
    draws=DRAWS_DISK,
    steps=(
        Step(
            title="Boot a machine",
            notes="Remember the word: blue.",
            why="Its config puts one word into a file: blue. That file will tell which config the machine was made from.",
            boot=Boot(config="colour.bu", machine=_MACHINE),
            where=Where.HOST,
            check=is_equal("blue"),
            hint=f"flatkit console {_MACHINE}   shows how far the boot came",
            fact=COLOUR,
        ),
        Step(
            title="Change it by hand",
            why="Somebody logs in and leaves something behind. Nobody wrote it down, and the next machine will not have it.",
            command="echo 'nobody knows why' | sudo tee /etc/by-hand",
            check=says("nobody knows why"),
            hint="ls -l /etc/by-hand",
        ),
        Step(
            title="Edit the config",
            why="The right way is to change the config: green instead of blue. It is translated again, and has no faults.",
            command="sed -i 's/blue/green/' colour.bu && flatkit butane colour.bu | tee colour.ign",
            where=Where.HOST,
            check=says("data:,green"),
            hint="flatkit butane --check colour.bu   shows every fault with its line",
        ),
        Step(
            title="Restart, and nothing happens",
            notes="Ask first: blue or green? A config is applied once.",
            why="Still blue: a config is applied on the first boot, and this was the second. So a machine does not change behind "
            "your back.",
            command="sudo systemctl reboot",
            reboots=True,
            check=is_equal("blue"),
            hint="cat /etc/colour   on the machine",
            fact=COLOUR,
        ),
        Step(
            title="Hand it the new config",
            why="In a cloud one would make a fresh machine. Where that is hard, on bare metal, the same machine can be "
            "provisioned again; it needs the config for that.",
            command=f"flatkit ssh {_MACHINE} -- tee colour.ign < colour.ign",
            where=Where.HOST,
            check=says("data:,green"),
            hint="flatkit list   says whether the machine runs",
        ),
        Step(
            title="Stage the reset",
            why="The next boot clears the root file system and counts as the first. What should stay is named: the machine's "
            "identity, and the key by which flatkit logs in.",
            command="sudo flatcar-reset --ignition-file colour.ign --keep-machine-id "
            "--keep-paths '/etc/ssh/ssh_host_.*' /home/core/.ssh",
            check=says("Staged OS reset, you can reboot now"),
            hint="sudo flatcar-reset --preview-keep --keep-paths ...   shows what would stay",
        ),
        Step(
            title="Restart, and it is provisioned again",
            why="Ignition runs again, with the new config, before any service starts. The image is the same: nothing was "
            "downloaded or installed.",
            command="sudo systemctl reboot",
            reboots=True,
            check=is_equal("green"),
            hint=f"flatkit console {_MACHINE}   shows whether Ignition ran",
            fact=COLOUR,
        ),
        Step(
            title="What was done by hand is gone",
            notes="Ask who has a machine that nobody dares to set up again.",
            why="Whatever is not in the config did not survive. That is the point: what is written down is the machine.",
            command="ls /etc/by-hand",
            check=is_equal("gone"),
            hint="ls -l /etc/by-hand",
            fact=Fact(name="by-hand", ask="test -e /etc/by-hand && echo there || echo gone"),
        ),
        Step(
            title="Provisioned in this very boot",
            why="Ignition leaves a note of the boot in which it worked. It is the one that runs now.",
            command="sudo cat /etc/.ignition-result.json",
            check=_are_one("boot"),
            hint="sudo cat /etc/.ignition-result.json",
            fact=Fact(
                name="provisioned",
                ask="sudo jq -r .provisioningBootID /etc/.ignition-result.json; cat /proc/sys/kernel/random/boot_id",
                parse=parse_pair,
            ),
        ),
        Step(
            title="And still the same machine",
            why="Its ID was kept, by a word on the kernel's command line. A host that knew this machine before still knows it.",
            command="grep -o 'systemd.machine_id=[0-9a-f]*' /proc/cmdline; cat /etc/machine-id",
            check=_are_one("machine ID"),
            hint="cat /proc/cmdline",
            fact=Fact(
                name="machine-id",
                ask="sed -n 's/.*systemd.machine_id=\\([0-9a-f]*\\).*/\\1/p' /proc/cmdline; cat /etc/machine-id",
                parse=parse_pair,
            ),
        ),
    ),
)
