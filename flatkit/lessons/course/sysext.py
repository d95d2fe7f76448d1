"""06-sysext: an extension that is a plain folder, and one of Flatcar's own by config."""

from __future__ import annotations

from typing import Any

from flatkit.lessons.checks import find_file, find_text, names_of, of_config
from flatkit.lessons.exercise import Bench, Exercise, Finding, Lesson, Remove, Type, Write
from flatkit.lessons.hints import Lines, Odd
from flatkit.lessons.quiz import quizzes_of
from flatkit.steps import Boot
from flatkit.untrusted import lines_of, parse_json

_CONF = "/etc/flatcar/enabled-sysext.conf"
_START = "variant: flatcar\nversion: 1.0.0\n"
_SOLVED = f"""\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: {_CONF}
      contents:
        inline: |
          podman
"""
_FOLDER = "/var/lib/extensions/hi"
_RELEASE = f"{_FOLDER}/usr/lib/extension-release.d/extension-release.hi"
# Which parts of the extension are there, a word each.
PARTS = f"""\
[ -d {_FOLDER} ] && echo folder
[ -e {_RELEASE} ] && echo release
. /etc/os-release; grep -qsxE 'ID="?(_any|'"$ID"')"?' {_RELEASE} && echo fits
[ -e {_FOLDER}/usr/bin/hi ] && echo program; true"""
_CANNOT_RUN = {126: "/usr/bin/hi may not be executed: its mode lacks x", 127: "there is no /usr/bin/hi in it"}


def _opts_in(ignition: dict[str, Any]) -> Finding:
    file = find_file(ignition, _CONF)
    expected, look = f"a file {_CONF} with a line podman", "flatkit explain opt-in.bu"
    if file is None:
        files = names_of(ignition.get("storage", {}).get("files"), "path")
        return Finding(ok=False, found=f"files in your config: {files}", expected=expected, look=look)
    lines = [line.strip() for line in lines_of(find_text(file) or "")]
    names = [line for line in lines if line and not line.startswith("#")]
    found = f"{_CONF} names: {', '.join(names) or 'nothing'}"
    if "podman" not in names and "podman" in [name.lower() for name in names]:
        found += "; the names are written in small letters"
    elif any(name != "podman" and "podman" in name for name in names):
        found += "; expected the bare name, without a version or .raw, each on its own line"
    return Finding(ok="podman" in names, found=found, expected=expected, look=look)


def _is_merged(bench: Bench) -> Finding:
    expected = "an extension hi that is merged, and a program hi in it that says something"
    look = 'm.extensions   and: m.run("sudo SYSTEMD_LOG_LEVEL=debug systemd-sysext refresh")'
    try:
        rows = parse_json(str(bench.run("systemd-sysext status --json=short")))
        merged = next(row["extensions"] for row in rows if row["hierarchy"] == "/usr")
    except (ValueError, KeyError, TypeError, StopIteration):
        merged = []
    names = [] if isinstance(merged, str) else list(merged)
    if "hi" not in names:
        found = f"merged into /usr: {', '.join(names) or 'nothing'}; {_why_not(str(bench.run(PARTS)))}"
        return Finding(ok=False, found=found, expected=expected, look=look)
    answer = bench.run("/usr/bin/hi")
    said = str(answer).strip()
    ok = answer.status == 0 and bool(said)
    found = f'hi says "{said[:60]}"' if ok else "the extension is merged, and /usr/bin/hi says nothing"
    if answer.status in _CANNOT_RUN:
        found = f"the extension is merged, and {_CANNOT_RUN[answer.status]}"
    return Finding(ok=ok, found=found, expected=expected, look='m.run("ls -lR /var/lib/extensions/hi")')


def _why_not(parts: str) -> str:
    """Return the likely reason why a folder is not merged, from what is there."""
    there = set(parts.split())
    if "folder" not in there:
        return f"there is no folder {_FOLDER}"
    if "release" not in there:
        return f"{_FOLDER} has no usr/lib/extension-release.d/extension-release.hi"
    if "fits" not in there:
        return "its extension-release.hi has neither ID=_any nor the ID of this system"
    if "program" not in there:
        return f"{_FOLDER} has no usr/bin/hi"
    return "the folder is complete, and was not merged since: restart or refresh systemd-sysext"


SYSEXT = Lesson(
    name="06-sysext",
    title="System extensions",
    exercises=(
        Exercise(
            name="06-folder",
            title="An extension without an image",
            task=f"An extension may also be a plain folder. On the machine make {_FOLDER}, with a program usr/bin/hi in it that "
            "says something, and merge it.",
            machine=Boot(config="no-docker.bu", machine="bare"),
            check=_is_merged,
            hints=(
                "Two files: a program usr/bin/hi, and usr/lib/extension-release.d/extension-release.hi, which names the system.",
                "sudo mkdir -p, sudo tee, sudo chmod +x; ID=_any fits every system. Then: sudo systemctl restart systemd-sysext",
            ),
            solve=(
                Type(command=f"sudo mkdir -p {_FOLDER}/usr/bin {_RELEASE.rpartition('/')[0]}"),
                Type(command=f"echo ID=_any | sudo tee {_RELEASE}"),
                Type(command=f"printf '#!/bin/sh\\necho hi there\\n' | sudo tee {_FOLDER}/usr/bin/hi"),
                Type(command=f"sudo chmod +x {_FOLDER}/usr/bin/hi"),
                Type(command="sudo systemctl restart systemd-sysext"),
            ),
            cleanup=(Type(command=f"sudo rm -rf {_FOLDER} && sudo systemctl restart systemd-sysext"),),
            traces=("ls -A /var/lib/extensions",),
        ),
        Exercise(
            name="06-opt-in",
            title="One of Flatcar's own",
            task=f"Flatcar offers some extensions itself, made for each release: one name per line in {_CONF}. They are fetched, "
            "and updated with the system. Write a config opt-in.bu that asks for podman.",
            setup=(Write(file="opt-in.bu", text=_START),),
            check=of_config("opt-in.bu", _opts_in),
            hints=(
                "It is a file like any other: below storage: and files: an entry with its path and its contents.",
                f"- path: {_CONF}, below it contents:, below that inline: podman",
                Lines(
                    file="opt-in.bu", given=_START, lines=tuple(lines_of(_SOLVED.removeprefix(_START).rstrip())),
                    odd=(
                        Odd(line="          podman.raw", why="the line is the bare name of the extension"),
                        Odd(line="    - path: /var/lib/extensions/podman.raw", why="that would be the extension itself; "
                        f"which ones are wanted is written in {_CONF}"),
                    ),
                ),
            ),
            solve=(Write(file="opt-in.bu", text=_SOLVED),),
            cleanup=(Remove(file="opt-in.bu"),),
        ),
    ),
    quizzes=quizzes_of("06-sysext"),
)  # fmt: skip
