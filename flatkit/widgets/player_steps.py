"""The player's own thread: it waits at each step for what the user wants, and does it on the stage or from the recording."""

from __future__ import annotations

from flatkit.demos.presentation import Do, Mark
from flatkit.demos.presenting import LivePlay, RecordedPlay
from flatkit.demos.runner import DemoResult, StepResult
from flatkit.errors import FlatkitError
from flatkit.events import Said
from flatkit.widgets.player_state import PlayProgress


def play_steps(act: LivePlay | RecordedPlay, progress: PlayProgress, demo: str) -> DemoResult:
    """Play what the user asks for, until the last step is done, or one failed while all were to be played.

    Raises Cancelled, and FlatkitError for what is not a failed check.
    """
    while not progress.is_done:
        show = progress.now
        if show.mark(show.at) in {Mark.OK, Mark.SKIPPED}:
            progress.take(show.next().to)
            continue
        progress.announce(act)
        move = progress.await_move()
        if move is None:  # it failed, and nobody wants to go on
            break
        if move.do is Do.RUN:
            progress.take(move.to)
            progress.take(act.begin(progress.show, move.step))
            progress.take(act.run(progress.show, move.step))
        elif move.do is Do.REWIND:
            _rewind(act, progress, move.step)
        else:
            progress.take(move.to)
    return _result(progress, demo)


def _rewind(act: LivePlay | RecordedPlay, progress: PlayProgress, number: int) -> None:
    """Rewind; where that goes wrong the steps stay as they are, and the reason is shown."""
    progress.work(f"rewinding to before step {number}")
    try:
        show = act.rewind(progress.show, number)
    except FlatkitError as error:
        progress.notify(Said(text=f"no rewind: {error.message}"))
        progress.work("")
        progress.refuse(error)
    else:
        progress.forget_from(number)
        progress.work("")
        progress.take(show)


def _result(progress: PlayProgress, demo: str) -> DemoResult:
    played = tuple(
        StepResult(
            title=step.title, command=step.command, ok=step.state == "ok", found=step.found, seconds=step.seconds
        )
        for step in progress.steps
        if step.state in {"ok", "failed"}
    )
    left_out = sum(step.state == "skipped" for step in progress.steps)
    return DemoResult(demo=demo, steps=played, total=len(progress.steps) - left_out)
