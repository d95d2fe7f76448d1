"""An update: the whole new system beside the one that runs, a restart, and a slot that has to prove itself."""

from __future__ import annotations

from flatkit.demos import slots
from flatkit.demos.diagram import DRAWS_SLOTS
from flatkit.demos.facts import SLOTS
from flatkit.steps import Demo, Step

MACHINE = "demo-update"
# Stable is what beta was: what the lab image's beta is, is promoted to stable.
OFFERS = (("stable", "lab-beta"),)

UPDATE = Demo(
    name="update",
    title="An update, and the way back stays",
    offers=OFFERS,
    draws=DRAWS_SLOTS,
    steps=(
        slots.boots(
            title="A machine of the stable channel",
            why="It runs what most machines run. A newer version has just been published in its channel.",
            machine=MACHINE,
        ),
        slots.points_at_server(group="stable"),
        Step(
            title="Two slots",
            notes="Draw two boxes, A and B. Everything that follows happens in these two.",
            why="There is room for two systems, USR-A and USR-B, and one of them runs. Three numbers say which one a boot "
            "takes: priority, tries, successful.",
            command=slots.SHOW,
            check=slots.has_two_slots,
            hint="rootdev -s /usr   names the one that runs",
            fact=SLOTS,
        ),
        slots.stages_update(
            notes="Start it, and explain the slots while it works. Ask first: for how long is the machine away?",
            predicts="04-predict",
        ),
        Step(
            title="Look at both slots again",
            predicts="04-predict",
            why="The new one has the higher priority and exactly one try: successful=0 says that it has proved nothing yet. The "
            "old one is as it was.",
            command=slots.SHOW,
            check=slots.is_staged,
            hint="update_engine_client -status",
            fact=SLOTS,
        ),
        slots.reboots_into_it(
            title="Restart into it",
            why="The boot loader takes the slot with the highest priority, and counts its try down before it boots. If this "
            "boot failed, the next one would take the old slot, without anybody.",
            notes="Count the seconds aloud: this restart is all that the update costs.",
            predicts="04-predict",
        ),
        Step(
            title="It is the new version",
            why="All of /usr has changed at once, and the kernel with it. Your config, your data and the machine's name are "
            "where they were.",
            command='. /etc/os-release; echo "$PRETTY_NAME"',
            check=slots.is_newer,
            hint="rootdev -s /usr   names the slot that runs",
            fact=slots.VERSIONS,
        ),
        Step(
            title="Marked good",
            notes="This takes a minute or two: time for questions.",
            why="When the update engine has run for a while, the slot has proved itself: it gets successful=1 and is booted from "
            "now on. The old system stays in its slot, as the way back, until the next update.",
            command=slots.SHOW,
            check=slots.is_good_with_way_back,
            hint="journalctl -u update-engine   says when it was marked good",
            fact=SLOTS,
            wait=180,
        ),
    ),
)
