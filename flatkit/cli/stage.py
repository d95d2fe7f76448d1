"""The presenter at the keys: draws the step, waits for a key, and lets `demos.presenting` do what it asks for."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flatkit.cli.keys import GoOnRecorded, Keys
from flatkit.cli.screen import BOLD, CLEAR, CLEAR_LINE, HOME, REST_OF_LINE, REST_OF_SCREEN, paint, screen_of
from flatkit.cli.show import Json, Terminal
from flatkit.cli.stage_notes import NotesFile
from flatkit.cli.stage_view import Line, Poll, StageView, stage_lines
from flatkit.cli.stage_votes import RoomVotes
from flatkit.demos.presentation import (
    HELP,
    Do,
    Mark,
    Move,
    Presentation,
    StageWish,
    answering_step,
    parse_wish,
    question_at,
)
from flatkit.demos.presenting import LivePlay, RecordedPlay
from flatkit.errors import FlatkitError
from flatkit.events import Event, Observer, StepEnded, StepOutput, StepStarted
from flatkit.steps import Demo, Where

if TYPE_CHECKING:
    from flatkit.cli.screen import Screen
    from flatkit.demos.recording import Recording

_LOOK_EVERY = 1.0
_PIPE_SIZE = (100, 40)
_WORDS = {"recorded", "why", "votes", "hand"}


@dataclass(frozen=True, kw_only=True)
class StepAnswer:
    """The answer of a step on its last run."""

    command: str
    output: str = ""
    found: str = ""
    hint: str = ""
    seconds: float = 0.0


class StageWatch(Observer):
    """Keeps what each step said; the progress of its phases goes to `below`."""

    def __init__(self, below: Observer, changed: Callable[[], None]) -> None:
        self.told: dict[int, StepAnswer] = {}
        self.running = 0
        self._below, self._changed = below, changed

    def notify(self, event: Event) -> None:
        """Take an event in."""
        if isinstance(event, StepStarted):
            self.told[event.number] = StepAnswer(command=event.command)
            self.running = event.number
            self._changed()
        elif isinstance(event, StepOutput):
            self._set(event.number, output=event.text)
        elif isinstance(event, StepEnded):
            self._set(event.number, found=event.found, hint=event.hint, seconds=event.seconds)
        if isinstance(self._below, Json) or not isinstance(event, StepStarted | StepOutput | StepEnded):
            self._below.notify(event)

    def _set(self, number: int, **values: object) -> None:
        told = self.told.get(number, StepAnswer(command=""))
        self.told[number] = replace(told, **values)  # type: ignore[arg-type]


class Presenter:
    """A presentation on this terminal. `json` draws nothing, and prints an event a line."""

    def __init__(
        self, demo: Demo, keys: Keys, *, minutes: float = 0.0, json: Json | None = None,
        typical: Mapping[int, float] | None = None,
    ) -> None:  # fmt: skip
        self.demo, self._keys, self._minutes, self._json = demo, keys, minutes, json
        self._typical, self._votes = typical or {}, RoomVotes(demo)
        self._screen: Screen = screen_of(sys.stdout)
        self._is_live_screen = self._screen.isatty() and json is None
        self.watch = StageWatch(json or Terminal(sys.stdout), self.draw)
        self.show = Presentation.of(demo)
        self.play: LivePlay | RecordedPlay | None = None
        self._notes = NotesFile()
        self._began = time.time()
        self._said = self._banner = ""
        self._explains = self._keys_are_said = False

    def present(
        self, play: LivePlay | RecordedPlay, *, to_recording: Callable[[], Recording], banner: str = ""
    ) -> Presentation:
        """Present until the end is asked for. `to_recording` finds the recording to continue with, or raises InputError."""
        self._use(play, banner)
        try:
            self.draw()
            while True:
                wish = self._next_wish()
                if wish is None:
                    continue
                try:
                    try:
                        if self._answer(wish, to_recording):
                            return self.show
                    except GoOnRecorded:
                        self._go_recorded(to_recording)
                except FlatkitError as error:
                    self._refuse(f"{error.message}; Next: {error.hint}" if error.hint else error.message)
        finally:
            self._notes.remove()

    def _use(self, play: LivePlay | RecordedPlay, banner: str) -> None:
        self.play, self._banner = play, banner
        if isinstance(play, RecordedPlay):
            self.show = self.show.recorded()

    # Keys

    def _next_wish(self) -> StageWish | None:
        """Return what the presenter wants; None for a key that means nothing. Draws when the room's answers change."""
        votes = self._votes.at(self.show.shown)
        while True:
            try:
                text = self._keys.wait(_LOOK_EVERY if self._votes.is_open(self.show.shown) else None)
            except EOFError:
                return StageWish(verb="quit")
            if text is None:
                if (now := self._votes.at(self.show.shown)) != votes:
                    votes = now
                    self.draw()
                continue
            if self._keys.are_single and text.lower() in {"j", "v"}:
                text = self._rest_of(text.lower())
            wish = parse_wish(text)
            if wish is None:
                self._refuse("that key means nothing here")
            return wish

    def _rest_of(self, key: str) -> str:
        """Ask for the numbers of a key; Enter ends them, and any other key gives up."""
        ask = "jump to step: " if key == "j" else "hands for each answer, as 12 5 3: "
        self._screen.put(f"\n{ask}")
        self._screen.flush()
        typed = ""
        while (one := self._keys.wait()) != "":
            if one is None or one not in "0123456789 \x7f\x08":
                return "escape"
            typed = typed[:-1] if one in "\x7f\x08" else typed + one
            self._screen.put(CLEAR_LINE, f"{ask}{typed}")
            self._screen.flush()
        return f"{key} {typed}"

    def _answer(self, wish: StageWish, to_recording: Callable[[], Recording]) -> bool:
        """Do what a key asks for; return True at the end."""
        self._said = ""
        if wish.verb in _WORDS:
            self._answer_word(wish, to_recording)
            return False
        move = self.show.press(wish)
        self.show = move.to
        if move.do is Do.REFUSE:
            self._refuse(move.said)
        elif move.do in {Do.RUN, Do.REWIND}:
            self._carry_out(move)
        elif move.do is Do.SHOW:
            self._tell(
                event="shown", step=self.show.shown, machine_at=self.show.at, mark=str(self.show.mark(self.show.shown))
            )
            self.draw()
        return move.do is Do.END

    def _answer_word(self, wish: StageWish, to_recording: Callable[[], Recording]) -> None:
        if wish.verb == "recorded":
            self._go_recorded(to_recording)
        elif wish.verb == "why":
            self._explains = not self._explains
            self.draw()
        else:
            self._count_hands(wish)

    def _carry_out(self, move: Move) -> None:
        assert self.play is not None
        self._keys.stop_asking()
        try:
            if move.do is Do.REWIND:
                self._draw_text(f"rewinding to before step {move.step} …")
                self.show = self.play.rewind(self.show, move.step)
                self._tell(event="rewound", step=move.step)
            else:
                self._close_votes(move.step)
                self._keys.while_running = move.step if isinstance(self.play, LivePlay) else 0
                self.show = self.play.begin(self.show, move.step)
                self.show = self.play.run(self.show, move.step)
        finally:
            self._keys.while_running = self.watch.running = 0
        self.draw()

    def _go_recorded(self, to_recording: Callable[[], Recording]) -> None:
        if isinstance(self.play, RecordedPlay):
            self._refuse("this is the recording already")
            return
        recording = to_recording()
        self._use(RecordedPlay(recording, self.watch), recording.banner)
        # The step that was left runs again, recorded.
        if self.show.mark(self.show.at) is Mark.FAILED:
            self.show = self.show.rewound(self.show.at)
        self._tell(event="recorded", step=self.show.at, banner=recording.banner)
        self.draw()

    def _refuse(self, why: str) -> None:
        self._said = why
        self._tell(event="refused", said=why)
        self.draw()

    # The room's answers

    def _count_hands(self, wish: StageWish) -> None:
        hands = self._votes.count_hands(self.show.shown, wish)
        name = question_at(self.demo, self.show.shown)
        self._tell(event="votes", prediction=name, votes=hands, source="hands")
        self.draw()

    def _close_votes(self, step: int) -> None:
        poll = self._votes.close(step)
        if poll is not None:
            name = question_at(self.demo, step)
            self._tell(event="votes", prediction=name, votes=list(poll.votes), source=poll.source)

    def _poll(self, step: int) -> Poll | None:
        """Return the answers to show beside a step: with what happened once its last step has run."""
        name = question_at(self.demo, step)
        answering = answering_step(self.demo, name) if name else 0
        is_answered = bool(name) and self.show.mark(answering) is Mark.OK and self.watch.running != answering
        return self._votes.poll(step, is_answered=is_answered)

    # What is shown

    def view(self) -> StageView:
        """Return what is shown now."""
        number = self.show.shown
        step = self.demo.steps[number - 1]
        told = self.watch.told.get(number, StepAnswer(command=""))
        is_running, mark = self.watch.running == number, self.show.mark(number)
        if mark is Mark.WAITING and not is_running:
            told = StepAnswer(command="")
        following = self.demo.steps[number] if number < self.show.total else None
        return StageView(
            demo=self.demo.name, title=self.demo.title, shown=number, machine_at=self.show.at, total=self.show.total,
            step=step.title, why=step.why, notes=step.notes,
            prompt="host$" if step.where is Where.HOST else "core@machine$", command=told.command or self._line(number),
            state="running" if is_running else str(mark), output=told.output, found=told.found, hint=told.hint,
            seconds=told.seconds, typical=self._typical.get(number, 0.0),
            next_step=following.title if following else "", banner=self._banner, said=self._said,
            keys="" if is_running else HELP,
            explains=self._explains, began=self._began, minutes=self._minutes, poll=self._poll(number),
        )  # fmt: skip

    def _line(self, number: int) -> str:
        """Return a step's command as it will be typed, as far as that is known before."""
        if self.play is not None and number == self.show.at:
            with suppress(FlatkitError):
                return self.play.line(number)
        return self.demo.steps[number - 1].line

    def draw(self) -> None:
        """Show the step here, and to the notes."""
        view = self.view()
        if not self.watch.running:
            self._keys.expect_key()
        self._notes.write(view)
        if self._json is not None:
            return
        width, height = shutil.get_terminal_size() if self._is_live_screen else _PIPE_SIZE
        if self._is_live_screen:
            self._screen.put(CLEAR)
        else:
            # Lines from a pipe: the keys are listed once.
            self._screen.put("─" * _PIPE_SIZE[0], "\n")
            view, self._keys_are_said = replace(view, keys="" if self._keys_are_said else view.keys), True
        put_lines(self._screen, stage_lines(view, width=width, height=height))

    def _draw_text(self, text: str) -> None:
        if self._json is None:
            self._screen.put("\n", *paint(text, BOLD, self._screen), "\n")
            self._screen.flush()

    def _tell(self, *, event: str, **values: object) -> None:
        if self._json is not None:
            self._json.happened(event, **values)


def put_lines(screen: Screen, lines: list[Line], *, over: bool = False) -> None:
    """Write lines in their colors, `over` what the screen of a terminal shows."""
    screen.put(*([HOME] if over else []))
    for text, color in lines:
        screen.put(*(paint(text, color, screen) if color else (text,)), *([REST_OF_LINE] if over else []), "\n")
    screen.put(*([REST_OF_SCREEN] if over else []))
    screen.flush()
