"""The plug is pulled while an update is staged: the machine boots, and what runs is wholly the old or wholly the new system."""

from __future__ import annotations

from flatkit.demos import slots, update
from flatkit.demos.diagram import DRAWS_SLOTS
from flatkit.demos.facts import SLOTS, UPDATE
from flatkit.steps import Boot, Demo, Step, Verdict, Where, says

# As kola's test does it (cl.verity/verify): the hash tree follows the data, at the offset on the kernel's command line.
_VERIFY = (
    "set -- $(sudo dmsetup table usr); usr=$(rootdev -s /usr); "
    'sudo veritysetup verify --hash-offset=$(($9 * 4096)) "$usr" "$usr" "${12}" && echo "every block matches ${12}"'
)


def _verifies(text: object) -> Verdict:
    ok = "every block matches" in str(text)
    found = str(text).strip()[-160:]
    return Verdict(
        ok=ok, found=f'found "{found}"' + ("" if ok else "; expected that every block matches the root hash")
    )


POWERCUT = Demo(
    name="powercut",
    title="The plug is pulled during an update",
    offers=update.OFFERS,
    draws=DRAWS_SLOTS,
    steps=(
        slots.boots(
            title="A machine of the stable channel",
            why="It runs the old version, from one slot. The other slot is where an update goes.",
            machine=update.MACHINE,
        ),
        slots.points_at_server(group="stable"),
        Step(
            title="An update begins",
            notes="Ask what a plug that is pulled now would do to their systems.",
            why="This time nobody waits for its end. The step continues as soon as the new system is being written to the other "
            "slot.",
            command="update_engine_client -check_for_update; update_engine_client -status",
            check=slots.is_being_written,
            hint="journalctl -u update-engine   says what it does",
            fact=UPDATE,
            wait=300,
        ),
        Step(
            title="Pull the plug",
            notes="Say it before you press: off, in the middle of writing.",
            why="Off without warning, in the middle of writing. What was not on the disk yet is lost.",
            command=f"flatkit unplug {update.MACHINE}",
            where=Where.HOST,
            check=says("is pulled"),
            hint="flatkit list",
        ),
        Step(
            title="Switch it on again",
            notes="Before it, nothing can be saved: the machine is off. Rewind goes to before the plug.",
            why="The boot loader looks at the three numbers of each slot. A half-written slot has no priority yet, so nobody "
            "boots it.",
            boot=Boot(config="updates.bu", machine=update.MACHINE, again=True),
            where=Where.HOST,
            check=says("ready again"),
            hint=f"flatkit console {update.MACHINE}   shows how far the boot came",
        ),
        Step(
            title="Wholly old, or wholly new",
            why="The running system is checked block by block against its root hash, the one number that identifies every byte "
            "of it. There is no state in between.",
            command=_VERIFY,
            check=_verifies,
            hint="sudo dmsetup status usr   ends with V when no bad block was seen",
        ),
        Step(
            title="And good",
            why="The slot that runs is one that has proved itself. The next update simply begins again, and writes the other "
            "slot from its start.",
            command=slots.SHOW,
            check=slots.is_good,
            hint="update_engine_client -status",
            fact=SLOTS,
            wait=180,
        ),
    ),
)
