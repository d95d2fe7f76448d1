"""Plays a recorded run again, through the same observers as a real one, with its times, and says that it is recorded."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from flatkit.demos.recording import Recording
from flatkit.demos.runner import DemoResult, StepResult
from flatkit.errors import Cancelled
from flatkit.events import Observer, Said, StepEnded, StepStarted


def replay(
    recording: Recording,
    observer: Observer,
    *,
    speed: float = 1.0,
    start: int = 1,
    cancel: threading.Event | None = None,
) -> DemoResult:
    """Tell the observer what happened, `speed` times as fast (0: without waiting), from step `start` on.

    An observer may hold it, as it may hold a real run. Raises Cancelled.
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
        if speed > 0 and before is not None and stop.wait((at - before) / speed):
            raise Cancelled("the recording was stopped")
        before = at
        observer.notify(replace(event, at=time.monotonic()))
        if isinstance(event, StepEnded) and started.number == event.number:
            results.append(StepResult(title=started.title, command=started.command, ok=event.ok, found=event.found,
                                      seconds=event.seconds))  # fmt: skip
    return DemoResult(demo=recording.demo, steps=tuple(results), total=max(0, total - start + 1))
