"""Natural mistakes in the exercises: each gets an answer of its own, which says what was found and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.lessons import LESSONS, get_task
from flatkit.lessons.exercise import Exercise, Write
from flatkit.lessons.session import judge
from flatkit.lessons.workspace import FolderBench
from flatkit.testing.bench import Reply
from tests.learners.attempts import (
    BIG,
    CGPT,
    CONF,
    HASH,
    HEAD,
    KEY,
    MERGED,
    NONE,
    SERVICE,
    WANTED,
    Answers,
    file,
    text_of,
    unit,
    user,
)

# Exercise, the learner's file, words of the answer.
CONFIGS: list[tuple[str, str | list[str | Reply], str]] = [
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
    ("07-unit", unit("cache.service", *SERVICE, "ExecStart=/usr/bin/docker run -dp 1:1 redis:7", *WANTED), "docker run -d ends"),
    (
        "07-unit",
        unit("cache.service", *SERVICE, "ExecStart=/usr/bin/docker run redis:7", "Type=forking", *WANTED),
        "Type=forking does not fit",
    ),
    (
        "07-unit",
        unit("cache.service", *SERVICE, "ExecStart=/usr/bin/docker run redis:7", "RemainAfterExit=yes", *WANTED),
        "counts as running",
    ),
    (
        "07-unit",
        unit("cache.service", "[Service]", "After=docker.service", "Requires=docker.service", "Restart=always", *WANTED),
        "Requires=docker.service in [Unit]",
    ),
    ("07-unit", unit("cache.service", *SERVICE, "ExecStart=/bin/sh -c 'docker run redis:7'", *WANTED), "without ExecStart="),
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
    ("10-ready", text_of("10-ready"), "no user has an SSH key"),
    ("10-ready", text_of("10-ready", solved=True).replace("reboot", "off"), "wait for somebody who restarts the machine"),
    ("10-ready", user("core", "~/.ssh/id_ed25519.pub"), "not its file's name"),
    ("10-ready", user("core", KEY), "the only key is the course's"),
    ("10-install", "sudo flatcar-install -d /dev/sdb1 -C stable -i home.ign\n", "is a partition"),
    ("10-install", "sudo flatcar-install -d /dev/sdb -C stable -i home.bu\n", "home.bu is Butane"),
    ("10-install", "sudo flatcar-install -d /dev/sdb -C stable\n", "-i is missing"),
    ("11-worker", text_of("11-worker"), "also takes the next minor version"),
    ("11-worker", text_of("11-worker", solved=True).replace("=!/etc", "=/etc"), "without ! joins only"),
    ("11-worker", text_of("11-worker", solved=True).replace("mask: true", "enabled: false"), "is not masked"),
]  # fmt: skip

# Exercise, what the machine answers to each question of the check in turn, words of the answer.
MACHINES: list[tuple[str, str | list[str | Reply], str]] = [
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
    ("11-hold", ["enabled\ninactive\nindirect\n"], "the next boot starts it again"),
    ("11-hold", ["disabled\nactive\nindirect\n"], "until the next boot it still starts the service"),
    ("11-hold", ["enabled\nactive\nmasked\n"], "its service is masked"),
    ("11-hold", ["masked-runtime\ninactive\nindirect\n"], "masked until the next boot alone"),
]


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
