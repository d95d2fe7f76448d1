"""Progress in a terminal, and as JSON lines."""

from __future__ import annotations

import io
import json
import math
import os
import platform
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from flatkit import __version__, paths
from flatkit.cli.screen import BOLD, CLEAR_LINE, DIM, GREEN, RED, Piece, paint, screen_of
from flatkit.errors import FlatkitError, HostError
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
from flatkit.files import write_atomic
from flatkit.untrusted import escape_hidden, lines_of, printable, printable_lines

# An internal software error, as in sysexits.h.
EXIT_STATUS = 70
_SHOWN_LINES = 15
_LONGEST_LINE = 200
_LONGEST_TEXT = 2000
# Without a live line, a long phase is mentioned again after so many seconds.
_REMIND_EVERY = 15.0


def print_error(error: FlatkitError) -> None:
    """Print an error: what happened, the details if there are any, what to do next."""
    screen = screen_of(sys.stderr)
    screen.put(*paint("flatkit:", RED, screen), f" {error.message}\n")
    for line in lines_of(error.details.rstrip())[-_SHOWN_LINES:]:
        screen.put(f"  | {printable(line, limit=_LONGEST_TEXT)}\n")
    if error.hint:
        screen.put(f"  Next: {error.hint}\n")


def print_json(**values: Any) -> None:
    """Print one JSON object as a line of ASCII, valid for every parser."""
    print(json.dumps(_valid(values), default=str).replace("\x7f", "\\u007f"), flush=True)


def _valid(value: Any) -> Any:
    """Return the value without parts that JSON cannot express: lone surrogates, NaN and infinity."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_valid(str(key)): _valid(one) for key, one in value.items()}
    return [_valid(one) for one in value] if isinstance(value, list | tuple) else value


class Json(Observer):
    """One JSON object a line; `at` counts seconds from the start of the command."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def notify(self, event: Event) -> None:
        """Print the event."""
        print_json(**{**event.as_dict(), "at": round(event.at - self._began, 3)})

    def row(self, event: str, **values: Any) -> None:
        """Print one item of a list as a line."""
        print_json(event=event, **values)

    def happened(self, event: str, **values: Any) -> None:
        """Print a line about something that is not an event of the work itself."""
        print_json(event=event, at=round(time.monotonic() - self._began, 3), **values)

    def result(self, *, ok: bool, **values: Any) -> None:
        """Print the last line."""
        print_json(event="result", ok=ok, at=round(time.monotonic() - self._began, 3), **values)


def fail_json(observer: Json, error: FlatkitError) -> int:
    """Print the last line for an error; return its exit status."""
    observer.result(ok=False, error=error.message, hint=error.hint, details=error.details)
    return error.exit_status


class Terminal(Observer):
    """Progress for a human reader: messages, and phases with a live line and their seconds."""

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = False) -> None:
        self._screen = screen_of(stream or sys.stderr)
        self._live = self._screen.isatty()
        self._verbose = verbose
        self._phase: PhaseStarted | None = None
        self._waiting: Waiting | None = None
        self._reminded = 0.0

    def _line(self, *pieces: Piece) -> None:
        self._screen.put(*([CLEAR_LINE] if self._live else []), *pieces, "\n")
        self._screen.flush()

    def _status(self, text: str) -> None:
        if self._live:
            width = os.get_terminal_size(self._screen.fileno()).columns or 80
            self._screen.put(CLEAR_LINE, printable(text, limit=_LONGEST_TEXT)[: width - 1])
            self._screen.flush()

    def on_said(self, event: Said) -> None:
        """Print a line."""
        self._line(f"  {_text(event.text)}")

    def on_phase_started(self, event: PhaseStarted) -> None:
        """Start a live line, with the usual length of the phase."""
        self._phase, self._waiting, self._reminded = event, None, event.at
        usual = f"  (usually about {event.typical:.0f} s)" if event.typical >= 1 else ""
        self._status(f"  … {event.title}{usual}  {event.says}")

    def on_progressed(self, event: Progressed) -> None:
        """Update the live line."""
        if self._phase:
            done = f" {event.done:g}/{event.total:g} {event.unit}" if event.total else ""
            self._status(f"  … {self._phase.title}{done} {event.note}")

    def on_console_line(self, event: ConsoleLine) -> None:
        """Show the console's last words in the live line."""
        if self._verbose:
            self._line("    ", *paint(_text(event.text), DIM, self._screen))
        elif self._phase:
            self._status(f"  … {self._phase.title} {self._clock(event.at)}  {event.text.strip()}")

    def on_waiting(self, event: Waiting) -> None:
        """Update the live line's clock; without a live line, mention a long phase again."""
        self._waiting = event
        if not self._phase:
            return
        if self._live and not self._verbose:
            self._status(f"  … {self._phase.title} {self._clock(event.at)}  {event.line}")
        elif event.at - self._reminded >= _REMIND_EVERY:
            self._reminded = event.at
            self._line(f"  … {_text(self._phase.title)} {self._clock(event.at)}")

    def _clock(self, now: float) -> str:
        """Return the elapsed and the usual time of the phase, and the remaining time of the boot."""
        assert self._phase
        parts = [f"{now - self._phase.at:.0f} s"]
        if self._phase.typical >= 1:
            parts.append(f"usually {self._phase.typical:.0f} s")
        if self._waiting and self._waiting.remaining >= 1 and not self._waiting.is_late:
            parts.append(f"about {self._waiting.remaining:.0f} s to go")
        if self._waiting and self._waiting.quiet >= _REMIND_EVERY:
            parts.append(f"nothing has moved for {self._waiting.quiet:.0f} s")
        return ", ".join(parts)

    def on_phase_ended(self, event: PhaseEnded) -> None:
        """Print the phase as a line."""
        seconds = paint(_text(event.origin) or f"{event.seconds:.1f} s", DIM, self._screen)
        self._line("  ", *self._mark(event.ok), f" {_text(event.title)} ", *seconds)
        self._phase = self._waiting = None

    def on_step_started(self, event: StepStarted) -> None:
        """Print the step's title, its reason and its command."""
        self._line("")
        self._line(*paint(f"{event.number}/{event.total}  {_text(event.title)}", BOLD, self._screen))
        self._line(f"  {_text(event.why)}")
        prompt = "host$" if event.where == "host" else "core@machine$"
        self._line(f"  {prompt} ", *paint(_text(event.command), BOLD, self._screen))

    def on_step_output(self, event: StepOutput) -> None:
        """Print the command's output, cut to what fits on a screen."""
        lines = lines_of(event.text.rstrip())
        for line in lines[:_SHOWN_LINES]:
            self._line(f"    {printable_lines(line, limit=_LONGEST_LINE)}")
        if len(lines) > _SHOWN_LINES:
            self._line(f"    … {len(lines) - _SHOWN_LINES} more lines")

    def on_step_ended(self, event: StepEnded) -> None:
        """Print the check's verdict."""
        # A known error has its next step as a second line.
        found = printable_lines(event.found, limit=_LONGEST_TEXT, lines=_SHOWN_LINES).replace("\n", "\n    ")
        self._line("  ", *self._mark(event.ok), f" {found}")
        if not event.ok:
            self._line(f"  Next: {_text(event.hint)}")

    def _mark(self, ok: bool) -> tuple[Piece, ...]:
        return paint("✓", GREEN, self._screen) if ok else paint("✗", RED, self._screen)


def _text(text: str) -> str:
    return printable(text, limit=_LONGEST_TEXT)


def qr_code(url: str) -> str:
    """Return the address as a QR code for a terminal; "" where the terminal's encoding has no block characters."""
    import segno

    text = io.StringIO()
    segno.make(url, micro=False).terminal(text, border=2, compact=True)
    try:
        text.getvalue().encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return ""
    return text.getvalue()


def observer_for(*, as_json: bool, verbose: bool = False, stream: TextIO | None = None) -> Observer:
    """Return an observer: JSON lines on standard output, or text on `stream` (default: standard error)."""
    return Json() if as_json else Terminal(stream, verbose=verbose)


def report_fault(error: Exception, words: Sequence[str]) -> int:
    """Print what happened and how to report it; return the exit status. FLATKIT_DEBUG=1 prints the traceback as well."""
    trace = "".join(traceback.format_exception(error))
    if os.environ.get("FLATKIT_DEBUG"):
        sys.stderr.write(trace)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        print_error(paths.refused(Path(os.fsdecode(error.filename)), error))
        return HostError.exit_status
    if isinstance(error, FileNotFoundError) and _is_folder_gone():
        print_error(HostError("the current folder was removed; expected one that is there", hint="cd"))
        return HostError.exit_status
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    kept = _keep(trace, words)
    hint = f'report it, with the file "{kept}"' if kept else "FLATKIT_DEBUG=1 in the environment shows what to report"
    print_error(FlatkitError(f"this is a fault in flatkit, not in what you typed: {said}", hint=hint))
    return EXIT_STATUS


def _is_folder_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _keep(trace: str, words: Sequence[str]) -> Path | None:
    """Save the traceback to a file; return None where that is impossible."""
    about = (
        f"flatkit {__version__}, Python {platform.python_version()}, {platform.platform()}\nflatkit {' '.join(words)}\n"
    )
    with suppress(OSError):  # also for a FLATKIT_STATE that is refused
        file = paths.state_dir() / "last-fault.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, escape_hidden(f"{about}\n{trace}"), mode=0o600)
        return file
    return None
