"""The only way to start child processes.

Commands are argument lists, never a shell string. A result is a value. A missing program is reported with its package.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from flatkit.errors import CommandFailed, MissingDependency, WaitTimeout
from flatkit.untrusted import lines_of


@dataclass(frozen=True, kw_only=True)
class Result:
    """Output and status of a finished command; `seconds` is its running time."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def line(self) -> str:
        """The command as a user would type it."""
        return shlex.join(self.argv)


def program_path(path: str | None = None) -> str:
    """Return a PATH (by default this process's) without relative folders, and with sbin.

    sbin has mke2fs, sfdisk and veritysetup, and a user's PATH often lacks it. An empty entry means the current folder,
    where nothing may run because it is there.
    """
    given = os.environ.get("PATH", os.defpath) if path is None else path
    found = [folder for folder in given.split(os.pathsep) if folder.startswith("/")]
    return os.pathsep.join([*found, *(folder for folder in ("/usr/sbin", "/sbin") if folder not in found)])


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    merged = {**os.environ, **(env or {})}
    return {**merged, "PATH": program_path(merged.get("PATH"))}


def _missing(argv: Sequence[str], error: OSError) -> MissingDependency:
    return MissingDependency(
        f'the program "{argv[0]}" cannot be run: {error.strerror}',
        hint="make setup   (it names or installs every package that flatkit needs)",
    )


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    check: bool = True,
    input: str | bytes | None = None,  # noqa: A002  (the name that subprocess uses)
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Result:
    """Run a command to its end and return its output.

    Raises CommandFailed when `check` and the status is not 0, MissingDependency when there is no such program,
    WaitTimeout after `timeout` seconds.
    """
    words = tuple(os.fspath(word) for word in argv)
    began = time.monotonic()
    data = input.encode() if isinstance(input, str) else input
    stdin: dict[str, Any] = {"input": data} if data is not None else {"stdin": subprocess.DEVNULL}
    try:
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            words, capture_output=True, timeout=timeout, env=_environment(env), cwd=cwd, check=False, **stdin
        )
    except subprocess.TimeoutExpired:
        raise WaitTimeout(f'"{shlex.join(words)}" did not end within {timeout:g} s') from None
    except OSError as error:
        raise _missing(words, error) from None
    result = Result(
        argv=words,
        status=done.returncode,
        stdout=done.stdout.decode(errors="replace"),
        stderr=done.stderr.decode(errors="replace"),
        seconds=time.monotonic() - began,
    )
    if check and result.status:
        raise failure(result)
    return result


def failure(result: Result) -> CommandFailed:
    """Return the error for a failed command, with the last part of its output."""
    said = lines_of((result.stderr or result.stdout).strip())
    last = said[-1] if said else "it said nothing"
    return CommandFailed(
        f'"{result.line}" ended with status {result.status}: {last}', details=result.stderr or result.stdout
    )


def become(argv: Sequence[str]) -> NoReturn:
    """Replace this process by another program: terminal, signals and exit status become its own. Raises MissingDependency."""
    try:
        os.execvpe(argv[0], list(argv), _environment(None))  # noqa: S606
    except OSError as error:
        raise _missing(argv, error) from None


def stream(
    argv: Sequence[str | os.PathLike[str]],
    on_line: Callable[[str], None],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Result:
    """Run a command and pass each line of its output (both streams) to `on_line` as it arrives.

    Raises as `run` does. When `on_line` raises, or on Ctrl-C, the process is ended before the exception is re-raised.
    """
    words = tuple(os.fspath(word) for word in argv)
    began = time.monotonic()
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=_environment(env), cwd=cwd, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise _missing(words, error) from None
    assert process.stdout is not None
    try:
        with process.stdout:
            for line in process.stdout:
                lines.append(line)
                on_line(line.rstrip("\n"))
        status = process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    result = Result(argv=words, status=status, stdout="".join(lines), stderr="", seconds=time.monotonic() - began)
    if status:
        raise failure(result)
    return result


@dataclass(frozen=True, kw_only=True)
class Child:
    """A program that runs beside this one, in a session of its own."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Its process ID."""
        return self.process.pid

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""
        return self.process.poll()

    def end(self, seconds: float) -> None:
        """Send SIGTERM, and SIGKILL if it runs after so many seconds."""
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(
    argv: Sequence[str | os.PathLike[str]], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Child:
    """Start a program that outlives this call; its output is appended to `log`. Raises MissingDependency, OSError."""
    words = tuple(os.fspath(word) for word in argv)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, env=_environment(env), cwd=cwd,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise _missing(words, error) from None
    finally:
        os.close(descriptor)
    return Child(process=process)


def is_alive(pid: int) -> bool:
    """Return True if a process with this number runs, also one of another user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
