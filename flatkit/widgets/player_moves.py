"""The moves of a presentation that a notebook's player offers beside the next step: again, skip, rewind, jump."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from flatkit.demos.presentation import Do, Move, Presentation
from flatkit.errors import UsageError

if TYPE_CHECKING:
    from flatkit.widgets.player_state import PlayProgress


class PlayerMoves:
    """Mixed into the player, which has the lock, the progress and the thread."""

    _lock: threading.RLock
    _progress: PlayProgress

    @property
    def is_over(self) -> bool:
        """True if the demo was played."""
        raise NotImplementedError

    def choose(self) -> None:
        """Choose the real run or the recorded one, before the start."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the thread that plays."""
        raise NotImplementedError

    def again(self) -> Self:
        """Run the step again that ran last, on the machine as it is. Raises UsageError."""
        return self._make(Presentation.again)

    def skip(self) -> Self:
        """Leave the next step out, or the one that failed. Raises UsageError."""
        return self._make(Presentation.skip)

    def rewind(self, step: object = None) -> Self:
        """Rewind the machine to before a step, by default the one that ran last. Raises UsageError.

        Without a checkpoint there the error offers the nearest one; asked again, it goes there.
        """
        number = self._number(step if step is not None else self._progress.show.last or 1)
        return self._make(lambda _: self._rewound(number))

    def jump(self, step: object) -> Self:
        """Go on with a later step; those in between are left out. Raises UsageError."""
        number = self._number(step)
        return self._make(lambda show: show.jump(number))

    def _rewound(self, number: int) -> Move:
        show = self._progress.show
        offered = show.offered if show.shown == number else 0
        move = replace(show, shown=min(number, show.at), offered=offered).rewind()
        if move.do is Do.REFUSE:
            self._progress.take(move.to)
        return move

    def _number(self, step: object) -> int:
        total = self._progress.show.total
        if type(step) is not int or not 1 <= step <= total:
            raise UsageError(f"there is no such step; expected 1 to {total}", hint="fk.play(...).rewind(2)")
        return step

    def _make(self, ask: Callable[[Presentation], Move]) -> Self:
        with self._lock:
            self._progress.refusal = None
            if self.is_over:
                raise UsageError("the demo is over, and its machines are removed", hint="press Play again")
            if not self._progress.is_free:
                raise UsageError("a step is being played", hint="wait until it has ended, or press Stop")
            self.choose()
            move = ask(self._progress.now)
            if move.do is Do.REFUSE:
                raise UsageError(move.said)
            # Before the start: the thread drops it where it begins again from the first step.
            self._progress.post(replace(move, to=replace(move.to, shown=move.to.at)))
            self.start()
        return self

    def _may(self, move: Move) -> bool:
        """Tell whether a move can be made now."""
        return not self.is_over and self._progress.is_free and move.do is not Do.REFUSE
