"""02-butane: a file with its mode, and a service that starts automatically."""

from __future__ import annotations

import re
from typing import Any

from flatkit.butane.machine.plan import Plan
from flatkit.lessons.checks import boot_faults, find_file, find_text, find_unit, names_of, of_config, unit_values
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Remove, Write
from flatkit.lessons.hints import Gaps, Lines, Odd
from flatkit.lessons.quiz import quizzes_of
from flatkit.untrusted import lines_of

_START = "variant: flatcar\nversion: 1.1.0\n"
_SCRIPT = """\
variant: flatcar
version: 1.1.0
storage:
  files:
    - path: /opt/bin/greet
      mode: 0755
      contents:
        inline: |
          #!/bin/bash
          echo Hello from $(hostname)
"""
_SERVICE = """\
variant: flatcar
version: 1.1.0
systemd:
  units:
    - name: greet.service
      enabled: true
      contents: |
        [Unit]
        Description=Greets once

        [Service]
        Type=oneshot
        ExecStart=/usr/bin/echo hello

        [Install]
        WantedBy=multi-user.target
"""


def _is_a_script(ignition: dict[str, Any]) -> Finding:
    file = find_file(ignition, "/opt/bin/greet")
    expected = "a file /opt/bin/greet with mode 0755 that begins with #!/bin/bash"
    look = "flatkit explain greet.bu"
    if file is None:
        files = names_of(ignition.get("storage", {}).get("files"), "path")
        in_usr = "; /usr is the image, where a config cannot write" if "/usr/" in files else ""
        return Finding(ok=False, found=f"files in your config: {files}{in_usr}", expected=expected, look=look)
    mode, text = file.get("mode"), find_text(file) or ""
    shown = f"{mode:04o}" if isinstance(mode, int) else "not given, so 0644"
    first, _, rest = text.partition("\n")
    found = f'/opt/bin/greet has mode {shown} and begins with "{first[:40]}"'
    is_program = re.fullmatch(r"#! ?/(usr/)?bin/(env )?(ba|da)?sh( .*)?", first) is not None
    runs = isinstance(mode, int) and mode & 0o555 == 0o555
    if mode in {int("755"), int("775"), int("777"), int("555")}:
        found = f"mode: {mode} without the 0 in front is a decimal number, and means {mode:04o}"
    elif runs and not text:
        found = "/opt/bin/greet is empty: behind inline: a # begins a comment; write inline: | and the script below it"
    elif runs and first.endswith("\r"):
        found = "the lines end as on Windows (CRLF), and the machine looks for an interpreter of that odd name"
    elif runs and first.startswith("#!") and not is_program:
        found = f'the first line is "{first[:40]}", and no shell of the machine is named so'
    elif runs and not is_program:
        found += ": the very first line has to be #!/bin/bash"
    elif runs and is_program and not rest.strip():
        found = "/opt/bin/greet has its first line, and no command below it"
        is_program = False
    return Finding(ok=runs and is_program, found=found, expected=expected, look=look)


def _starts_by_itself(ignition: dict[str, Any]) -> Finding:
    unit = find_unit(ignition, "greet.service")
    expected = "greet.service, enabled, with ExecStart= and an [Install] section that says WantedBy="
    look = "flatkit explain service.bu"
    if unit is None:
        units = names_of(ignition.get("systemd", {}).get("units"), "name")
        return Finding(ok=False, found=f"units in your config: {units}", expected=expected, look=look)
    values = unit_values(unit.get("contents") or "")
    faults = boot_faults(unit)
    starts = values.get(("Service", "ExecStart"), [])
    misplaced = [section for section, key in values if key == "ExecStart" and section != "Service"]
    if misplaced and not starts:
        faults.append(f"ExecStart= is in [{misplaced[0]}], and belongs in [Service]")
    elif not starts:
        faults.append("a [Service] section with ExecStart= is missing")
    refused = Plan(ignition).refusal("greet.service")
    if not faults and refused is not None:
        faults = [f"systemd refuses it: {refused.words}"]
    found = f"greet.service: {'; '.join(faults)}" if faults else "by its config greet.service starts on every boot"
    return Finding(ok=not faults, found=found, expected=expected, look=look)


BUTANE = Lesson(
    name="02-butane",
    title="Butane, piece by piece",
    exercises=(
        Exercise(
            name="02-script",
            title="A program of your own",
            task="In greet.bu: put a small script at /opt/bin/greet. It begins with #!/bin/bash, and everybody may run it.",
            setup=(Write(file="greet.bu", text=_START),),
            check=of_config("greet.bu", _is_a_script),
            hints=(
                "It is a file below storage: files:, with path:, mode: and contents: inline:",
                "mode: 0755 lets everybody run it. After inline: | the lines of the script follow, indented further.",
                Lines(
                    file="greet.bu", given=_START, lines=tuple(lines_of(_SCRIPT.removeprefix(_START).rstrip())),
                    odd=(
                        Odd(line="      mode: 755", why="without the leading zero the number is decimal, and means 01363"),
                        Odd(line="    - name: /opt/bin/greet", why="a file is named by its path; name: is for users and units"),
                    ),
                ),
            ),
            solve=(Write(file="greet.bu", text=_SCRIPT),),
            cleanup=(Remove(file="greet.bu"),),
        ),
        Exercise(
            name="02-service",
            title="It starts by itself",
            task="In service.bu: describe a unit greet.service that runs any command, and starts on every boot.",
            setup=(Write(file="service.bu", text=_START),),
            check=of_config("service.bu", _starts_by_itself),
            hints=(
                ("Below systemd: units: comes - name: greet.service. enabled: true alone is not enough: the unit says itself "
                "who wants it."),
                "contents: | holds [Service] with ExecStart=/usr/bin/echo hello, and [Install] with WantedBy=multi-user.target",
                Gaps(
                    ask="Fill the four gaps: is it on, which section says what runs, what runs, and who wants it?",
                    code=_SERVICE.replace("enabled: true", "enabled: ____").replace("[Service]", "[____]")
                    .replace("/usr/bin/echo hello", "____").replace("WantedBy=multi-user.target", "WantedBy=____"),
                ),
            ),
            solve=(Write(file="service.bu", text=_SERVICE),),
            cleanup=(Remove(file="service.bu"),),
        ),
    ),
    quizzes=quizzes_of("02-butane"),
)  # fmt: skip
