"""A learner's attempt at an exercise: set up, check, hint, solve, start over. The current state is one plain value."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from flatkit.errors import FlatkitError, UsageError
from flatkit.lessons.exercise import Act, Bench, Exercise, Finding, State, Write
from flatkit.lessons.hints import Hint, Lines
from flatkit.lessons.ordering import find_lines, judge_order, parse_placed, text_of
from flatkit.lessons.progress import Progress, TaskRecord, remembered
from flatkit.untrusted import lines_of
from flatkit.waiting import wait_until


@dataclass(frozen=True, kw_only=True)
class Done:
    """An act that was done: the line that shows it, and its result."""

    line: str
    output: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Current state of an exercise: the contents of its card and of the text version.

    `placed`: the lines that the learner has put in order, by the numbers of their pieces. `is_untouched`: nothing can have
    been tried, since the check made the start just now.
    """

    exercise: Exercise
    state: State = State.NOT_TRIED
    finding: Finding | None = None
    hints: tuple[Hint, ...] = ()
    done: tuple[Done, ...] = ()
    note: str = ""
    placed: tuple[int, ...] = ()
    is_untouched: bool = False

    @property
    def shown(self) -> Finding | None:
        """The finding as the learner sees it. A learner may try before the first check, so that one is shown as well."""
        return None if self.state is State.NOT_TRIED and self.is_untouched else self.finding

    @property
    def word(self) -> str:
        """The state in words. What a check has looked at is not "not tried": a try may leave nothing behind."""
        return "not solved yet" if self.state is State.NOT_TRIED and self.shown else str(self.state)

    @property
    def headline(self) -> str:
        """Mark, title and state in one line."""
        return f"{self.state.mark} {self.exercise.name}  {self.exercise.title}: {self.word}"

    def __str__(self) -> str:
        lines = [self.headline, self.exercise.task]
        if self.shown:
            lines += [f"  {line}" for line in lines_of(str(self.shown))]
        for number, hint in enumerate(self.hints, start=1):
            lines += [f"  {line}" for line in lines_of(f"hint {number}: {hint}")]
        for done in self.done:
            lines += [f"  {done.line}", *(f"    {line}" for line in lines_of(done.output.rstrip()))]
        left = len(self.exercise.hints) - len(self.hints)
        if self.state not in {State.PASSED, State.SHOWN} and left:
            lines.append(f"  {left} hint{'s' if left > 1 else ''} left")
        return "\n".join([*lines, *([f"  {self.note}"] if self.note else [])])


def judge(exercise: Exercise, bench: Bench, *, wait: float | None = None) -> Finding:
    """Return the check's finding; repeat the check until it passes, for at most `wait` seconds (default: the exercise's own).

    An obstacle to the check (a machine that boots, an unreadable file) is a finding as well.
    """

    def look() -> Finding:
        try:
            return exercise.check(bench)
        except FlatkitError as error:
            return _blocked(error)

    seconds = exercise.wait if wait is None else wait
    return wait_until(look, seconds=seconds, pause=0.3, ok=lambda finding: finding.ok)


class Attempt:
    """An exercise on a bench, with the learner's progress."""

    def __init__(self, exercise: Exercise, bench: Bench, progress: Progress | None = None) -> None:
        self.exercise, self.bench = exercise, bench
        self._progress = progress or Progress()
        self._is_untouched = False
        self._keeping = threading.Lock()  # a line may be placed while a check looks at a machine
        self._standing = self._stand(self._progress.get(exercise.name), None)

    @property
    def standing(self) -> Standing:
        """Current state."""
        return self._standing

    def set_up(self) -> Standing:
        """Create the start, once; existing files stay unchanged. Raises FlatkitError."""
        if self._progress.get(self.exercise.name).is_set_up:
            return self._standing
        writes = [act for act in self.exercise.setup if isinstance(act, Write)]
        missing = [act for act in writes if self.bench.read(act.file) is None]
        for act in self.exercise.setup:
            if act in missing or act not in writes:
                act.do(self.bench)
        self._is_untouched = bool(writes) and missing == writes
        start = judge(self.exercise, self.bench, wait=0)
        known = "" if start.is_blocked else remembered(start)
        return self._keep(lambda record: replace(record, is_set_up=True, start=known), start)

    def check(self) -> Standing:
        """Check the result. Raises FlatkitError only when the progress cannot be saved or the setup fails."""
        record = self._progress.get(self.exercise.name)
        before = self._standing.finding if record.is_set_up else None
        try:
            self.set_up()
        except FlatkitError as error:
            return self._keep(lambda record: replace(record, state=State.WAITING), _blocked(error))
        if record.is_set_up:
            self._is_untouched = False
        # The setup has just looked; a machine takes seconds to answer.
        start = None if record.is_set_up or self.exercise.wait else self._standing.finding
        finding = start or judge(self.exercise, self.bench)
        self._keep(lambda record: record_of(finding, record), finding)
        is_as_at_start = bool(record.start) and self._standing.state is State.NOT_TRIED
        if is_as_at_start or (finding == before and not finding.ok):
            since = " since the start" if is_as_at_start else ""
            note = f"looked again at {datetime.now().astimezone():%H:%M:%S}: nothing has changed{since}"
            self._standing = replace(self._standing, note=note)
        return self._standing

    def hint(self) -> Standing:
        """Show one more hint."""
        most = len(self.exercise.hints)
        return self._keep(lambda record: replace(record, hints=min(record.hints + 1, most)))

    def place(self, placed: object) -> Standing:
        """Put lines in this order: numbers of pieces. Raises UsageError."""
        order = parse_placed(self._lines, placed)
        return self._keep(lambda record: replace(record, answers=order))

    def write_lines(self) -> Standing:
        """Write the lines that are in order into their file, and check. Raises UsageError for a wrong order."""
        lines, placed = self._lines, self._standing.placed
        verdict = judge_order(self.exercise, lines, placed)
        if not verdict.is_right:
            raise UsageError(f"the lines are not in order: {verdict.said}", hint="move them, then try again")
        self.bench.write(lines.file, text_of(lines, placed))
        return self.check()

    @property
    def _lines(self) -> Lines:
        lines = find_lines(self.exercise)
        if lines is None:
            raise UsageError(f'"{self.exercise.name}" has no lines to put in order')
        return lines

    def solve(self, say: Callable[[Standing], None] = lambda _: None) -> Standing:
        """Solve the exercise for real, show each act, and check. A backup of the learner's text is kept as FILE~.

        What the learner made may be in the way (a folder of the file's name): then it is cleaned up, and done again.
        """
        done: list[Done] = []
        texts = self._texts()
        try:
            self.set_up()
            if not self._is_solved_by_acts(done, say):
                self._do(self.exercise.cleanup, done, say)
                self._do(self.exercise.solve, done, say)
        except FlatkitError as error:
            self._standing = replace(self._standing, done=tuple(done), note=_not_done(error.message, error.hint))
            return self._standing
        was_passed = self.standing.state is State.PASSED
        self._progress.change(self.exercise.name, lambda record: replace(record, is_solved_for=not was_passed))
        self.check()
        note = "this was done for you: read it, start over, and do it yourself"
        finding = self._standing.finding
        if finding and not finding.ok:
            note = _not_done(finding.found, finding.look)
        self._standing = replace(self._standing, done=tuple(done), note=note + self._kept(texts))
        return self._standing

    def _texts(self) -> dict[str, str | None]:
        return {file: self.bench.read(file) for file in self.exercise.files}

    def _kept(self, texts: dict[str, str | None]) -> str:
        """Return where the texts are that were in the learner's files before, "" if none was replaced."""
        kept = [f"{file}~" for file, text in texts.items()
                if text and text != self.bench.read(file) and text == self.bench.read(f"{file}~")]  # fmt: skip
        return f"; your text is kept as {' and '.join(kept)}" if kept else ""

    def _is_solved_by_acts(self, done: list[Done], say: Callable[[Standing], None]) -> bool:
        try:
            self._do(self.exercise.solve, done, say)
        except FlatkitError:
            if not self.exercise.cleanup:
                raise
            return False
        return judge(self.exercise, self.bench).ok

    def _do(self, acts: tuple[Act, ...], done: list[Done], say: Callable[[Standing], None]) -> None:
        for act in acts:
            done.append(Done(line=act.line, output=act.do(self.bench)))
            self._standing = replace(self._standing, done=tuple(done))
            say(self._standing)

    def start_over(self) -> Standing:
        """Clean up, and start again. Raises FlatkitError."""
        texts = self._texts()
        do_all(self.exercise.cleanup, self.bench)
        self._keep(lambda _: TaskRecord(), None)
        self.set_up()
        if kept := self._kept(texts):
            self._standing = replace(self._standing, note=f"begun again{kept}")
        return self._standing

    def _keep(self, change: Callable[[TaskRecord], TaskRecord], *found: Finding | None) -> Standing:
        """Change the record. Without a new finding the last one remains."""
        with self._keeping:
            (finding,) = found or (self._standing.finding,)
            self._standing = self._stand(self._progress.change(self.exercise.name, change), finding)
            return self._standing

    def _stand(self, record: TaskRecord, finding: Finding | None) -> Standing:
        lines, placed = find_lines(self.exercise), tuple(one for one in record.answers if one is not None)
        fits = lines is not None and set(placed) <= set(range(len(lines.pieces)))
        return Standing(
            exercise=self.exercise, state=record.state, finding=finding, hints=self.exercise.hints[: record.hints],
            placed=placed if fits else (), is_untouched=self._is_untouched,
        )  # fmt: skip


def record_of(finding: Finding, record: TaskRecord) -> TaskRecord:
    """Return the record after a check. The same finding as at the start, or the first one at all, is not a wrong try."""
    if finding.ok:
        return replace(record, state=State.SHOWN if record.is_solved_for else State.PASSED)
    if not finding.is_blocked and record.state in {State.NOT_TRIED, State.WAITING}:
        start = record.start or remembered(finding)
        if remembered(finding) == start:
            return replace(record, state=State.NOT_TRIED, start=start)
    return replace(record, state=State.WAITING if finding.is_waiting else State.WRONG)


def _blocked(error: FlatkitError) -> Finding:
    return Finding(ok=False, is_waiting=True, is_blocked=True, found=error.message, look=error.hint)


def _not_done(why: str, look: str) -> str:
    return f"it could not be done: {why}" + (f"; next: {look}" if look else "")


def do_all(acts: tuple[Act, ...], bench: Bench) -> None:
    """Do each act. Raises FlatkitError."""
    for act in acts:
        act.do(bench)
