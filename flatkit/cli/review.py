"""`flatkit review`: questions from before in the terminal, after one, five and fourteen days."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime

from flatkit.errors import UsageError
from flatkit.lessons.progress import Progress
from flatkit.lessons.review import ReviewAttempt, get_review, memories, next_line, upcoming
from flatkit.untrusted import printable

_LINE_MAX = 2000


def run(argv: list[str]) -> int:
    """Ask the questions that are due. Return 0, also after wrong answers: nothing is graded."""
    parser = argparse.ArgumentParser(
        prog="flatkit review",
        description="Up to five questions that you answered before, asked again after one, five and fourteen days.",
    )
    parser.add_argument("--now", action="store_true", help="also those whose day has not come")
    options = parser.parse_args(argv[1:])
    progress = Progress()
    review = get_review(datetime.now().astimezone(), progress, early=options.now)
    if review.note:
        print(printable(review.note, limit=_LINE_MAX))
    if review.attempt is None:
        return 0
    answered = _ask_all(review.attempt)
    print(f"{sum(review.attempt.right)} of {answered} right. ", end="")
    now = datetime.now().astimezone()
    print(printable(next_line(upcoming(memories(progress.all()), now)), limit=_LINE_MAX))
    return 0


def _ask_all(attempt: ReviewAttempt) -> int:
    """Ask each question; return how many were answered. The end of the input ends it."""
    for number, question in enumerate(attempt.quiz.questions, start=1):
        print(f"\n{number}. {printable(question.ask, limit=_LINE_MAX)}")
        for letter, choice in zip("abcdef", question.choices, strict=False):
            print(f"   {letter}  {printable(choice.text, limit=_LINE_MAX)}")
        if not _ask(attempt, number):
            print()
            return number - 1
        chosen = attempt.standing.chosen(number - 1)
        if chosen:
            mark = "✓ right" if chosen.is_right else "✗ no"
            print(f"   {mark}: {printable(chosen.why, limit=_LINE_MAX)}")
    return len(attempt.quiz.questions)


def _ask(attempt: ReviewAttempt, number: int) -> bool:
    """Read letters until one is an answer; return False at the end of the input."""
    while True:
        print("Your answer: ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            return False
        try:
            attempt.answer(number, line.strip() or "?")
        except UsageError as error:
            print(printable(error.message, limit=_LINE_MAX))
        else:
            return True
