"""Advice on the commands of services: words that only a shell understands, and containers in the background."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine.plan import Plan
from flatkit.butane.machine.unit_file import Assignment, unit_type
from flatkit.butane.source.node import Path

PREFIXES = "@:+!|-"
# Words that mean something to a shell only. A semicolon that is a word of its own is systemd's, too.
_OPERATOR = re.compile(r"[0-9]?>>?(&[0-9-]|/\S*)?|<<?|&>|&&?|\|\|?")
_SUBSTITUTED = re.compile(r"\$\(|`")
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh"))
_BUILTINS = frozenset((
    "cd", "export", "source", ".", "alias", "eval", "exec", "set", "unset", "ulimit", "umask", "if", "for", "while", "case",
    "until", "function", "local", "shift", "trap", "wait", "pushd", "popd", "[[", "{", "((",
))  # fmt: skip
# Programs whose words are paths.
_ON_FILES = frozenset(("rm", "cp", "mv", "cat", "ls", "chmod", "chown", "ln", "touch", "mkdir", "rmdir", "tar"))
_DATE = re.compile(r"""(?:^|[\s/"'(`])date\b[^;|&]*\s["']?\+["']?%[A-Za-z]""")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+""")
# Options of `docker run` and `podman run` without a value; the word behind any other one is its value.
_SWITCHES = {"--interactive": "i", "--tty": "t", "--detach": "d"} | dict.fromkeys((
    "--rm", "--init", "--privileged", "--read-only", "--publish-all", "--no-healthcheck", "--oom-kill-disable", "--replace",
    "--quiet", "--help",
), "")  # fmt: skip
_LETTERS = frozenset("ditPq")


def advise_commands(plan: Plan, name: str, path: Path) -> Iterator[Hint]:
    """Yield the advice on a service's commands."""
    if unit_type(name) != "service" or plan.refusal(name) is not None:
        return
    unit = plan.unit(name)
    said: set[str] = set()
    for text in unit.texts:
        for item in text.assignments:
            if item.section == "Service" and item.key.startswith("Exec") and item.value:
                for one in _command(name, item, path):
                    if one.message.code not in said:
                        said.add(one.message.code)
                        yield one
    starts = unit.values("Service", "ExecStart")
    if starts and _is_detached(_words(starts[-1]) or [""]) and _ends_with_command(plan, name):
        yield hint(advice_messages.UNIT_DETACHED, path, unit=name)


def _ends_with_command(plan: Plan, name: str) -> bool:
    """True if a service whose command leaves no process behind is stopped, its ExecStop= run (service_enter_running)."""
    unit = plan.unit(name)
    if unit.last("Service", "RemainAfterExit").lower() in ("1", "yes", "y", "true", "t", "on"):
        return False
    return unit.last("Service", "Type") != "oneshot" or bool(unit.values("Service", "ExecStop"))


def _words(value: str) -> list[str]:
    """The words of a command as they are written, with their quotes."""
    return _WORD.findall(value.lstrip(PREFIXES))


def _command(name: str, item: Assignment, path: Path) -> Iterator[Hint]:
    words = _words(item.value)
    if not words:
        return
    program = words[0]
    if program in _BUILTINS or _ASSIGNMENT.fullmatch(program):
        fix = "Write the line into a script, or ExecStart=/bin/sh -c '...' with the line in the quotes."
        if program == "cd":
            fix = "Write the folder as WorkingDirectory= in [Service]."
        elif program not in _BUILTINS:
            fix = f"Write Environment={program} in [Service]."
        yield hint(advice_messages.UNIT_BUILTIN, path, unit=name, program=program, fix=fix)
    if program.startswith("$"):
        yield hint(advice_messages.UNIT_VARIABLE, path, unit=name, word=program, key=item.key)
    elif literal := _literal_word(words):
        word, sign, fix = literal
        yield hint(advice_messages.UNIT_LITERAL, path, unit=name, word=word, key=item.key, sign=sign, fix=fix)
    if found := _shell_word(words):
        yield hint(advice_messages.UNIT_SHELL, path, unit=name, word=found, key=item.key)
    if _DATE.search(item.value):
        yield hint(advice_messages.UNIT_PERCENT, path, unit=name, key=item.key)
    if program.rpartition("/")[2] == "docker" and {"i", "t"} <= set(_flags(words)):
        yield hint(advice_messages.UNIT_TERMINAL, path, unit=name)


def _shell_word(words: list[str]) -> str:
    """The first word that only a shell understands."""
    has_shell = any(word.rpartition("/")[2] in _SHELLS for word in words)
    for word in words[1:]:
        if _OPERATOR.fullmatch(word) or (not has_shell and _SUBSTITUTED.search(word)):
            return word
    return ""


def _literal_word(words: list[str]) -> tuple[str, str, str] | None:
    """The first word with a ~ or * that only a shell fills in, the sign, and the cure."""
    program = words[0].rpartition("/")[2]
    if any(word.rpartition("/")[2] in _SHELLS for word in words):
        return None
    for word in words[1:]:
        if word == "~" or word.startswith("~/"):
            return word, "~", "Write the whole path, for example /home/core."
        if program in _ON_FILES and word.startswith("/") and "*" in word:
            return word, "*", "Write /bin/sh -c '...' with the whole command in the quotes."
    return None


def _flags(words: list[str]) -> str:
    """The letters of the options of `docker run` that have no value, up to the image's name."""
    if words[1:2] != ["run"]:
        return ""
    letters, rest = "", iter(words[2:])
    for word in rest:
        if not word.startswith("-"):
            break
        if word.startswith("--"):
            letters += _SWITCHES.get(word, "")
            if word not in _SWITCHES and "=" not in word:
                next(rest, "")
        else:
            plain = next((at for at, letter in enumerate(word[1:]) if letter not in _LETTERS), len(word) - 1)
            letters += word[1 : 1 + plain]
            if plain == len(word) - 2:
                next(rest, "")
    return letters


def _is_detached(words: list[str]) -> bool:
    program = words[0].rpartition("/")[2]
    if program in ("docker", "podman") and words[1:2] == ["compose"]:
        return "up" in words and bool({"-d", "--detach"} & set(words))
    return program in ("docker", "podman", "nerdctl") and "d" in _flags(words)
