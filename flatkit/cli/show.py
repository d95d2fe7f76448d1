"""How progress looks in a terminal, and as JSON lines."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, TextIO

from flatkit.errors import FlatkitError
from flatkit.events import (
    ConsoleLine,
    Event,
    Observer,
    PhaseEnded,
    PhaseStarted,
    Progressed,
    Said,
    StepEnded,
    StepOutput,
    StepStarted,
    Waiting,
)  # fmt: skip
from flatkit.untrusted import lines_of

_GREEN, _RED, _DIM, _BOLD, _OFF = "\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[1m", "\x1b[0m"
_SHOWN_LINES = 15
# Where no line can be rewritten, a long phase is mentioned again after so many seconds.
_REMIND_EVERY = 15.0


def has_color(stream: Any) -> bool:
    """Whether to colour what goes to this stream: a terminal, and NO_COLOR is not set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, color: str, stream: Any) -> str:
    """The text in a colour, where the stream takes one."""
    return f"{color}{text}{_OFF}" if has_color(stream) else text


def print_error(error: FlatkitError) -> None:
    """Say an error: what happened, details where there are some, what to do next."""
    print(f"{paint('flatkit:', _RED, sys.stderr)} {error.message}", file=sys.stderr)
    for line in lines_of(error.details.rstrip())[-_SHOWN_LINES:]:
        print(f"  | {line}", file=sys.stderr)
    if error.hint:
        print(f"  Next: {error.hint}", file=sys.stderr)


class Json(Observer):
    """One JSON object a line; `at` counts seconds from the start of the command."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def notify(self, event: Event) -> None:
        """Print the event."""
        values = event.as_dict()
        values["at"] = round(event.at - self._began, 3)
        print(json.dumps(values), flush=True)

    def row(self, event: str, **values: Any) -> None:
        """A line that is no progress: one thing of a list."""
        print(json.dumps({"event": event, **values}), flush=True)

    def result(self, *, ok: bool, **values: Any) -> None:
        """The last line."""
        print(
            json.dumps({"event": "result", "ok": ok, "at": round(time.monotonic() - self._began, 3), **values}),
            flush=True,
        )


def fail_json(observer: Json, error: FlatkitError) -> int:
    """The last line for an error; returns its exit status."""
    observer.result(ok=False, error=error.message, hint=error.hint, details=error.details)
    return error.exit_status


class Terminal(Observer):
    """Progress for a person: what is said, phases with a live line and their seconds."""

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = False) -> None:
        self._out = stream or sys.stderr
        self._live = self._out.isatty()
        self._verbose = verbose
        self._depth = 0
        self._phase: PhaseStarted | None = None
        self._waiting: Waiting | None = None
        self._reminded = 0.0

    def _line(self, text: str) -> None:
        if self._live:
            self._out.write("\r\x1b[K")
        self._out.write(text + "\n")
        self._out.flush()

    def _status(self, text: str) -> None:
        if self._live:
            width = os.get_terminal_size(self._out.fileno()).columns or 80
            self._out.write("\r\x1b[K" + text[: width - 1])
            self._out.flush()

    def on_said(self, event: Said) -> None:
        """A line."""
        self._line(f"  {event.text}")

    def on_phase_started(self, event: PhaseStarted) -> None:
        """A live line, with how long it usually takes."""
        self._phase, self._waiting, self._reminded = event, None, event.at
        usual = f"  (usually about {event.typical:.0f} s)" if event.typical >= 1 else ""
        self._status(f"  … {event.title}{usual}  {event.says}")

    def on_progressed(self, event: Progressed) -> None:
        """The live line moves on."""
        if self._phase:
            done = f" {event.done:g}/{event.total:g} {event.unit}" if event.total else ""
            self._status(f"  … {self._phase.title}{done} {event.note}")

    def on_console_line(self, event: ConsoleLine) -> None:
        """The live line shows the console's last words."""
        if self._verbose:
            self._line(f"    {paint(event.text, _DIM, self._out)}")
        elif self._phase:
            self._status(f"  … {self._phase.title} {self._clock(event.at)}  {event.text.strip()}")

    def on_waiting(self, event: Waiting) -> None:
        """The live line's clock moves on; without one, a long phase is mentioned again."""
        self._waiting = event
        if not self._phase:
            return
        if self._live and not self._verbose:
            self._status(f"  … {self._phase.title} {self._clock(event.at)}  {event.line}")
        elif event.at - self._reminded >= _REMIND_EVERY:
            self._reminded = event.at
            self._line(f"  … {self._phase.title} {self._clock(event.at)}")

    def _clock(self, now: float) -> str:
        """How long the phase has taken, how long it usually does, and how long the boot still will."""
        assert self._phase
        parts = [f"{now - self._phase.at:.0f} s"]
        if self._phase.typical >= 1:
            parts.append(f"usually {self._phase.typical:.0f} s")
        if self._waiting and self._waiting.remaining >= 1:
            parts.append(f"about {self._waiting.remaining:.0f} s to go")
        if self._waiting and self._waiting.quiet >= _REMIND_EVERY:
            parts.append(f"nothing has moved for {self._waiting.quiet:.0f} s")
        return ", ".join(parts)

    def on_phase_ended(self, event: PhaseEnded) -> None:
        """The phase as a line of its own."""
        mark = paint("✓", _GREEN, self._out) if event.ok else paint("✗", _RED, self._out)
        self._line(f"  {mark} {event.title} {paint(f'{event.seconds:.1f} s', _DIM, self._out)}")
        self._phase = self._waiting = None

    def on_step_started(self, event: StepStarted) -> None:
        """What is done, why, and the command."""
        self._line("")
        self._line(paint(f"{event.number}/{event.total}  {event.title}", _BOLD, self._out))
        self._line(f"  {event.why}")
        self._line(
            f"  {'host$' if event.where == 'host' else 'core@machine$'} {paint(event.command, _BOLD, self._out)}"
        )

    def on_step_output(self, event: StepOutput) -> None:
        """What the command printed, cut to what a screen bears."""
        lines = lines_of(event.text.rstrip())
        for line in lines[:_SHOWN_LINES]:
            self._line(f"    {line[:200]}")
        if len(lines) > _SHOWN_LINES:
            self._line(f"    … {len(lines) - _SHOWN_LINES} more lines")

    def on_step_ended(self, event: StepEnded) -> None:
        """The check's verdict."""
        if event.ok:
            self._line(f"  {paint('✓', _GREEN, self._out)} {event.found}")
        else:
            self._line(f"  {paint('✗', _RED, self._out)} {event.found}")
            self._line(f"  Next: {event.hint}")


def observer_for(*, as_json: bool, verbose: bool = False, stream: TextIO | None = None) -> Observer:
    """JSON lines on standard output, or a person's view on `stream` (default: standard error)."""
    return Json() if as_json else Terminal(stream, verbose=verbose)
