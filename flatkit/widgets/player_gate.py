"""The gate between the player's page and its thread: the thread waits here before each step for what the user wants."""

from __future__ import annotations

import threading
from dataclasses import replace

from flatkit.demos.presentation import Do, Mark, Move, Presentation
from flatkit.errors import Cancelled
from flatkit.widgets.progress import WorkProgress


class PlayGate(WorkProgress):
    """The state of the presentation (`show`), the steps that may be played, and the move that was asked for."""

    def __init__(self, show: Presentation, cancel: threading.Event) -> None:
        super().__init__(cancel=cancel)
        self.show = show
        self._stop = cancel
        self._gate = threading.Condition()
        self._allowed = 0
        self._wants_all = False
        self._move: Move | None = None
        # The player's thread is not there, or waits.
        self._waits = True

    # What the user wants

    @property
    def has_failed(self) -> bool:
        """True when the step failed at which the machine is."""
        return self.show.mark(self.show.at) is Mark.FAILED

    @property
    def is_done(self) -> bool:
        """True when the last step was played or left out."""
        return self.show.mark(self.show.total) in {Mark.OK, Mark.SKIPPED}

    @property
    def now(self) -> Presentation:
        """The presentation at the step where the machine is, whichever the user looks at."""
        return replace(self.show, shown=self.show.at, offered=0)

    @property
    def is_free(self) -> bool:
        """True when nothing is played, and nothing was asked for."""
        with self._gate:
            return self._waits and not self._has_wish

    def allow_next(self) -> None:
        """Allow one more step."""
        with self._gate:
            self.allow(max(self._allowed, self.show.at - 1) + 1)

    def allow(self, number: int) -> None:
        """Allow the steps up to this one."""
        with self._gate:
            self._allowed = max(self._allowed, min(number, self.show.total))
            self._gate.notify_all()

    def allow_all(self) -> None:
        """Allow all that is left; a step that fails then ends the demo."""
        with self._gate:
            self._wants_all = True
            self.allow(self.show.total)

    def post(self, move: Move) -> None:
        """Let the player's thread make this move; steps that were allowed before are no more."""
        with self._gate:
            at = move.step if move.do is Do.REWIND else move.to.at
            self._move, self._allowed, self._wants_all = move, at - 1, False
            self._gate.notify_all()

    def forget_move(self) -> None:
        """Drop the move that was asked for: the steps are no longer those that the user saw."""
        with self._gate:
            self._move = None

    def stop(self) -> None:
        """Wake the player's thread and make it stop."""
        self._stop.set()
        with self._gate:
            self._gate.notify_all()

    def await_move(self) -> Move | None:
        """Wait for what the user wants next; None when a step failed that was one of all. Raises Cancelled."""
        with self._gate:
            self._waits = True
            self.changed.set()
            self._gate.wait_for(lambda: self._stop.is_set() or self._has_wish)
            self._waits = False
            if self._stop.is_set():
                raise Cancelled("the demo was stopped")
            move, self._move = self._move, None
            if move is None and not self.has_failed:
                move = self.now.next()
            return move

    @property
    def _has_wish(self) -> bool:
        return self._move is not None or self._wants_all or self._may_run

    @property
    def _may_run(self) -> bool:
        return self._allowed >= self.show.at and not self.has_failed

    # What the player's thread does

    def take(self, show: Presentation) -> None:
        """Take over where the presentation is."""
        with self._gate:
            self.show = show
            if self.has_failed:
                self._allowed = 0
