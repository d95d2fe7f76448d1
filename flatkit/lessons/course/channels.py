"""05-channels: a canary by its config, and a machine that changes its channel."""

from __future__ import annotations

from typing import Any

from flatkit.lessons.checks import (
    find_file,
    find_update_conf,
    odd_lines_in,
    odd_update_lines,
    of_config,
    on_machine,
    read_update_conf,
)
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Remove, Type, Write
from flatkit.lessons.quiz import quizzes_of
from flatkit.steps import Boot
from flatkit.untrusted import lines_of

_START = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/flatcar/update.conf
      overwrite: true
      contents:
        inline: |
          GROUP=stable
"""
_CONF = "cat /etc/flatcar/update.conf"


def _follows_alpha(text: str, status: int) -> Finding:
    conf = read_update_conf("" if status else text)
    found, look = f'GROUP is "{conf.group}", SERVER is "{conf.server}"', 'canary.run("cat /etc/flatcar/update.conf")'
    lines = [line for line in lines_of(text) if line.lstrip().startswith("GROUP")]
    if status:
        found = "there is no /etc/flatcar/update.conf"
    elif not conf.server:
        found += ": the line SERVER= is gone, so the machine asks Flatcar's own server"
        look = "canary.rewind()   brings the file back, as it was after the first boot"
    elif len(lines) > 1:
        found += f"; {len(lines)} lines begin with GROUP, and the last one counts"
    elif not lines:
        found = "no line begins with GROUP="
    elif odd := _odd_channel(conf.group) or odd_lines_in(text):
        found += odd
    ok = status == 0 and conf.group == "alpha" and bool(conf.server)
    return Finding(ok=ok, found=found, expected='GROUP "alpha", and the server as it was', look=look)


def _odd_channel(group: str) -> str:
    if group.lower() not in {"stable", "beta", "alpha", "lts", ""}:
        return f'; there is no channel "{group}"'
    return f"; channels are written in small letters: {group.lower()}" if group != group.lower() else ""


def _is_canary(ignition: dict[str, Any]) -> Finding:
    conf = find_update_conf(ignition)
    group, alias = (conf.group, conf.values.get("MACHINE_ALIAS", "")) if conf else ("", "")
    found = (
        f'it follows "{group}", and is listed as "{alias}"' if conf else "your config has no /etc/flatcar/update.conf"
    )
    found += _odd_channel(group)
    if "ALIAS" in (conf.values if conf else {}):
        found += "; no machine reads ALIAS=: the name of that line is MACHINE_ALIAS"
    found += odd_update_lines(ignition)
    ok, expected = group in {"beta", "alpha"} and bool(alias), "a channel before stable, and an alias of your choice"
    if ok and not (find_file(ignition, "/etc/flatcar/update.conf") or {}).get("overwrite"):
        ok, found = False, f"{found}, and overwrite: true is gone"
        expected = "overwrite: true, since the image has that file already and Ignition replaces no file without it"
    return Finding(ok=ok, found=found, expected=expected, look="flatkit explain bird.bu")


CHANNELS = Lesson(
    name="05-channels",
    title="Channels",
    exercises=(
        Exercise(
            name="05-follow",
            title="Even further ahead",
            task="Let the canary follow the channel alpha from now on. A machine reads its update.conf again before it asks, so "
            "change that file on it.",
            machine=Boot(config="canary.bu", machine="canary"),
            check=on_machine(_CONF, _follows_alpha),
            hints=(
                "The line GROUP= in /etc/flatcar/update.conf names the channel. The file belongs to root.",
                "sudo sed -i s/^GROUP=.*/GROUP=alpha/ /etc/flatcar/update.conf",
            ),
            solve=(Type(command="sudo sed -i s/^GROUP=.*/GROUP=alpha/ /etc/flatcar/update.conf"),),
            cleanup=(Type(command="sudo sed -i s/^GROUP=.*/GROUP=beta/ /etc/flatcar/update.conf"),),
            traces=(_CONF,),
        ),
        Exercise(
            name="05-canary",
            title="A canary of your own",
            task="Turn bird.bu into a canary: it follows beta or alpha, and has an alias, by which the server lists it.",
            setup=(Write(file="bird.bu", text=_START),),
            check=of_config("bird.bu", _is_canary),
            hints=(
                "canary.bu of this lesson is one: compare the lines of update.conf.",
                "GROUP=beta, and one more line: MACHINE_ALIAS=tweety",
            ),
            solve=(Write(file="bird.bu", text=_START.replace("GROUP=stable", "GROUP=beta\n          MACHINE_ALIAS=tweety")),),
            cleanup=(Remove(file="bird.bu"),),
        ),
    ),
    quizzes=quizzes_of("05-channels"),
)  # fmt: skip
