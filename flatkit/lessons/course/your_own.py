"""09-your-own: a line in the guest book of the lesson's machine, and the learner's own service, kept in /var."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from flatkit.lessons.checks import boot_faults, names_of, of_config, on_machine, unit_values
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Remove, Type, Write
from flatkit.lessons.quiz import quizzes_of
from flatkit.steps import Boot
from flatkit.untrusted import lines_of

_BOOK = "cat /var/lib/book/visits"
_OF_THE_LESSON = {"first", "again", "", "favicon.ico"}  # requests of the notebook's cells and of a browser
_START = """\
variant: flatcar
version: 1.0.0
systemd:
  units:
    - name: count.service
      contents: |
        [Service]
        Type=oneshot
        ExecStart=/bin/bash -c "echo started >> /usr/share/count/starts"
"""
_SOLVED = """\
variant: flatcar
version: 1.0.0
systemd:
  units:
    - name: count.service
      enabled: true
      contents: |
        [Service]
        Type=oneshot
        StateDirectory=count
        ExecStart=/bin/bash -c "echo started >> /var/lib/count/starts"

        [Install]
        WantedBy=multi-user.target
"""


def _has_a_line(text: str, status: int) -> Finding:
    visits = [] if status else [line.partition(":")[2].strip() for line in lines_of(text)]
    own = [visit for visit in visits if visit not in _OF_THE_LESSON]
    found = f"you have been there as {', '.join(own)}" if own else f"visits in the book: {', '.join(visits) or 'none'}"
    return Finding(ok=bool(own), found=found, expected="a visit with a word of your own", look=f'm.run("{_BOOK}")')


def _is_a_good_service(ignition: dict[str, Any]) -> Finding:
    units = ignition.get("systemd", {}).get("units") or ()
    services = [unit for unit in units if unit.get("name", "").endswith(".service") and "@" not in unit["name"]]
    expected = "a service that starts on every boot and keeps its data below /var/lib"
    look = "flatkit explain mine.bu"
    if not services:
        found = f"units in your config: {names_of(units, 'name')}; none is a service"
        return Finding(ok=False, found=found, expected=expected, look=look)
    missing = {unit["name"]: _missing_in(unit) for unit in services}
    good = [name for name, lacks in missing.items() if not lacks]
    name, lacks = (good[0], []) if good else next(iter(missing.items()))
    if good:
        found = f"by its config {name} starts on every boot, and has a folder below /var/lib"
        return Finding(ok=True, found=found)
    return Finding(ok=False, found=f"{name}: {'; '.join(lacks)}", expected=expected, look=look)


def _missing_in(unit: dict[str, Any]) -> list[str]:
    text = unit.get("contents") or ""
    values = unit_values(text)
    lacks = boot_faults(unit)
    commands = " ".join(values.get(("Service", "ExecStart"), ()))
    folders = values.get(("Service", "StateDirectory"), [])
    if not commands:
        lacks.append("a [Service] section with ExecStart= is missing")
    if not folders:
        lacks.append("StateDirectory= is missing")
    elif folders[0].startswith("/"):
        lacks.append(
            f"StateDirectory={folders[0]}: it takes the name of a folder in /var/lib, such as {PurePath(folders[0]).name}"
        )
    elif "/var/lib/" in commands and not any(
        f"/var/lib/{name}" in commands for line in folders for name in line.split()
    ):
        lacks.append(f"StateDirectory={folders[0]} makes /var/lib/{folders[0]}, and the command writes elsewhere")
    for place, why in (
        ("/usr", "which is read-only"),
        ("/run", "which is empty after a restart"),
        ("/tmp", "which is emptied"),  # noqa: S108  (looked for, not used)
    ):
        if re.search(rf"(>|tee( -a)?)\s*{place}/", text):
            lacks.append(f"it writes to {place}, {why}")
    return lacks


YOUR_OWN = Lesson(
    name="09-your-own",
    title="A service of your own",
    exercises=(
        Exercise(
            name="09-visit",
            title="Sign the book",
            task="Visit the guest book with a word of your own, from the machine or from this host, so that it is written there.",
            machine=Boot(config="book.bu", machine="book", guest_ports=(80,)),
            check=on_machine(_BOOK, _has_a_line),
            hints=(
                "A visit is a request for a page. The word is the page's path: first and again were words as well.",
                'm.page(80, "ada") from here, or curl -s http://localhost/ada on the machine',
            ),
            solve=(Type(command="curl -s http://localhost/ada"),),
            cleanup=(Type(command="sudo sed -i '/: ada$/d' /var/lib/book/visits", may_fail=True),),
            traces=("cat /var/lib/book/visits 2>/dev/null",),
        ),
        Exercise(
            name="09-service",
            title="A service that lasts",
            task="In mine.bu: a service that starts on every boot and keeps its data below /var/lib. The start that is there has "
            "three faults; or write one of your own.",
            setup=(Write(file="mine.bu", text=_START),),
            check=of_config("mine.bu", _is_a_good_service),
            hints=(
                "A unit that nobody enables does not start, and /usr is read-only. Compare with book.socket and book@.service.",
                "enabled: true beside its name; [Install] with WantedBy=multi-user.target; StateDirectory=count.",
            ),
            solve=(Write(file="mine.bu", text=_SOLVED),),
            cleanup=(Remove(file="mine.bu"),),
        ),
    ),
    quizzes=quizzes_of("09-your-own"),
)  # fmt: skip
