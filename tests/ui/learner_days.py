"""A learner's two days in one notebook: a guess and its outcome, lines put in order by keys, and the review on the next day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lab import IS_IN_SIGHT, Notebook
from playwright.sync_api import Locator, expect

from flatkit.lessons.progress import Progress
from flatkit.lessons.quiz import quizzes_of

MISTAKE = """\
%%butane mistake.bu
variant: flatcar
version: 1.1.0
storage:
  files:
    - path: /opt/bin/hi
      mode: 755
      contents:
        inline: hi"""
CELLS = ['fk.check("02-predict")', MISTAKE, 'fk.check("02-script")', 'fk.check("02-recap")', 'fk.check("review")']
LINES = ("storage:", "files:", "- path: /opt/bin/greet", "contents:", "mode: 0755", "inline: |", "#!/bin/bash")
KEPT = ".fk-kept"


def take_line(hint: Locator, text: str) -> None:
    """Take a line across by keys: the focus goes with it."""
    left, config = (hint.get_by_role("list", name=name) for name in ("Lines that are left", "Your config"))
    left.get_by_role("button", name=text, exact=True).press("Enter")
    expect(config.get_by_role("button", name=text, exact=True)).to_be_focused()


def learn(notebook: Notebook, first: int) -> None:
    """The first day; `first` is the number of the first of CELLS."""
    guess = notebook.run(first)
    guess.get_by_role("button", name="1  ").click()
    expect(guess).to_contain_text("Your guess is kept")
    outcome = notebook.run(first + 1)
    expect(outcome).to_contain_text("You thought: It refuses the config")
    expect(outcome).to_contain_text("What happens: Butane warns, and translates it all the same.")
    expect(outcome).to_contain_text("→ The number is a valid one")

    exercise = notebook.run(first + 2)
    for left in (3, 2, 1):
        button = exercise.get_by_role("button", name=f"Hint ({left} left)")
        expect(button).to_be_enabled()  # a key on a button that may not be pressed yet is lost
        button.press("Enter")
    hint = exercise.get_by_role("list", name="Hints")
    for text in (*LINES, "echo Hello from $(hostname)"):
        take_line(hint, text)
    config = hint.get_by_role("list", name="Your config")
    expect(hint).to_contain_text("not yet")
    config.get_by_role("button", name="mode: 0755").press("Alt+ArrowUp")
    expect(hint).to_contain_text("✓ these lines are a config that passes")
    hint.get_by_role("button", name="Write it to greet.bu").press("Enter")
    expect(exercise.get_by_role("status").first).to_contain_text("✓ passed")

    quiz = notebook.run(first + 3)
    quiz.get_by_role("group", name="1. ").get_by_role("radio").first.press("Space")
    expect(quiz.locator(KEPT)).to_contain_text("> a")
    notebook.wait_until_idle()


def come_back(notebook: Notebook, name: str, first: int) -> None:
    """The next day: the cards say what they showed, and a wrong answer of the review leads back to its cell."""
    notebook.save()
    notebook.open_again(name)
    yesterday = Progress(now=lambda: datetime.now(UTC) - timedelta(days=1))
    for task in yesterday.all():
        yesterday.change(task, lambda record: record)
    for number in (first, first + 2, first + 3):
        kept = notebook.cells.nth(number).locator(".jp-OutputArea").first.locator(KEPT)
        expect(kept).to_be_visible()
        expect(kept).to_contain_text("Run this cell to wake it.")
        expect(kept).to_contain_text("Your answers are kept.")
    notebook.wait_until_ready()
    notebook.run(0)
    quiz = notebook.run(first + 3)
    expect(quiz.get_by_role("group", name="1. ").get_by_role("radio").first).to_be_checked()
    review = notebook.run(first + 4)
    question = quizzes_of("02-butane")[0].questions[0]
    asked = review.get_by_role("group", name=f"1. {question.ask}")
    wrong = next(number for number in range(len(question.choices)) if number != question.right)
    asked.get_by_role("radio").nth(wrong).press("Space")
    expect(asked.get_by_role("status")).to_contain_text("✗ no: ")
    expect(asked.get_by_role("status")).to_contain_text("Read again: 02-butane")
    review.locator("summary", has_text="Where each is explained").click()
    review.get_by_role("link", name="02-butane").click()
    expect(notebook.page.get_by_role("tab", name="02-butane.ipynb")).to_be_visible()
    notebook.page.wait_for_function(IS_IN_SIGHT, arg="picture")
