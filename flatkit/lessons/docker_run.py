"""A `docker run` command line as values: its image, its name, and whether it stays in the foreground, as a unit needs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile

# Options of docker run without a value, of its reference; all the others take one.
_FLAGS = frozenset(
    (
        "detach", "tty", "interactive", "rm", "init", "privileged", "publish-all", "read-only", "no-healthcheck",
        "oom-kill-disable", "quiet", "sig-proxy", "disable-content-trust", "use-api-socket", "help",
    )
)  # fmt: skip
_LETTERS = {"d": "detach", "t": "tty", "i": "interactive", "P": "publish-all", "q": "quiet"}
_FALSE = frozenset(("false", "0", "f", "F", "FALSE", "False"))
# Of systemd.service(5), before the path of a command.
_PREFIXES = "-:+!|"


@dataclass(frozen=True, kw_only=True)
class DockerRun:
    """The docker run of a command line. `image` and `name` are "" when it gives none; `--rm` frees the name at the end."""

    image: str
    is_detached: bool = False
    has_tty: bool = False
    name: str = ""
    is_removed: bool = False


def parse_docker_run(command: str) -> DockerRun | None:
    """Return the docker run of a unit's command line, or None when it is another command."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quote that is not closed
        words = command.split()
    if not words or words[0].lstrip(_PREFIXES) not in {"/usr/bin/docker", "docker"}:
        return None
    rest = [*dropwhile(lambda word: word.startswith("-"), words[1:])]
    if rest[:1] == ["container"]:
        rest = rest[1:]
    if rest[:1] != ["run"]:
        return None
    on = dict(_flags(rest[1:]))
    return DockerRun(
        image=_image(rest[1:]), is_detached=on.get("detach", False), has_tty=on.get("tty", False),
        name=_name(rest[1:]), is_removed=on.get("rm", False),
    )  # fmt: skip


def _flags(words: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield each flag before the image and whether it is on."""
    for word in _options(words):
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            if name in _FLAGS:
                yield name, value not in _FALSE
            continue
        is_on = word.partition("=")[2] not in _FALSE
        for letter in word[1:]:
            if letter not in _LETTERS:
                break  # it takes the rest as its value
            yield _LETTERS[letter], is_on


def _options(words: list[str]) -> list[str]:
    return [word for word, value in _split(words) if value is not None]


def _image(words: list[str]) -> str:
    return next((word for word, value in _split(words) if value is None), "")


def _name(words: list[str]) -> str:
    """Return the value of the last --name before the image."""
    found = ""
    for word, value in _split(words):
        name, _, own = word.partition("=")
        if value is not None and name == "--name":
            found = value or own
    return found


def _split(words: list[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the options, each with the word that is its value ("" without one), then the image with None."""
    left = iter(words)
    for word in left:
        if word == "--":
            continue
        if not word.startswith("-"):
            yield word, None
            return
        yield word, next(left, "") if _takes_next(word) else ""


def _takes_next(word: str) -> bool:
    if "=" in word:
        return False
    if word.startswith("--"):
        return word[2:] not in _FLAGS
    # -dp 80:80 takes the next word, -p80:80 has its value.
    return next((at == len(word) - 2 for at, letter in enumerate(word[1:]) if letter not in _LETTERS), False)
