"""docker run as values: options with and without values, in groups, and the image behind them."""

from __future__ import annotations

import time

import pytest

from flatkit.lessons.docker_run import DockerRun, parse_docker_run

RUNS = [
    ("/usr/bin/docker run redis:7", DockerRun(image="redis:7")),
    ("-/usr/bin/docker run --name d -p 6379:6379 redis:7", DockerRun(image="redis:7", name="d")),
    ("/usr/bin/docker container run --rm -d redis:7", DockerRun(image="redis:7", is_detached=True, is_removed=True)),
    ("/usr/bin/docker --debug run redis:7", DockerRun(image="redis:7")),
    ("/usr/bin/docker run -dp 6379:6379 redis:7", DockerRun(image="redis:7", is_detached=True)),
    ("/usr/bin/docker run -itd redis:7", DockerRun(image="redis:7", is_detached=True, has_tty=True)),
    ("/usr/bin/docker run --detach=true redis:7", DockerRun(image="redis:7", is_detached=True)),
    ("/usr/bin/docker run --detach=false --tty=0 redis:7", DockerRun(image="redis:7")),
    ('/usr/bin/docker run --name "a -d" redis:7 -d -t', DockerRun(image="redis:7", name="a -d")),
    ("/usr/bin/docker run --name=x redis:7 --name y", DockerRun(image="redis:7", name="x")),
    ("/usr/bin/docker run --network redis --name=x --name y redis", DockerRun(image="redis", name="y")),
    ("/usr/bin/docker run -e --name=x redis", DockerRun(image="redis")),
    ("/usr/bin/docker run -v/d:/t -ed=1 redis:7", DockerRun(image="redis:7")),
    ("/usr/bin/docker run -p80:80 -- redis:7", DockerRun(image="redis:7")),
    ("/usr/bin/docker run -d", DockerRun(image="", is_detached=True)),
    ("/usr/bin/docker run 'redis", DockerRun(image="'redis")),
    ("/usr/bin/docker start redis", None),
    ("/bin/sh -c 'docker run -d redis:7'", None),
    ("/usr/bin/dockerd run redis:7", None),
    ("/usr/bin/docker", None),
    ("", None),
]


@pytest.mark.parametrize(("command", "run"), RUNS)
def test_a_command_line(command: str, run: DockerRun | None) -> None:
    assert parse_docker_run(command) == run


LONG = [
    "docker " + "-x " * 80_000 + "run redis:7", "docker run -" + "d" * 80_000 + " redis:7",
    "docker run " + "-e a " * 40_000 + "redis:7", "docker run '" + "a " * 80_000,
]  # fmt: skip


@pytest.mark.parametrize("command", LONG, ids=range(len(LONG)))
def test_a_long_line_takes_no_longer_than_its_length(command: str) -> None:
    began = time.process_time()
    assert parse_docker_run(command)
    assert time.process_time() - began < 3, "the quadratic one took seven seconds here"
