"""Replays a recorded run through the same observers as a real one, with its times, and reports that it is recorded."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from flatkit.demos.recording import Recording
from flatkit.demos.runner import DemoResult, StepResult
from flatkit.errors import Cancelled
from flatkit.events import Observer, Said, StepEnded, StepStarted

# Longest pause of a replay, in seconds; even a slow boot reports something every second.
_LONGEST_PAUSE = 120.0


def replay(
    recording: Recording,
    observer: Observer,
    *,
    speed: float = 1.0,
    start: int = 1,
    cancel: threading.Event | None = None,
) -> DemoResult:
    """Send the recorded events to the observer, `speed` times as fast (0: without pauses), from step `start` on.

    An observer may pause the replay, as it may pause a real run. Pauses are cut to two minutes. Raises Cancelled.
    """
    stop = cancel or threading.Event()
    observer.notify(Said(text=recording.banner))
    started: StepStarted | None = None
    results: list[StepResult] = []
    total, before = 0, None
    for at, event in recording.events:
        if isinstance(event, StepStarted):
            started, total = event, event.total
        if started is None or started.number < start:
            continue
        pause = 0.0 if before is None else min(max(0.0, at - before), _LONGEST_PAUSE)
        if speed > 0 and stop.wait(min(pause / speed, threading.TIMEOUT_MAX)):
            raise Cancelled("the recording was stopped")
        before = at
        observer.notify(replace(event, at=time.monotonic()))
        if isinstance(event, StepEnded) and started.number == event.number:
            results.append(StepResult(title=started.title, command=started.command, ok=event.ok, found=event.found,
                                      seconds=event.seconds))  # fmt: skip
    return DemoResult(demo=recording.demo, steps=tuple(results), total=max(0, total - start + 1))
