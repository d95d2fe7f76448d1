"""04-updates: choose the slot of the next boot, and set the time when a machine may restart."""

from __future__ import annotations

import re
from typing import Any

from flatkit.lessons.checks import find_file, find_update_conf, odd_update_lines, of_config, on_machine
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Remove, Type, Write
from flatkit.lessons.hints import Gaps
from flatkit.lessons.quiz import quizzes_of
from flatkit.steps import Boot
from flatkit.updates.slots import PRIORITIZE_OTHER, next_slot, parse_cgpt_show

_SLOTS = 'rootdev -s /usr; sudo cgpt show "$(rootdev -s -d /usr)"'
_WINDOW = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/flatcar/update.conf
      overwrite: true
      contents:
        inline: |
          REBOOT_STRATEGY=off
"""
_SOLVED = _WINDOW.replace(
    "REBOOT_STRATEGY=off",
    'REBOOT_STRATEGY=reboot\n          LOCKSMITHD_REBOOT_WINDOW_START="Sun 04:00"\n'
    "          LOCKSMITHD_REBOOT_WINDOW_LENGTH=1h",
)
_WINDOW_KEYS = tuple(f"{prefix}REBOOT_WINDOW_{what}" for prefix in ("LOCKSMITHD_", "") for what in ("START", "LENGTH"))
# The number of the slot with the highest priority; the priorities themselves are set by each prioritize.
FIRST = (
    'for i in 3 4; do echo "$(sudo cgpt show -i $i -P "$(rootdev -s -d /usr)") $i"; done | '
    'sort -rn | head -n 1 | cut -d " " -f 2'
)


def _prefers_the_other(text: str, status: int) -> Finding:  # noqa: ARG001  (a table that is none says so itself)
    running, _, table = text.partition("\n")
    slots = parse_cgpt_show(table, running=running.strip())
    chosen = next_slot(slots)
    found = ", ".join(f"{slot.label} has priority {slot.priority}{' and runs' * slot.running}" for slot in slots)
    expected = "the higher priority for the slot that does not run"
    if chosen is None:
        found += "; no slot may boot, and the machine would not start again"
    elif not chosen.running:
        return Finding(ok=True, found=f"the next boot takes {chosen.label}: {found}")
    elif (dead := next((slot for slot in slots if slot.priority > chosen.priority), None)) is not None:
        # Its task is the priority; only an update makes a slot that boots.
        return Finding(ok=True, found=f"{found}; no boot takes {dead.label} before an update has made it good")
    elif any(slot.priority == chosen.priority for slot in slots if not slot.running):
        found += "; of two equal ones the first in the table is taken"
    # An update that was given up leaves its slot at 0 as well.
    if not any(slot.bootable for slot in slots if not slot.running):
        found += "; no boot takes the other slot before an update has written it: play the demo update first"
    return Finding(ok=False, found=found, expected=expected, look="m.slots")


def _window_faults(strategy: str, start: str, length: str) -> list[str]:
    """Return what is wrong with each setting; locksmithd reads a day of three letters in any case, and an hour such as 4."""
    faults = [] if strategy == "reboot" else [f'the strategy "{strategy}" lets it never restart by itself']
    day = re.match(r"\s*([A-Za-z]+)", start)
    if day and day[1].lower() not in {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}:
        faults.append(f'locksmithd knows no day "{day[1]}": it takes three letters, such as Thu')
    elif start and not day:
        faults.append("without a day the window is open every day")
    elif start and not re.fullmatch(r"(?i)sun 0?4:00", start):
        faults.append(f'"{start}" is another time than Sunday at 04:00')
    if length and length not in {"1h", "60m", "1h0m", "3600s"}:
        faults.append(f'the length "{length}" is not one hour (1h)')
    return faults or ([] if start and length else ["a window needs a start and a length"])


def _has_a_window(ignition: dict[str, Any]) -> Finding:
    conf = find_update_conf(ignition)
    expected = "REBOOT_STRATEGY=reboot, and a window on Sunday at 04:00 that is 1h long"
    if conf is None:
        return Finding(ok=False, found="your config has no /etc/flatcar/update.conf", expected=expected,
                       look="flatkit explain window.bu")  # fmt: skip
    start = conf.values.get("LOCKSMITHD_REBOOT_WINDOW_START") or conf.values.get("REBOOT_WINDOW_START", "")
    length = conf.values.get("LOCKSMITHD_REBOOT_WINDOW_LENGTH") or conf.values.get("REBOOT_WINDOW_LENGTH", "")
    faults = _window_faults(conf.reboot_strategy, start, length)
    ok = not faults
    found = f'strategy "{conf.reboot_strategy}", window from "{start}", "{length}" long'
    found += "".join(f"; {fault}" for fault in faults)
    odd = [key for key in conf.values if "WINDOW" in key and key not in _WINDOW_KEYS]
    if odd:
        found += f"; locksmithd reads no {odd[0]}"
    found += odd_update_lines(ignition)
    if ok and not (find_file(ignition, "/etc/flatcar/update.conf") or {}).get("overwrite"):
        ok, found = False, "the settings are right, and overwrite: true is gone"
        expected = "overwrite: true, since the image has that file already and Ignition replaces no file without it"
    return Finding(ok=ok, found=found, expected=expected, look="flatkit explain window.bu")


UPDATES = Lesson(
    name="04-updates",
    title="Updates",
    exercises=(
        Exercise(
            name="04-next",
            title="The other slot, please",
            task="After the update both slots of your machine contain a system that works. Let the next boot take the one "
            "that does not run now. You need not restart.",
            machine=Boot(config="updates.bu", machine="updates"),
            check=on_machine(_SLOTS, _prefers_the_other),
            hints=(
                "A boot takes the slot with the highest priority. cgpt prioritize gives that to a slot.",
                "The command that took you back works from here as well: it names the slot that does not run.",
            ),
            solve=(Type(command=PRIORITIZE_OTHER),),
            cleanup=(Type(command='sudo cgpt prioritize "$(rootdev -s /usr)"'),),
            traces=(FIRST,),
        ),
        Exercise(
            name="04-window",
            title="Only on Sunday at four",
            task="Change window.bu: a machine that restarts by itself after an update, but only on Sundays from 04:00 to 05:00.",
            setup=(Write(file="window.bu", text=_WINDOW),),
            check=of_config("window.bu", _has_a_window),
            hints=(
                "REBOOT_STRATEGY=reboot lets it restart. Lines LOCKSMITHD_REBOOT_WINDOW_START and _LENGTH say when.",
                'LOCKSMITHD_REBOOT_WINDOW_START="Sun 04:00", and LOCKSMITHD_REBOOT_WINDOW_LENGTH=1h, each on its own line.',
                Gaps(
                    ask="Fill the three gaps: what it does after an update, when the window opens, and how long it is open.",
                    code=_SOLVED.replace("STRATEGY=reboot", "STRATEGY=____").replace('"Sun 04:00"', "____").replace("1h", "____"),
                ),
            ),
            solve=(Write(file="window.bu", text=_SOLVED),),
            cleanup=(Remove(file="window.bu"),),
        ),
    ),
    quizzes=quizzes_of("04-updates"),
)  # fmt: skip
