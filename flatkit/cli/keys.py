"""Single keys, for `flatkit demo run --step` and `flatkit present`. A terminal needs no Enter, and `r` switches to the recording.

On stage a live step may hang. One key must then lead from it to the same step of the recording, so keys are also read
while a step runs. If the input is not a terminal (a pipe, a test), a line is read before each step.
"""

from __future__ import annotations

import os
import queue
import re
import select
import signal
import sys
import threading
from contextlib import ExitStack
from typing import Any, Self, TextIO

from flatkit.errors import Cancelled
from flatkit.events import Event, Observer, Said, StepEnded, StepStarted

_BYTES = 64
# What a terminal sends for the keys of a remote control, in both of its modes.
_SEQUENCES = {
    b"\x1b[C": "right", b"\x1bOC": "right", b"\x1b[D": "left", b"\x1bOD": "left",
    b"\x1b[6~": "pagedown", b"\x1b[5~": "pageup",
}  # fmt: skip
_SEQUENCE = re.compile(rb"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|[\x00-\xff]")


def keys_of(data: bytes) -> list[str]:
    """Return the keys of what a terminal sent: a character, the name of a key of _SEQUENCES, or "escape" for another one."""
    found = _SEQUENCE.findall(data)
    return [_SEQUENCES.get(one, "escape" if one[:1] == b"\x1b" else one.decode("latin-1")) for one in found]


class GoOnRecorded(BaseException):
    """The user wants the rest of the demo from its recording, starting with this step. No handler on the way may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Keys:
    """Reads the keys. `while_running` is the number of the step in which `r` switches to the recording (0: none)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdin
        self._pressed: queue.Queue[str] = queue.Queue()
        self._undo = ExitStack()
        self._is_asking = False
        self._reads_keys = False
        self.while_running = 0

    def __enter__(self) -> Self:
        if self._stream.isatty():
            try:
                self._read_keys(self._stream.fileno())
            except ImportError:  # no termios on this system: read lines
                self._undo.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def ask(self, prompt: str) -> str:
        """Show the prompt and wait for a key (or a line). The end of the input has the effect of Enter."""
        # Before the prompt appears: a quick user answers at once, and that key must count.
        self._is_asking = True
        sys.stderr.write(prompt)
        sys.stderr.flush()
        if not self._reads_keys:
            return self._stream.readline().strip().lower()
        try:
            key = self._pressed.get().strip().lower()
        finally:
            self._is_asking = False
        sys.stderr.write(f"{key}\n")
        return key

    @property
    def are_single(self) -> bool:
        """True if keys need no Enter."""
        return self._reads_keys

    def wait(self, seconds: float | None = None) -> str | None:
        """Wait for a key, or for a line where there is no terminal (without a limit then). Return None when the time is over.

        Enter is "". Raises EOFError at the end of the input.
        """
        if not self._reads_keys:
            line = self._stream.readline()
            if not line:
                raise EOFError
            return line.rstrip("\r\n")
        self._is_asking = True
        try:
            key = self._pressed.get(timeout=seconds)
        except queue.Empty:
            return None
        if not key or key == "\x04":
            raise EOFError
        return "" if key in "\r\n" else key

    def expect_key(self) -> None:
        """Keys that are pressed from now on count. Called before a question is shown: a quick user answers at once."""
        self._is_asking = True

    def stop_asking(self) -> None:
        """Keys that are pressed from now on are dropped, until the next question."""
        self._is_asking = False
        while not self._pressed.empty():
            self._pressed.get_nowait()

    def _read_keys(self, terminal: int) -> None:
        import termios
        import tty

        before = termios.tcgetattr(terminal)
        self._undo.callback(termios.tcsetattr, terminal, termios.TCSADRAIN, before)
        tty.setcbreak(terminal, termios.TCSANOW)
        old = signal.signal(signal.SIGUSR1, self._leave)
        self._undo.callback(signal.signal, signal.SIGUSR1, old)
        awake, wake = os.pipe()
        reader = threading.Thread(target=self._follow, args=(terminal, awake), name="flatkit: keys", daemon=True)
        for act, *arguments in ((os.close, wake), (os.close, awake), (reader.join,), (os.write, wake, b"x")):
            self._undo.callback(act, *arguments)
        self._reads_keys = True
        reader.start()

    def _follow(self, terminal: int, awake: int) -> None:
        while True:
            ready, _, _ = select.select([terminal, awake], [], [])
            if awake in ready:
                return
            data = os.read(terminal, _BYTES)
            for key in keys_of(data) or [""]:
                if self._is_asking or not key:
                    self._pressed.put(key)
                elif key.lower() == "r" and self.while_running:
                    os.kill(os.getpid(), signal.SIGUSR1)  # only a signal wakes the main thread, whatever it waits for
            if not data:
                return

    def _leave(self, _: int, __: Any) -> None:
        number, self.while_running = self.while_running, 0
        if number:
            raise GoOnRecorded(number)


class Stepper(Observer):
    """An observer that waits for a key before each step."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._is_recorded = False

    def notify(self, event: Event) -> None:
        """Wait for a key when a step starts."""
        if isinstance(event, Said) and event.text.startswith("recorded on "):
            self._is_recorded = True
        if isinstance(event, StepEnded):
            self._keys.while_running = 0
        if not isinstance(event, StepStarted):
            return
        choices = "Enter: run, q: stop" if self._is_recorded else "Enter: run, r: go on with the recording, q: stop"
        word = self._keys.ask(f"  [{choices}] ")
        if word == "q":
            raise Cancelled("stopped before this step")
        if word == "r" and not self._is_recorded:
            raise GoOnRecorded(event.number)
        self._keys.while_running = 0 if self._is_recorded else event.number
