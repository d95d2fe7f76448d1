"""System extensions: docker switched off, a tool added to a running machine, renewed, refused, and taken away again."""

from __future__ import annotations

import re
from typing import Any

from flatkit.demos.diagram import DRAWS_LAYERS
from flatkit.demos.facts import MERGED, copied, has, lacks
from flatkit.steps import Boot, Demo, Fact, Step, Verdict, Where, is_equal, says

_MACHINE = "demo-sysext"
_SYSUPDATE = "sudo /usr/lib/systemd/systemd-sysupdate -C greet"


def parse_refusal(text: str) -> tuple[str, str]:
    """Name and system of the extension that was refused, from what systemd-sysext says with SYSTEMD_LOG_LEVEL=debug."""
    found = re.search(r"Extension '([^']+)' is for (?:OS|extension) '([^']+)'", text)
    return (found[1], found[2]) if found else ("", "")


def parse_link(text: str) -> str:
    """The version that a link like `/opt/extensions/greet/greet-2.raw` leads to."""
    found = re.search(r"-(v?[0-9][^/]*)\.raw\s*$", text)
    return found[1] if found else ""


def _is_refused(value: Any) -> Verdict:
    name, system = value
    ok = (name, system) == ("wrong", "debian")
    found = f'"{name}" is refused: it is for "{system}"' if name else "nothing was refused"
    return Verdict(ok=ok, found=found if ok else f'{found}; expected "wrong", which is for "debian"')


def _build_greet(version: int) -> Step:
    return Step(
        title=f"Version {version} is offered",
        why="A new version is a new file, and the old one stays. The number in its name tells which is newer."
        if version > 1
        else "An extension may hold anything below /usr: this one has a script of yours. The number in its name is its version.",
        command=f"printf '#!/bin/sh\\necho greetings {version}\\n' > greet && flatkit sysext build greet --file "
        f"/usr/bin/greet=greet --for {_MACHINE} --version {version} -o greet-{version}.raw",
        where=Where.HOST,
        check=says(f"greet-{version}.raw: the extension greet"),
        hint="flatkit sysext build --help",
    )


_START = (
    Step(
        title="A machine without docker",
        notes="While it boots: what is not merged cannot be attacked.",
        why="On Flatcar docker and containerd are extensions, which the image brings along. This config puts links to /dev/null "
        "in their place, and so switches them off.",
        boot=Boot(config="no-docker.bu", machine=_MACHINE),
        where=Where.HOST,
        check=says("ready"),
        hint=f"flatkit console {_MACHINE}   shows how far the boot came",
    ),
    Step(
        title="Docker is not there",
        why="It is not stopped, and not removed: it was never merged. What is not there needs no care, and cannot be attacked.",
        command="command -v docker || echo 'no docker'",
        check=is_equal("no docker"),
        hint="ls -l /etc/extensions   shows the links",
        fact=Fact(name="docker", ask="command -v docker || echo 'no docker'"),
    ),
    Step(
        title="Nor is the tool that you want",
        why="You want the command tree, and there is no package manager. Nothing can be written to /usr either.",
        command="command -v tree || echo 'no tree'",
        check=is_equal("no tree"),
        hint="systemd-sysext status   shows what is merged",
        fact=Fact(name="tree", ask="command -v tree || echo 'no tree'"),
    ),
)  # fmt: skip
_LIVE = (
    Step(
        title="Build an extension",
        why="An extension is one file: a file system with what is to appear below /usr. Inside it says which system it is for; "
        "here the machine is asked.",
        command=f"flatkit sysext build tree --for {_MACHINE}",
        where=Where.HOST,
        check=says("tree.raw: the extension tree"),
        hint="flatkit sysext build tree --for MACHINE   shows what is missing",
    ),
    Step(
        title="Copy it to the machine",
        notes="The file is there now. Before the next step: is the command there, too?",
        why="Extensions are stored in /var/lib/extensions or /etc/extensions. Storing one there changes nothing yet.",
        command=copied(_MACHINE, "tree.raw", "/var/lib/extensions/tree.raw"),
        where=Where.HOST,
        check=lacks("tree"),
        hint="systemd-sysext list   shows what is stored there",
        fact=MERGED,
    ),
    Step(
        title="Lay it over /usr, while the machine runs",
        predicts="06-predict",
        notes="Hands up first: the file is in the folder, so is the command there?",
        why="The service systemd-sysext puts the extension over the image, read-only like the image itself. The machine is not "
        "restarted, and not one byte of the image is written.",
        command="sudo systemctl restart systemd-sysext && systemd-sysext status",
        check=has("tree"),
        hint="sudo SYSTEMD_LOG_LEVEL=debug systemd-sysext refresh   says why one was left out",
        fact=MERGED,
    ),
    Step(
        title="The tool is there",
        why="It lies where every program lies. Who uses it cannot tell that it came later.",
        command="tree --version",
        check=says("tree v"),
        hint="command -v tree",
        fact=Fact(name="tree", ask="tree --version"),
    ),
    Step(
        title="One that says it is for another system",
        why="An extension holds programs that expect a certain system. So it says which one that is, and here that is Debian.",
        command="flatkit sysext build wrong --package tree --id debian && "
        + copied(_MACHINE, "wrong.raw", "/var/lib/extensions/wrong.raw"),
        where=Where.HOST,
        check=says("wrong.raw: the extension wrong"),
        hint="flatkit sysext build --help",
    ),
    Step(
        title="It is refused, and the others stay",
        why="ID and SYSEXT_LEVEL must be those of the system. By itself systemd-sysext leaves it out in silence; asked to talk, "
        "it says why.",
        command="sudo SYSTEMD_LOG_LEVEL=debug systemd-sysext refresh 2>&1 | grep -a \"Extension 'wrong'\"",
        check=_is_refused,
        hint="grep -h ID= /etc/os-release   says what the system is",
        fact=Fact(name="refusal", ask="sudo SYSTEMD_LOG_LEVEL=debug systemd-sysext refresh 2>&1", parse=parse_refusal),
    ),
)  # fmt: skip
_RENEWED = (
    _build_greet(1),
    Step(
        title="Tell the machine where it comes from",
        why="systemd-sysupdate reads where versions are to be found, and where they go to. flatkit sysext serve offers them on "
        "your host, as extensions.flatcar.org does for everybody.",
        command="sudo mkdir -p /etc/sysupdate.greet.d /opt/extensions/greet && "
        "curl --silent --fail {extensions}/greet.transfer | sudo tee /etc/sysupdate.greet.d/greet.transfer",
        check=says("MatchPattern=greet-@v.raw"),
        hint="flatkit sysext serve   says where it offers them",
    ),
    Step(
        title="Fetch it, and merge it",
        why="The newest version is fetched, compared with its SHA-256, and a link in /etc/extensions is set to it. Then the "
        "service lays it over /usr.",
        command=f"{_SYSUPDATE} update && sudo systemctl restart systemd-sysext && greet",
        check=is_equal("greetings 1"),
        hint=f"{_SYSUPDATE} list",
        fact=Fact(name="greet", ask="greet"),
    ),
    _build_greet(2),
    Step(
        title="The machine sees it",
        why="The server offers a list of files with their SHA-256, as the sysext-bakery does. The number in the name is all that "
        "counts.",
        command="curl --silent --fail {extensions}/greet/SHA256SUMS",
        check=says("greet-2.raw"),
        hint="flatkit sysext serve   says where it offers them",
    ),
    Step(
        title="Version 2 is staged",
        why="The new file is there, and the link leads to it. What runs is still version 1: like the system itself, an extension "
        "is staged first.",
        command=f"{_SYSUPDATE} update; readlink /etc/extensions/greet.raw; greet",
        check=is_equal(("2", "greetings 1")),
        hint=f"{_SYSUPDATE} list",
        fact=Fact(
            name="staged",
            ask="readlink /etc/extensions/greet.raw; greet",
            parse=lambda text: (parse_link(text.partition("\n")[0]), text.partition("\n")[2].strip()),
        ),
    ),
    Step(
        title="And taken over",
        why="The service is restarted, and it runs. If it is bad, the link back to version 1 and another restart undo it.",
        command="sudo systemctl restart systemd-sysext && greet",
        check=is_equal("greetings 2"),
        hint="systemd-sysext status",
        fact=Fact(name="greet", ask="greet"),
    ),
    Step(
        title="Away with all of them",
        notes="Nothing is left behind, since nothing was installed.",
        why="Remove the files, restart the service, and /usr is the bare image again. Nothing is left behind, since nothing was "
        "installed.",
        command="sudo rm /var/lib/extensions/*.raw /etc/extensions/greet.raw && sudo systemctl restart systemd-sysext; "
        "command -v tree greet || echo 'both are gone'",
        check=lacks("tree", "greet", "wrong"),
        hint="systemd-sysext list   shows what is still stored there",
        fact=MERGED,
    ),
)  # fmt: skip

SYSEXT = Demo(
    name="sysext",
    title="System extensions: more, without installing",
    draws=DRAWS_LAYERS,
    steps=(*_START, *_LIVE, *_RENEWED),
)
