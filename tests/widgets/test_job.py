"""Jobs and the progress that they tell: threads, cancelling, bounded memory, and how often a view is drawn."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import Any

import pytest

from flatkit.errors import Cancelled, MachineError
from flatkit.events import ConsoleLine, PhaseEnded, PhaseStarted, Progressed, Said, phase
from flatkit.widgets.job import Job
from flatkit.widgets.progress import CONSOLE_LINES, LONGEST_LINE, WorkProgress, keep_drawn


def test_a_job_begins_at_once_and_gives_its_result() -> None:
    go = threading.Event()
    job = Job("waiting", lambda _: go.wait(60) and "done")
    assert job.is_running
    go.set()
    assert asyncio.run(awaited(job)) == "done"
    assert not job.is_running
    assert job.error is None


async def awaited(job: Any) -> Any:
    return await job


def test_awaiting_raises_what_the_job_raised() -> None:
    def fail(_: threading.Event) -> None:
        raise MachineError("it broke", hint="mend it")

    job = Job("failing", fail)
    with pytest.raises(MachineError, match="it broke"):
        asyncio.run(awaited(job))
    assert isinstance(job.error, MachineError)


def test_an_interrupted_await_leaves_the_job_at_work() -> None:
    go = threading.Event()
    job = Job("waiting", lambda _: go.wait(60))

    async def interrupted() -> None:
        task = asyncio.ensure_future(awaited(job))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    assert job.is_running
    go.set()
    assert job.wait(60)
    assert job.error is None


def test_a_signal_that_interrupts_is_seen_soon() -> None:
    """As in a kernel: its handler cancels the cell, and the loop sleeps."""
    go = threading.Event()
    job = Job("waiting", lambda _: go.wait(60))

    async def interrupted() -> None:
        task = asyncio.ensure_future(awaited(job))
        before = signal.signal(signal.SIGUSR1, lambda *_: task.cancel())
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        try:
            with pytest.raises(asyncio.CancelledError):
                await task
        finally:
            timer.join()
            signal.signal(signal.SIGUSR1, before)

    asyncio.run(interrupted())
    assert job.is_running, "the wait ended with the job, not with the signal"
    go.set()
    assert job.wait(60)


def test_cancel_asks_and_returns_at_once() -> None:
    job = Job("patient", lambda cancel: cancel.wait(60))
    job.cancel()
    assert job.wait(60)


def test_progress_keeps_outer_phases_and_notes_inner_ones() -> None:
    progress = WorkProgress()
    with phase(progress, "image", "Image", typical=10):
        with phase(progress, "packages", "Fetching packages"):
            assert progress.phases[0].note == "Fetching packages"
        progress.notify(Progressed(phase="image", done=3, total=10, unit="MB"))
        assert progress.phases[0].note == "3 of 10 MB"
        assert progress.phases[0].mark == "…"
    (row,) = progress.phases
    assert (row.title, row.mark, row.note) == ("Image", "✓", "")


def test_a_failed_phase_is_marked() -> None:
    progress = WorkProgress()
    with pytest.raises(ValueError, match="broken"), phase(progress, "image", "Image"):
        raise ValueError("broken")
    assert progress.phases[0].mark == "✗"


def test_the_console_is_a_bounded_ring() -> None:
    progress = WorkProgress()
    for number in range(CONSOLE_LINES * 3):
        progress.notify(ConsoleLine(machine="web", text=f"{number} " + "x" * 1000))
    kept = progress.console()
    assert len(kept) == CONSOLE_LINES
    assert kept[-1].startswith(f"{CONSOLE_LINES * 3 - 1} ")
    assert len(kept[-1]) == LONGEST_LINE
    assert len(progress.console(8)) == 8


def test_a_cancelled_image_build_is_stopped_by_its_next_word() -> None:
    cancel = threading.Event()
    progress = WorkProgress(cancel=cancel)

    def build() -> None:
        with phase(progress, "image", "Image"):
            progress.notify(Said(text="fetching"))
            cancel.set()
            progress.notify(Said(text="fetched"))

    with pytest.raises(Cancelled):
        build()
    assert progress.phases[0].mark == "✗"
    # Outside that phase whoever works looks at the event itself.
    progress.notify(PhaseEnded(phase="kernel", title="Kernel", seconds=1))
    progress.notify(Said(text="cancelled"))
    assert progress.said[-1] == "cancelled"


def test_a_phase_of_a_template_has_a_note() -> None:
    progress = WorkProgress()
    progress.notify(PhaseStarted(phase="kernel", title="Kernel"))
    progress.notify(PhaseEnded(phase="kernel", title="Kernel", seconds=0, template="2026-01-02T03:04:05+00:00"))
    assert [row.note for row in progress.phases] == ["kept from an earlier boot, 2026-01-02 03:04"]


def test_a_flood_is_drawn_at_most_ten_times_a_second() -> None:
    progress, over, drawn = WorkProgress(), threading.Event(), []
    refresher = keep_drawn(lambda: drawn.append(progress.console(1)), progress.changed, over.is_set)
    began = time.monotonic()
    while time.monotonic() - began < 0.5:
        progress.notify(ConsoleLine(machine="web", text="line"))
    progress.notify(ConsoleLine(machine="web", text="the last one"))
    over.set()
    progress.changed.set()
    refresher.join(60)
    assert not refresher.is_alive()
    assert len(drawn) <= (time.monotonic() - began) * 10 + 2
    assert drawn[-1] == ("the last one",)
