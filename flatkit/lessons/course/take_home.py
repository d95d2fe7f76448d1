"""10-take-home: a config without what only the course has, and the command that writes Flatcar to a disk."""

from __future__ import annotations

import getopt
import json
import shlex
from pathlib import PurePath
from typing import Any

from flatkit.butane.access import is_public_key
from flatkit.lessons.checks import find_file, find_update_conf, of_config
from flatkit.lessons.exercise import Bench, Exercise, Finding, Lesson, Remove, Write
from flatkit.lessons.quiz import quizzes_of
from flatkit.untrusted import lines_of
from flatkit.updates.server import GUEST_ADDRESS

_CONF = "/etc/flatcar/update.conf"
_START = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/hostname
      contents:
        inline: home
    - path: /etc/flatcar/update.conf
      overwrite: true
      contents:
        inline: |
          GROUP=stable
          SERVER=http://10.0.2.2:8000/v1/update/
          REBOOT_STRATEGY=off
"""
# The data of the key in the course's configs: nobody has its private half.
_COURSE_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIIwq2Be0bPqb9Ko6nLZ6k4bOWl9TCJkfrDXNZ7JXbq0X"
_SOLVED = """\
variant: flatcar
version: 1.0.0
passwd:
  users:
    - name: core
      ssh_authorized_keys:
        # Made up, to show the form: put the line of your own ~/.ssh/id_ed25519.pub here.
        - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRha2UtaG9tZS1tYWRlLXVwLWtleS0wMTIzNDU2Nzg5 you@laptop
storage:
  files:
    - path: /etc/hostname
      contents:
        inline: home
    - path: /etc/flatcar/update.conf
      overwrite: true
      contents:
        inline: |
          GROUP=stable
          REBOOT_STRATEGY=reboot
"""
_DISK = "/dev/sdb"
_SCRIPT = f"#!/bin/bash\n# Writes Flatcar's stable channel and home.ign to the disk {_DISK}.\n"
# The options of flatcar-install (flatcar/init, bin/flatcar-install).
_OPTIONS = "V:B:C:DI:d:o:c:e:i:t:b:k:f:nusyvh"


def _is_ready(ignition: dict[str, Any]) -> Finding:
    left = [*_key_faults(ignition), *_update_faults(ignition)]
    if any(GUEST_ADDRESS in place for place in _addresses(ignition)):
        left.append(f"{GUEST_ADDRESS} is still in it: an address that only machines on this host understand")
    found = (
        f"left to do: {'; '.join(left)}"
        if left
        else "it has a key, Flatcar's own update server, and restarts by itself"
    )
    return Finding(
        ok=not left, found=found, expected="a key of yours, no address of the course, a machine that restarts into updates",
        look="flatkit butane --check home.bu",
    )  # fmt: skip


def _key_faults(ignition: dict[str, Any]) -> list[str]:
    keys = [key for user in ignition.get("passwd", {}).get("users", ()) for key in user.get("sshAuthorizedKeys", ())]
    if not keys:
        return ["no user has an SSH key, so nobody could log in"]
    for key in keys:
        if "PRIVATE KEY" in key:
            return ["a private key is in it, which must never leave your computer: the public one ends with .pub"]
        if not is_public_key(key):
            return [f'"{key.strip()[:40]}" is not a public key: write the line itself, not its file\'s name']
    if all(_COURSE_KEY in key for key in keys):
        return ["the only key is the course's, whose private half nobody has"]
    return []


def _update_faults(ignition: dict[str, Any]) -> list[str]:
    conf = find_update_conf(ignition)
    if conf is None:  # the image's own defaults: Flatcar's server, the image's channel, a restart after an update
        return []
    faults = []
    if GUEST_ADDRESS in conf.server:
        faults.append("SERVER= names the course's update server; without that line the machine asks Flatcar's")
    elif conf.server == "disabled":
        faults.append("SERVER=disabled: it would never get an update")
    if conf.reboot_strategy == "off":
        faults.append("REBOOT_STRATEGY=off: updates would be written, and wait for somebody who restarts the machine")
    if not (find_file(ignition, _CONF) or {}).get("overwrite"):
        faults.append(f"overwrite: true is missing: the image has {_CONF} already")
    return faults


def _addresses(ignition: dict[str, Any]) -> list[str]:
    """Return the texts of a config besides update.conf, where an address may be."""
    files = [file for file in ignition.get("storage", {}).get("files", ()) if file.get("path") != _CONF]
    rest = {**ignition, "storage": {**ignition.get("storage", {}), "files": files}}
    return [json.dumps(rest)]


def _installs(bench: Bench) -> Finding:
    expected = f"one line: flatcar-install for the whole disk {_DISK}, the channel stable, and home.ign"
    text = bench.read("install.sh")
    if text is None:
        return Finding(ok=False, is_waiting=True, found='there is no file "install.sh" yet', expected=expected,
                       look="a cell that begins with: %%writefile install.sh")  # fmt: skip
    found = _install_fault([line for line in lines_of(text) if line.strip() and not line.lstrip().startswith("#")])
    said = found or f"it writes stable and home.ign to {_DISK}"
    return Finding(ok=not found, found=said, expected=expected, look='fk.play("everywhere", "home.bu").choose("disk")')


def _install_fault(lines: list[str]) -> str:
    """Return what is wrong with the script's command, "" if nothing."""
    line = next((line for line in lines if "flatcar-install" in line), "")
    if not line:
        return f'install.sh has "{lines[0].strip()[:40]}"' if lines else "install.sh has no command yet"
    try:
        words = [word for word in shlex.split(line, comments=True) if word != "sudo"]
        given, rest = getopt.getopt(words[1:], _OPTIONS)
    except (ValueError, getopt.GetoptError) as error:
        return f"the line cannot be read: {error}"
    if PurePath(words[0]).name != "flatcar-install":
        return f'the command is "{words[0]}", and flatcar-install only a word behind it'
    options = {name.lstrip("-"): value for name, value in given}
    return _option_fault(options) or (f'"{rest[0]}" belongs to no option' if rest else "")


def _option_fault(options: dict[str, str]) -> str:
    disk, config = options.get("d", ""), options.get("i", "")
    if "y" in options:
        return "-y only shows the settings, and writes nothing"
    if "D" in options:
        return "-D only downloads the image, and writes it to no disk"
    if not disk:
        what = "-s takes the smallest free disk, which may be another one" if "s" in options else "-d is missing"
        return f"{what}: the disk is {_DISK}"
    if not disk.startswith("/"):
        return f"-d {disk}: a disk is named by its path, such as /dev/sdX"
    if disk != _DISK:
        return (
            f"{disk} is a partition, and it takes whole disks" if disk.startswith(_DISK) else f"{disk} is another disk"
        )
    if not config:
        return "-i is missing: the machine would boot without your config, and nobody could log in"
    if config.endswith(".bu"):
        return f"{config} is Butane: flatcar-install copies it as it is, and the machine expects Ignition"
    if PurePath(config).name != "home.ign":
        return f"-i names {config}"
    channel = options.get("C", "")
    if not channel:
        return "-C is missing: on a machine that runs Flatcar it would take that one's version"
    return "" if channel == "stable" else f"-C names {channel}"


TAKE_HOME = Lesson(
    name="10-take-home",
    title="Take it home",
    exercises=(
        Exercise(
            name="10-ready",
            title="Ready for a real machine",
            task="home.bu still needs this course. Make it ready for a machine at home: a key of yours, Flatcar's own update "
            "server, and restarts into updates.",
            setup=(Write(file="home.bu", text=_START),),
            check=of_config("home.bu", _is_ready),
            hints=(
                "The list above names three things. The check says which of them are left.",
                "passwd: users: - name: core, with the line of your .pub file. Take SERVER= out; REBOOT_STRATEGY=reboot.",
            ),
            solve=(Write(file="home.bu", text=_SOLVED),),
            cleanup=(Remove(file="home.bu"),),
        ),
        Exercise(
            name="10-install",
            title="The command for the disk",
            task=f"In install.sh: the command that writes Flatcar's stable channel and your home.ign to the whole disk {_DISK}. "
            "It is read, and never run.",
            setup=(Write(file="install.sh", text=_SCRIPT),),
            check=_installs,
            hints=(
                'print(everywhere.choose("disk")) shows the command for your config, with a disk named sdX.',
                "-d is the disk, -C the channel, -i the Ignition file.",
            ),
            solve=(Write(file="install.sh", text=f"{_SCRIPT}sudo flatcar-install -d {_DISK} -C stable -i home.ign\n"),),
            cleanup=(Remove(file="install.sh"),),
        ),
    ),
    quizzes=quizzes_of("10-take-home"),
)  # fmt: skip
