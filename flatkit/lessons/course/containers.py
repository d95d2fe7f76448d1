"""07-containers: a container image made on the machine, and a container as a unit in a config."""

from __future__ import annotations

from typing import Any

from flatkit.butane.machine.plan import Plan
from flatkit.lessons.checks import boot_faults, find_unit, names_of, of_config, on_machine, unit_values
from flatkit.lessons.docker_run import DockerRun, parse_docker_run
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
_EXTRA = "TimeoutStartSec="  # good to have; its line would make the order longer, and teach nothing more
# The image's name; without it those of the images that there are.
IMAGE = (
    "docker image inspect --format '{{index .RepoTags 0}}' flatkit/mine:1 2>/dev/null || "
    "{ docker images --format '{{.Repository}}:{{.Tag}}'; false; }"
)
# Of the unit: section, key, a word that a value must have, and how a learner writes it.
_NEEDS = (
    ("Unit", ("Requires", "BindsTo"), "docker.service", "Requires=docker.service"),
    ("Unit", ("After",), "docker.service", "After=docker.service"),
    ("Service", ("Restart",), "always", "Restart=always"),
)
_NAMES = frozenset(("redis:7", "library/redis:7"))


def _runs_redis(ignition: dict[str, Any]) -> Finding:
    look, expected = "flatkit explain cache.bu", "a unit like site.service, which runs redis:7"
    unit = find_unit(ignition, "cache.service")
    if unit is None:
        units = names_of(ignition.get("systemd", {}).get("units"), "name")
        return Finding(
            ok=False,
            found=f"units in your config: {units}",
            expected="a unit cache.service that runs redis:7",
            look=look,
        )
    values = unit_values(unit.get("contents") or "")
    run = next(filter(None, map(parse_docker_run, values.get(("Service", "ExecStart"), ()))), None)
    missing = [] if run else ["ExecStart=/usr/bin/docker run ... in [Service]"]
    for section, keys, word, words in _NEEDS:
        found_words = [one for key in keys for line in values.get((section, key), ()) for one in line.split()]
        missing += [] if word in found_words else [f"{words} in [{section}]"]
    if run is None or missing:
        missing += [] if values.get(("Install", "WantedBy")) else ["WantedBy= in [Install]"]
        missing += [] if unit.get("enabled") else ["enabled: true"]
        found = f"cache.service is without {', '.join(missing)}"
        for key in ("ExecStart", "Restart"):
            given = values.get(("Service", key), [])
            if given and any(line.startswith(key) for line in missing):
                found += f"; it has {key}={given[-1][:60]}"
        return Finding(ok=False, found=found, expected=expected, look=look)
    fault, better = _fault_of(run, values)
    if fault:
        return Finding(ok=False, found=fault, expected=better, look=look)
    faults = boot_faults(unit)
    refused = Plan(ignition).refusal("cache.service")
    if not faults and refused is not None:
        faults = [f"systemd refuses it: {refused.words}"]
    if faults:
        return Finding(ok=False, found=f"cache.service: {'; '.join(faults)}", expected=expected, look=look)
    found = "by its config cache.service starts on every boot, runs redis:7 in the foreground, and again when that ends"
    return Finding(ok=True, found=found)


def _fault_of(run: DockerRun, values: dict[tuple[str, str], list[str]]) -> tuple[str, str]:
    """Return what keeps the unit from running its container, and what was expected; two empty texts without a fault."""
    kind = (values.get(("Service", "Type")) or ["simple"])[-1]
    if run.is_detached:
        found = "docker run -d ends at once, and Restart=always starts the next container, again and again"
        return found, "docker run without -d, so that the unit runs as long as its container"
    if run.has_tty:
        return "docker run -t wants a terminal, and a unit has none", "docker run without -t"
    if run.image.removeprefix("docker.io/") not in _NAMES:
        return (
            f"it runs {run.image or 'no image'}, and not redis:7",
            "the image redis:7, after the options of docker run",
        )
    if run.name and not run.is_removed and not _frees(run.name, values):
        return (
            f"docker keeps the ended container {run.name}, and refuses a second one of that name: it would run once only",
            f"ExecStartPre=-/usr/bin/docker rm --force {run.name} above it, as in site.service",
        )
    if kind not in {"simple", "exec"}:
        return f"Type={kind} does not fit a command that stays in the foreground", "no Type=, or Type=exec"
    if (values.get(("Service", "RemainAfterExit")) or ["no"])[-1].lower() in {"yes", "true", "on", "1"}:
        return "with RemainAfterExit= the unit counts as running after its container has ended", "no RemainAfterExit="
    return "", ""


def _frees(name: str, values: dict[tuple[str, str], list[str]]) -> bool:
    """Return whether a command before the start, or after the end, removes the container of that name."""
    commands = [line for key in ("ExecStartPre", "ExecStopPost") for line in values.get(("Service", key), ())]
    return any("docker" in line and {"rm", name} <= set(line.split()) for line in commands)


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
                ("ExecStart=/usr/bin/docker run --name cache -p 6379:6379 redis:7, and above it the line ExecStartPre=, which "
                 "removes the container before: two may not have one name."),
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
