"""Rollback: the old system again, by hand as Flatcar's documents show, and by itself when a new one does not boot."""

from __future__ import annotations

from flatkit.demos import slots, update
from flatkit.demos.diagram import DRAWS_SLOTS
from flatkit.demos.facts import SLOTS
from flatkit.demos.slots import CONF
from flatkit.steps import Boot, Demo, Step, Verdict, Where, says
from flatkit.updates.slots import PRIORITIZE_OTHER

# What an update does in the end (flatcar-postinst), here with a system whose first block was overwritten. The update engine is
# stopped before: it marks the running slot good some time after its start, and would put that one first again.
_DAMAGED = (
    'sudo systemctl stop update-engine; new=$(sudo cgpt find -t flatcar-usr | grep --invert-match "$(rootdev -s /usr)"); '
    'sudo dd if=/dev/zero of="$new" bs=4096 count=1 conv=notrunc,fsync status=none; '
    'sudo cgpt add -S0 -T1 "$new"; sudo cgpt prioritize "$new"; ' + slots.SHOW
)


def _is_disabled(conf: object) -> Verdict:
    ok = bool(getattr(conf, "is_disabled", False))
    server = getattr(conf, "server", "")
    return Verdict(ok=ok, found=f'found SERVER "{server}"' + ("" if ok else '; expected "disabled"'))


ROLLBACK = Demo(
    name="rollback",
    title="The way back: by hand, and by itself",
    draws=DRAWS_SLOTS,
    steps=(
        Step(
            title="A machine that was updated",
            notes="Without that machine the whole demo update runs first: play it before the talk.",
            why="The demo update leaves one, with the new system in one slot and the old one in the other. This demo continues "
            "with it.",
            boot=Boot(config="updates.bu", machine=update.MACHINE, after="update"),
            where=Where.HOST,
            check=says("ready"),
            hint="flatkit demo run update",
        ),
        Step(
            title="Back by hand: choose the other slot",
            why="The new version runs well, and you still want the old one: perhaps your own program does not like it. One "
            "command gives the other slot the higher priority.",
            command=PRIORITIZE_OTHER,
            check=slots.goes_back_next,
            hint=slots.SHOW,
            fact=SLOTS,
        ),
        Step(
            title="Restart, and the old version runs",
            notes="Nothing is downloaded. Ask how long this takes on their systems.",
            why="Nothing is downloaded and nothing is undone step by step. The old system was there all the time, every byte of "
            "it, and is booted again.",
            command="sudo systemctl reboot",
            reboots=True,
            check=slots.is_the_old_one,
            hint=slots.SHOW,
            fact=slots.VERSIONS,
        ),
        Step(
            title="No updates for now",
            why="Otherwise the machine would soon fetch the same version again. Flatcar's documents switch updates off after a "
            "rollback by hand, until a better version is there.",
            command="sudo sed -i 's/^SERVER=.*/SERVER=disabled/' /etc/flatcar/update.conf; cat /etc/flatcar/update.conf",
            check=_is_disabled,
            hint="cat /etc/flatcar/update.conf",
            fact=CONF,
        ),
        Step(
            title="A bad update",
            notes="Say that this is what everybody fears at night.",
            why="Now the case that nobody wants: a new system that cannot even boot. Its first block is overwritten here, and it "
            "gets one try, as after each update.",
            command=_DAMAGED,
            check=slots.is_staged,
            hint=slots.SHOW,
            fact=SLOTS,
        ),
        Step(
            title="Restart, and touch nothing",
            notes="Hands off the keys: two boots follow, and nobody helps.",
            why="The kernel finds that the block does not match the root hash, and stops. The try is used up, so the next boot "
            "takes the other slot: the machine comes back by itself.",
            command="sudo systemctl reboot",
            reboots=True,
            check=slots.other_is_given_up,
            hint=f"flatkit console {update.MACHINE} --lines 80   shows both boots",
            fact=SLOTS,
        ),
        Step(
            title="The version that worked runs",
            why="No one had to log in, and no machine was lost. That is why a fleet may update itself at night.",
            command='. /etc/os-release; echo "$PRETTY_NAME"',
            check=slots.is_the_old_one,
            hint=slots.SHOW,
            fact=slots.VERSIONS,
        ),
    ),
)
