"""`fk.check("review")`: questions from before as a quiz, with links to the places that explain them."""

from __future__ import annotations

from datetime import datetime

from flatkit.lessons.review import ReviewAttempt, get_review
from flatkit.widgets import display, html
from flatkit.widgets.quiz_card import QuizCard
from flatkit.widgets.results import Note


class ReviewCard(QuizCard):
    """Questions from before. Below it are links to the places that teach them."""

    def __init__(self, attempt: ReviewAttempt) -> None:
        super().__init__(attempt.quiz, attempt=attempt)
        self.places = tuple((asked.place, asked.link) for asked in attempt.asked)

    def display(self) -> None:
        """Show the card, and the links."""
        if self.is_shown:
            return
        super().display()
        rows = "".join(f'<li><a href="{html.escape(link)}">{html.text(place)}</a></li>' for place, link in self.places)
        words = "Where each is explained"
        twin = "\n".join([words, *(f"{number}. {place}" for number, (place, _) in enumerate(self.places, start=1))])
        display.publish_html(html.block(html.folded(words, f"<ol>{rows}</ol>")), twin)


def get_review_card() -> ReviewCard | Note:
    """Return the questions that are due, or a note that says when there will be some. Raises HostError."""
    review = get_review(datetime.now().astimezone())
    return ReviewCard(review.attempt) if review.attempt else Note(lines=(review.note,))
