"""Read a machine's serial console from the file that libvirt writes: clean new lines, with times, in bounded memory.

The source is a file and not libvirt's stream, because the file contains every byte from the first one, watched or not.
`heard` tells which text of a line may be a sign of what the machine does.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

_CHUNK = 64 * 1024
_LONGEST_LINE = 4096
_TAIL_LINES = 400
_FOLLOW_EVERY = 0.1

# CSI sequences (colours, cursor; also in one character), OSC sequences (titles), and the two-character ones.
_ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")
# Control characters, and characters that reorder or hide their neighbours.
_CONTROLS = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """Return a line as a terminal would show it, without escape sequences and text that a carriage return overwrote."""
    if text.isprintable():  # nearly every line
        return text.rstrip()
    text = _ESCAPES.sub("", text).rstrip("\r")
    return _CONTROLS.sub("", text.rsplit("\r", 1)[-1]).rstrip()


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the console; `at` is when it was read (`time.monotonic()`)."""

    text: str
    at: float


class ConsoleReader:
    """Reader of a console file that grows, is rotated, or does not exist yet. Not thread-safe."""

    def __init__(self, path: Path, *, offset: int = 0) -> None:
        self.path = path
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self.total = 0
        self._file: BinaryIO | None = None
        self._offset = offset
        self._partial = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None

    @property
    def partial(self) -> str:
        """Text of the last, unfinished line, such as a prompt."""
        return clean(self._partial.decode(errors="replace"))

    def read(self) -> list[Line]:
        """Return the lines that were finished since the last call; empty if there are none.

        Reads at most one chunk of the file.
        """
        data = self._read_chunk()
        self.total += len(data)
        *whole, rest = (self._partial + data).split(b"\n")
        # A "line" without an end must not fill the memory.
        self._partial = rest[-_LONGEST_LINE:]
        now = time.monotonic()
        lines = [Line(text=clean(raw[:_LONGEST_LINE].decode(errors="replace")), at=now) for raw in whole]
        self.tail.extend(line.text for line in lines)
        return lines

    def _read_chunk(self) -> bytes:
        for _ in range(2):
            if self._file is None and not self._reopen():
                return b""
            assert self._file is not None
            data = self._file.read(_CHUNK)
            if data or not self._was_replaced():
                return data
            self.close()
            self._offset = 0
        return b""

    def _reopen(self) -> bool:
        try:
            self._file = self.path.open("rb", buffering=0)
        except FileNotFoundError:
            return False
        self._file.seek(self._offset)
        return True

    def _was_replaced(self) -> bool:
        """Return True if the path is another file now (virtlogd rotates at 2 MiB), or the file was truncated."""
        assert self._file is not None
        mine = os.fstat(self._file.fileno())
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        return (there.st_ino, there.st_dev) != (mine.st_ino, mine.st_dev) or there.st_size < self._file.tell()


def read_tail(path: Path, *, lines: int = 40, within: int = 256 * 1024) -> list[str]:
    """Return the last lines of a console file; empty if there is no file. Reads at most the last `within` bytes."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - within))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    cleaned = [clean(line[-_LONGEST_LINE:]) for line in text.split("\n")]
    return [line for line in cleaned if line][-lines:]


def follow(path: Path, *, is_over: Callable[[], bool], lines: int = 0) -> Iterator[str]:
    """Yield a console's lines as they arrive, after the last `lines` existing ones (0: all existing ones).

    It ends when the file is gone or `is_over` returns True. Both are checked once a second, and unread output is still
    yielded.
    """
    with ConsoleReader(path) as reader:
        if lines:
            earlier: deque[str] = deque(maxlen=lines)
            while found := reader.read():
                earlier.extend(line.text for line in found)
            yield from earlier
        next_ask = 0.0
        while True:
            now = time.monotonic()
            over = now >= next_ask and (is_over() or not path.exists())
            next_ask = now + 1.0 if now >= next_ask else next_ask
            while found := reader.read():
                yield from (line.text for line in found)
            if over:
                yield from [reader.partial] if reader.partial else []
                return
            time.sleep(_FOLLOW_EVERY)


# Signs: text in the console's lines that tells something about the machine. Text that a program only quotes is not one.
#
# Firmware, kernel, the initrd's scripts, systemd and Ignition write to the console, and so can any program of the
# machine. Ignition quotes the config and servers; systemd quotes the descriptions of units. None of these texts may look
# like a failure, the next phase of the boot, or a host key.
#
# The root user of the machine can still write any line. Signs describe a machine to its own user. They prove nothing
# about a machine that another user controls.

# A sign is near the beginning of a line. This limit also bounds the cost of the patterns, which is quadratic in the
# worst case.
JUDGED = 1024
# The kernel's time stamp, if there is one.
STAMP = r"^(?:\[ *[0-9]+\.[0-9]+\] )?"

_PROGRAM = re.compile(STAMP + r"([A-Za-z0-9@._-]+)\[[0-9]+\]: ")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*("|$)')
_HEARD = ("ignition", "systemd")


def heard(text: str) -> str:
    """Return the part of a line that can be a sign; "" for the text of another program."""
    text = text[:JUDGED]
    program = _PROGRAM.match(text)
    if program is None:
        return text
    if not program[1].startswith(_HEARD):
        return ""
    # "Started x.service - The description of x."
    return _QUOTED.sub('""', text.partition(" - ")[0] if program[1].startswith("systemd") else text)
