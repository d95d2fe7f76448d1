"""Natural mistakes in the exercises: each gets an answer of its own, which says what was found and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.lessons import LESSONS, get_task
from flatkit.lessons.exercise import Exercise, Write
from flatkit.lessons.session import judge
from flatkit.lessons.workspace import FolderBench
from flatkit.testing.bench import Reply

HASH = "2367049e469bd3a0403cca631fc2602e5aacaf51c7619b11326b96669589dfc2"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIwq2Be0bPqb9Ko6nLZ6k4bOWl9TCJkfrDXNZ7JXbq0X grace@example"
BIG = next(act.text for act in get_task("08-small").setup if isinstance(act, Write))  # type: ignore[union-attr]
HEAD = "variant: flatcar\nversion: 1.0.0\n"
CONF = "/etc/flatcar/update.conf"


def file(path: str, *lines: str, mode: str = "", overwrite: bool = False) -> str:
    """A config with one file."""
    extra = (f"      mode: {mode}\n" if mode else "") + ("      overwrite: true\n" if overwrite else "")
    text = "".join(f"          {line}\n" for line in lines)
    inline = f"      contents:\n        inline: |\n{text}" if lines else ""
    return f"{HEAD}storage:\n  files:\n    - path: {path}\n{extra}{inline}"


def unit(name: str, *lines: str, enabled: bool = True) -> str:
    """A config with one unit."""
    text = "".join(f"        {line}\n" for line in lines)
    on = "      enabled: true\n" if enabled else ""
    return f"{HEAD}systemd:\n  units:\n    - name: {name}\n{on}      contents: |\n{text}"


def user(name: str, *keys: str, more: str = "") -> str:
    """A config with one user."""
    listed = "      ssh_authorized_keys:\n" + "".join(f"        - {key}\n" for key in keys) if keys else ""
    return f"{HEAD}passwd:\n  users:\n    - name: {name}\n{more}{listed}"


SERVICE = ("[Unit]", "Requires=docker.service", "After=docker.service", "[Service]", "Restart=always")
WANTED = ("[Install]", "WantedBy=multi-user.target")

# Exercise, the learner's file, words of the answer.
CONFIGS = [
    ("00-name", HEAD, "files in your config: none"),
    ("00-name", file("/etc/hostname", "my machine"), '"my machine" is not a valid host name'),
    ("00-name", file("/etc/hostname", "under_score"), '"under_score" is not a valid host name'),
    ("00-name", file("/etc/hostname", "-x"), '"-x" is not a valid host name'),
    ("00-name", file("/etc/hostname", "a" * 65), "is not a valid host name"),
    ("00-name", file("/etc/hostname", "first"), 'the machine will be named "first"'),
    ("00-name", file("/etc/hostname", "''"), "is not a valid host name"),
    ("00-name", file("/etc/hostname"), "/etc/hostname is empty"),
    ("00-name", file("/etc/host", "ada"), "files in your config: /etc/host"),
    ("00-name", "storage: [", "has a fault"),
    ("01-user", HEAD, "users in your config: none"),
    ("01-user", user("ada", KEY), "users in your config: ada"),
    ("01-user", user("grace"), "grace has 0 SSH keys"),
    ("01-user", user("grace", more="      password_hash: x\n"), "grace has a password, and no SSH key"),
    ("01-user", user("grace", "ssh-ed25519 AAAA"), "is not a public key"),
    ("01-user", user("grace", "her key"), '"her key" is not a public key'),
    ("01-user", user("grace", KEY.replace("ssh-ed25519", "ssh-rsa")), "is not a public key"),
    ("02-script", file("/opt/greet", "#!/bin/bash", "echo hi", mode="0755"), "files in your config: /opt/greet"),
    ("02-script", file("/opt/bin/greet", "#!/bin/bash", "echo hi"), "not given, so 0644"),
    ("02-script", file("/opt/bin/greet", "#!/bin/bash", "echo hi", mode="755"), "without the 0 in front"),
    ("02-script", file("/opt/bin/greet", "echo hi", mode="0755"), 'begins with "echo hi"'),
    ("02-script", file("/opt/bin/greet", "#!/bin/bsh", "echo hi", mode="0755"), "no shell of the machine is named so"),
    ("02-script", file("/opt/bin/greet", "#!/bin/bash", mode="0755"), "no command below it"),
    ("02-script", file("/opt/bin/greet", "#!/bin/bash", "echo hi", mode="0700"), "has mode 0700"),
    ("02-service", HEAD, "units in your config: none"),
    ("02-service", unit("greet.service", "[Service]", "ExecStart=/bin/true"), "[Install] section with WantedBy="),
    ("02-service", unit("greet.service", "[Service]", "ExecStart=/bin/true", *WANTED, enabled=False), "enabled: true"),
    ("02-service", unit("greet.service", "[Service]", *WANTED), "with ExecStart= is missing"),
    ("02-service", unit("greet.service", "[Unit]", "ExecStart=/bin/true", *WANTED), "belongs in [Service]"),
    ("02-service", unit("greet.service", "[Service]", "ExecStart=/a", "WantedBy=a.target"), "belongs in [Install]"),
    ("02-service", unit("greet.service", "[Service]", "ExecStart=/a", "[Install]", "WantedBy=x.target"), "no boot reaches"),
    ("02-service", unit("greet.service", "[Service]", "# ExecStart=/a", *WANTED), "with ExecStart= is missing"),
    ("04-window", HEAD, f"no {CONF}"),
    ("04-window", file(CONF, "REBOOT_STRATEGY=reboot", overwrite=True), 'window from ""'),
    ("04-window", file(CONF, "REBOOT_STRATEGY=off", overwrite=True), 'strategy "off"'),
    ("04-window", file(CONF, "REBOOT_STRATEGY=reboot", "REBOOT_WINDOW=Sun", overwrite=True), "reads no REBOOT_WINDOW"),
    (
        "04-window",
        file(CONF, "REBOOT_STRATEGY=reboot", 'REBOOT_WINDOW_START="Sun 04:00"', "REBOOT_WINDOW_LENGTH=1h"),
        "overwrite: true is gone",
    ),
    ("05-canary", HEAD, f"no {CONF}"),
    ("05-canary", file(CONF, "GROUP=stable", "MACHINE_ALIAS=t", overwrite=True), 'it follows "stable"'),
    ("05-canary", file(CONF, "GROUP=beta", overwrite=True), 'is listed as ""'),
    ("05-canary", file(CONF, "GROUP=beta", "MACHINE_ALIAS=t"), "overwrite: true is gone"),
    ("06-opt-in", HEAD, "files in your config: none"),
    ("06-opt-in", file("/etc/flatcar/enabled-sysext.conf", "# podman"), "names: nothing"),
    ("06-opt-in", file("/etc/flatcar/enabled-sysext.conf", "podman.raw"), "expected the bare name"),
    ("07-unit", HEAD, "units in your config: none"),
    ("07-unit", unit("cache.service", *SERVICE, *WANTED), "without ExecStart=/usr/bin/docker run"),
    ("07-unit", unit("cache.service", *SERVICE, "ExecStart=/usr/bin/docker run -d redis:7", *WANTED), "docker run -d ends"),
    ("07-unit", unit("cache.service", *SERVICE, "ExecStart=/usr/bin/docker run -it redis:7", *WANTED), "wants a terminal"),
    ("07-unit", unit("cache.service", *SERVICE, "ExecStart=/usr/bin/docker run redis", *WANTED), "and not redis:7"),
    (
        "07-unit",
        unit("cache.service", *SERVICE, "ExecStart=/usr/bin/docker run redis:7", "[Install]", "WantedBy=redis.target"),
        "no boot reaches",
    ),
    ("08-small", f"{HEAD}ignition:\n  config:\n    replace:\n      source: https://e.com/a\n", "takes the other one alone"),
    ("08-small", HEAD, "merged from the network: nothing"),
    (
        "08-small",
        f"{BIG}ignition:\n  config:\n    merge:\n      - source: https://e.com/a\n",
        "the keys are still in this config",
    ),
    ("08-hash", HEAD, "files in your config: none"),
    ("08-hash", f"{file('/opt/bin/tool')}      contents:\n        source: https://e.com/tool\n", "hash not given"),
    ("08-hash", file("/opt/bin/tool", "x"), "nothing is downloaded"),
    ("09-service", HEAD, "none is a service"),
    ("09-service", unit("a.service", "[Service]", "ExecStart=/bin/a", *WANTED), "StateDirectory= is missing"),
    ("09-service", unit("a.service", "[Service]", "StateDirectory=a", *WANTED), "with ExecStart= is missing"),
    (
        "09-service",
        unit("a.service", "[Service]", "StateDirectory=a", "ExecStart=/bin/sh -c 'date >/var/lib/b/x'", *WANTED),
        "the command writes elsewhere",
    ),
]  # fmt: skip

CGPT = """\
/dev/vda3
      270336     1048576       3  Label: "USR-A"
                                  Type: Alias for flatcar-rootfs
                                  UUID: 7130C94A-213A-4E5A-8E26-6CCE9662F132
                                  Attr: priority={} tries=0 successful=1
     1318912     1048576       4  Label: "USR-B"
                                  Type: Alias for flatcar-rootfs
                                  UUID: E03DD35C-7C2D-4A47-B3FE-27F15780A57C
                                  Attr: priority={} tries={} successful={}
"""
NONE = '[{"hierarchy":"/usr","extensions":"none"}]\n'
MERGED = '[{"hierarchy":"/usr","extensions":["hi"]}]\n'

# Exercise, what the machine answers to each question of the check in turn, words of the answer.
MACHINES = [
    ("00-hello", ["none\n"], "there is no /home/core/hello"),
    ("00-hello", ["empty\n"], "/home/core/hello is empty"),
    ("00-hello", ["folder\n"], "is a folder"),
    ("00-hello", ["none\n/home/hello\n"], "/home/hello is there; the file belongs in /home/core"),
    ("00-hello", ["none\n/home/core/hello.txt\n"], "/home/core/hello.txt is there"),
    ("01-note", ["none\n"], "there is no /home/ada/note"),
    ("01-note", ["root\n"], "belongs to root: who writes a file owns it"),
    ("01-note", ["empty\n"], "is empty"),
    ("01-note", ["none\n/home/core/note\n"], "/home/core/note is there; the note belongs in /home/ada"),
    ("03-digest", [f"--given--\n{HASH}\n"], "there is no /home/core/digest"),
    ("03-digest", [f"verity.usrhash={HASH}\n--given--\n{HASH}\n"], "and more besides"),
    ("03-digest", [f"{HASH[:-4]}\n--given--\n{HASH}\n"], "60 digits"),
    ("03-digest", [f"{'0' * 64}\n--given--\n{HASH}\n"], "another hash"),
    ("03-command", [Reply("", 1)], "no file of that name"),
    ("03-command", [Reply("-rw-r--r-- /opt/bin/hello\n", 1)], "may not be executed"),
    ("03-command", [Reply("-rwxr-xr-x /home/core/hello\n", 1)], "not in a folder that $PATH names"),
    ("03-command", ["/opt/bin/hello\n"], "says nothing"),
    ("03-command", [Reply("/opt/bin/hello\nhi\n", 3)], "ends with status 3"),
    ("04-next", [CGPT.format(2, 1, 0, 1)], "USR-A has priority 2 and runs"),
    ("04-next", [CGPT.format(2, 2, 0, 1)], "of two equal ones the first"),
    ("04-next", [CGPT.format(0, 0, 0, 1)], "no slot may boot"),
    ("05-follow", ["GROUP=beta\nSERVER=http://10.0.2.2/\n"], 'GROUP is "beta"'),
    ("05-follow", ["GROUP=alpha\n"], "the line SERVER= is gone"),
    ("05-follow", ["SERVER=http://10.0.2.2/\n"], "no line begins with GROUP="),
    ("05-follow", ["GROUP=alpha\nGROUP=beta\nSERVER=http://10.0.2.2/\n"], "2 lines begin with GROUP"),
    ("06-folder", [NONE, ""], "there is no folder"),
    ("06-folder", [NONE, "folder\nprogram\n"], "has no usr/lib/extension-release.d/extension-release.hi"),
    ("06-folder", [NONE, "folder\nrelease\nprogram\n"], "neither ID=_any nor the ID"),
    ("06-folder", [NONE, "folder\nrelease\nfits\nprogram\n"], "was not merged since"),
    ("06-folder", [MERGED, Reply("", 126)], "its mode lacks x"),
    ("06-folder", [MERGED, Reply("", 127)], "there is no /usr/bin/hi in it"),
    ("06-folder", [MERGED, ""], "says nothing"),
    ("07-image", [Reply("", 1)], "docker knows no image"),
    ("07-image", [Reply("flatkit/mine:latest\n", 1)], "one named flatkit/mine:latest"),
    ("07-image", [Reply("permission denied while trying to connect\n", 1)], "may not be asked by this user"),
    ("09-visit", [Reply("", 1)], "visits in the book: none"),
    ("09-visit", ["110.2.0: first\n110.2.0: again\n"], "visits in the book: first, again"),
    ("09-visit", ["110.2.0: favicon.ico\n"], "visits in the book: favicon.ico"),
]


class Answers:
    """A machine that gives these answers, one after the other."""

    def __init__(self, answers: list[str | Reply]) -> None:
        self._left = [answer if isinstance(answer, Reply) else Reply(answer) for answer in answers]

    def run(self, command: str) -> Reply:
        return self._left.pop(0)


def judged(name: str, attempt: str | list[str | Reply], folder: Path) -> str:
    exercise = get_task(name)
    assert isinstance(exercise, Exercise)
    bench = FolderBench(folder, None if isinstance(attempt, str) else Answers(attempt))
    if isinstance(attempt, str):
        bench.write(next(act.file for act in exercise.setup if isinstance(act, Write)), attempt)
    finding = judge(exercise, bench)
    assert not finding.ok
    assert finding.expected
    assert finding.look
    return finding.found


ATTEMPTS = [*CONFIGS, *MACHINES]


@pytest.mark.parametrize(
    ("name", "attempt", "said"), ATTEMPTS, ids=[f"{name}-{n}" for n, (name, _, _) in enumerate(ATTEMPTS)]
)
def test_a_mistake_is_named(name: str, attempt: str | list[str | Reply], said: str, tmp_path: Path) -> None:
    assert said in judged(name, attempt, tmp_path)


EXERCISES = [exercise.name for lesson in LESSONS.values() for exercise in lesson.exercises]


@pytest.mark.parametrize("name", EXERCISES)
def test_three_mistakes_get_three_answers(name: str, tmp_path: Path) -> None:
    found = {judged(name, attempt, tmp_path) for of, attempt, _ in ATTEMPTS if of == name}
    assert len(found) >= 3


@pytest.mark.parametrize(("name", "file_name"), [("00-hello", "hello"), ("01-note", "note")])
def test_a_file_on_this_host_is_noticed(name: str, file_name: str, tmp_path: Path) -> None:
    (tmp_path / file_name).write_text("hi")
    assert "that is this host, not the machine" in judged(name, ["none\n"], tmp_path)
