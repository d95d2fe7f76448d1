"""07-containers: a container image made on the machine, and a container as a unit in a config."""

from __future__ import annotations

import re
from typing import Any

from flatkit.lessons.checks import boot_faults, find_unit, names_of, of_config, on_machine, unit_values
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Remove, Type, Write
from flatkit.lessons.hints import Lines, Odd
from flatkit.lessons.quiz import quizzes_of
from flatkit.steps import Boot
from flatkit.untrusted import lines_of

_START = "variant: flatcar\nversion: 1.0.0\n"
_GIVEN = f"""\
{_START}systemd:
  units:
"""
_SOLVED = f"""\
{_GIVEN}\
    - name: cache.service
      enabled: true
      contents: |
        [Unit]
        After=docker.service
        Requires=docker.service

        [Service]
        TimeoutStartSec=0
        ExecStartPre=-/usr/bin/docker rm --force cache
        ExecStart=/usr/bin/docker run --name cache -p 6379:6379 redis:7
        Restart=always

        [Install]
        WantedBy=multi-user.target
"""
_EXTRA = "StartPre="  # good to have; its line would make the order harder, and teach nothing more
# The image's name; without it those of the images that there are.
IMAGE = (
    "docker image inspect --format '{{index .RepoTags 0}}' flatkit/mine:1 2>/dev/null || "
    "{ docker images --format '{{.Repository}}:{{.Tag}}'; false; }"
)
# Required parts of the unit: words for the learner, and the form of the line.
_NEEDS = (
    ("ExecStart=/usr/bin/docker run ...", r"^ExecStart=/usr/bin/docker run .*redis"),
    ("Requires=docker.service", r"^(Requires|BindsTo)=.*docker\.service"),
    ("After=docker.service", r"^After=.*docker\.service"),
    ("Restart=always", r"^Restart=always\s*$"),
    ("WantedBy=", r"^WantedBy=\S"),
)


def _runs_redis(ignition: dict[str, Any]) -> Finding:
    look = "flatkit explain cache.bu"
    unit = find_unit(ignition, "cache.service")
    if unit is None:
        units = names_of(ignition.get("systemd", {}).get("units"), "name")
        return Finding(
            ok=False,
            found=f"units in your config: {units}",
            expected="a unit cache.service that runs redis:7",
            look=look,
        )
    text = unit.get("contents") or ""
    missing = [words for words, line in _NEEDS if not re.search(line, text, flags=re.MULTILINE)]
    missing += [] if unit.get("enabled") else ["enabled: true"]
    found = f"cache.service is without {', '.join(missing)}" if missing else "cache.service runs redis on every boot"
    expected = "a unit like site.service, which runs redis:7"
    values = unit_values(text)
    started, restart = values.get(("Service", "ExecStart"), []), values.get(("Service", "Restart"), [])
    if missing and started and _NEEDS[0][0] in missing:
        found += f"; it has ExecStart={started[-1][:60]}"
    elif missing and restart and "Restart=always" in missing:
        found += f"; it has Restart={restart[-1]}"
    words = [word for line in values.get(("Service", "ExecStart"), ()) for word in line.split()]
    before = words[words.index("run") + 1 :] if "run" in words else []
    options = set(before[: next((at for at, word in enumerate(before) if "redis" in word), len(before))])
    if not missing and options & {"-d", "--detach", "--detach=true", "-dit", "-itd", "-di", "-td"}:
        missing, found = (
            ["-d"],
            "docker run -d ends at once, and Restart=always starts the next container, again and again",
        )
        expected = "docker run without -d, so that the unit runs as long as its container"
    elif not missing and options & {"-t", "-it", "-ti", "--tty", "-dit", "-itd"}:
        missing, found = ["-t"], "docker run -t wants a terminal, and a unit has none"
        expected = "docker run without -t"
    elif not missing and (faults := boot_faults(unit)):
        missing, found = faults, f"cache.service: {'; '.join(faults)}"
    elif not missing and not re.search(r"\bredis:7\b", " ".join(words)):
        image = next((word for word in words if "redis" in word), "another image")
        missing, found = ["redis:7"], f"it runs {image}, and not redis:7"
    return Finding(ok=not missing, found=found, expected=expected, look=look)


def _has_image(text: str, status: int) -> Finding:
    others = [line.strip() for line in lines_of(text) if "mine" in line]
    found = f"docker knows the image {text.strip()}" if status == 0 else "docker knows no image flatkit/mine:1"
    if status and others:
        found += f", and one named {others[0]}"
    elif status and "permission denied" in text:
        found = "docker may not be asked by this user"
    return Finding(
        ok=status == 0, found=found, expected="a container image named flatkit/mine:1", look='m.run("docker images")'
    )


CONTAINERS = Lesson(
    name="07-containers",
    title="Containers",
    exercises=(
        Exercise(
            name="07-image",
            title="An image of your own",
            task="A container image is a folder, packed. On the machine, make one named flatkit/mine:1 of the folder /opt/site, "
            "without any registry.",
            machine=Boot(config="containers.bu", machine="site", guest_ports=(80, 8080)),
            check=on_machine(IMAGE, _has_image),
            hints=(
                "docker import - NAME makes an image of what tar packs. Let tar write to the pipe.",
                "tar -c -C /opt/site compose.yaml | docker import - flatkit/mine:1",
            ),
            solve=(Type(command="tar -c -C /opt/site compose.yaml | docker import - flatkit/mine:1"),),
            cleanup=(Type(command="docker rmi --force flatkit/mine:1", may_fail=True),),
            traces=("docker images --quiet flatkit/mine",),
        ),
        Exercise(
            name="07-unit",
            title="A cache for everybody",
            task="Write a config cache.bu with a unit cache.service: on every boot docker runs redis:7, and again when it ends. "
            "Take site.service as the model.",
            setup=(Write(file="cache.bu", text=_START),),
            check=of_config("cache.bu", _runs_redis),
            hints=(
                "Copy site.service. It needs no path unit here: enabled: true and an [Install] section start it on every boot.",
                "ExecStart=/usr/bin/docker run --name cache -p 6379:6379 redis:7",
                Lines(
                    file="cache.bu", given=_GIVEN,
                    lines=tuple(line for line in lines_of(_SOLVED.removeprefix(_GIVEN)) if line and _EXTRA not in line),
                    odd=(
                        Odd(line="        ExecStart=/usr/bin/docker run -d --name cache redis:7",
                            why="with -d the command ends at once, and systemd takes the service for ended"),
                    ),
                ),
            ),
            solve=(Write(file="cache.bu", text=_SOLVED),),
            cleanup=(Remove(file="cache.bu"),),
        ),
    ),
    quizzes=quizzes_of("07-containers"),
)  # fmt: skip
